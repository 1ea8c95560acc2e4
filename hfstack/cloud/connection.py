"""The way into the site's cloud: with the token of an earlier call where there is one, else through a login.

What the SDK found out is kept for later calls (`token_cache.py`), unless its session does something that a token
alone does not. A token that the cloud does not take any more is given up, and the request that met it is sent
once more: an answer of 401 says that it was not carried out.
"""

from __future__ import annotations

import _thread
import re
from collections.abc import Mapping

from hfstack._typing import TYPE_CHECKING
from hfstack.cloud.client import ServiceClient
from hfstack.cloud.nova import HEADERS, Nova
from hfstack.cloud.transport import Reply, TokenTransport, Unreachable
from hfstack.store import token_cache

if TYPE_CHECKING:
    from hfstack.cloud.neutron import Neutron
    from hfstack.cloud.resolve import Resolver
    from hfstack.cloud.sdk import Access
    from hfstack.context import Context

GLOBAL_REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
"""What OpenStack accepts as a caller's own request id; others it ignores."""


class Connection:
    """Endpoints of services, and requests to them; several threads may use it."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.known = known = context.cached_access
        self.direct = TokenTransport(known.token, known.cafile) if known else None
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
            token_cache.drop(self.context.environment)
            raise
        if reply.status != 401:
            return reply
        self.give_up(direct)
        return self.login().transport.send(method, url, headers, timeout, body, allow_reauth=False)

    def login(self) -> Access:
        """Return the SDK's way into the cloud, and keep what it finds out. Raises `ConfigError`, `CloudTrouble`."""
        with self.lock:
            if self.access is None:
                from hfstack.cloud.credentials import files_of, open_access

                context = self.context
                access = open_access(
                    context.settings, context.environment.confdir, context.env, context.budget, context.log
                )
                settings = context.cached_access.settings if context.cached_access else context.settings.model_dump()
                found = access.known(context.env, settings)
                if found:
                    files = files_of(context.environment, context.settings, context.env)
                    token_cache.save(
                        context.environment, context.env, context.started_at, found, [*files, found.cafile]
                    )
                    if self.known is None:
                        self.direct = TokenTransport(found.token, found.cafile)
                self.access, self.known = access, found
            return self.access

    def give_up(self, direct: TokenTransport) -> None:
        """Have the next request log in anew."""
        with self.lock:
            if self.direct is direct:
                self.context.log.info("the token is not taken any more: logging in")
                token_cache.drop(self.context.environment)
                self.direct = None
                if self.access:
                    self.access.session.invalidate()


class Cloud:
    """Hands out the services. Every call carries the context's request id, so the cloud's logs can be searched for it.

    The clouds of several requests may share one connection, and so one login.
    """

    def __init__(self, context: Context, connection: Connection | None = None) -> None:
        self.context = context
        self.connection = connection or Connection(context)

    def nova(self) -> Nova:
        """Return Nova."""
        return Nova(self.service("Nova", "compute", HEADERS))

    def neutron(self) -> Neutron:
        """Return Neutron."""
        # most polls need Nova alone, and are not to wait for more
        from hfstack.cloud.neutron import Neutron

        return Neutron(self.service("Neutron", "network", {}))

    def resolver(self) -> Resolver:
        """Return what turns names into ids; Glance and Neutron are looked for when they are first needed."""
        from hfstack.cloud.resolve import Resolver
        from hfstack.store.name_cache import Names

        nova = self.nova().service
        known = self.connection.known
        return Resolver(
            nova,
            lambda: self.service("Glance", "image", {}),
            lambda: self.neutron().service,
            Names(self.context.environment, known.token if known else "", self.context.now()),
        )

    def service(self, name: str, service_type: str, headers: Mapping[str, str]) -> ServiceClient:
        """Return one of the services, as messages are to call it. Raises `ConfigError`, `CloudTrouble`."""
        context = self.context
        if GLOBAL_REQUEST_ID.match(context.request_id):
            headers = {**headers, "X-Openstack-Request-Id": context.request_id}
        timeout, endpoint = context.settings.httpTimeout, self.connection.endpoint(service_type)
        return ServiceClient(name, endpoint, self.connection, context.budget, timeout, context.log, headers)
