"""Nova's states in HostFactory's words, as one table.

A row says what a server in that state means for the request that asked for it (`acquire`) and for the request that
gives it back (`returned`): HostFactory's `result` and machine `status`. Rows are read top to bottom; the first hit
wins.

Sources: Nova's `api/openstack/common.py` (`_STATE_MAP`), `objects/fields.py` (states) and `compute/api.py` (what
deleting does in each); HostFactory's `getRequestStatus` reference (results and machine status).
"""

from __future__ import annotations

from functools import cache

from hfstack._typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Final

    from hfstack.schema import MachineStatus, Result

EXECUTING: Final = "executing"
FAIL: Final = "fail"
SUCCEED: Final = "succeed"

RUNNING: Final = "running"
SHUTTING_DOWN: Final = "shutting-down"
STOPPED: Final = "stopped"
STOPPING: Final = "stopping"
TERMINATED: Final = "terminated"

ANY = None
"""Matches every value of a column; as a machine status it leaves the optional key out."""


Values = frozenset[object] | set[object] | None
Outcome = tuple["Result", "MachineStatus | None"]


class Row(NamedTuple):
    """One row: what is matched, each a set of Nova's values or `ANY`, and what it means.

    An acquire's `succeed` also needs a fixed address, and every `executing` has the request's deadline, but for a
    return whose server Nova cannot show (`UNKNOWN`, unheard-of).
    """

    statuses: Values
    task_states: Values
    vm_states: Values
    power_states: Values
    acquire: Outcome
    returned: Outcome
    reason: str
    """A phrase for the machine's message; "" where all is well."""


DELETING: Values = frozenset({"deleting", "soft-deleting"})

COMING_BACK: Values = frozenset(
    {"spawning", "unpausing", "resuming", "powering-on", "unrescuing", "restoring", "unshelving"}
)

LEAVING: Values = frozenset(
    {
        "pausing",
        "suspending",
        "powering-off",
        "rescuing",
        "shelving",
        "shelving_image_pending_upload",
        "shelving_image_uploading",
        "shelving_offloading",
    }
)

# power_state: 3 PAUSED, 4 SHUTDOWN, 6 CRASHED, 7 SUSPENDED (objects/fields.py). 0 NOSTATE and null say nothing.
NOT_POWERED: Values = frozenset({3, 4, 6, 7})

UP = frozenset({"ACTIVE", "VERIFY_RESIZE"})

TRANSIENT: Values = frozenset({"REBOOT", "HARD_REBOOT", "REBUILD", "RESIZE", "REVERT_RESIZE"})

PARKED = frozenset({"PAUSED", "SUSPENDED", "RESCUE", "SHELVED", "SHELVED_OFFLOADED"})
"""Only a person's API call leads here and out again, so a server in one of these is never cleaned up."""

DOWN = PARKED | {"SHUTOFF"}

# fmt: off
STATES = (
    # the row of a server is destroyed only after the compute host has finished (compute/manager.py)
    Row({"DELETED"}, ANY, ANY, ANY, (FAIL, TERMINATED), (SUCCEED, TERMINATED), "the server was deleted"),
    # powered off, out of the quota and hidden; reclaimed later (reclaim_instance_interval)
    Row({"SOFT_DELETED"}, ANY, ANY, ANY, (FAIL, TERMINATED), (SUCCEED, TERMINATED), "the server was soft-deleted"),
    # its cell is down: no data is not a state (api/openstack/compute/views/servers.py)
    Row({"UNKNOWN"}, ANY, ANY, ANY, (EXECUTING, ANY), (EXECUTING, ANY), "Nova cannot show it: its cell is down"),
    # `status` hides a delete in progress; it cannot be called back
    Row(ANY, DELETING, ANY, ANY, (FAIL, SHUTTING_DOWN), (EXECUTING, SHUTTING_DOWN), "the server is being deleted"),
    # an acquire never recovers from it; a failed delete also ends here and may be tried again
    Row({"ERROR"}, ANY, ANY, ANY, (FAIL, STOPPED), (EXECUTING, STOPPED), "the server is in ERROR"),
    Row({"BUILD"}, ANY, ANY, ANY, (EXECUTING, RUNNING), (EXECUTING, RUNNING), ""),
    # the guest runs while its password is set, while it migrates live, and after a resize
    Row({"PASSWORD"}, ANY, ANY, ANY, (SUCCEED, RUNNING), (EXECUTING, RUNNING), ""),
    Row({"MIGRATING"}, ANY, {"paused"}, ANY, (EXECUTING, STOPPED), (EXECUTING, STOPPED), "it migrates while paused"),
    Row({"MIGRATING"}, ANY, ANY, ANY, (SUCCEED, RUNNING), (EXECUTING, RUNNING), ""),
    Row(UP, LEAVING, ANY, ANY, (EXECUTING, STOPPING), (EXECUTING, STOPPING), "the server is stopping"),
    # the hypervisor says it is off before Nova's periodic task says so (_sync_instance_power_state)
    Row({"ACTIVE"}, ANY, ANY, NOT_POWERED, (EXECUTING, STOPPED), (EXECUTING, STOPPED), "its guest is not running"),
    Row(UP, ANY, ANY, ANY, (SUCCEED, RUNNING), (EXECUTING, RUNNING), ""),
    # these return to ACTIVE by themselves
    Row(TRANSIENT, ANY, ANY, ANY, (EXECUTING, RUNNING), (EXECUTING, RUNNING), ""),
    Row(DOWN, COMING_BACK, ANY, ANY, (EXECUTING, STOPPED), (EXECUTING, STOPPED), "the server is coming back"),
    # never seen between BUILD and ACTIVE: the guest powered off, crashed, or somebody stopped it
    Row({"SHUTOFF"}, ANY, ANY, ANY, (FAIL, STOPPED), (EXECUTING, STOPPED), "the server is shut off"),
    Row(PARKED, ANY, ANY, ANY, (FAIL, STOPPED), (EXECUTING, STOPPED), "somebody put the server into this state"),
    # a status of a later Nova: wait, never conclude
    Row(ANY, ANY, ANY, ANY, (EXECUTING, ANY), (EXECUTING, ANY), "this Nova status is not known to hfstack"),
)
# fmt: on

UNKNOWN_STATUS = STATES[-1]

UNUSABLE = frozenset(status for row in STATES if row.acquire[0] == FAIL for status in row.statuses or ())
"""The statuses in which a machine is of no use, unless a task says that it is coming back."""


@cache
def find(status: object, task_state: object, vm_state: object, power_state: object) -> Row:
    """Return the row of a server. The values are Nova's, as they stand in the record; missing ones are `None`.

    The many servers of a request are in few states: each is looked up once.
    """
    for row in STATES:
        if (
            (row.statuses is ANY or status in row.statuses)
            and (row.task_states is ANY or task_state in row.task_states)
            and (row.vm_states is ANY or vm_state in row.vm_states)
            and (row.power_states is ANY or power_state in row.power_states)
        ):
            return row
    return UNKNOWN_STATUS


def has_deadline(row: Row) -> bool:
    """Tell whether a return may give up on a server in this state: not while Nova itself does not know it."""
    return row.returned[1] is not ANY
