"""Which servers are to be deleted after a poll. Pure: no clock, no files, no network.

Only our servers are deleted: the server itself shows our tags, and there is a record of the request. A server that a
person paused, suspended, rescued, shelved or locked is left to that person.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hfstack import states
from hfstack._typing import TYPE_CHECKING
from hfstack.rules import server_record
from hfstack.rules.server_record import Server
from hfstack.rules.status import GONE, LookedUp
from hfstack.store.facts import AcquireRequest, Failed, ReturnRequest
from hfstack.store.folders import FACT_NAME

if TYPE_CHECKING:
    from hfstack.schema import Machine


def of_acquire(
    request_id: str,
    provider: str,
    request: AcquireRequest | None,
    servers: Iterable[Server],
    machines: Sequence[Machine],
) -> dict[str, Failed]:
    """Return the failures to record after the answer with `machines`, by the ids of the servers to delete then.

    The answer says which machines failed (ERROR, SHUTOFF, not ready at the deadline, or failed before). Once a request
    has ended, its machines belong to HostFactory, and none is deleted.
    """
    if request is None or request.ended:
        return {}
    failed = {machine["machineId"]: machine for machine in machines if machine["result"] == states.FAIL}
    taken = {failure.key: failure.machine_id for failure in request.failed}
    failures: dict[str, Failed] = {}
    for server in servers:
        server_id = str(server["id"])
        # a machine that failed before its server appeared has no id
        machine = failed.get(server_id) or failed.get(name_of(request, server))
        if machine and server_record.is_of(request_id, server, provider) and may_delete(server):
            failures[server_id] = as_failed(claim(request, server, taken), machine)
    return failures


def as_failed(key: str, machine: Machine) -> Failed:
    """Return the record of a failed machine: what HostFactory's answer says of it."""
    return Failed(
        key,
        machine["machineId"],
        machine["name"],
        machine["privateIpAddress"],
        machine["launchtime"],
        machine["message"],
    )


def replaced(request_id: str, provider: str, request: AcquireRequest | None, servers: Iterable[Server]) -> list[str]:
    """Return the ids of the servers to delete because others replace them."""
    if request is None or request.ended:
        return []
    doomed = [server for server in servers if server["id"] in request.replaced and may_delete(server)]
    return [str(server["id"]) for server in doomed if server_record.is_of(request_id, server, provider)]


def may_delete(server: Server) -> bool:
    """Tell whether a failed server is in a state in which it may be deleted."""
    _, status = server_record.row(server).acquire
    if status in {states.ANY, states.TERMINATED, states.SHUTTING_DOWN}:
        # nothing is concluded from a state that Nova cannot show, or that hfstack does not know
        return False
    if server_record.is_handed_over(server):
        return False
    leaving = status == states.STOPPING and server.get("OS-EXT-STS:task_state") != "powering-off"
    return not (leaving or str(server.get("status")) in states.PARKED or server_record.is_locked(server))


def claim(request: AcquireRequest, server: Server, taken: dict[str, str]) -> str:
    """Return the key of a failure's record: the server's planned name, or its id if another server has taken the name.

    `taken` holds the server ids by their keys; this server's is added. A machine that failed before its server appeared
    is there by its name.
    """
    server_id, key = str(server["id"]), name_of(request, server)
    return key if taken.setdefault(key, server_id) in (server_id, key) else server_id


def name_of(request: AcquireRequest, server: Server) -> str:
    """Return the planned name of a server, else its id."""
    server_id, name = str(server["id"]), server.get("name")
    for planned in request.machines:
        matches = planned.machine_id == server_id if planned.machine_id else planned.name == name
        if matches and FACT_NAME.match(planned.name):
            return planned.name
    return server_id


def lost(
    request: AcquireRequest | None, looked_up: LookedUp, machines: Sequence[Machine], failures: Iterable[Failed]
) -> list[Failed]:
    """Return the failures to record of machines without a server: should Nova show one after all, it is deleted.

    They are gone, or never appeared after a POST without a clear answer: their planned names are their ids then.
    `machines` are those of the answer, `failures` those that are to be recorded anyway.
    """
    if request is None or request.ended:
        return []
    absent = {
        server_id
        for server_id, server in looked_up.items()
        if server is GONE or server_record.row(server).acquire[1] is states.ANY
    }
    absent |= {planned.name for planned in request.machines if planned.unclear}
    known = {failure.machine_id for failure in request.failed}
    taken = {failure.key: failure.machine_id for failure in (*request.failed, *failures)}
    return [
        as_failed(claim(request, {"id": machine["machineId"]}, taken), machine)
        for machine in machines
        if machine["machineId"] in absent - known and machine["result"] == states.FAIL
    ]


def of_return(provider: str, request: ReturnRequest, seen: LookedUp, now: float) -> list[str]:
    """Return the ids of the servers to delete once more, until the deadline.

    A failed delete leaves the server in ERROR, or as it was. A delete in progress cannot be hurried.
    """
    if request.ended or now >= request.recorded_at + request.timeout:
        return []
    machines = [machine for machine in request.machines if not machine.message]
    servers = {machine.machine_id: seen.get(machine.machine_id, GONE) for machine in machines}
    return [server_id for server_id, server in servers.items() if server and is_stuck(server, provider)]


def is_stuck(server: Server, provider: str) -> bool:
    """Tell one of our servers that exists, is not being deleted, and is not locked."""
    _, status = server_record.row(server).returned
    leaving = status in {states.TERMINATED, states.SHUTTING_DOWN}
    return server_record.is_ours(server, provider) and not leaving and not server_record.is_locked(server)


def gone(request: ReturnRequest, seen: LookedUp) -> dict[str, str]:
    """Return the machines that are newly known to be gone, each with the proof."""
    proofs: dict[str, str] = {}
    for machine in request.machines:
        server = {} if machine.message else seen.get(machine.machine_id, {})
        if server is GONE:
            proofs[machine.machine_id] = "Nova answers 404 itemNotFound"
        elif server_record.row(server).returned[0] == states.SUCCEED:
            proofs[machine.machine_id] = f"Nova shows it as {server['status']}"
    return {server_id: how for server_id, how in proofs.items() if server_id not in request.gone}
