"""getReturnRequests: the machines to return, because the cloud reclaimed them or an operator marked them.

The servers of this provider instance are listed, and known machines that the list lacks are queried by id. Unless every
query succeeds, nothing is reported. Housekeeping follows the answer and does not change it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hfstack import inputs
from hfstack.actions.housekeeping import Housekeeping
from hfstack.cloud.connection import Cloud
from hfstack.errors import CloudTrouble, FactsUnreadable, NothingReported, counted, explain
from hfstack.rules import reclaim, server_record
from hfstack.store import facts
from hfstack.store.request_list import RecordedRequest, load_recorded, recorded_request_ids

if TYPE_CHECKING:
    from hfstack import schema
    from hfstack.context import Context
    from hfstack.rules.server_record import Server

NAME = "getReturnRequests"


def run(document: object, name: str, context: Context) -> schema.ReturnRequestsDocument:
    """Answer HostFactory's document. Raises `InputError`, `ConfigError` and `NothingReported`."""
    reported = inputs.reported_machines(document, name)
    try:
        requests = load(context)
        cloud = Cloud(context)
        nova = cloud.nova()
        servers = nova.servers_of(server_record.provider_tag(context.environment.provider))
        listed = {str(server["id"]): server for server in servers}
        held = reclaim.held(requests) if reported is None else reclaim.named(reported, requests, listed.values())
        returned = reclaim.returned_ids(requests)
        held = [machine for machine in held if machine.machine_id not in returned]
        rest, trouble = nova.servers(machine.machine_id for machine in held if machine.machine_id not in listed)
        if trouble is not None:
            raise trouble
    except (CloudTrouble, FactsUnreadable) as error:
        raise NothingReported(explain(error)) from None
    seen: dict[str, Server | None] = {**listed, **rest}
    machines = reclaim.to_return(held, seen, context.environment.provider, context.settings.reclaimedStates)
    message = f"{len(machines)} of {counted(len(held), 'machine')} to return"
    details = "".join(f"; {machine['machineId']} in {machine['gracePeriod']} s" for machine in machines)
    context.log.info(message + details)
    Housekeeping(context, cloud, nova, requests).clean_up(seen)
    return {"status": "complete", "message": message, "requests": machines}


def load(context: Context) -> list[RecordedRequest]:
    """Load all records. An unreadable acquire request is skipped; an unreadable return is an error.

    Another process may be removing old records. Raises `FactsUnreadable`.
    """
    requests = []
    for request_id in recorded_request_ids(context.environment.workdir):
        try:
            requests.append(load_recorded(context.environment.workdir, request_id))
        except FactsUnreadable as error:
            if facts.find_folder(context.environment.workdir, request_id) is None:
                continue
            if request_id.startswith("ret-"):
                raise
            context.log.warning(f"{request_id} is skipped: {error}")
    return requests
