"""What housekeeping deletes: servers and floating IPs that nobody uses, and old records. Pure.

Only what is ours is deleted: a server shows all three of our tags, a floating IP has exactly our description, and there
is a record of the request. A server that a person paused, suspended, rescued, shelved or locked is left to that person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from hfstack.rules import deletion, floating_ip, reclaim, server_record
from hfstack.rules.floating_ip import FloatingIP
from hfstack.rules.server_record import Server
from hfstack.store.facts import AcquireRequest, Failed, ReturnRequest
from hfstack.store.request_list import RecordedRequest

DAY = 86400


class Patience(NamedTuple):
    """How long to wait, in seconds."""

    unfinished: float
    """For a requestMachines call that has recorded the request and not yet its result."""
    unpolled: float
    """For HostFactory's first poll of a request."""
    history: float
    """After the last record of a request."""


class Leftover(NamedTuple):
    """A server to delete."""

    request_id: str
    server: Server
    reason: str
    key: str = ""
    """The key of the record of its failure, which must be written first; "" if none is needed."""


class Owner(NamedTuple):
    """The request that took a floating IP."""

    request_id: str
    request: AcquireRequest


def leftovers(
    requests: Iterable[RecordedRequest], listed: Iterable[Server], provider: str, now: float, patience: Patience
) -> list[Leftover]:
    """Return those of the listed servers that housekeeping deletes."""
    by_request: dict[str, list[Server]] = {}
    for server in listed:
        if server_record.is_ours(server, provider) and deletion.may_delete(server):
            for request_id in server_record.request_ids(server):
                by_request.setdefault(request_id, []).append(server)
    requests = list(requests)
    returned = reclaim.returned_ids(requests)
    doomed: list[Leftover] = []
    for recorded in requests:
        servers = by_request.get(recorded.request_id, [])
        if isinstance(recorded.request, AcquireRequest) and servers:
            if recorded.request.ended:
                doomed += of_ended(recorded, recorded.request, servers, returned)
            else:
                doomed += of_unpolled(recorded, recorded.request, servers, now, patience)
    return doomed


def of_unpolled(
    recorded: RecordedRequest, request: AcquireRequest, servers: Iterable[Server], now: float, patience: Patience
) -> list[Leftover]:
    """Return the servers of a request that HostFactory never learned of."""
    age = now - request.requested_at
    if request.polled:
        return []
    if not recorded.created and age > patience.unfinished:
        reason = "the requestMachines call never finished, so HostFactory does not know this server"
    elif age > patience.unpolled:
        reason = f"HostFactory has not polled its request within {patience.unpolled:.0f} s"
    else:
        return []
    taken = {failure.key: failure.machine_id for failure in request.failed}
    return [Leftover(recorded.request_id, server, reason, deletion.claim(request, server, taken)) for server in servers]


def of_ended(
    recorded: RecordedRequest, request: AcquireRequest, servers: Iterable[Server], returned: frozenset[str]
) -> list[Leftover]:
    """Return the servers of an ended request that HostFactory knows as failed, or does not know at all."""
    failed = {failure.machine_id: failure.message for failure in request.failed}
    created = {planned.machine_id for planned in request.machines}
    answered = recorded.answered_ids
    doomed = []
    for server in servers:
        server_id = str(server["id"])
        if server_id in failed:
            doomed.append(Leftover(recorded.request_id, server, failed[server_id]))
        elif answered is not None and server_id not in answered | created | returned:
            doomed.append(Leftover(recorded.request_id, server, "it appeared after its request ended"))
    return doomed


def owners(requests: Iterable[RecordedRequest], provider: str) -> dict[str, Owner]:
    """Return the requests that took floating IPs, by the description of each floating IP that they may have taken."""
    return {
        floating_ip.describe(provider, recorded.request_id, planned.name): Owner(recorded.request_id, recorded.request)
        for recorded in requests
        if isinstance(recorded.request, AcquireRequest) and recorded.request.floating_network
        for planned in recorded.request.machines
    }


def abandoned(
    shown: Iterable[FloatingIP],
    owned: Mapping[str, Owner],
    alive: Iterable[Server],
    provider: str,
    now: float,
    patience: Patience,
) -> list[FloatingIP]:
    """Return those of Neutron's floating IPs to release: they are not attached, and no server waits for them.

    `owned` is what `owners` returns. A requestMachines call that may still be running is about to create the servers.
    """
    awaited = {floating_ip.of(server, provider) for server in alive}
    idle = [ip for ip in shown if not ip.port_id and ip.description not in awaited and ip.description in owned]
    return [ip for ip in idle if now - owned[ip.description].request.requested_at > patience.unfinished]


def history(requests: Sequence[RecordedRequest], alive: Iterable[Server], now: float, patience: Patience) -> list[str]:
    """Return the ids of the requests whose records are removed: old ones without a visible server.

    The record of a return stays as long as the record of a request that created one of its machines: without it
    HostFactory would still seem to hold the machine.
    """
    alive = list(alive)
    ids = {str(server["id"]) for server in alive}
    seen = {request_id for server in alive for request_id in server_record.request_ids(server)}
    old = [
        recorded
        for recorded in requests
        if now - recorded.last_recorded_at > patience.history
        and not machine_ids(recorded) & ids
        and recorded.request_id not in seen
    ]
    removed = {recorded.request_id for recorded in old}
    kept = [
        recorded
        for recorded in requests
        if recorded.request_id not in removed and isinstance(recorded.request, AcquireRequest)
    ]
    needed = frozenset[str]().union(*map(machine_ids, kept))
    return [
        recorded.request_id
        for recorded in old
        if not (isinstance(recorded.request, ReturnRequest) and machine_ids(recorded) & needed)
    ]


def machine_ids(recorded: RecordedRequest) -> frozenset[str]:
    """Return the ids of a request's machines."""
    return frozenset(machine.machine_id for machine in recorded.request.machines) if recorded.request else frozenset()


def failure(leftover: Leftover, now: float) -> Failed:
    """Return the record of a leftover server: what HostFactory is told if it polls the request after all."""
    server = leftover.server
    launched = server_record.launch_time(server)
    return Failed(
        leftover.key,
        str(server["id"]),
        server_record.host_name(server),
        server_record.private_address(server),
        int(now) if launched is None else launched,
        leftover.reason,
    )
