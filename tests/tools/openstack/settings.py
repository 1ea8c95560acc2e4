"""What can be set about the cloud: where it lives, its ports and its time limits."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tests import ROOT

HOST = "127.0.0.1"

# Offsets in the block of ports.  The database and Nova's control channel use unix sockets only.
PORT_OFFSETS = {"keystone": 0, "placement": 1, "glance": 2, "neutron": 3, "nova": 4}
# What a client appends to a service's root to reach the API that the catalog names.
API_PATHS = {"keystone": "/v3", "nova": "/v2.1"}


@dataclass(frozen=True)
class Settings:
    """Each field can be given by the caller or else by the environment variable HFSTACK_OPENSTACK_<NAME>."""

    dir: Path = ROOT / ".cache" / "openstack"
    """Everything that install and start write, except the database's socket."""
    venv: Path | None = None
    """A Python environment shared between checkouts; None means <dir>/venv."""
    port: int = 28700
    """First of a block of five TCP ports on loopback."""
    token_ttl: int = 3600
    """Seconds for which a Keystone token is good."""
    token_cache: int = 1
    """Seconds for which a service trusts a token without asking Keystone again (OpenStack's own default: 300)."""
    reclaim: int = 0
    """Nova's reclaim_instance_interval: 0 deletes at once, otherwise servers are soft-deleted this long."""
    max_microversion: str = ""
    """Highest compute API microversion that Nova admits to, as an older cloud would; empty: all it has."""

    @classmethod
    def read(cls, **given: Any) -> Settings:
        """Settings from the caller's values (None counts as not given), then the environment, then the defaults."""
        values: dict[str, Any] = {}
        for field in fields(cls):
            value = given.pop(field.name, None)
            if value is None:
                value = os.environ.get(f"HFSTACK_OPENSTACK_{field.name.upper()}") or None
            if value is not None:
                values[field.name] = _CONVERT[field.name](value)
        if given:
            raise TypeError(f"no such setting: {', '.join(given)}")
        return cls(**values)

    @property
    def state(self) -> Path:
        """Directory of everything that `wipe` removes."""
        return self.dir / "state"

    @property
    def log_dir(self) -> Path:
        """One log for each process."""
        return self.state / "log"

    @property
    def environment_dir(self) -> Path:
        """The Python environment that holds OpenStack."""
        return self.venv or self.dir / "venv"

    @property
    def python(self) -> Path:
        """The interpreter that runs OpenStack."""
        return self.environment_dir / "bin" / "python"

    @property
    def ports(self) -> dict[str, int]:
        """TCP port of each service."""
        return {name: self.port + offset for name, offset in PORT_OFFSETS.items()}

    def url(self, service: str) -> str:
        """Address of a service as the catalog has it."""
        return f"http://{HOST}:{self.ports[service]}{API_PATHS.get(service, '')}"


def _path(value: Any) -> Path:
    return Path(value).expanduser().absolute()


_CONVERT: dict[str, Any] = {
    "dir": _path,
    "venv": _path,
    "port": int,
    "token_ttl": int,
    "token_cache": int,
    "reclaim": int,
    "max_microversion": str,
}
