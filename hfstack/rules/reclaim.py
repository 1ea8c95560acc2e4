"""Which machines HostFactory is to give back: the cloud took them away, or an operator marked them. Pure.

A machine was taken away on proof alone: Nova says that there is no such server, or shows it in a state in which it is
of no use. What Nova cannot show proves nothing.
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
    """One machine that HostFactory holds, and its host name, "" where only the server can tell it."""

    machine_id: str
    name: str


def held(stored: Iterable[RecordedRequest]) -> list[HeldMachine]:
    """Return the machines of recorded requests that HostFactory was not told to have failed."""
    found = []
    for one in stored:
        if isinstance(one.request, AcquireRequest):
            failed = {fact.machine_id for fact in one.request.failed}
            found += [
                HeldMachine(planned.machine_id, server_record.sanitized(planned.name))
                for planned in one.request.machines
                if planned.machine_id and planned.machine_id not in failed
            ]
    return found


def named(
    wanted: Iterable[MachineReference], stored: Iterable[RecordedRequest], listed: Iterable[Server]
) -> list[HeldMachine]:
    """Return the machines that HostFactory names, with their ids: of a name alone, the server or the plan that has it.

    A name that none has is left out: nothing can be proven of it.
    """
    ids = {one.name: one.machine_id for one in held(stored)} | server_record.ids_by_host_name(listed)
    found = [
        HeldMachine(one.machine_id or ids.get(one.name) or ids.get(one.name.split(".")[0], ""), one.name)
        for one in wanted
    ]
    return [one for one in found if one.machine_id]


def given_back(stored: Iterable[RecordedRequest]) -> frozenset[str]:
    """Return the ids of all machines whose return was asked for."""
    returns = [one.request for one in stored if isinstance(one.request, ReturnRequest)]
    return frozenset(one.machine_id for request in returns for one in request.machines)


def requests(
    known: Sequence[HeldMachine], seen: LookedUp, provider: str, reclaimed: Collection[str]
) -> list[MachineToReturn]:
    """Return what is reported of the known machines, of which Nova said what is in `seen`.

    A server that is there is reported only if its record shows that it is ours; of one that is gone no record can, and
    it is enough that HostFactory names it, or that we made it.
    """
    found: dict[str, MachineToReturn] = {}
    for one in known:
        record = seen.get(one.machine_id, {})
        seconds = grace(record, provider, reclaimed)
        if seconds is not None:
            name = one.name or (server_record.host_name(record) if record else one.machine_id)
            found[one.machine_id] = {"machine": name, "machineId": one.machine_id, "gracePeriod": seconds}
    return list(found.values())


def grace(record: Server | None, provider: str, reclaimed: Collection[str]) -> int | None:
    """Return the seconds that a machine's work may go on; `None` if it is not to be given back."""
    if record is GONE:
        return 0
    result, status = server_record.row(record).acquire
    gone = status == states.TERMINATED
    shown = "DELETED" if status == states.SHUTTING_DOWN else record.get("status")
    if result == states.FAIL and shown in reclaimed and (gone or server_record.is_ours(record, provider)):
        return 0
    return server_record.drain(record) if server_record.is_ours(record, provider) else None
