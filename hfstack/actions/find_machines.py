"""Find the machines that HostFactory names, in the records and in the cloud."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from hfstack.inputs import MachineReference
from hfstack.rules import reference, server_record
from hfstack.rules.reference import Names, RecordedMachine, Resolution
from hfstack.store.request_list import load_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hfstack.cloud.connection import Cloud
    from hfstack.cloud.nova import Nova
    from hfstack.rules.server_record import Server
    from hfstack.rules.status import LookedUp
    from hfstack.store.facts import Returned, ReturnRequest
    from hfstack.store.request_list import Records


class MachineFinder:
    """Finds machines by name and id, and looks no further than it must.

    `records` and `listed` are those of this provider instance, if the caller has them.
    """

    def __init__(
        self,
        cloud: Cloud,
        nova: Nova,
        records: Records | None = None,
        listed: Sequence[Server] | None = None,
    ) -> None:
        self.cloud = cloud
        self.nova = nova
        if records is not None:
            self.records = records
        if listed is not None:
            self.listed = listed

    @cached_property
    def records(self) -> Records:
        """The records of all requests. Raises `FactsUnreadable`."""
        return load_all(self.cloud.context.environment.workdir, self.cloud.context.log)

    @cached_property
    def listed(self) -> Sequence[Server]:
        """The servers of this provider instance. Raises `CloudTrouble`."""
        return self.nova.servers_of(server_record.provider_tag(self.cloud.context.environment.provider))

    @cached_property
    def project(self) -> Sequence[Server]:
        """All servers of the project. Raises `CloudTrouble`."""
        return self.nova.servers_of_project()

    @cached_property
    def recorded(self) -> Sequence[RecordedMachine]:
        """The machines on record."""
        return reference.recorded_machines(self.records.requests)

    @cached_property
    def returned(self) -> frozenset[str]:
        """The ids of the machines that HostFactory has returned."""
        return reference.returned_ids(self.records.requests) | self.records.gone

    @cached_property
    def held(self) -> Sequence[RecordedMachine]:
        """The machines that HostFactory holds, as the records say."""
        return [one for one in self.recorded if not one.failed and one.machine_id not in self.returned]

    @cached_property
    def is_whole(self) -> bool:
        """Whether records and lists show every machine of this provider instance. Raises `CloudTrouble`."""
        unreadable = any(request_id.startswith("req-") for request_id in self.records.unreadable)
        return not (unreadable or self.elsewhere(None) or self.nova.has_cell_down())

    def elsewhere(self, machine: RecordedMachine | None) -> str:
        """Say why nothing may be concluded about a machine that Nova does not show, "" if it may be.

        One that is not on record was probably made where the others were. Raises `CloudTrouble`.
        """
        places = {machine.place} if machine else {one.place for one in self.held}
        return next(filter(None, map(self.cloud.elsewhere, places)), "")

    @cached_property
    def by_id(self) -> Mapping[str, RecordedMachine]:
        """The machines on record by their ids."""
        return {machine.machine_id: machine for machine in self.recorded}

    @cached_property
    def held_names(self) -> Names:
        """The machines that HostFactory holds, by name."""
        return reference.names_of(self.held)

    @cached_property
    def recorded_names(self) -> Names:
        """The machines on record by name."""
        return reference.names_of(self.recorded)

    @cached_property
    def listed_names(self) -> Names:
        """The servers of this provider instance by name. Raises `CloudTrouble`."""
        return reference.shown_names(self.listed)

    @cached_property
    def project_names(self) -> Names:
        """All servers of the project by name. Raises `CloudTrouble`."""
        return reference.shown_names(self.project)

    def levels(self) -> Iterator[Names]:
        """Yield the machines by name, those that count first before the others; each is made when it is needed."""
        yield self.held_names
        yield self.recorded_names
        yield self.listed_names
        yield self.project_names

    def created(self, machine_id: str) -> float:
        """Return when a server was created, by the cloud's clock; 0 if no list shows it. Raises `CloudTrouble`."""
        shown = [server for server in (*self.listed, *self.project) if server["id"] == machine_id]
        return server_record.epoch(shown[0].get("created")) or 0 if shown else 0

    def find(self, wanted: MachineReference, seen: LookedUp) -> Resolution:
        """Return the machine that a normalized reference means; `seen` is what Nova says of its id.

        A name that nothing has is that of a machine that never existed, if the lists are whole; else the id stays "".
        Raises `CloudTrouble`, `FactsUnreadable`.
        """
        server = seen.get(wanted.machine_id)
        if server and wanted.name == server_record.host_name(server) and server_record.has_planned_name(server):
            # the usual case needs no record: nobody has renamed the server
            return Resolution(wanted.machine_id, wanted.name)
        resolution = reference.resolve(wanted, server, self.by_id, self.levels())
        if not resolution.machine_id and self.is_whole:
            return resolution._replace(machine_id=wanted.name)
        return resolution


def with_ids(cloud: Cloud, nova: Nova, request: ReturnRequest, age: float) -> ReturnRequest:
    """Return a return with the ids of machines that could not be found by their names when HostFactory returned them.

    `age` is that of the return, in seconds. Raises `CloudTrouble`, `FactsUnreadable`.
    """
    finder = MachineFinder(cloud, nova)
    nova_time = nova.now(cloud.context.now())

    def with_id(machine: Returned) -> Returned:
        if machine.machine_id or machine.message:
            return machine
        found = finder.find(MachineReference("", machine.name), {})
        # a machine that is younger than its return is another one that has got the name
        is_younger = found.recorded and found.recorded.requested_at >= request.recorded_at
        if is_younger or finder.created(found.machine_id) > nova_time - age:
            return machine
        return machine._replace(machine_id=found.machine_id, message=found.problem)

    return request._replace(machines=tuple(map(with_id, request.machines)))
