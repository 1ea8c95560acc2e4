"""requestReturnMachines: delete machines, and return the request id that HostFactory polls.

The machines are recorded before the first DELETE, because Nova forgets the tags and names of deleted servers. Only
servers that show our tags are deleted. What cannot be deleted or queried now is left to the polls of the return: they
check and delete again until the deadline.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hfstack import inputs
from hfstack.actions.floating_ips import release_going
from hfstack.cloud.connection import Cloud
from hfstack.errors import counted, explain
from hfstack.rules import server_record
from hfstack.store.facts import Returned, ReturnRequest
from hfstack.store.write import write_return_asked

if TYPE_CHECKING:
    from hfstack import schema
    from hfstack.cloud.nova import Nova
    from hfstack.context import Context
    from hfstack.rules.server_record import Server

NAME = "requestReturnMachines"


def run(document: object, name: str, context: Context) -> schema.RequestAnswer:
    """Answer HostFactory's document. Raises `InputError`, `ConfigError`, `CloudTrouble` and `FactsUnwritable`."""
    references = inputs.machines_to_return(document, name)
    cloud = Cloud(context)
    nova = cloud.nova()
    references = with_ids(references, nova, context.environment.provider)
    seen, trouble = nova.servers(reference.machine_id for reference in references)
    now = context.now()
    machines = tuple(as_recorded(reference, seen.get(reference.machine_id), int(now)) for reference in references)
    request = ReturnRequest(now, context.settings.returnTimeout, machines)
    write_return_asked(context.environment.workdir, context.request_id, request)
    to_delete = [server_id for server_id, server in seen.items() if may_delete(server, context.environment.provider)]
    outcomes, delete_trouble = nova.delete_all(to_delete)
    release_going(cloud, [server for server in seen.values() if server], outcomes)
    gone = sum(server is None for server in seen.values())
    left = len(seen) - gone - len(to_delete)
    message = f"deleting {len(to_delete)} of {counted(len(references), 'machine')}"
    message += f", {gone} already gone" if gone else ""
    message += f", {left} locked or not created by hfstack" if left else ""
    for error in (trouble, delete_trouble):
        message += f"; the polls will try the rest again: {explain(error)}" if error else ""
    context.log.info(message)
    return {"message": message, "requestId": context.request_id}


def with_ids(references: Sequence[inputs.MachineReference], nova: Nova, provider: str) -> list[inputs.MachineReference]:
    """Add the ids of machines that HostFactory names only by host name, from our own servers. Raises `CloudTrouble`.

    A name that none of them has becomes its id: Nova will say that it has no such server.
    """
    if all(reference.machine_id for reference in references):
        return list(references)
    ids = server_record.ids_by_host_name(nova.servers_of(server_record.provider_tag(provider)))
    return [
        reference._replace(
            machine_id=reference.machine_id
            or ids.get(reference.name)
            or ids.get(reference.name.split(".")[0])
            or reference.name
        )
        for reference in references
    ]


def as_recorded(reference: inputs.MachineReference, server: Server | None, now: int) -> Returned:
    """Return the record of a machine, as far as the server is known: Nova will soon forget it."""
    launched = server_record.launch_time(server or {})
    return Returned(
        reference.machine_id,
        reference.name or (server_record.host_name(server) if server else reference.machine_id),
        server_record.private_address(server or {}),
        now if launched is None else launched,
    )


def may_delete(server: Server | None, provider: str) -> bool:
    """Tell whether a server is ours and not locked."""
    return server is not None and server_record.is_ours(server, provider) and not server_record.is_locked(server)
