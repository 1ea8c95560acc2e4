"""Which machines HostFactory has to return: the cloud reclaimed them, or an operator marked them. Pure.

A machine counts as reclaimed only on proof: Nova says that the server does not exist, or shows it in a state in which
it is useless. What Nova cannot show proves nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from hfstack import states
from hfstack.rules import server_record
from hfstack.rules.server_record import Server
from hfstack.rules.status import GONE, LookedUp
from hfstack.store.facts import AcquireRequest, ReturnRequest
from hfstack.store.request_list import RecordedRequest

if TYPE_CHECKING:
    from hfstack.inputs import MachineReference
    from hfstack.schema import MachineToReturn


class HeldMachine(NamedTuple):
    """One machine that HostFactory holds, with its host name, "" if only the server shows it."""

    machine_id: str
    name: str


def held(requests: Iterable[RecordedRequest]) -> list[HeldMachine]:
    """Return the machines of recorded requests, without those that HostFactory knows to have failed."""
    machines = []
    for recorded in requests:
        if isinstance(recorded.request, AcquireRequest):
            failed = {failure.machine_id for failure in recorded.request.failed}
            machines += [
                HeldMachine(planned.machine_id, server_record.sanitized(planned.name))
                for planned in recorded.request.machines
                if planned.machine_id and planned.machine_id not in failed
            ]
    return machines


def named(
    references: Iterable[MachineReference], requests: Iterable[RecordedRequest], listed: Iterable[Server]
) -> list[HeldMachine]:
    """Return the machines that HostFactory names, with their ids: for a bare name, that of the server or plan with it.

    A name that nothing has is skipped: nothing can be proven about it.
    """
    ids = {machine.name: machine.machine_id for machine in held(requests)} | server_record.ids_by_host_name(listed)
    machines = [
        HeldMachine(
            reference.machine_id or ids.get(reference.name) or ids.get(reference.name.split(".")[0], ""),
            reference.name,
        )
        for reference in references
    ]
    return [machine for machine in machines if machine.machine_id]


def returned_ids(requests: Iterable[RecordedRequest]) -> frozenset[str]:
    """Return the ids of all machines that HostFactory has returned."""
    returns = [recorded.request for recorded in requests if isinstance(recorded.request, ReturnRequest)]
    return frozenset(machine.machine_id for request in returns for machine in request.machines)


def to_return(
    machines: Sequence[HeldMachine], seen: LookedUp, provider: str, reclaimed: Collection[str]
) -> list[MachineToReturn]:
    """Return those of the machines that HostFactory has to return; `seen` is what Nova says of them.

    An existing server is reported only if its record shows that it is ours. A server that is gone has no record: it is
    enough that HostFactory names the machine, or that we created it.
    """
    reported: dict[str, MachineToReturn] = {}
    for machine in machines:
        server_id = machine.machine_id
        server = seen.get(server_id, {})
        seconds = grace(server, provider, reclaimed)
        if seconds is not None:
            name = machine.name or (server_record.host_name(server) if server else server_id)
            reported[server_id] = {"machine": name, "machineId": server_id, "gracePeriod": seconds}
    return list(reported.values())


def grace(server: Server | None, provider: str, reclaimed: Collection[str]) -> int | None:
    """Return the seconds that a machine's work may continue; `None` if the machine stays."""
    if server is GONE:
        return 0
    result, status = server_record.row(server).acquire
    gone = status == states.TERMINATED
    shown = "DELETED" if status == states.SHUTTING_DOWN else server.get("status")
    if result == states.FAIL and shown in reclaimed and (gone or server_record.is_ours(server, provider)):
        return 0
    return server_record.drain(server) if server_record.is_ours(server, provider) else None
