"""The state table: what each of Nova's states means to HostFactory.

A row gives HostFactory's `result` and machine `status` of a server in that state, for the request that created it
(`acquire`) and for the request that returns it (`returned`). The first row that matches applies.

Sources: Nova's `api/openstack/common.py` (`_STATE_MAP`), `objects/fields.py` (states) and `compute/api.py` (the effect
of a delete in each state); HostFactory's `getRequestStatus` reference (results and machine status).
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
"""Matches every value of a column. As a machine status, it leaves the optional key out."""


Values = frozenset[object] | set[object] | None
Outcome = tuple["Result", "MachineStatus | None"]


class Row(NamedTuple):
    """One row: the values that it matches, each a set of Nova's values or `ANY`, and their meaning.

    In an acquire request, `succeed` also needs a fixed address. An `executing` becomes `fail` at the request's
    deadline, except in a return whose server Nova cannot show (`UNKNOWN` or an unknown status).
    """

    statuses: Values
    task_states: Values
    vm_states: Values
    power_states: Values
    acquire: Outcome
    returned: Outcome
    reason: str
    """A phrase for the machine's message; "" if nothing is wrong."""


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

# power_state: 3 PAUSED, 4 SHUTDOWN, 6 CRASHED, 7 SUSPENDED (objects/fields.py). 0 NOSTATE and null mean nothing.
NOT_POWERED: Values = frozenset({3, 4, 6, 7})

UP = frozenset({"ACTIVE", "VERIFY_RESIZE"})

TRANSIENT: Values = frozenset({"REBOOT", "HARD_REBOOT", "REBUILD", "RESIZE", "REVERT_RESIZE"})

PARKED = frozenset({"PAUSED", "SUSPENDED", "RESCUE", "SHELVED", "SHELVED_OFFLOADED"})
"""A server enters and leaves these states only by a person's API call, so hfstack never cleans it up."""

DOWN = PARKED | {"SHUTOFF"}

# fmt: off
STATES = (
    # Nova destroys the record of a server only after the compute host has deleted it (compute/manager.py)
    Row({"DELETED"}, ANY, ANY, ANY, (FAIL, TERMINATED), (SUCCEED, TERMINATED), "the server was deleted"),
    # powered off, hidden and not counted by the quota; Nova deletes it later (reclaim_instance_interval)
    Row({"SOFT_DELETED"}, ANY, ANY, ANY, (FAIL, TERMINATED), (SUCCEED, TERMINATED), "the server was soft-deleted"),
    # its cell is down: missing data is not a state (api/openstack/compute/views/servers.py)
    Row({"UNKNOWN"}, ANY, ANY, ANY, (EXECUTING, ANY), (EXECUTING, ANY), "the server's cell is down"),
    # `status` hides a delete in progress, which cannot be cancelled
    Row(ANY, DELETING, ANY, ANY, (FAIL, SHUTTING_DOWN), (EXECUTING, SHUTTING_DOWN), "the server is being deleted"),
    # a new server never recovers from it; a failed delete also ends here and can be repeated
    Row({"ERROR"}, ANY, ANY, ANY, (FAIL, STOPPED), (EXECUTING, STOPPED), "the server is in ERROR"),
    Row({"BUILD"}, ANY, ANY, ANY, (EXECUTING, RUNNING), (EXECUTING, RUNNING), ""),
    # the guest runs while Nova sets its password, during a live migration, and after a resize
    Row({"PASSWORD"}, ANY, ANY, ANY, (SUCCEED, RUNNING), (EXECUTING, RUNNING), ""),
    Row({"MIGRATING"}, ANY, {"paused"}, ANY, (EXECUTING, STOPPED), (EXECUTING, STOPPED), "it is paused and migrating"),
    Row({"MIGRATING"}, ANY, ANY, ANY, (SUCCEED, RUNNING), (EXECUTING, RUNNING), ""),
    Row(UP, LEAVING, ANY, ANY, (EXECUTING, STOPPING), (EXECUTING, STOPPING), "the server is stopping"),
    # the hypervisor reports it off before Nova's periodic task does (_sync_instance_power_state)
    Row({"ACTIVE"}, ANY, ANY, NOT_POWERED, (EXECUTING, STOPPED), (EXECUTING, STOPPED), "the guest is not running"),
    Row(UP, ANY, ANY, ANY, (SUCCEED, RUNNING), (EXECUTING, RUNNING), ""),
    # these return to ACTIVE by themselves
    Row(TRANSIENT, ANY, ANY, ANY, (EXECUTING, RUNNING), (EXECUTING, RUNNING), ""),
    Row(DOWN, COMING_BACK, ANY, ANY, (EXECUTING, STOPPED), (EXECUTING, STOPPED), "the server is starting again"),
    # never occurs between BUILD and ACTIVE: the guest powered off or crashed, or a user stopped it
    Row({"SHUTOFF"}, ANY, ANY, ANY, (FAIL, STOPPED), (EXECUTING, STOPPED), "the server is shut off"),
    Row(PARKED, ANY, ANY, ANY, (FAIL, STOPPED), (EXECUTING, STOPPED), "a user put the server into this state"),
    # a status of a later Nova: wait, and conclude nothing
    Row(ANY, ANY, ANY, ANY, (EXECUTING, ANY), (EXECUTING, ANY), "hfstack does not know this Nova status"),
)
# fmt: on

UNKNOWN_STATUS = STATES[-1]

UNUSABLE = frozenset(status for row in STATES if row.acquire[0] == FAIL for status in row.statuses or ())
"""The statuses in which a machine is unusable, unless its task state shows that it is starting again."""


@cache
def find(status: object, task_state: object, vm_state: object, power_state: object) -> Row:
    """Return the row of a server. The values are those of Nova's record; a missing value is `None`.

    The result is cached, because the many servers of a request are in few states.
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
    """Tell whether a return may fail at its deadline in this state: not while Nova cannot show the server's state."""
    return row.returned[1] is not ANY
