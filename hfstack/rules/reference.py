"""Which machine HostFactory means by a name and an id. Pure.

Name and id are two keys of one machine. A name counts for the machine that was recorded under it, else for the server
that shows it: first among those of this provider instance, then in the whole project. Host names have no case, and a
name without a domain means the same host as one with any domain. If a name fits several machines, or the name and the
id belong to different ones, nothing must be done to either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from hfstack.inputs import MachineReference
from hfstack.rules import server_record
from hfstack.store.facts import AcquireRequest, Place, Ready, ReturnRequest

if TYPE_CHECKING:
    from hfstack.rules.server_record import Server
    from hfstack.store.request_list import RecordedRequest


class RecordedMachine(NamedTuple):
    """A machine on record."""

    machine_id: str
    name: str
    """As HostFactory was told it first."""
    names: frozenset[str]
    """All names that HostFactory may know it by."""
    failed: bool
    """Whether HostFactory was told that the machine failed."""
    requested_at: float
    """When its request was recorded, by the clock of the file system (seconds since 1970)."""
    place: Place | None
    ready: Ready | None
    """What HostFactory was told when the machine was usable for the first time; `None` if it was not."""


class Resolution(NamedTuple):
    """The machine that HostFactory means."""

    machine_id: str
    """"" if nothing has the name. An id that is not Nova's belongs to a machine that never existed."""
    name: str
    """As HostFactory was told it first, else as HostFactory gives it."""
    problem: str = ""
    """Why nothing must be done to the machine; "" if it may be."""
    recorded: RecordedMachine | None = None
    """`None` if hfstack has no record of the machine."""
    involved: frozenset[str] = frozenset()
    """Ids of the machines that the problem leaves in doubt."""


class Names:
    """Machines by name."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.full: dict[str, dict[str, None]] = {}
        self.short: dict[str, dict[str, None]] = {}
        for machine_id, name in pairs:
            lower = name.lower()
            self.full.setdefault(lower, {})[machine_id] = None
            self.short.setdefault(lower.partition(".")[0], {})[machine_id] = None

    def exactly(self, name: str) -> list[str]:
        """Return the ids of the machines that have just this name."""
        return list(self.full.get(name.lower(), ()))

    def loosely(self, name: str) -> list[str]:
        """Return the ids of the machines that have this name without its domain, or with any."""
        label, dot, _ = name.lower().partition(".")
        return list((self.full if dot else self.short).get(label, ()))


def recorded_machines(requests: Iterable[RecordedRequest]) -> list[RecordedMachine]:
    """Return the machines of all recorded requests for machines that have an id."""
    machines = []
    for recorded in requests:
        request = recorded.request
        if isinstance(request, AcquireRequest):
            failed = {failure.machine_id for failure in request.failed}
            told = {ready.machine_id: ready for ready in request.ready}
            for planned in request.machines:
                ready = told.get(planned.machine_id)
                name = ready.name if ready else server_record.sanitized(planned.name)
                names = frozenset({name, planned.name, server_record.sanitized(planned.name)})
                is_failed = planned.machine_id in failed or bool(request.reaped)
                machines.append(
                    RecordedMachine(
                        planned.machine_id, name, names, is_failed, request.recorded_at, request.place, ready
                    )
                )
    return [machine for machine in machines if machine.machine_id]


def returned_ids(requests: Iterable[RecordedRequest]) -> frozenset[str]:
    """Return the ids of all machines that HostFactory has returned. Those that are left alone stay with HostFactory."""
    returns = [recorded.request for recorded in requests if isinstance(recorded.request, ReturnRequest)]
    return frozenset(machine.machine_id for request in returns for machine in request.machines if not machine.message)


def released_ids(requests: Sequence[RecordedRequest]) -> frozenset[str]:
    """Return the ids of all machines that HostFactory has returned, or knows to have failed."""
    return returned_ids(requests) | {one.machine_id for one in recorded_machines(requests) if one.failed}


def names_of(machines: Iterable[RecordedMachine]) -> Names:
    """Return recorded machines by name."""
    return Names((machine.machine_id, name) for machine in machines for name in machine.names)


def shown_names(servers: Iterable[Server]) -> Names:
    """Return servers by the names that they show."""
    return Names((str(server["id"]), name) for server in servers for name in names_shown(server))


def names_shown(server: Server) -> set[str]:
    """Return the names that a server shows: its guest's host name, and its own. A server of a down cell shows none."""
    shown = server.get("name")
    return {server_record.host_name(server), shown} if isinstance(shown, str) and shown else set()


def normalized(wanted: MachineReference) -> MachineReference:
    """Return a reference whose id is written as Nova writes it, wherever HostFactory has put it."""
    machine_id, name = wanted.machine_id.strip().lower(), wanted.name.strip()
    if server_record.SERVER_ID.match(machine_id):
        return MachineReference(machine_id, name)
    if server_record.SERVER_ID.match(name.lower()):
        return MachineReference(name.lower(), "")
    return MachineReference(wanted.machine_id.strip(), name)


def resolve(
    reference: MachineReference,
    server: Server | None,
    recorded: Mapping[str, RecordedMachine],
    levels: Iterable[Names],
) -> Resolution:
    """Return the machine that a reference means.

    The reference is normalized. `server` is the one with its id, if Nova shows it. `recorded` holds the machines by
    their ids, `levels` those by name in the order in which they count; a level is used only if those before it do not
    know the name.
    """
    machine_id, name = reference
    if not server_record.SERVER_ID.match(machine_id):
        return without_id(reference, recorded, levels)
    known = recorded.get(machine_id)
    told = known.name if known else server_record.host_name(server) if server else name or machine_id
    own = Names((machine_id, own) for own in (known.names if known else names_shown(server or {})))
    ids = [machine_id] if not name or own.exactly(name) or own.loosely(name) else found(name, levels)
    if ids and machine_id not in ids:
        problem = f"the name {name} belongs to {' and '.join(ids)}, not to the machineId {machine_id}"
        return Resolution(machine_id, name, f"{problem}: hfstack touches neither", known, frozenset((machine_id, *ids)))
    # a name that nothing has is out of date
    return Resolution(machine_id, told, recorded=known)


def without_id(
    reference: MachineReference, recorded: Mapping[str, RecordedMachine], levels: Iterable[Names]
) -> Resolution:
    """Return the machine that a reference without an id of Nova's means."""
    given, name = reference.machine_id, reference.name or reference.machine_id
    ids = found(name, levels)
    if len(ids) > 1:
        problem = f"{len(ids)} machines have the name {name} ({', '.join(ids)})"
        return Resolution(given or name, name, problem, involved=frozenset(ids))
    if ids and given and given.lower() != name.lower():
        problem = f"the name {name} belongs to {ids[0]}, and there is no machineId {given}: hfstack touches neither"
        return Resolution(given, name, problem, involved=frozenset(ids))
    if not ids:
        return Resolution(given, name)
    known = recorded.get(ids[0])
    return Resolution(ids[0], known.name if known else name, recorded=known)


def found(name: str, levels: Iterable[Names]) -> list[str]:
    """Return the ids of the machines with just this name, else with or without a domain: those of the first level."""
    used = []
    for level in levels:
        if ids := level.exactly(name):
            return ids
        used.append(level)
    return next((ids for level in used if (ids := level.loosely(name))), [])


def without_doubtful(resolutions: Sequence[Resolution]) -> list[Resolution]:
    """Return the resolutions, each machine once; what one of them leaves in doubt, no other may touch."""
    doubtful = {machine_id: one.problem for one in resolutions for machine_id in one.involved}
    distinct: dict[str, Resolution] = {}
    for one in resolutions:
        key, problem = one.machine_id or one.name, one.problem or doubtful.get(one.machine_id, "")
        if key not in distinct or problem:
            distinct[key] = one._replace(problem=problem)
    return list(distinct.values())
