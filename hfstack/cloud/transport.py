"""One HTTP request to one endpoint of the cloud, with a cached token. Needs only the standard library.

A poll that finds a token in the cache needs nothing else. Everything that this does not support (proxies, client
certificates, unusual logins) goes through the SDK's session, `sdk.py`. Nothing here is retried, and no status is an
error: the caller decides.
"""

from __future__ import annotations

import http.client
import select
import socket
import sys
import urllib.parse
from collections.abc import Mapping

from hfstack import __version__
from hfstack._typing import TYPE_CHECKING, NamedTuple
from hfstack.errors import CloudTrouble, one_line

if TYPE_CHECKING:
    from ssl import SSLContext


class Reply(NamedTuple):
    """An HTTP reply, whatever its status. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Unreachable(CloudTrouble):
    """There was no HTTP reply: refused, no such host, no TLS, or not in time. A GET or DELETE may be retried."""


class LoginRefused(CloudTrouble):
    """Keystone, or something before it, refused the login. `status` is that of its reply."""

    def __init__(self, reason: str, request_ids: tuple[str, ...], status: int) -> None:
        super().__init__(reason, request_ids)
        self.status = status


class TokenTransport:
    """Sends requests with a token, over connections that the same call reuses."""

    def __init__(self, token: str, cafile: str) -> None:
        self.headers = {"X-Auth-Token": token, "User-Agent": f"hfstack/{__version__}"}
        self.cafile = cafile
        self.context: SSLContext | None = None
        self.idle: list[tuple[str, http.client.HTTPConnection]] = []

    def send(
        self, method: str, url: str, headers: Mapping[str, str], timeout: float, body: bytes | None = None
    ) -> Reply:
        """Send one request and return the reply. `timeout` is in seconds. Raises `Unreachable`.

        Redirects are not followed: the token is only for this host.
        """
        parts = urllib.parse.urlsplit(url)
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        origin = f"{parts.scheme}://{parts.netloc}"
        connection = None
        try:
            connection = self.take(origin, timeout) or self.connect(parts, timeout)
            connection.request(method, path, body, {"Host": parts.netloc, **self.headers, **headers})
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException, ValueError) as error:
            if connection is not None:
                connection.close()
            raise Unreachable(f"cannot reach {url.partition('?')[0]}: {reason(error)}") from None
        if not response.will_close:
            self.idle.append((origin, connection))
        return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, content)

    def take(self, origin: str, timeout: float) -> http.client.HTTPConnection | None:
        """Take a kept connection that the other side has not closed, if there is one."""
        for kept in [idle for idle in self.idle if idle[0] == origin]:
            try:
                self.idle.remove(kept)
            except ValueError:
                continue  # another thread has it
            connection = kept[1]
            # anything readable before a request is sent is the end of the connection
            if connection.sock and not select.select([connection.sock], [], [], 0)[0]:
                connection.sock.settimeout(timeout)
                return connection
            connection.close()
        return None

    def connect(self, parts: urllib.parse.SplitResult, timeout: float) -> http.client.HTTPConnection:
        """Open a connection.

        The host is passed as bytes, so that Python does not load its codec for international names, which takes longer
        than the request.
        """
        host = parts.hostname or ""
        port = port_of(parts)
        connection = http.client.HTTPConnection(host, port)
        name = host.encode("ascii")
        connection.sock = socket.create_connection((name, port), timeout)  # type: ignore[arg-type] # takes bytes as well
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if parts.scheme == "https":
            try:
                connection.sock = self.tls().wrap_socket(connection.sock, server_hostname=name)
            except (OSError, ValueError):
                connection.close()
                raise
        return connection

    def tls(self) -> SSLContext:
        """Return the context of TLS connections; the certificates are loaded once."""
        if self.context is None:
            import ssl

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            # as strict as the SDK's session (urllib3.util.ssl_.create_urllib3_context)
            if sys.version_info >= (3, 13):
                context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
            context.hostname_checks_common_name = False
            context.load_verify_locations(self.cafile)
            self.context = context
        return self.context


def host_and_port(url: str) -> str:
    """Return host:port of a URL: the host in lower case, the port of the scheme if the URL names none.

    Raises `Unreachable` for a URL that leads nowhere.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        port = port_of(parts)
    except ValueError as error:
        raise Unreachable(f"cannot reach {url}: {error}") from None
    host = parts.hostname or ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def leads_to(url: str, location: str) -> str:
    """Return where a redirect from `url` leads, for a message."""
    return one_line(without_secrets(location, url)) if location else "an unknown address"


def without_secrets(url: str, base: str = "") -> str:
    """Return a URL, which may be relative to `base`, without user, password, query and fragment; for a message."""
    try:
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(base, url))
    except ValueError:
        return "something that is not a URL"
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def port_of(parts: urllib.parse.SplitResult) -> int:
    """Return the port of a URL. Raises `ValueError` for an impossible one."""
    return parts.port or (443 if parts.scheme == "https" else 80)


def reason(error: Exception) -> str:
    """Return the system's own description of an error."""
    untrusted = getattr(error, "verify_message", "")
    if untrusted:
        return f"its certificate is not trusted: {untrusted}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, http.client.IncompleteRead):
        return "its answer ends too early"
    if isinstance(error, http.client.HTTPException) and not isinstance(error, OSError):
        return "its answer is not HTTP"
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
