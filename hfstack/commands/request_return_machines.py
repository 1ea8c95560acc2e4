"""requestReturnMachines: delete machines, and return the request id that HostFactory polls.

The machines are recorded before the first DELETE, because Nova forgets the tags and names of deleted servers. Only
servers that show our tags are deleted, and none whose name and id belong to different machines. What cannot be deleted
or queried now is left to the polls of the return: they check and delete again until the deadline.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hfstack import inputs
from hfstack.actions.find_machines import MachineFinder
from hfstack.actions.floating_ips import release_going
from hfstack.cloud.connection import Cloud
from hfstack.errors import ConfigError, counted, explain
from hfstack.rules import server_record
from hfstack.rules.reference import names_shown, normalized, without_doubtful
from hfstack.store.facts import Returned, ReturnRequest
from hfstack.store.write import write_return_asked

if TYPE_CHECKING:
    from hfstack import schema
    from hfstack.context import Context
    from hfstack.rules.reference import Resolution
    from hfstack.rules.server_record import Server
    from hfstack.rules.status import LookedUp

NAME = "requestReturnMachines"


def run(document: object, name: str, context: Context) -> schema.RequestAnswer:
    """Answer HostFactory's document.

    Raises `InputError`, `ConfigError`, `CloudTrouble`, `FactsUnreadable` and `FactsUnwritable`.
    """
    references = [normalized(wanted) for wanted in inputs.machines_to_return(document, name)]
    cloud = Cloud(context)
    nova = cloud.nova()
    place = cloud.connection.place()
    seen, trouble = nova.servers(reference.machine_id for reference in references if reference.machine_id)
    finder = MachineFinder(cloud, nova)
    found = without_doubtful([finder.find(reference, seen) for reference in references])
    by_name, name_trouble = nova.servers(one.machine_id for one in found if one.machine_id not in {*seen, ""})
    seen = {**by_name, **seen}
    now = context.now()
    found = without_others(finder, found, seen)
    machines = tuple(as_recorded(one, seen.get(one.machine_id), int(now)) for one in found)
    request = ReturnRequest(now, context.settings.returnTimeout, machines, place=place)
    write_return_asked(context.environment.workdir, context.request_id, request)
    servers = {machine.machine_id: seen.get(machine.machine_id, {}) for machine in machines if not machine.message}
    to_delete = [server_id for server_id, server in servers.items() if may_delete(server, context.environment.provider)]
    outcomes, delete_trouble = nova.delete_all(to_delete)
    release_going(cloud, [server for server in servers.values() if server], outcomes)
    gone = sum(server is None for server in servers.values())
    left = len(machines) - gone - len(to_delete)
    message = f"deleting {len(to_delete)} of {counted(len(machines), 'machine')}"
    message += f", {gone} already gone" if gone else ""
    message += f", {left} not touched: getRequestStatus says why" if left else ""
    for error in dict.fromkeys((trouble or name_trouble, delete_trouble)):
        message += f"; the polls will try the rest again: {explain(error)}" if error else ""
    context.log.info(message)
    return {"message": message, "requestId": context.request_id}


def as_recorded(found: Resolution, server: Server | None, now: int) -> Returned:
    """Return the record of a machine, as HostFactory was told of it, else as far as the server is known."""
    ready = found.recorded.ready if found.recorded else None
    if ready:
        return Returned(found.machine_id, found.name, ready.private_address, ready.launch_time, found.problem)
    launched = server_record.launch_time(server or {})
    address = server_record.private_address(server or {})
    name = found.name
    if server and not found.recorded and not found.problem and names_shown(server):
        name = server_record.host_name(server)
    return Returned(found.machine_id, name, address, now if launched is None else launched, found.problem)


def without_others(finder: MachineFinder, found: Sequence[Resolution], seen: LookedUp) -> list[Resolution]:
    """Return the machines; those that were requested in another place must not be touched.

    Raises `ConfigError` if all were: the configuration is wrong, and HostFactory asks again.
    """
    reasons = ["" if seen.get(one.machine_id) else finder.elsewhere(one.recorded) for one in found]
    elsewhere = next(filter(None, reasons), "")
    if elsewhere:
        finder.cloud.context.log.warning(elsewhere)
    if all(reasons):
        raise ConfigError(elsewhere)
    return [one._replace(problem=one.problem or reason) for one, reason in zip(found, reasons, strict=True)]


def may_delete(server: Server | None, provider: str) -> bool:
    """Tell whether a server is ours and not locked."""
    return server is not None and server_record.is_ours(server, provider) and not server_record.is_locked(server)
