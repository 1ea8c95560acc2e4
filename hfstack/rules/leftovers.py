"""What is tidied up beside getReturnRequests's answer: servers and floating IPs that nobody uses, old records. Pure.

Only what is ours is deleted: a server's record itself shows all three of our tags, a floating IP's description is ours
to the letter, and the request is on record. What only a person does to a server (pausing, suspending, rescuing,
shelving, locking) is the person's business.
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
    """How long is waited, in seconds."""

    unfinished: float
    """For a requestMachines that has asked and not yet recorded what it was answered."""
    unpolled: float
    """For HostFactory to ask for a request for the first time."""
    history: float
    """After the last that was recorded of a request."""


class Leftover(NamedTuple):
    """A server that is to be deleted."""

    request_id: str
    record: Server
    reason: str
    key: str = ""
    """What the fact of its failure is called by, which must be on record first; "" if none is wanted."""


class Owner(NamedTuple):
    """The request that a floating IP was taken for."""

    request_id: str
    request: AcquireRequest


def leftovers(
    stored: Iterable[RecordedRequest], listed: Iterable[Server], provider: str, now: float, patience: Patience
) -> list[Leftover]:
    """Return the servers that are to be deleted, of those that are listed."""
    by_request: dict[str, list[Server]] = {}
    for record in listed:
        if server_record.is_ours(record, provider) and deletion.may_go(record):
            for request_id in server_record.request_ids(record):
                by_request.setdefault(request_id, []).append(record)
    stored = list(stored)
    given_back = reclaim.given_back(stored)
    found: list[Leftover] = []
    for one in stored:
        servers = by_request.get(one.request_id, [])
        if isinstance(one.request, AcquireRequest) and servers:
            if one.request.ended:
                found += of_ended(one, one.request, servers, given_back)
            else:
                found += of_unheard(one, one.request, servers, now, patience)
    return found


def of_unheard(
    one: RecordedRequest, request: AcquireRequest, servers: Iterable[Server], now: float, patience: Patience
) -> list[Leftover]:
    """Return the servers of a request of which HostFactory has never learned."""
    age = now - request.requested_at
    if request.polled:
        return []
    if not one.created and age > patience.unfinished:
        reason = "the call that asked for it never ended, so HostFactory does not know of it"
    elif age > patience.unpolled:
        reason = f"HostFactory has not asked for its request within {patience.unpolled:.0f} s"
    else:
        return []
    taken = {fact.key: fact.machine_id for fact in request.failed}
    return [Leftover(one.request_id, record, reason, deletion.claim(request, record, taken)) for record in servers]


def of_ended(
    one: RecordedRequest, request: AcquireRequest, servers: Iterable[Server], given_back: frozenset[str]
) -> list[Leftover]:
    """Return the servers of a request that is over which HostFactory was told to have failed, or was never told of."""
    failed = {fact.machine_id: fact.message for fact in request.failed}
    created = {planned.machine_id for planned in request.machines}
    found = []
    for record in servers:
        server_id = str(record["id"])
        if server_id in failed:
            found.append(Leftover(one.request_id, record, failed[server_id]))
        elif one.answered_ids is not None and server_id not in one.answered_ids | created | given_back:
            found.append(Leftover(one.request_id, record, "it appeared after the end of its request"))
    return found


def owners(stored: Iterable[RecordedRequest], provider: str) -> dict[str, Owner]:
    """Return the requests that took floating IPs, by the descriptions of all that they may have taken."""
    return {
        floating_ip.describe(provider, one.request_id, planned.name): Owner(one.request_id, one.request)
        for one in stored
        if isinstance(one.request, AcquireRequest) and one.request.floating_network
        for planned in one.request.machines
    }


def abandoned(
    shown: Iterable[FloatingIP],
    owned: Mapping[str, Owner],
    alive: Iterable[Server],
    provider: str,
    now: float,
    patience: Patience,
) -> list[FloatingIP]:
    """Return the floating IPs to release, of those that Neutron shows: they lead nowhere, and no server waits for them.

    `owned` is what `owners` returns. A requestMachines that may still be running is about to ask for the servers.
    """
    awaited = {floating_ip.of(record, provider) for record in alive}
    idle = [one for one in shown if not one.port_id and one.description not in awaited and one.description in owned]
    return [one for one in idle if now - owned[one.description].request.requested_at > patience.unfinished]


def history(stored: Sequence[RecordedRequest], alive: Iterable[Server], now: float, patience: Patience) -> list[str]:
    """Return the ids of the requests whose records are to be removed: old ones, of which no server is seen.

    The record of a return stays as long as that of the request that made one of its machines: without it HostFactory
    would seem to hold the machine still.
    """
    alive = list(alive)
    ids = {str(record["id"]) for record in alive}
    seen = {request_id for record in alive for request_id in server_record.request_ids(record)}
    old = [one for one in stored if now - one.last_recorded_at > patience.history and not machines_of(one) & ids]
    old = [one for one in old if one.request_id not in seen]
    going = {one.request_id for one in old}
    kept = [one for one in stored if one.request_id not in going and isinstance(one.request, AcquireRequest)]
    needed = frozenset[str]().union(*map(machines_of, kept))
    return [one.request_id for one in old if not (isinstance(one.request, ReturnRequest) and machines_of(one) & needed)]


def machines_of(one: RecordedRequest) -> frozenset[str]:
    """Return the ids of the machines that are recorded of a request."""
    return frozenset(each.machine_id for each in one.request.machines) if one.request else frozenset()


def failure(leftover: Leftover, now: float) -> Failed:
    """Return what is recorded of a leftover server: what HostFactory is told if it polls the request after all."""
    record = leftover.record
    launched = server_record.launch_time(record)
    return Failed(
        leftover.key,
        str(record["id"]),
        server_record.host_name(record),
        server_record.private_address(record),
        int(now) if launched is None else launched,
        leftover.reason,
    )
