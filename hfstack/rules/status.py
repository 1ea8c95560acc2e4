"""The answer for a request for machines, from its record and what Nova shows. Pure: no clock, no files, no network.

It is complete when every machine has `succeed`. Anything unknown is `executing`: HostFactory keeps the request and
polls again. `return_status.py` answers for returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hfstack import states
from hfstack._typing import TYPE_CHECKING, NamedTuple
from hfstack.errors import counted
from hfstack.rules import server_record
from hfstack.rules.machine_entry import bare, because, entry, failures_of, state_and, summary
from hfstack.rules.server_record import Server
from hfstack.store.facts import AcquireRequest, Failed, Planned, Ready, ReturnRequest

if TYPE_CHECKING:
    from hfstack.schema import Machine, RequestStatus, Result, Status

GONE = None
"""Stands for a server that Nova itself says does not exist (404 on its id)."""

LookedUp = Mapping[str, Server | None]
"""Servers queried by id: the record, or `GONE`; an id whose query failed is absent.

Also `GONE` by their planned names: the machines of `unclear.absent`.
"""

BEFORE_ANY_DEADLINE = float("-inf")
"""A time for answers that do not depend on the time, or must not."""

BIRTH = 120
"""How long after its POST Nova may not know a new server yet: a replica or a cell may be behind (seconds)."""


class Rules(NamedTuple):
    """What the site's settings say about an answer."""

    networks: tuple[str, ...] = ()
    """The order in which networks are searched for a private address."""
    request_timeout: int = 1800
    """Seconds; the deadline of requests that are known only by their tag."""
    unseen_timeout: int = 120
    """Seconds; how long to look for a server whose POST had no clear answer."""


class Terms(NamedTuple):
    """What applies to every machine of an acquire request."""

    networks: tuple[str, ...]
    requested_at: int
    """Seconds since 1970; 0 if only the request's tag is known."""
    timeout: int
    overdue: bool
    floating_ip_trouble: Mapping[str, str]
    """By server id: why its floating IP could not be attached."""
    ready: Mapping[str, Ready] = {}
    """By server id: what HostFactory was told of the machine when it was usable for the first time."""
    newborn: bool = False
    """Whether Nova may not know the servers yet."""
    reaped: str = ""
    """Why housekeeping deletes the machines; "" if it does not."""
    unseen_timeout: int = 0
    """Seconds; how long to look for a server whose POST had no clear answer."""


def acquire(
    request_id: str,
    request: AcquireRequest | None,
    servers: Sequence[Server],
    looked_up: LookedUp,
    floating_ip_trouble: Mapping[str, str],
    rules: Rules,
    now: float,
) -> RequestStatus:
    """Answer an acquire request.

    `servers` carry the request's tag, `looked_up` are the expected machines that were not among them. `now` is by the
    clock of the file system, and for a request without a record by the cloud's.
    """
    if request is None and not servers:
        return unknown(request_id, "no server carries this request's tag, and there is no record of the request")
    tag = server_record.request_tag(request_id)
    terms = acquire_terms(request, servers, floating_ip_trouble, rules, now)
    machines: list[Machine] = []
    replaced = request.replaced if request else frozenset()
    unmatched = {str(server["id"]): server for server in servers if server["id"] not in replaced}
    failures = {failure.machine_id: failure for failure in request.failed} if request else {}
    for planned in request.machines if request else ():
        failure = take_failure(failures, planned)
        server = None if failure else take(unmatched, planned)
        if failure:
            machines.append(as_failed(failure, take_failed(unmatched, failure)))
        elif server is not None:
            machines.append(acquired(server, terms))
        elif planned.machine_id in looked_up:
            machines.append(unlisted(planned, looked_up[planned.machine_id], tag, terms))
        else:
            machines += unseen(planned, planned.name in looked_up, terms)
    machines += [as_failed(failure, take_failed(unmatched, failure)) for failure in failures.values()]
    machines += [acquired(server, terms) for server in unmatched.values()]
    expected = len(request.machines) if request else server_record.requested_count(servers)
    answer = acquire_status(request_id, machines, expected, terms)
    awaited = unconfirmed(request, machines)
    return {**answer, "message": summary(awaited, expected, "not confirmed")} if awaited else answer


def as_planned(request: AcquireRequest | None, servers: Sequence[Server]) -> list[Server]:
    """Return the servers with the names that hfstack planned: an operator may have renamed one."""
    names = {planned.machine_id: planned.name for planned in request.machines if planned.machine_id} if request else {}
    return [{**server, "name": names[server["id"]]} if server["id"] in names else server for server in servers]


def acquire_terms(
    request: AcquireRequest | None, servers: Sequence[Server], trouble: Mapping[str, str], rules: Rules, now: float
) -> Terms:
    """Return the terms of a request; without a record, the oldest server says when it was made."""
    if request:
        overdue = now >= request.recorded_at + request.timeout
        newborn = now < (request.created_at or request.recorded_at) + BIRTH
        ready = {machine.machine_id: machine for machine in request.ready}
        requested_at, timeout = int(request.requested_at), request.timeout
        more = (ready, newborn, request.reaped, rules.unseen_timeout)
        return Terms(rules.networks, requested_at, timeout, overdue, trouble, *more)
    created = [server_record.epoch(server.get("created")) for server in servers]
    oldest = min((time for time in created if time is not None), default=float("inf"))
    overdue = now >= oldest + rules.request_timeout
    return Terms(rules.networks, 0, rules.request_timeout, overdue, trouble)


def take(unmatched: dict[str, Server], planned: Planned) -> Server | None:
    """Take the planned machine's server out of those listed, by its id, else by its name."""
    if planned.machine_id:
        return unmatched.pop(planned.machine_id, None)
    for server_id, server in unmatched.items():
        if server.get("name") == planned.name:
            return unmatched.pop(server_id)
    return None


def take_failure(failures: dict[str, Failed], planned: Planned) -> Failed | None:
    """Take the record of the planned machine's failure, by its id, else by its name."""
    if planned.machine_id:
        return failures.pop(planned.machine_id, None)
    for server_id, failure in failures.items():
        if failure.key == planned.name:
            return failures.pop(server_id)
    return None


def take_failed(unmatched: dict[str, Server], failure: Failed) -> Server | None:
    """Take the server of a failed machine out of those listed: every one of its name, if it failed without an id."""
    known_as = failure.machine_id
    ids = [server_id for server_id, server in unmatched.items() if known_as in (server_id, server.get("name"))]
    taken = [unmatched.pop(server_id) for server_id in ids]
    return taken[0] if taken else None


def as_failed(failure: Failed, server: Server | None) -> Machine:
    """Return the entry of a machine whose failure is on record: its server's state no longer changes the result."""
    status = server_record.row(server).acquire[1] if server else None
    built = bare(failure.machine_id, failure.name, states.FAIL, status, failure.message, failure.launch_time)
    return {**built, "name": failure.name or built["name"], "privateIpAddress": failure.private_address}


def acquired(server: Server, terms: Terms) -> Machine:
    """Return the entry of a server that Nova shows."""
    row = server_record.row(server)
    result, status = row.acquire
    message = row.reason
    ready = terms.ready.get(str(server["id"]))
    address = ready.private_address if ready else server_record.private_address(server, terms.networks)
    if terms.reaped:
        return entry(server, states.FAIL, status, terms.reaped, address, terms.requested_at)
    if result == states.SUCCEED and not address:
        result, message = states.EXECUTING, "it has no fixed address yet"
    elif result == states.SUCCEED and server_record.lacks_floating_ip(server):
        trouble = terms.floating_ip_trouble.get(str(server["id"]))
        result, message = states.EXECUTING, "it has no floating IP yet" + (f": {trouble}" if trouble else "")
    if result == states.EXECUTING and terms.overdue:
        result = states.FAIL
        message = f"not ready after {terms.timeout} s: {state_and(message, server)}"
    elif result == states.FAIL:
        message = because(message, server)
    return as_told(entry(server, result, status, message, address, terms.requested_at), terms)


def as_told(machine: Machine, terms: Terms) -> Machine:
    """Return the entry with what HostFactory was told before, which never changes."""
    ready = terms.ready.get(machine["machineId"])
    if ready is None:
        return machine
    unchanged: Machine = {**machine, "name": ready.name, "privateIpAddress": ready.private_address}
    return {**unchanged, "launchtime": ready.launch_time}


def unlisted(planned: Planned, server: Server | None, tag: str, terms: Terms) -> Machine:
    """Return the entry of an expected machine that the list lacks and that was queried by its id."""
    machine_id = planned.machine_id
    if server is GONE:
        if terms.newborn and machine_id not in terms.ready and not terms.reaped:
            message = "Nova does not show the new server yet"
            return bare(machine_id, planned.name, states.EXECUTING, None, message, terms.requested_at)
        message = terms.reaped or "the server is gone: Nova no longer knows its id"
        return as_told(
            bare(machine_id, planned.name, states.FAIL, states.TERMINATED, message, terms.requested_at), terms
        )
    if "tags" in server and not server_record.carries(server, tag):
        message = f"the server no longer carries the tag {tag}"
        return as_told(bare(machine_id, planned.name, states.FAIL, None, message, terms.requested_at), terms)
    # the record of a server in a down cell has no name, and an operator may have renamed it
    return acquired({**server, "name": planned.name}, terms)


def unseen(planned: Planned, is_absent: bool, terms: Terms) -> list[Machine]:
    """Return the entry, if any, of a planned machine that Nova has not shown; `is_absent` is the proof by its name."""
    if planned.message:
        return [bare(planned.name, planned.name, states.FAIL, None, planned.message, terms.requested_at)]
    if terms.reaped:
        known_id = planned.machine_id or planned.name
        return [bare(known_id, planned.name, states.FAIL, None, terms.reaped, terms.requested_at)]
    if planned.machine_id:
        # its query failed, which proves nothing, however late it is
        return [as_told(bare(planned.machine_id, planned.name, states.EXECUTING, None, "", terms.requested_at), terms)]
    if planned.unclear:
        return [unanswered_post(planned, is_absent, terms)]
    if terms.overdue:
        message = f"no server of this name after {terms.timeout} s: it was never created"
        return [bare(planned.name, planned.name, states.FAIL, None, message, terms.requested_at)]
    return []


def unanswered_post(planned: Planned, is_absent: bool, terms: Terms) -> Machine:
    """Return the entry of a machine whose POST had no clear answer."""
    result: Result = states.FAIL if is_absent or terms.overdue else states.EXECUTING
    seconds = terms.unseen_timeout if is_absent else terms.timeout
    late = f"it was never created: no server after {seconds} s, and " if result == states.FAIL else ""
    message = f"{late}no clear answer from Nova: {planned.unclear}"
    return bare(planned.name, planned.name, result, None, message, terms.requested_at)


def unconfirmed(request: AcquireRequest | None, machines: Iterable[Machine]) -> list[Machine]:
    """Return the machines that are waited for although it is unknown whether their servers exist."""
    names = {planned.name for planned in request.machines if planned.unclear} if request else set()
    return [one for one in machines if one["result"] == states.EXECUTING and one["machineId"] in names]


def lacks_servers(request: AcquireRequest | None, answer: RequestStatus) -> bool:
    """Tell whether a machine failed only because no server has its name, as far as the lists show."""
    names = {one.name for one in request.machines if not (one.machine_id or one.message)} if request else set()
    return any(one["result"] == states.FAIL and one["machineId"] in names for one in answer["machines"])


def acquire_status(request_id: str, machines: list[Machine], expected: int, terms: Terms) -> RequestStatus:
    """Sum up the machines. Missing ones are waited for until the deadline."""
    missing = expected - len(machines)
    results = [machine["result"] for machine in machines]
    status: Status
    message = ""
    if states.EXECUTING in results or (missing > 0 and not terms.overdue):
        status = "running"
    elif missing > 0:
        status = "complete_with_error"
        message = f"{missing} of {counted(expected, 'machine')} did not appear within {terms.timeout} s"
    elif states.FAIL in results:
        status = "complete_with_error"
        message = failures_of(machines)
    else:
        status = "complete"
    return {"requestId": request_id, "status": status, "message": message, "machines": machines}


# When nothing can be known


def unanswered(request_id: str, request: AcquireRequest | ReturnRequest | None, reason: str) -> RequestStatus:
    """Answer while the cloud does not: `running`, with the reason, as if no time had passed and no server were seen."""
    machines: list[Machine] = []
    if isinstance(request, ReturnRequest):
        # a poll of a request for machines does not load it
        from hfstack.rules.return_status import returned

        machines = returned(request_id, request, {}, "", BEFORE_ANY_DEADLINE)["machines"]
    elif request:
        machines = acquire(request_id, request, (), {}, {}, Rules(), BEFORE_ANY_DEADLINE)["machines"]
    return {"requestId": request_id, "status": "running", "message": reason, "machines": machines}


def unknown(request_id: str, reason: str) -> RequestStatus:
    """Answer for an id that is no request of hfstack."""
    return {"requestId": request_id, "status": "complete_with_error", "message": reason, "machines": []}
