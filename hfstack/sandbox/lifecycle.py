"""A server's life as a list of phases, each with the time at which it begins.

The state at a given moment depends only on the time: no thread changes it, so nothing races. An event (a deletion, an
action) replaces the phases that have not begun yet with its own.

States and statuses are Nova's (`objects/fields.py`, `api/openstack/common.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hfstack.sandbox.inventory import Flavor

NOSTATE, RUNNING, PAUSED, SHUTDOWN = 0, 1, 3, 4
"""Nova's power states."""

_REBUILD = dict.fromkeys(("rebuilding", "rebuild_block_device_mapping", "rebuild_spawning"), "REBUILD")
_RESIZE = dict.fromkeys(("resize_prep", "resize_migrating", "resize_migrated", "resize_finish"), "RESIZE")

STATE_MAP: dict[str, dict[str, str]] = {
    "active": {
        "default": "ACTIVE",
        "rebooting": "REBOOT",
        "reboot_pending": "REBOOT",
        "reboot_started": "REBOOT",
        "rebooting_hard": "HARD_REBOOT",
        "reboot_pending_hard": "HARD_REBOOT",
        "reboot_started_hard": "HARD_REBOOT",
        "updating_password": "PASSWORD",
        "migrating": "MIGRATING",
        **_REBUILD,
        **_RESIZE,
    },
    "building": {"default": "BUILD"},
    "stopped": {"default": "SHUTOFF", **_RESIZE, **_REBUILD},
    "resized": {"default": "VERIFY_RESIZE", "resize_reverting": "REVERT_RESIZE"},
    "paused": {"default": "PAUSED", "migrating": "MIGRATING"},
    "suspended": {"default": "SUSPENDED"},
    "rescued": {"default": "RESCUE"},
    "error": {"default": "ERROR", **_REBUILD},
    "deleted": {"default": "DELETED"},
    "soft-delete": {"default": "SOFT_DELETED"},
    "shelved": {"default": "SHELVED"},
    "shelved_offloaded": {"default": "SHELVED_OFFLOADED"},
}
"""Nova's `status` of a vm_state and, where it matters, a task_state."""


def status_of(vm_state: str, task_state: str | None) -> str:
    """Nova's `status`; UNKNOWN for a vm_state that Nova does not have."""
    statuses = STATE_MAP.get(vm_state, {"default": "UNKNOWN"})
    return statuses.get(task_state or "default", statuses["default"])


def vm_states_of(status: str) -> set[str]:
    """The vm_states that a list's `status` filter selects. It ignores task states, as Nova mostly does."""
    return {vm for vm, names in STATE_MAP.items() if status.upper() in names.values()}


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a server is in ERROR."""

    message: str
    created: float
    code: int = 500
    details: str = ""


@dataclass(frozen=True, slots=True)
class Phase:
    """The state of a server from `at` on.

    `networked` says whether Neutron has its ports, `addresses_at` when Nova's cache gets to know the addresses.
    """

    at: float
    vm_state: str
    task_state: str | None
    power_state: int
    flavor: Flavor
    on_host: bool = False
    networked: bool = False
    addresses_at: float | None = None
    launched_at: float | None = None
    terminated_at: float | None = None
    fault: Fault | None = None

    @property
    def status(self) -> str:
        """Nova's `status`."""
        return status_of(self.vm_state, self.task_state)

    @property
    def deleted(self) -> bool:
        """Whether only the row of a deleted server remains."""
        return self.vm_state == "deleted"

    @property
    def hidden(self) -> bool:
        """Whether ordinary lists and the quota omit it."""
        return self.vm_state in {"deleted", "soft-delete"}

    @property
    def scheduling(self) -> bool:
        """Whether it is still only a build request, which no host has accepted."""
        return self.vm_state == "building" and self.task_state == "scheduling"


def phase_at(phases: Sequence[Phase], now: float) -> Phase:
    """The current phase: of those that have begun, the last."""
    return next((phase for phase in reversed(phases) if phase.at <= now), phases[0])


def then(phases: Sequence[Phase], now: float, following: Sequence[Phase]) -> list[Phase]:
    """The phases that have begun, followed by these instead of those that have not."""
    return [phase for phase in phases if phase.at <= now] + list(following)


def scheduling_time(delay: float) -> float:
    """How long a build of `delay` seconds looks for a host, and then for its network."""
    return min(0.2 * delay, 2.0)


def building(now: float, flavor: Flavor, delay: float, address_delay: float) -> list[Phase]:
    """A build that succeeds: scheduling, networking, spawning, ACTIVE after `delay` seconds."""
    scheduling = Phase(now, "building", "scheduling", NOSTATE, flavor)
    step = scheduling_time(delay)
    networking = replace(scheduling, at=now + step, task_state="networking", on_host=True, networked=True)
    spawning = replace(networking, at=now + 2 * step, task_state="spawning")
    return [scheduling, networking, spawning, active(spawning, now + delay, address_delay)]


def active(before: Phase, at: float, address_delay: float = 0.0) -> Phase:
    """The phase of a server that has come up."""
    return replace(
        before,
        at=at,
        vm_state="active",
        task_state=None,
        power_state=RUNNING,
        on_host=True,
        networked=True,
        addresses_at=at + address_delay,
        launched_at=at,
    )


def unschedulable(now: float, flavor: Flavor, delay: float, message: str) -> list[Phase]:
    """A build for which no host is found: ERROR when scheduling is over."""
    scheduling = Phase(now, "building", "scheduling", NOSTATE, flavor)
    return [scheduling, failed(scheduling, now + scheduling_time(delay), message)]


def failing(now: float, flavor: Flavor, delay: float, message: str) -> list[Phase]:
    """A build that fails on every host: ERROR when it would have become ACTIVE."""
    *before, last = building(now, flavor, delay, 0.0)
    return [*before, failed(before[-1], last.at, message)]


def failed(before: Phase, at: float, message: str) -> Phase:
    """The phase of a server that was not built: no host, no ports, a fault."""
    return replace(
        before,
        at=at,
        vm_state="error",
        task_state=None,
        power_state=NOSTATE,
        on_host=False,
        networked=False,
        fault=Fault(message, at),
    )


def deleting(current: Phase, now: float, delay: float, failure: str | None) -> list[Phase]:
    """A deletion, and what remains after `delay` seconds: a deleted row, or ERROR with the failure."""
    during = replace(current, at=now, task_state="deleting")
    end = now + delay
    if failure is not None:
        fault = Fault(failure, end)
        return [during, replace(during, at=end, vm_state="error", task_state=None, fault=fault)]
    return [during, erased(during, end)]


def erased(before: Phase, at: float) -> Phase:
    """The row that remains of a deleted server. Its fault is deleted with it."""
    return replace(
        before,
        at=at,
        vm_state="deleted",
        task_state=None,
        power_state=NOSTATE,
        networked=False,
        addresses_at=None,
        terminated_at=at,
        fault=None,
    )


def soft_deleting(current: Phase, now: float, delay: float) -> list[Phase]:
    """A deletion that can be undone: the server is powered off and hidden, and keeps its ports and addresses."""
    during = replace(current, at=now, task_state="soft-deleting")
    gone = replace(during, at=now + delay, vm_state="soft-delete", task_state=None, power_state=SHUTDOWN)
    return [during, gone]


def changing(current: Phase, now: float, delay: float, task: str | None, result: dict[str, Any]) -> list[Phase]:
    """An action: the task for `delay` seconds, then a phase with these values."""
    during = replace(current, at=now, task_state=task)
    return [during, replace(during, at=now + delay, **{"task_state": None, **result})]
