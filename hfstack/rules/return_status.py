"""The answer for a return of machines, from its record and what Nova shows. Pure: no clock, no files, no network.

It is complete when every server is proven gone.
"""

from __future__ import annotations

from hfstack import states
from hfstack._typing import TYPE_CHECKING
from hfstack.rules import server_record
from hfstack.rules.machine_entry import bare, because, failures_of, state_and
from hfstack.rules.status import GONE, LookedUp
from hfstack.store.facts import Returned, ReturnRequest

if TYPE_CHECKING:
    from hfstack.schema import Machine, MachineStatus, RequestStatus, Result, Status


def returned(request_id: str, request: ReturnRequest, seen: LookedUp, provider: str, now: float) -> RequestStatus:
    """Answer a return request: a machine has `succeed` when Nova says that its server is gone.

    `seen` holds what Nova says of each machine id; one that is neither there nor recorded as gone is `executing`. `now`
    is by the clock of the file system.
    """
    seen = {**seen, **dict.fromkeys(request.gone, GONE)}
    overdue = now >= request.recorded_at + request.timeout
    machines = [returned_machine(machine, seen, provider, overdue, request.timeout) for machine in request.machines]
    results = [machine["result"] for machine in machines]
    status: Status
    message = ""
    if states.EXECUTING in results:
        status = "running"
    elif states.FAIL in results:
        status, message = "complete_with_error", failures_of(machines)
    else:
        status = "complete"
    return {"requestId": request_id, "status": status, "message": message, "machines": machines}


def returned_machine(machine: Returned, seen: LookedUp, provider: str, overdue: bool, timeout: int) -> Machine:
    """Return the entry of one machine of a return request."""
    if machine.message:
        return as_recorded(machine, states.FAIL, None, machine.message)
    if not machine.machine_id:
        message = "no server has this name, but Nova does not show all servers, so that proves nothing"
        result: Result = states.FAIL if overdue else states.EXECUTING
        return as_recorded(machine, result, None, f"not deleted after {timeout} s: {message}" if overdue else message)
    if machine.machine_id not in seen:
        return as_recorded(machine, states.EXECUTING, None, "")
    server = seen[machine.machine_id]
    if server is GONE:
        return as_recorded(machine, states.SUCCEED, states.TERMINATED, "")
    row = server_record.row(server)
    result, status = row.returned
    message = because(row.reason, server)
    if result == states.SUCCEED:
        message = ""
    elif server_record.is_foreign(server, provider) and status != states.SHUTTING_DOWN:
        tag = server_record.provider_tag(provider)
        result = states.FAIL
        message = f"the server does not carry the tags hostfactory and {tag}, so hfstack does not delete it"
    elif server_record.is_locked(server) and status != states.SHUTTING_DOWN:
        result, message = states.FAIL, "the server is locked (openstack server lock), so it cannot be deleted"
    elif overdue and states.has_deadline(row):
        result = states.FAIL
        message = f"not deleted after {timeout} s: {state_and(message, server)}"
    built = as_recorded(machine, result, status, message)
    if not built["privateIpAddress"]:
        built["privateIpAddress"] = server_record.private_address(server)
    return built


def as_recorded(machine: Returned, result: Result, status: MachineStatus | None, message: str) -> Machine:
    """Build the entry of a returned machine from the record of its return, with its name as it was."""
    machine_id = machine.machine_id or machine.name
    built = bare(machine_id, "", result, status, message, machine.launch_time)
    return {**built, "name": machine.name or machine_id, "privateIpAddress": machine.private_address}
