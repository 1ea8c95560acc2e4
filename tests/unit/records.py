"""Nova's records, replies and a clock for tests, as a real cloud shows them, with parameters to change them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from hfstack.cloud.nova import MICROVERSION
from hfstack.cloud.transport import Reply

REQUEST = "req-33e9ed03-62c0-4b46-b7cd-3c54fb497b72"
ANOTHER = "req-5f9b3c1e-2d47-4b8a-9e60-7c1d2a3b4c5d"
RETURN = "ret-0b7d2a44-9a57-4b77-9f4a-8d3c9f1f2c55"
TAG = f"hf:{REQUEST}"

CREATED = "2026-03-01T09:30:00Z"
CREATED_AT = 1772357400
LAUNCHED = "2026-03-01T09:30:20.516729"
LAUNCHED_AT = CREATED_AT + 20

V4 = {"addr": "10.0.0.7", "version": 4, "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:00:00:07"}
V6 = {"addr": "fd00::7", "version": 6, "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:00:00:07"}
FLOATING = {"addr": "203.0.113.7", "version": 4, "OS-EXT-IPS:type": "floating"}
FLOATING_V6 = {"addr": "2001:db8::7", "version": 6, "OS-EXT-IPS:type": "floating"}

STATUSES = (
    *("ACTIVE", "BUILD", "DELETED", "ERROR", "HARD_REBOOT", "MIGRATING", "PASSWORD", "PAUSED", "REBOOT", "REBUILD"),
    *("RESCUE", "RESIZE", "REVERT_RESIZE", "SHELVED", "SHELVED_OFFLOADED", "SHUTOFF", "SOFT_DELETED", "SUSPENDED"),
    *("UNKNOWN", "VERIFY_RESIZE"),
)
"""Every status of Nova, from the schema of its answers (nova/api/openstack/compute/schemas/servers.py)."""


def server(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return an active server, as a member of the project sees it; `task` and `vm` stand for the long keys."""
    record = {
        "id": server_id(number),
        "name": f"hf-33e9ed03-{number}",
        "status": "ACTIVE",
        "tenant_id": "5f705771f8e24d5c9b6f4cba1a2c9a3d",
        "created": CREATED,
        "metadata": {},
        "addresses": {"grid": [V4]},
        "OS-EXT-STS:task_state": changes.pop("task", None),
        "OS-EXT-STS:vm_state": changes.pop("vm", "active"),
        "OS-EXT-STS:power_state": changes.pop("power", 1),
        "OS-SRV-USG:launched_at": changes.pop("launched", LAUNCHED),
        "locked": False,
        "tags": ["hostfactory", TAG],
    }
    return record | changes


def building(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a server that Nova is still building."""
    usual = {"status": "BUILD", "task": "spawning", "vm": "building", "power": 0, "launched": None, "addresses": {}}
    return server(number, **{**usual, **changes})


def failed(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a server for which Nova found no host."""
    fault = {"code": 500, "message": "No valid host was found. ", "created": CREATED}
    usual = {"status": "ERROR", "vm": "error", "power": 0, "launched": None, "addresses": {}, "fault": fault}
    return server(number, **{**usual, **changes})


def down_cell(number: int = 1) -> dict[str, Any]:
    """Return what Nova shows of a server whose cell is down."""
    return {
        "id": server_id(number),
        "status": "UNKNOWN",
        "tenant_id": "5f705771f8e24d5c9b6f4cba1a2c9a3d",
        "created": CREATED,
        "links": [],
    }


def deleted(number: int = 1) -> dict[str, Any]:
    """Return a deleted server as the list of changes shows it: without tags, metadata and addresses."""
    return server(number, status="DELETED", vm="deleted", power=0, tags=[], metadata={}, addresses={})


def server_id(number: int = 1) -> str:
    """Return the id of the server with this number."""
    return f"00000000-0000-4000-8000-{number:012}"


class Clock:
    """A clock that moves only when a test sets it or code sleeps on it."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


class Sent(NamedTuple):
    """One request to the fake transport."""

    method: str
    url: str
    headers: Mapping[str, str]
    timeout: float
    body: bytes | None = None


class FakeTransport:
    """Gives the prepared replies in order, the last one forever, and records the requests."""

    def __init__(self, *answers: Reply | Exception, clock: Clock | None = None, takes: float = 0) -> None:
        self.answers = list(answers)
        self.sent: list[Sent] = []
        self.clock = clock
        self.takes = takes

    def send(
        self, method: str, url: str, headers: Mapping[str, str], timeout: float, body: bytes | None = None
    ) -> Reply:
        self.sent.append(Sent(method, url, headers, timeout, body))
        if self.clock:
            self.clock.time += self.takes
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Exception):
            raise found
        return found


def reply(status: int, document: object = None, /, **headers: str) -> Reply:
    """Return a reply as Nova sends it at the pinned microversion; header names have _ for -."""
    return raw(status, json.dumps(document).encode(), **headers)


def raw(status: int, body: bytes, /, **headers: str) -> Reply:
    """Return a reply with any body."""
    usual = {
        "content-type": "application/json",
        "openstack-api-version": f"compute {MICROVERSION}",
        "x-openstack-nova-api-version": MICROVERSION,
        "x-openstack-request-id": "req-nova-1",
    }
    return Reply(status, usual | {name.replace("_", "-"): value for name, value in headers.items()}, body)
