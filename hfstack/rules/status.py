"""From what is recorded and what Nova shows to HostFactory's answer. Pure: no clock, no files, no network.

An acquire request is complete when every machine has `succeed`; a return request when every server is gone, on proof.
What is not known is `executing`: HostFactory keeps the request and asks again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hfstack import states
from hfstack._typing import TYPE_CHECKING, NamedTuple
from hfstack.rules import server_record
from hfstack.rules.server_record import Server
from hfstack.store.facts import AcquireRequest, Failed, Planned, Returned, ReturnRequest

if TYPE_CHECKING:
    from hfstack.schema import Machine, MachineStatus, RequestStatus, Result, Status

GONE = None
"""Stands for a server that Nova itself says is not there (404 on its id)."""

LookedUp = Mapping[str, Server | None]
"""Servers asked for by id: the record, or `GONE`; an id that could not be asked for is absent."""


class Rules(NamedTuple):
    """What the site's settings say about an answer."""

    networks: tuple[str, ...] = ()
    """The order in which networks are searched for a private address."""
    request_timeout: int = 1800
    """Seconds; the deadline of requests that are known by their tag alone."""


# Acquire


def acquire(
    request_id: str,
    request: AcquireRequest | None,
    servers: Sequence[Server],
    looked_up: LookedUp,
    rules: Rules,
    now: float,
) -> RequestStatus:
    """Answer for a request for machines.

    `servers` are the records that carry the request's tag, `looked_up` the expected machines that were not among them.
    """
    if request is None and not servers:
        reason = "no server carries the tag of this request, and nothing is recorded of it"
        return {"requestId": request_id, "status": "complete_with_error", "message": reason, "machines": []}
    tag = server_record.request_tag(request_id)
    deadline, timeout = acquire_deadline(request, servers, rules)
    overdue = now >= deadline
    fallback_time = int(request.requested_at) if request else 0
    machines: list[Machine] = []
    replaced = request.replaced if request else frozenset()
    unmatched = {str(record["id"]): record for record in servers if record["id"] not in replaced}
    failed = {one.machine_id: one for one in request.failed} if request else {}
    for planned in request.machines if request else ():
        known = take_failed(failed, planned)
        record = unmatched.pop(known.machine_id, None) if known else take(unmatched, planned)
        if known:
            machines.append(settled(known, record))
        elif record is not None:
            machines.append(acquired(record, rules, overdue, timeout, fallback_time))
        elif planned.machine_id in looked_up:
            found = looked_up[planned.machine_id]
            if found is not GONE and (server_record.carries(found, tag) or "tags" not in found):
                # a record of a down cell has no name
                machines.append(acquired({"name": planned.name, **found}, rules, overdue, timeout, fallback_time))
            else:
                machines.append(lost(planned, found, tag, fallback_time))
        else:
            machines += unseen(planned, overdue, timeout, fallback_time)
    machines += [settled(one, unmatched.pop(one.machine_id, None)) for one in failed.values()]
    machines += [acquired(record, rules, overdue, timeout, fallback_time) for record in unmatched.values()]
    expected = len(request.machines) if request else server_record.requested_count(servers)
    return acquire_status(request_id, machines, expected, overdue, timeout)


def acquire_deadline(request: AcquireRequest | None, servers: Sequence[Server], rules: Rules) -> tuple[float, int]:
    """Return (deadline in seconds since 1970, the timeout that led to it)."""
    if request:
        return request.requested_at + request.timeout, request.timeout
    created = [server_record.epoch(record.get("created")) for record in servers]
    known = [time for time in created if time is not None]
    return (min(known) + rules.request_timeout if known else float("inf")), rules.request_timeout


def take(unmatched: dict[str, Server], planned: Planned) -> Server | None:
    """Take the planned machine's record out of the servers seen, by its id, else by its name."""
    if planned.machine_id:
        return unmatched.pop(planned.machine_id, None)
    for server_id, record in unmatched.items():
        if record.get("name") == planned.name:
            return unmatched.pop(server_id)
    return None


def take_failed(failed: dict[str, Failed], planned: Planned) -> Failed | None:
    """Take what is recorded of the planned machine's failure, by its id, else by its name."""
    if planned.machine_id:
        return failed.pop(planned.machine_id, None)
    for server_id, one in failed.items():
        if one.key == planned.name:
            return failed.pop(server_id)
    return None


def settled(failed: Failed, record: Server | None) -> Machine:
    """Return the entry of a machine whose failure is on record: no other state of its server changes that."""
    status = server_record.row(record).acquire[1] if record else None
    known = bare(failed.machine_id, failed.name, states.FAIL, status, failed.message, failed.launch_time)
    return {**known, "name": failed.name or known["name"], "privateIpAddress": failed.private_address}


def acquired(record: Server, rules: Rules, overdue: bool, timeout: int, fallback_time: int) -> Machine:
    """Return the entry of a server that was seen, for the request that asked for it."""
    row = server_record.row(record)
    result, status = row.acquire
    message = row.reason
    address = server_record.private_address(record, rules.networks)
    if result == states.SUCCEED and not address:
        result, message = states.EXECUTING, "it has no fixed address yet"
    elif result == states.SUCCEED and server_record.lacks_floating_ip(record):
        reasons = ("it has no floating IP yet", str(record.get(server_record.WHY_NO_FLOATING_IP, "")))
        result, message = states.EXECUTING, ": ".join(filter(None, reasons))
    if result == states.EXECUTING and overdue:
        result = states.FAIL
        message = f"not ready after {timeout} s: {server_record.state(record)}" + (f", {message}" if message else "")
    elif result == states.FAIL:
        message = because(message, record)
    return entry(record, result, status, message, address, fallback_time)


def lost(planned: Planned, found: Server | None, tag: str, fallback_time: int) -> Machine:
    """Return the entry of an expected machine that is gone, or that somebody took out of the request."""
    status: MachineStatus | None
    if found is GONE:
        message, status = "the server is gone: Nova does not know its id any more", states.TERMINATED
    else:
        message, status = f"the server does not carry the tag {tag} any more", None
    return bare(planned.machine_id, planned.name, states.FAIL, status, message, fallback_time)


def unseen(planned: Planned, overdue: bool, timeout: int, fallback_time: int) -> list[Machine]:
    """Return the entry, if any, of a planned machine that Nova has not shown."""
    if planned.message:
        return [bare(planned.name, planned.name, states.FAIL, None, planned.message, fallback_time)]
    if planned.machine_id:
        # it could not be asked for: no proof of anything, whatever the time
        return [bare(planned.machine_id, planned.name, states.EXECUTING, None, "", fallback_time)]
    if overdue:
        message = f"no server of this name after {timeout} s: it was never created"
        return [bare(planned.name, planned.name, states.FAIL, None, message, fallback_time)]
    return []


def acquire_status(
    request_id: str, machines: list[Machine], expected: int, overdue: bool, timeout: int
) -> RequestStatus:
    """Sum the machines up. Fewer than expected are waited for until the deadline."""
    missing = expected - len(machines)
    results = [entry["result"] for entry in machines]
    status: Status
    message = ""
    if states.EXECUTING in results or (missing > 0 and not overdue):
        status = "running"
    elif missing > 0:
        status = "complete_with_error"
        message = f"{missing} of {expected} machines did not appear within {timeout} s"
    elif states.FAIL in results:
        status = "complete_with_error"
        message = summary(machines)
    else:
        status = "complete"
    return {"requestId": request_id, "status": status, "message": message, "machines": machines}


# Return


def returned(request_id: str, request: ReturnRequest, seen: LookedUp, now: float) -> RequestStatus:
    """Answer for a return: a machine has `succeed` when Nova says that its server is gone.

    `seen` holds what Nova says of each machine id; one that is neither there nor recorded as gone is `executing`.
    """
    seen = {**seen, **dict.fromkeys(request.gone, GONE)}
    overdue = now >= request.requested_at + request.timeout
    machines = [given_back(one, seen, overdue, request.timeout) for one in request.machines]
    results = [entry["result"] for entry in machines]
    status: Status
    message = ""
    if states.EXECUTING in results:
        status = "running"
    elif states.FAIL in results:
        status, message = "complete_with_error", summary(machines)
    else:
        status = "complete"
    return {"requestId": request_id, "status": status, "message": message, "machines": machines}


def given_back(one: Returned, seen: LookedUp, overdue: bool, timeout: int) -> Machine:
    """Return the entry of one machine whose return was asked for."""
    if one.machine_id not in seen:
        return as_recorded(one, states.EXECUTING, None, "")
    record = seen[one.machine_id]
    if record is GONE:
        return as_recorded(one, states.SUCCEED, states.TERMINATED, "")
    row = server_record.row(record)
    result, status = row.returned
    message = because(row.reason, record)
    if result == states.SUCCEED:
        message = ""
    elif server_record.is_foreign(record):
        result, message = states.FAIL, "the server carries no tag of hfstack: it is not ours, and left alone"
    elif server_record.is_locked(record) and status != states.SHUTTING_DOWN:
        result, message = (
            states.FAIL,
            "somebody locked the server (openstack server lock): it cannot be deleted",
        )
    elif overdue and states.has_deadline(row):
        result = states.FAIL
        message = f"not gone after {timeout} s: {server_record.state(record)}" + (f", {message}" if message else "")
    found = as_recorded(one, result, status, message)
    if not found["privateIpAddress"]:
        found["privateIpAddress"] = server_record.private_address(record)
    return found


# When nothing can be known


def unanswered(request_id: str, request: AcquireRequest | ReturnRequest | None, reason: str) -> RequestStatus:
    """Answer while the cloud does not: `running`, with the reason, as if no time had passed and no server were seen."""
    machines: list[Machine] = []
    before_any_deadline = float("-inf")
    if isinstance(request, ReturnRequest):
        machines = returned(request_id, request, {}, before_any_deadline)["machines"]
    elif request:
        machines = acquire(request_id, request, (), {}, Rules(), before_any_deadline)["machines"]
    return {"requestId": request_id, "status": "running", "message": reason, "machines": machines}


def unknown(request_id: str, reason: str) -> RequestStatus:
    """Answer for an id that names no request of ours."""
    return {"requestId": request_id, "status": "complete_with_error", "message": reason, "machines": []}


# Entries


def entry(
    record: Server, result: Result, status: MachineStatus | None, message: str, address: str, fallback_time: int
) -> Machine:
    """Build the entry of a server that was seen."""
    launched = server_record.launch_time(record)
    built: Machine = {
        "machineId": str(record["id"]),
        "name": server_record.host_name(record),
        "result": result,
        "privateIpAddress": address,
        "launchtime": fallback_time if launched is None else launched,
        "message": message,
    }
    if status is not None:
        built["status"] = status
    public = server_record.public_address(record)
    if public:
        built["publicIpAddress"] = public
    return built


def bare(
    machine_id: str, server_name: str, result: Result, status: MachineStatus | None, message: str, time: int
) -> Machine:
    """Build the entry of a machine of which only the plan is known."""
    return entry({"id": machine_id, "name": server_name}, result, status, message, "", time)


def as_recorded(one: Returned, result: Result, status: MachineStatus | None, message: str) -> Machine:
    """Build the entry of a returned machine from what was recorded when its return was asked for."""
    built = bare(one.machine_id, one.name or one.machine_id, result, status, message, one.launch_time)
    built["privateIpAddress"] = one.private_address
    return built


def because(why: str, record: Server) -> str:
    """Add Nova's own reason to ours."""
    return ": ".join(part for part in (why, server_record.fault(record)) if part)


def summary(machines: Iterable[Machine]) -> str:
    """Say in one line how many machines failed, and why the first did."""
    entries = list(machines)
    failed = [one for one in entries if one["result"] == states.FAIL]
    return f"{len(failed)} of {len(entries)} machines failed; {failed[0]['name']}: {failed[0]['message']}"
