"""What can be changed while the sandbox runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass
class Knobs:
    """What can be changed while the sandbox runs. Times are in seconds and apply to what begins afterwards."""

    spawn_delay: float = 0.0
    """From the request to ACTIVE; also how long an action takes."""
    destroy_delay: float = 0.0
    """From DELETE to the end of the server."""
    address_delay: float = 0.0
    """From ACTIVE until Nova shows the addresses; Neutron shows its ports before."""
    spawn_fail: str = ""
    """Servers whose name matches this regular expression end in ERROR instead of ACTIVE; "" for none."""
    destroy_fail: str = ""
    """Servers whose name matches this regular expression end in ERROR instead of being deleted; "" for none."""
    lose_records: bool = False
    """Full pages omit records while servers are being scheduled."""
    soft_delete: bool = False
    """DELETE only hides the server, until it is restored or force-deleted."""
    neutron_addresses: bool = True
    """Ports have addresses."""
    quota_instances: int = 10_000
    """Servers per project; -1 for no limit."""
    quota_floating_ips: int = 1000
    """Floating IPs per project; -1 for no limit."""
    token_ttl: float = 3600.0
    """How long a token is valid."""
    max_microversion: str = "2.104"
    """The highest microversion that Nova accepts."""
    max_limit: int = 1000
    """The most records on a page of a list."""

    def update(self, changes: Mapping[str, Any]) -> None:
        """Change some of the knobs. Raises `ValueError` for one that does not exist."""
        unknown = set(changes) - {knob.name for knob in fields(self)}
        if unknown:
            raise ValueError(f"no such knob: {', '.join(sorted(unknown))}")
        for name, value in changes.items():
            setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        """All knobs."""
        return asdict(self)
