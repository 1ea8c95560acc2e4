"""The way into the site's cloud: with the token of an earlier call where there is one, else through a login.

What the SDK found out is kept for the calls that come later (`cache.py`), unless its session does something that a
token alone does not. A token that the cloud does not take any more is given up, and the request that met it is sent
once more: an answer of 401 says that it was not carried out.
"""

from __future__ import annotations

import _thread
from collections.abc import Mapping

from hfstack.named import TYPE_CHECKING

from . import cache
from .transport import Reply, TokenTransport, Unreachable

if TYPE_CHECKING:
    from hfstack.call import Call

    from .access import Access


class Connection:
    """Endpoints of services, and requests to them; several threads may use it."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.known = call.known
        self.direct = TokenTransport(call.known.token, call.known.cafile) if call.known else None
        self.access: Access | None = None
        self.lock = _thread.allocate_lock()

    def endpoint(self, service: str) -> str:
        """Return the URL below which a service's API is. Logs in, where that is still to do.

        Raises `ConfigError`, `CloudTrouble`.
        """
        known = self.known
        if known and service in known.endpoints:
            return known.endpoints[service]
        return self.login().endpoint_of(service)

    def send(
        self, method: str, url: str, headers: Mapping[str, str], timeout: float, body: bytes | None = None
    ) -> Reply:
        """Send one request and return its answer. `timeout` is in seconds. Raises `CloudTrouble`, `ConfigError`."""
        direct = self.direct
        if direct is None:
            return self.login().transport.send(method, url, headers, timeout, body)
        try:
            reply = direct.send(method, url, headers, timeout, body)
        except Unreachable:
            # the service may have moved: the next call is to look
            cache.drop(self.call.around)
            raise
        if reply.status != 401:
            return reply
        self.give_up(direct)
        return self.login().transport.send(method, url, headers, timeout, body, allow_reauth=False)

    def login(self) -> Access:
        """Return the SDK's way into the cloud, and keep what it finds out. Raises `ConfigError`, `CloudTrouble`."""
        with self.lock:
            if self.access is None:
                from .access import files_of, open_access

                call = self.call
                access = open_access(call.settings, call.around.confdir, call.env, call.budget, call.log)
                settings = call.known.settings if call.known else call.settings.model_dump()
                found = access.known(call.env, settings)
                if found:
                    files = files_of(call.around, call.settings, call.env)
                    cache.save(call.around, call.env, call.began, found, [*files, found.cafile])
                    if self.known is None:
                        self.direct = TokenTransport(found.token, found.cafile)
                self.access, self.known = access, found
            return self.access

    def give_up(self, direct: TokenTransport) -> None:
        """Have the next request log in anew."""
        with self.lock:
            if self.direct is direct:
                self.call.log.info("the token is not taken any more: logging in")
                cache.drop(self.call.around)
                self.direct = None
                if self.access:
                    self.access.session.invalidate()
