"""A Neutron ML2 mechanism driver that binds every port at once, so no agent is needed."""

from typing import Any

from neutron_lib import constants
from neutron_lib.plugins.ml2 import api


class BindEverything(api.MechanismDriver):
    """Binds a port to the first segment that it can have and makes it active."""

    def initialize(self) -> None:
        pass

    @property
    def connectivity(self) -> str:
        return "l2"

    def bind_port(self, context: Any) -> None:
        for segment in context.segments_to_bind[:1]:
            context.set_binding(
                segment[api.ID],
                "other",
                {"port_filter": False, "connectivity": "l2"},
                status=constants.PORT_STATUS_ACTIVE,
            )
