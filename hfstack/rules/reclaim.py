"""Which machines HostFactory has to return: the cloud reclaimed them, or an operator marked them. Pure.

A machine counts as reclaimed only on proof: Nova says that the server does not exist, or shows it in a state in which
it is useless. What Nova cannot show proves nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, NamedTuple

from hfstack import states
from hfstack.rules import server_record
from hfstack.rules.server_record import Server
from hfstack.rules.status import GONE, LookedUp

if TYPE_CHECKING:
    from hfstack.schema import MachineToReturn


class HeldMachine(NamedTuple):
    """One machine that HostFactory holds, with its host name."""

    machine_id: str
    name: str


def all_vanished(held: AbstractSet[str], known: AbstractSet[str], seen: LookedUp) -> bool:
    """Tell whether several machines are gone and none is left: hfstack may be looking at the wrong cloud.

    `held` are the ids that were looked up, `known` those of all machines that HostFactory holds.
    """
    gone = bool(held) and all(seen.get(machine_id, {}) is GONE for machine_id in held)
    return gone and len(held | known) > 1 and not any(seen.get(machine_id) for machine_id in known)


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
            reported[server_id] = {"machine": machine.name, "machineId": server_id, "gracePeriod": seconds}
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
