"""Which machines HostFactory is to give back: the cloud took them away, or an operator marked them. Pure.

A machine was taken away on proof alone: Nova says that there is no such server, or shows it in a state in which it is
of no use. What Nova cannot show proves nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from . import machine, states
from .answer import GONE, LookedUp
from .cleanup import is_ours
from .facts import Acquire, Return
from .machine import Record
from .stored import Stored

if TYPE_CHECKING:
    from .reading import ReturnedMachine
    from .wire import ReturnRequest

DRAIN = "hf-drain"
"""The tag of a server that is to be given back; `hf-drain:120` gives its work 120 seconds."""


class Known(NamedTuple):
    """One machine that HostFactory holds, and its host name, "" where only the server can tell it."""

    machine_id: str
    name: str


def held(stored: Iterable[Stored]) -> list[Known]:
    """Return the machines of recorded requests that HostFactory was not told to have failed."""
    found = []
    for one in stored:
        if isinstance(one.asked, Acquire):
            failed = {fact.machine_id for fact in one.asked.failed}
            found += [
                Known(planned.machine_id, machine.sanitized(planned.name))
                for planned in one.asked.machines
                if planned.machine_id and planned.machine_id not in failed
            ]
    return found


def named(wanted: Iterable[ReturnedMachine], stored: Iterable[Stored], listed: Iterable[Record]) -> list[Known]:
    """Return the machines that HostFactory names, with their ids: of a name alone, the server or the plan that has it.

    A name that none has is left out: nothing can be proven of it.
    """
    ids = {one.name: one.machine_id for one in held(stored)} | machine.ids_by_host_name(listed)
    found = [
        Known(one.machine_id or ids.get(one.name) or ids.get(one.name.split(".")[0], ""), one.name) for one in wanted
    ]
    return [one for one in found if one.machine_id]


def given_back(stored: Iterable[Stored]) -> frozenset[str]:
    """Return the ids of all machines whose return was asked for."""
    returns = [one.asked for one in stored if isinstance(one.asked, Return)]
    return frozenset(one.machine_id for asked in returns for one in asked.machines)


def requests(known: Sequence[Known], seen: LookedUp, provider: str, reclaimed: Collection[str]) -> list[ReturnRequest]:
    """Return what is reported of the known machines, of which Nova said what is in `seen`.

    A server that is there is reported only if its record shows that it is ours; of one that is gone no record can, and
    it is enough that HostFactory names it, or that we made it.
    """
    found: dict[str, ReturnRequest] = {}
    for one in known:
        record = seen.get(one.machine_id, {})
        seconds = grace(record, provider, reclaimed)
        if seconds is not None:
            name = one.name or (machine.host_name(record) if record else one.machine_id)
            found[one.machine_id] = {"machine": name, "machineId": one.machine_id, "gracePeriod": seconds}
    return list(found.values())


def grace(record: Record | None, provider: str, reclaimed: Collection[str]) -> int | None:
    """Return the seconds that a machine's work may go on; `None` if it is not to be given back."""
    if record is GONE:
        return 0
    result, status = machine.row(record).acquire
    gone = status == states.TERMINATED
    shown = "DELETED" if status == states.SHUTTING_DOWN else record.get("status")
    if result == states.FAIL and shown in reclaimed and (gone or is_ours(record, provider)):
        return 0
    return drain(record) if is_ours(record, provider) else None


def drain(record: Mapping[str, object]) -> int | None:
    """Return the grace of an operator's mark, the shortest of several; `None` if there is none that can be read."""
    tags = record.get("tags")
    words = [str(tag).partition(":") for tag in tags] if isinstance(tags, list) else []
    marks = [seconds if colon else "0" for word, colon, seconds in words if word == DRAIN]
    return min((int(one) for one in marks if one.isascii() and one.isdecimal() and len(one) <= 9), default=None)
