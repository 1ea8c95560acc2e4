"""The services of the site's cloud, opened once per call."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hfstack.call import Call
from hfstack.named import TYPE_CHECKING

from .connection import Connection
from .nova import HEADERS, Nova
from .service import Service

if TYPE_CHECKING:
    from .floating import FloatingIPs
    from .neutron import Neutron
    from .resolve import Resolver

GLOBAL_REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
"""What OpenStack accepts as a caller's own request id; others it ignores."""


class Cloud:
    """Hands out the services, with one login for all of them."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.connection = Connection(call)

    def nova(self, request_id: str) -> Nova:
        """Return Nova, with the request's id on every call, so that one search in the cloud's logs follows it."""
        return Nova(self.service("Nova", "compute", request_id, HEADERS))

    def neutron(self, request_id: str) -> Neutron:
        """Return Neutron, likewise."""
        # most polls need Nova alone, and are not to wait for more
        from .neutron import Neutron

        return Neutron(self.service("Neutron", "network", request_id, {}))

    def floating_ips(self, request_id: str) -> FloatingIPs:
        """Return Neutron's floating IPs, likewise."""
        from .floating import FloatingIPs

        return FloatingIPs(self.service("Neutron", "network", request_id, {}))

    def resolver(self, request_id: str) -> Resolver:
        """Return what turns names into ids; Glance and Neutron are looked for when they are first needed."""
        from .names import Names
        from .resolve import Resolver

        nova = self.nova(request_id).service
        known = self.connection.known
        return Resolver(
            nova,
            lambda: self.service("Glance", "image", request_id, {}),
            lambda: self.neutron(request_id).service,
            Names(self.call.around, known.token if known else "", self.call.now()),
        )

    def service(self, name: str, service_type: str, request_id: str, headers: Mapping[str, str]) -> Service:
        """Return one of the services, as messages are to call it. Raises `ConfigError`, `CloudTrouble`."""
        if GLOBAL_REQUEST_ID.match(request_id):
            headers = {**headers, "X-Openstack-Request-Id": request_id}
        call = self.call
        timeout, endpoint = call.settings.httpTimeout, self.connection.endpoint(service_type)
        return Service(name, endpoint, self.connection, call.budget, timeout, call.log, headers)
