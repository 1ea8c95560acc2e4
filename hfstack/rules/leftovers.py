"""What housekeeping deletes: servers and floating IPs that nobody uses, and old records. Pure.

Only what is ours is deleted: a server shows all three of our tags, a floating IP has exactly our description, and there
is a record of the request. A server that a person paused, suspended, rescued, shelved or locked is left to that person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from hfstack.rules import deletion, floating_ip, reference, server_record
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


class Clocks(NamedTuple):
    """The present time, in seconds since 1970; this host's own clock may be wrong."""

    file_system: float
    """By the clock that dates the records."""
    cloud: float
    """By the clock that dates the servers."""


class Leftover(NamedTuple):
    """A server to delete."""

    request_id: str
    server: Server
    reason: str
    key: str = ""
    """The key of the record of its failure, which must be written first; "" if none is needed."""


class Unpolled(NamedTuple):
    """A request that HostFactory never learned of."""

    request_id: str
    reason: str
    contradiction: str = ""
    """What shows that the records are wrong, so that its servers must be left alone; "" if nothing does."""


class Owner(NamedTuple):
    """The request that took a floating IP."""

    request_id: str
    request: AcquireRequest


def unpolled(
    requests: Iterable[RecordedRequest], listed: Iterable[Server], provider: str, clocks: Clocks, patience: Patience
) -> list[Unpolled]:
    """Return the requests that HostFactory has not polled in time, and that are not reaped yet."""
    servers = of_requests(listed, provider)
    return [
        Unpolled(recorded.request_id, reason, contradiction(servers.get(recorded.request_id, ()), clocks, patience))
        for recorded in requests
        if isinstance(recorded.request, AcquireRequest)
        if (reason := why_unpolled(recorded.request, clocks.file_system, patience))
    ]


def why_unpolled(request: AcquireRequest, now: float, patience: Patience) -> str:
    """Say why HostFactory cannot know the request, "" if it may."""
    if request.polled or request.ended:
        return ""
    if request.created_at is None:
        unfinished = now - request.recorded_at > patience.unfinished
        return "the requestMachines call never finished, so HostFactory does not know this server" if unfinished else ""
    late = now - request.created_at > patience.unpolled
    return f"HostFactory has not polled its request within {patience.unpolled:.0f} s" if late else ""


def contradiction(servers: Iterable[Server], clocks: Clocks, patience: Patience) -> str:
    """Say which server shows that the records of an unpolled request are wrong: from an old copy, for example."""
    for server in servers:
        created = server_record.epoch(server.get("created"))
        if server_record.is_handed_over(server):
            return f"{server['id']} carries the tag {server_record.ENDED_TAG}: HostFactory uses it"
        if created is not None and clocks.cloud - created > 2 * patience.unpolled:
            return f"{server['id']} should have been deleted long ago, if HostFactory did not use it"
    return ""


def leftovers(requests: Iterable[RecordedRequest], listed: Iterable[Server], provider: str) -> list[Leftover]:
    """Return those of the listed servers that housekeeping deletes."""
    by_request = of_requests(filter(deletion.may_delete, listed), provider)
    requests = list(requests)
    returned = reference.returned_ids(requests)
    doomed: list[Leftover] = []
    for recorded in requests:
        servers = by_request.get(recorded.request_id, [])
        if isinstance(recorded.request, AcquireRequest) and recorded.request.reaped:
            doomed += of_reaped(recorded, recorded.request, servers)
        elif isinstance(recorded.request, AcquireRequest) and recorded.request.ended:
            doomed += of_ended(recorded, recorded.request, servers, returned)
    return doomed


def of_requests(listed: Iterable[Server], provider: str) -> dict[str, list[Server]]:
    """Return the servers that this provider instance created, by the requests whose tags they carry."""
    by_request: dict[str, list[Server]] = {}
    for server in listed:
        if server_record.is_ours(server, provider):
            for request_id in server_record.request_ids(server):
                by_request.setdefault(request_id, []).append(server)
    return by_request


def of_reaped(recorded: RecordedRequest, request: AcquireRequest, servers: Iterable[Server]) -> list[Leftover]:
    """Return the servers of a request that HostFactory will only be told has failed."""
    taken = {failure.key: failure.machine_id for failure in request.failed}
    return [
        Leftover(recorded.request_id, server, request.reaped, deletion.claim(request, server, taken))
        for server in servers
    ]


def of_ended(
    recorded: RecordedRequest, request: AcquireRequest, servers: Iterable[Server], returned: frozenset[str]
) -> list[Leftover]:
    """Return the servers of an ended request that HostFactory knows as failed, or does not know at all."""
    failed = {failure.machine_id: failure.message for failure in request.failed}
    created = {planned.machine_id for planned in request.machines}
    answered = request.answered_ids
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
    return [ip for ip in idle if now - owned[ip.description].request.recorded_at > patience.unfinished]


def history(requests: Sequence[RecordedRequest], alive: Iterable[Server], now: float, patience: Patience) -> list[str]:
    """Return the ids of the requests whose records are removed: old ones that are over, without a visible server.

    The record of a return stays as long as the record of a request that created one of its machines: without it
    HostFactory would still seem to hold the machine.
    """
    alive = list(alive)
    ids = {str(server["id"]) for server in alive}
    seen = {request_id for server in alive for request_id in server_record.request_ids(server)}
    old = [
        recorded
        for recorded in requests
        if is_over(recorded)
        and now - recorded.last_recorded_at > patience.history
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


def is_over(recorded: RecordedRequest) -> bool:
    """Tell whether nobody will poll a request again. A folder without `asked.json` is no request."""
    request = recorded.request
    return request is None or request.ended or (isinstance(request, AcquireRequest) and bool(request.reaped))


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
