"""The services of the site's cloud, opened once per call."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hfstack.call import Call

from .access import Access, open_access
from .neutron import Neutron
from .nova import HEADERS, Nova
from .resolve import Resolver
from .service import Service

GLOBAL_REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
"""What OpenStack accepts as a caller's own request id; others it ignores."""


class Cloud:
    """Hands out the services, with one login for all of them."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.opened: Access | None = None

    @property
    def access(self) -> Access:
        """The way into the cloud. Raises `ConfigError`, when it is first used."""
        if self.opened is None:
            call = self.call
            self.opened = open_access(call.settings, call.around.confdir, call.env, call.budget)
        return self.opened

    def nova(self, request_id: str) -> Nova:
        """Return Nova, with the request's id on every call, so that one search in the cloud's logs follows it."""
        return Nova(self.service("Nova", self.access.compute_endpoint(), request_id, HEADERS))

    def neutron(self, request_id: str) -> Neutron:
        """Return Neutron, likewise."""
        return Neutron(self.service("Neutron", self.access.network_endpoint(), request_id, {}))

    def resolver(self, request_id: str) -> Resolver:
        """Return what turns names into ids; Glance and Neutron are looked for when they are first needed."""
        return Resolver(
            self.nova(request_id).service,
            lambda: self.service("Glance", self.access.image_endpoint(), request_id, {}),
            lambda: self.neutron(request_id).service,
        )

    def service(self, name: str, endpoint: str, request_id: str, headers: Mapping[str, str]) -> Service:
        """Return one of the services, as messages are to call it."""
        if GLOBAL_REQUEST_ID.match(request_id):
            headers = {**headers, "X-Openstack-Request-Id": request_id}
        call = self.call
        timeout = call.settings.httpTimeout
        return Service(name, endpoint, self.access.transport, call.budget, timeout, call.log, headers)
