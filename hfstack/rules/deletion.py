"""Which servers are to be deleted after a poll. Pure: no clock, no files, no network.

Only servers of ours are: the record itself shows our tags, and the request is on record. What only a person does to a
server (pausing, suspending, rescuing, shelving, locking) is the person's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hfstack import states
from hfstack._typing import TYPE_CHECKING
from hfstack.rules import server_record
from hfstack.rules.server_record import Server
from hfstack.rules.status import GONE, LookedUp
from hfstack.store.facts import FACT_NAME, AcquireRequest, Failed, ReturnRequest

if TYPE_CHECKING:
    from hfstack.schema import Machine


def of_acquire(
    request_id: str,
    provider: str,
    request: AcquireRequest | None,
    records: Iterable[Server],
    machines: Sequence[Machine],
) -> list[Failed]:
    """Return the failures to record of a request that was answered with `machines`; their servers are then deleted.

    That a machine failed (ERROR, SHUTOFF, not ready at the deadline, on record) is as the answer says. Once a request
    has ended its machines are HostFactory's, and none is deleted.
    """
    if request is None or request.ended:
        return []
    failed = {one["machineId"]: one for one in machines if one["result"] == states.FAIL}
    taken = {one.key: one.machine_id for one in request.failed}
    failures: dict[str, Failed] = {}
    for record in records:
        server_id = str(record["id"])
        if server_id in failed and server_record.is_of(request_id, record, provider) and may_go(record):
            failures[server_id] = failure(claim(request, record, taken), failed[server_id])
    return list(failures.values())


def failure(key: str, machine: Machine) -> Failed:
    """Return what is recorded of a machine that failed: what HostFactory is told of it."""
    return Failed(
        key,
        machine["machineId"],
        machine["name"],
        machine["privateIpAddress"],
        machine["launchtime"],
        machine["message"],
    )


def replaced(request_id: str, provider: str, request: AcquireRequest | None, records: Iterable[Server]) -> list[str]:
    """Return the ids of the servers that were to be deleted because others were asked for in their place."""
    if request is None or request.ended:
        return []
    found = [record for record in records if record["id"] in request.replaced and may_go(record)]
    return [str(record["id"]) for record in found if server_record.is_of(request_id, record, provider)]


def may_go(record: Server) -> bool:
    """Tell whether a failed server is in a state in which it may be deleted."""
    _, status = server_record.row(record).acquire
    if status in {states.ANY, states.TERMINATED, states.SHUTTING_DOWN}:
        # of a state that Nova cannot show, or that is not known here, nothing is concluded
        return False
    leaving = status == states.STOPPING and record.get("OS-EXT-STS:task_state") != "powering-off"
    return not (leaving or str(record.get("status")) in states.PARKED or server_record.is_locked(record))


def claim(request: AcquireRequest, record: Server, taken: dict[str, str]) -> str:
    """Return what the fact of a failure is called by: the planned name, the id if another server has taken that.

    `taken` holds the ids of the servers by what their facts are called by; this server's is entered.
    """
    server_id, key = str(record["id"]), name_of(request, record)
    return key if taken.setdefault(key, server_id) == server_id else server_id


def name_of(request: AcquireRequest, record: Server) -> str:
    """Return the planned name of a server, else its id."""
    server_id, name = str(record["id"]), record.get("name")
    for planned in request.machines:
        found = planned.machine_id == server_id if planned.machine_id else planned.name == name
        if found and FACT_NAME.match(planned.name):
            return planned.name
    return server_id


def of_return(provider: str, request: ReturnRequest, seen: LookedUp, now: float) -> list[str]:
    """Return the ids of the servers whose deletion is to be asked for again, until the deadline.

    A delete that failed leaves the server in ERROR, or as it was; one that is under way cannot be hurried.
    """
    if request.ended or now >= request.requested_at + request.timeout:
        return []
    found = {one.machine_id: seen.get(one.machine_id, GONE) for one in request.machines}
    return [server_id for server_id, record in found.items() if record and is_stuck(record, provider)]


def is_stuck(record: Server, provider: str) -> bool:
    """Tell a server of ours that lives and is not being deleted, and that nobody holds."""
    _, status = server_record.row(record).returned
    leaving = status in {states.TERMINATED, states.SHUTTING_DOWN}
    return server_record.is_ours(record, provider) and not leaving and not server_record.is_locked(record)


def gone(request: ReturnRequest, seen: LookedUp) -> dict[str, str]:
    """Return the machines of which it is new that they are gone, and how that is known."""
    proofs: dict[str, str] = {}
    for one in request.machines:
        record = seen.get(one.machine_id, {})
        if record is GONE:
            proofs[one.machine_id] = "Nova answers 404 itemNotFound"
        elif server_record.row(record).returned[0] == states.SUCCEED:
            proofs[one.machine_id] = f"Nova shows it as {record['status']}"
    return {server_id: how for server_id, how in proofs.items() if server_id not in request.gone}
