"""getReturnRequests: the machines to return, because the cloud reclaimed them or an operator marked them.

The servers of this provider instance are listed, and known machines that the list lacks are queried by id. Unless every
query succeeds, in the project where the machines were requested, nothing is reported. The records are read after each
answer of Nova: what another command does in between is on record before it shows in the cloud. Housekeeping follows the
answer and does not change it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hfstack import inputs
from hfstack.actions.find_machines import MachineFinder
from hfstack.actions.housekeeping import Housekeeping
from hfstack.cloud.connection import Cloud
from hfstack.environment import full_timeout
from hfstack.errors import CloudTrouble, FactsUnreadable, NothingReported, counted, explain
from hfstack.rules import reclaim, reference, server_record
from hfstack.rules.reclaim import HeldMachine
from hfstack.rules.reference import Resolution
from hfstack.store import sighting
from hfstack.store.folders import is_unused
from hfstack.store.request_list import load_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hfstack import schema
    from hfstack.context import Context
    from hfstack.inputs import MachineReference
    from hfstack.rules.server_record import Server
    from hfstack.rules.status import LookedUp
    from hfstack.schema import MachineToReturn

NAME = "getReturnRequests"


def run(document: object, name: str, context: Context) -> schema.ReturnRequestsDocument:
    """Answer HostFactory's document. Raises `InputError`, `ConfigError` and `NothingReported`."""
    reported = inputs.reported_machines(document, name)
    workdir = context.environment.workdir
    try:
        if reported and is_unused(workdir):
            raise NothingReported(
                f"HostFactory names machines, but the work directory {workdir} holds no records of hfstack at all: "
                "is its file system mounted?"
            )
        cloud = Cloud(context)
        nova = cloud.nova()
        listed = nova.servers_of(server_record.provider_tag(context.environment.provider))
        finder = MachineFinder(cloud, nova, load_all(workdir, context.log), listed)
        held = held_machines(finder, reported)
        seen: dict[str, Server | None] = {str(server["id"]): server for server in listed}
        rest, trouble = nova.servers(machine_id for machine_id in held if machine_id not in seen)
        if trouble is not None:
            raise trouble
        seen |= rest
        check_not_all_vanished(held, finder, seen)
        machines = to_return(held, finder, seen)
        here = [one for one in finder.records.requests if not (one.request and cloud.elsewhere(one.request.place))]
    except (CloudTrouble, FactsUnreadable) as error:
        raise NothingReported(explain(error)) from None
    message = f"{len(machines)} of {counted(len(held), 'machine')} to return"
    details = "".join(f"; {machine['machineId']} in {machine['gracePeriod']} s" for machine in machines)
    context.log.info(message + details)
    Housekeeping(context, cloud, nova, here).clean_up(seen)
    return {"status": "complete", "message": message, "requests": machines}


def held_machines(finder: MachineFinder, reported: Sequence[MachineReference] | None) -> dict[str, Resolution]:
    """Return the machines that HostFactory names, else all that the records say it holds, without those it returned.

    By their ids. Machines that were requested elsewhere are left out. Raises `NothingReported` if all were.
    """
    log = finder.cloud.context.log
    if reported is None:
        wanted = [Resolution(one.machine_id, one.name, recorded=one) for one in finder.held]
    else:
        ids = {str(server["id"]): server for server in finder.listed}
        wanted = reference.without_doubtful([finder.find(reference.normalized(one), ids) for one in reported])
    held: dict[str, Resolution] = {}
    elsewhere = ""
    for machine in wanted:
        if machine.problem:
            log.warning(machine.problem)
        elif machine.machine_id and machine.machine_id not in finder.returned:
            reason = finder.elsewhere(machine.recorded)
            elsewhere = elsewhere or reason
            if not reason:
                held[machine.machine_id] = machine
    if elsewhere:
        log.warning(elsewhere)
        if not held:
            raise NothingReported(elsewhere)
    return held


def check_not_all_vanished(held: Mapping[str, Resolution], finder: MachineFinder, seen: LookedUp) -> None:
    """Raise `NothingReported` if no machine is left, unless that was seen before, and long enough ago.

    Raises `FactsUnreadable`.
    """
    context = finder.cloud.context
    workdir = context.environment.workdir
    here = {one.machine_id for one in finder.held if not finder.cloud.elsewhere(one.place)}
    if not reclaim.all_vanished(held.keys(), here, seen):
        sighting.forget(workdir)
        return
    patience = full_timeout(context.environment, context.settings.actionTimeout)
    passed = sighting.seconds_since_first(workdir, held.keys() | here)
    if passed is None or passed < patience:
        raise NothingReported(
            f"none of {len(held.keys() | here)} machines exists any more: if that is so, a call after {patience:.0f} s "
            "reports them; if not, check cloud, clouds.yaml and OS_* variables"
        )


def to_return(held: Mapping[str, Resolution], finder: MachineFinder, seen: LookedUp) -> list[MachineToReturn]:
    """Return the machines that HostFactory has to return.

    The records are read again: what HostFactory has returned meanwhile, or was told to have failed, is left out. Raises
    `FactsUnreadable`.
    """
    context = finder.cloud.context
    names = [HeldMachine(machine_id, machine.name) for machine_id, machine in held.items()]
    machines = reclaim.to_return(names, seen, context.environment.provider, context.settings.reclaimedStates)
    if not machines:
        return []
    workdir = context.environment.workdir
    released = reference.released_ids(load_all(workdir, context.log).requests)
    released -= reference.released_ids(finder.records.requests)
    return [machine for machine in machines if machine["machineId"] not in released]
