"""The connection to the site's cloud: with the token of an earlier call if there is one, else through a login.

The token and endpoints of a login are cached for later calls (`token_cache.py`), unless the SDK's session needs more
than a token. They are cached when Nova has answered, and dropped when something else answers in its place: keystoneauth
guesses an endpoint if it finds no version document, and services move. When the cloud refuses the token, it is dropped,
and the refused request is sent once more: a 401 says that it was not carried out. A login that failed is not
repeated in the same call, and one that was refused is not repeated within a minute (`refused_login.py`).
"""

from __future__ import annotations

import _thread
import re
from collections.abc import Mapping

from hfstack._typing import TYPE_CHECKING
from hfstack.cloud.client import ServiceClient, is_elsewhere
from hfstack.cloud.nova import HEADERS, Nova, has_microversion
from hfstack.cloud.transport import LoginRefused, Reply, TokenTransport, Unreachable, host_and_port
from hfstack.errors import CloudTrouble, ConfigError
from hfstack.rules.server_record import provider_tag
from hfstack.store import token_cache
from hfstack.store.facts import Place

if TYPE_CHECKING:
    from hfstack.cloud.neutron import Neutron
    from hfstack.cloud.resolve import Resolver
    from hfstack.cloud.sdk import Access
    from hfstack.context import Context
    from hfstack.store.token_cache import CachedAccess

LIMITED = frozenset({413, 429})
"""What a limiter of rates answers before Nova sees the request. To log in would be three more."""

GLOBAL_REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
"""What OpenStack accepts as a caller's own request id; it ignores others."""


class Connection:
    """Endpoints of services, and requests to them; several threads may use it."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.known = known = context.cached_access
        self.direct = TokenTransport(known.token, known.cafile) if known else None
        self.access: Access | None = None
        self.failure: ConfigError | CloudTrouble | None = None
        """Why the login of this call failed: it is not tried again."""
        self.unproven: CachedAccess | None = None
        """What this call's login learned, until Nova answers."""
        self.lock = _thread.allocate_lock()

    def endpoint(self, service: str) -> str:
        """Return the base URL of a service's API. Logs in if necessary.

        Raises `ConfigError`, `CloudTrouble`.
        """
        known = self.known
        if known and service in known.endpoints:
            return known.endpoints[service]
        return self.login().endpoint_of(service)

    def place(self) -> Place:
        """Return where this call's requests go. Logs in if necessary. Raises `ConfigError`, `CloudTrouble`."""
        compute = host_and_port(self.endpoint("compute"))
        known = self.known
        if known:
            return Place(known.project, known.region, compute)
        access = self.login()
        return Place(access.project(), access.compute_region(), compute)

    def send(
        self, method: str, url: str, headers: Mapping[str, str], timeout: float, body: bytes | None = None
    ) -> Reply:
        """Send one request and return the reply. `timeout` is in seconds. Raises `CloudTrouble`, `ConfigError`."""
        direct = self.direct
        if direct is None:
            return self.judged(url, self.send_with_login(method, url, headers, timeout, body))
        try:
            reply = direct.send(method, url, headers, timeout, body)
        except Unreachable:
            # the service may have moved: let the next call look it up
            token_cache.drop(self.context.environment)
            raise
        if reply.status == 401:
            self.give_up(direct)
            reply = self.send_with_login(method, url, headers, timeout, body, allow_reauth=False)
        return self.judged(url, reply)

    def send_with_login(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        timeout: float,
        body: bytes | None,
        *,
        allow_reauth: bool = True,
    ) -> Reply:
        """Send one request through the SDK's session, which may log in again. Raises `CloudTrouble`, `ConfigError`."""
        transport = self.login().transport
        try:
            return transport.send(method, url, headers, timeout, body, allow_reauth=allow_reauth)
        except LoginRefused as error:
            self.note(error)
            raise

    def judged(self, url: str, reply: Reply) -> Reply:
        """Cache what the login learned once Nova has answered, drop what is cached if something else did."""
        known = self.known
        if known is None or reply.status in LIMITED:
            return reply
        is_novas = url.startswith(known.endpoints["compute"].rstrip("/") + "/")
        if is_elsewhere(reply) if not is_novas else not has_microversion(reply):
            token_cache.drop(self.context.environment)
        elif is_novas and self.unproven:
            self.keep()
        return reply

    def keep(self) -> None:
        """Cache what the login learned."""
        from hfstack.cloud.credentials import files_of

        with self.lock:
            known, self.unproven = self.unproven, None
        if known:
            context = self.context
            files = [*files_of(context.environment, context.settings, context.env), known.cafile]
            token_cache.save(context.environment, context.env, context.started_at, known, files)

    def login(self) -> Access:
        """Log in with the SDK, once. Raises `ConfigError`, `CloudTrouble`; the same again after a login that failed."""
        with self.lock:
            if self.failure:
                raise self.failure
            if self.access is None:
                try:
                    self.access = self.opened()
                except Unreachable as error:
                    # a caller tries this again only for a service
                    self.failure = CloudTrouble(str(error))
                    raise self.failure from None
                except LoginRefused as error:
                    self.note(error)
                    raise
                except (ConfigError, CloudTrouble) as error:
                    self.failure = error
                    raise
            return self.access

    def opened(self) -> Access:
        """Log in with the SDK. Raises `ConfigError`, `CloudTrouble`."""
        from hfstack.cloud.credentials import open_access
        from hfstack.store import refused_login

        context = self.context
        refused = refused_login.load(context.environment, context.env, context.now())
        if refused:
            raise CloudTrouble(
                f"{refused.message} (hfstack tries this login again in {refused.wait:.0f} s, "
                "or as soon as clouds.yaml changes)",
                refused.request_ids,
            )
        access = open_access(context.settings, context.environment.confdir, context.env, context.budget, context.log)
        project = access.project()
        refused_login.forget(context.environment)
        if self.known and (project, access.compute_region()) != (self.known.project, self.known.region):
            raise CloudTrouble("the configuration has changed to another place during this call: the next call uses it")
        settings = context.cached_access.settings if context.cached_access else context.settings.model_dump()
        cacheable = access.cacheable(context.env, settings)
        if cacheable and self.known is None:
            self.direct = TokenTransport(cacheable.token, cacheable.cafile)
        self.known = self.unproven = cacheable
        return access

    def note(self, error: LoginRefused) -> None:
        """Remember that the login was refused: for this call, and for a minute if it was by its credentials."""
        self.failure = error
        if error.status == 401:
            from hfstack.cloud.credentials import files_of
            from hfstack.store import refused_login

            context = self.context
            files = files_of(context.environment, context.settings, context.env)
            words = str(error), error.request_ids
            refused_login.save(context.environment, context.env, context.started_at, context.now(), words, files)

    def give_up(self, direct: TokenTransport) -> None:
        """Make the next request log in again."""
        with self.lock:
            if self.direct is direct:
                self.context.log.info("the token is no longer accepted: logging in")
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
        self.known_places: dict[Place | None, str] = {None: ""}

    def elsewhere(self, place: Place | None) -> str:
        """Say why nothing may be concluded about a machine that was requested at a place, "" if it may be.

        A 404 is no proof in another project or region. Another address may only be a new name of the same cloud: it
        counts as the same once it shows a server of this provider instance. Raises `ConfigError`, `CloudTrouble`.
        """
        if place is not None and place not in self.known_places:
            self.known_places[place] = self.compare(place, self.connection.place())
        return self.known_places[place]

    def compare(self, place: Place, here: Place) -> str:
        """Return what `elsewhere` returns."""
        if place == here:
            return ""
        provider = self.context.environment.provider
        if place[:2] == here[:2] and self.nova().servers_of(provider_tag(provider)):
            return ""
        return (
            f"the request was made in {described(place)}, and the configuration now leads to {described(here)}: "
            "hfstack concludes nothing there; check cloud, clouds.yaml and OS_* variables"
        )

    def nova(self) -> Nova:
        """Return Nova."""
        return Nova(self.service("Nova", "compute", HEADERS))

    def neutron(self) -> Neutron:
        """Return Neutron."""
        # most polls need only Nova, and should not load more
        from hfstack.cloud.neutron import Neutron

        return Neutron(self.service("Neutron", "network", {}))

    def resolver(self) -> Resolver:
        """Return the resolver of names into ids; it looks up Glance and Neutron when it first needs them."""
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
        """Return the client of one service; messages call it `name`. Raises `ConfigError`, `CloudTrouble`."""
        context = self.context
        if GLOBAL_REQUEST_ID.match(context.request_id):
            headers = {**headers, "X-Openstack-Request-Id": context.request_id}
        timeout, endpoint = context.settings.httpTimeout, self.connection.endpoint(service_type)
        return ServiceClient(name, endpoint, self.connection, context.budget, timeout, context.log, headers)


def described(place: Place) -> str:
    """Name a place in a message."""
    region = f"region {place.region}" if place.region else "no region"
    return f"project {place.project}, {region}, {place.compute}"
