"""One HTTP request to one endpoint of the cloud, through the SDK's session.

The session logs in when necessary, once more after a 401, and knows the site's proxies, certificates and unusual
logins. Nothing here is retried, and no status is an error: the caller decides.
"""

from __future__ import annotations

import logging
import os
import re
import urllib.parse
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import requests
from keystoneauth1 import exceptions as ksa
from keystoneauth1.identity.base import BaseIdentityPlugin
from keystoneauth1.session import Session
from openstack import exceptions as sdk
from openstack.config.cloud_region import CloudRegion

from hfstack.cloud.discovery import Discovery
from hfstack.cloud.sdk_errors import Redirected, translated
from hfstack.cloud.transport import Reply
from hfstack.context import Budget
from hfstack.errors import CloudTrouble, ConfigError
from hfstack.log import Log
from hfstack.store.token_cache import CachedAccess


class Access:
    """Access to one cloud: a transport that logs in when it is first used, and the services' endpoints.

    `where` is the file, or the variables, that describe the cloud.
    """

    def __init__(self, region: CloudRegion, budget: Budget, where: str) -> None:
        self.region = region
        region.set_session_constructor(BoundedSession)
        try:
            self.session = region.get_session()
        except (sdk.ConfigException, ksa.ClientException) as error:
            raise ConfigError(f"the cloud's credentials cannot be used: {error}") from None
        if isinstance(self.session, BoundedSession):
            self.session.budget = budget
        self.transport = SessionTransport(self.session)
        self.discovery = Discovery(region, self.session, where)

    def project(self) -> str:
        """Return the id of the token's project, "" if the login has none. Logs in if necessary.

        Raises `CloudTrouble`, and `ConfigError` for a token that is not for a project.
        """
        return self.discovery.project()

    def compute_region(self) -> str:
        """Return the region of the compute endpoint, "" if neither clouds.yaml nor the catalog says which one it is."""
        regions = self.discovery.regions("compute")
        return regions[0] if len(regions) == 1 else ""

    def endpoint_of(self, service: str) -> str:
        """Return the base URL of a service's API: compute, network or image. Raises `CloudTrouble`, `ConfigError`."""
        return self.discovery.endpoint(service)

    def cacheable(self, env: Mapping[str, str], settings: Mapping[str, object]) -> CachedAccess | None:
        """Return what later calls need to query the services with only the token; `None` if a token is not enough.

        A token is not enough with a proxy, a client certificate, a server whose certificate is not verified, or a login
        without a token that expires. Logs in if necessary. Raises `CloudTrouble`, `ConfigError`.
        """
        auth, cafile = self.session.auth, ca_file(self.session.verify, env)
        if self.session.cert or not os.path.isfile(cafile) or not isinstance(auth, BaseIdentityPlugin):
            return None
        endpoints = {"compute": self.endpoint_of("compute")}
        for service in ("network", "image"):
            with suppress(CloudTrouble, ConfigError):
                endpoints[service] = self.endpoint_of(service)
        login = translated(lambda: auth.get_access(self.session), endpoints["compute"])
        headers = translated(lambda: auth.get_headers(self.session), endpoints["compute"])
        plain = all(PLAIN_URL.match(url) and not has_proxy(url) for url in endpoints.values())
        token = login.auth_token
        if not plain or not token or not login.expires or headers != {"X-Auth-Token": token}:
            return None
        return CachedAccess(
            token, login.expires.timestamp(), endpoints, cafile, settings, self.project(), self.compute_region()
        )


PLAIN_URL = re.compile(r"https?://([\w.-]*\w|\[[0-9a-f:]+\])(:\d{1,5})?(/[\w./~-]*)?\Z", re.ASCII | re.IGNORECASE)
"""Endpoints for which the SDK's session and the standard library send the same request."""

REDIRECTS = frozenset({301, 302, 303, 305, 307, 308})
"""What keystoneauth would follow, with the token or the password. 300 is what a list of versions has."""

MAX_REDIRECTS = 3
"""How many redirects lead to a version document at most."""


class BoundedSession(Session):
    """A session whose requests, including those of the login, end with the time budget of this call."""

    budget: Budget

    def request(self, url: str, method: str, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401
        """Send one request within the remaining time. Raises keystoneauth's errors, and `Redirected`.

        A redirect is followed only for a version document, and only within one origin: Nova redirects /v2.1 to /v2.1/.
        Other requests carry a password or a token, which are only for the address that the site named. A caller that
        passes `raise_exc=False` gets the redirect itself.
        """
        hops = MAX_REDIRECTS if method == "GET" else 0
        response = self.bounded(url, method, *args, **kwargs)
        while response.status_code in REDIRECTS and kwargs.get("raise_exc") is not False:
            location = response.headers.get("Location", "")
            if not hops or not is_same_origin(url, location):
                raise Redirected(url, response.status_code, location)
            hops, url = hops - 1, urllib.parse.urljoin(url, location)
            response = self.bounded(url, method, *args, **kwargs)
        return response

    def bounded(self, url: str, method: str, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401
        """Send one request within the remaining time, and follow no redirect. Raises keystoneauth's errors."""
        kwargs["redirect"] = False
        left = self.budget.left()
        if left <= 0:
            raise ksa.ConnectTimeout("this call ran out of time")
        kwargs["timeout"] = min(kwargs.get("timeout") or self.timeout or left, left)
        return super().request(url, method, *args, **kwargs)


class SessionTransport:
    """Sends requests through a keystoneauth session, with its token."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        timeout: float,
        body: bytes | None = None,
        *,
        allow_reauth: bool = True,
    ) -> Reply:
        """Send one request and return the reply. `timeout` is in seconds. Raises `CloudTrouble`, `ConfigError`.

        Redirects are not followed: the token is only for this host. After a 401 the request is sent once more with a
        new login, if that is allowed.
        """
        response = translated(
            lambda: self.session.request(
                url,
                method,
                headers=dict(headers),
                data=body,
                timeout=timeout,
                raise_exc=False,
                allow_reauth=allow_reauth,
                redirect=False,
                connect_retries=0,
                status_code_retries=0,
                log=False,
            ),
            url,
        )
        lower = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, lower, response.content)


def is_same_origin(url: str, location: str) -> bool:
    """Tell whether a redirect from `url` stays with its scheme, host and port."""
    try:
        return urllib.parse.urlsplit(urllib.parse.urljoin(url, location))[:2] == urllib.parse.urlsplit(url)[:2]
    except ValueError:
        return False


def capture_library_logs(log: Log) -> None:
    """Send the warnings of libraries to the log; Python's own fallback would print them on stderr.

    Their DEBUG lines are never logged: they contain request bodies.
    """

    class ToLog(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            log.write("WARNING", f"{record.name}: {record.getMessage()}")

    root = logging.getLogger()
    root.handlers = [ToLog(logging.WARNING)]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def ca_file(verify: bool | str | None, env: Mapping[str, str]) -> str:
    """Return the file or folder of certificates that requests would trust; "" if it would trust any server."""
    if verify is True:
        # requests' own order (Session.merge_environment_settings)
        return env.get("REQUESTS_CA_BUNDLE") or env.get("CURL_CA_BUNDLE") or requests.utils.DEFAULT_CA_BUNDLE_PATH
    return verify or ""


def has_proxy(url: str) -> bool:
    """Tell whether requests would use a proxy from the environment for this URL."""
    return bool(requests.utils.get_environ_proxies(url))
