"""requestReturnMachines: have machines deleted, and say by which id to ask whether they are gone.

Which machines are to go is recorded before the first DELETE, as Nova forgets tags and names of deleted servers. Only
servers that show our tags are deleted. What cannot be deleted now, or cannot even be looked at, is left to the polls of
the return: they verify and delete again until the deadline.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hfstack import inputs
from hfstack.actions.floating_ips import release_going
from hfstack.cloud.connection import Cloud
from hfstack.errors import explain
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
    wanted = inputs.machines_to_return(document, name)
    context = context.for_request(f"ret-{uuid.uuid4()}")
    cloud = Cloud(context)
    nova = cloud.nova()
    wanted = with_ids(wanted, nova, context.environment.provider)
    seen, trouble = nova.servers(one.machine_id for one in wanted)
    now = context.now()
    machines = tuple(as_recorded(one, seen.get(one.machine_id), int(now)) for one in wanted)
    request = ReturnRequest(now, context.settings.returnTimeout, machines)
    write_return_asked(context.environment.workdir, context.request_id, request)
    to_delete = [server_id for server_id, found in seen.items() if may_delete(found, context.environment.provider)]
    outcomes, delete_trouble = nova.delete_all(to_delete)
    release_going(cloud, [found for found in seen.values() if found], outcomes)
    gone = sum(found is None for found in seen.values())
    foreign = len(seen) - gone - len(to_delete)
    message = f"{len(to_delete)} of {len(wanted)} machines are being deleted"
    message += f", {gone} are gone already" if gone else ""
    message += f", {foreign} are locked or not ours" if foreign else ""
    for one in (trouble, delete_trouble):
        message += f"; the rest will be tried again: {explain(one)}" if one else ""
    context.log.info(message)
    return {"message": message, "requestId": context.request_id}


def with_ids(wanted: Sequence[inputs.MachineReference], nova: Nova, provider: str) -> list[inputs.MachineReference]:
    """Find the ids of machines that are given by host name alone, among our own servers. Raises `CloudTrouble`.

    A name that none of them has stands for its id: Nova will say that it knows no such server.
    """
    if all(one.machine_id for one in wanted):
        return list(wanted)
    ids = server_record.ids_by_host_name(nova.servers_of(server_record.provider_tag(provider)))
    return [
        one
        if one.machine_id
        else one._replace(machine_id=ids.get(one.name) or ids.get(one.name.split(".")[0]) or one.name)
        for one in wanted
    ]


def as_recorded(one: inputs.MachineReference, found: Server | None, now: int) -> Returned:
    """Return what is recorded of a machine, as far as it is known: Nova will soon forget it."""
    server = found or {}
    launched = server_record.launch_time(server)
    return Returned(
        one.machine_id,
        one.name or (server_record.host_name(found) if found else one.machine_id),
        server_record.private_address(server),
        now if launched is None else launched,
    )


def may_delete(found: Server | None, provider: str) -> bool:
    """Tell whether a server is ours, and nobody locked it."""
    return found is not None and server_record.is_ours(found, provider) and not server_record.is_locked(found)
