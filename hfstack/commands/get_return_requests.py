"""getReturnRequests: which machines are to be given back, because the cloud took them away or somebody marked them.

The servers of this provider instance are listed, and the known machines that the list lacks are asked for by id.
Without a whole answer nothing is reported. What is tidied up afterwards does not change the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hfstack import inputs
from hfstack.actions.housekeeping import Housekeeping
from hfstack.cloud.connection import Cloud
from hfstack.errors import CloudTrouble, FactsUnreadable, NothingReported, explain
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
    wanted = inputs.reported_machines(document, name)
    try:
        stored = load(context)
        cloud = Cloud(context)
        nova = cloud.nova()
        ours = nova.servers_of(server_record.provider_tag(context.environment.provider))
        listed = {str(server["id"]): server for server in ours}
        known = reclaim.held(stored) if wanted is None else reclaim.named(wanted, stored, listed.values())
        given_back = reclaim.returned_ids(stored)
        known = [one for one in known if one.machine_id not in given_back]
        rest, trouble = nova.servers(one.machine_id for one in known if one.machine_id not in listed)
        if trouble is not None:
            raise trouble
    except (CloudTrouble, FactsUnreadable) as error:
        raise NothingReported(explain(error)) from None
    seen: dict[str, Server | None] = {**listed, **rest}
    found = reclaim.to_return(known, seen, context.environment.provider, context.settings.reclaimedStates)
    message = f"{len(found)} of {len(known)} machines are to be given back"
    context.log.info(message + "".join(f"; {one['machineId']} in {one['gracePeriod']} s" for one in found))
    Housekeeping(context, cloud, nova, stored).clean_up(seen)
    return {"status": "complete", "message": message, "requests": found}


def load(context: Context) -> list[RecordedRequest]:
    """Load all that is recorded. A request for machines that cannot be read is left out, a return must not be.

    Another process may be removing what is history. Raises `FactsUnreadable`.
    """
    stored = []
    for request_id in recorded_request_ids(context.environment.workdir):
        try:
            stored.append(load_recorded(context.environment.workdir, request_id))
        except FactsUnreadable as error:
            if facts.find_folder(context.environment.workdir, request_id) is None:
                continue
            if request_id.startswith("ret-"):
                raise
            context.log.warning(f"{request_id} is left out: {error}")
    return stored
