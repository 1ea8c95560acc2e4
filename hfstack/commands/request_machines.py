"""requestMachines: have machines made, and say by which id to ask for them.

Everything that can be checked is checked before anything is made, and what is asked for is recorded before the first
POST. Each machine gets one POST, which is never repeated: an answer that leaves open whether there is a server is
settled by the request's tag, now or by a later poll. What the POSTs answered is recorded last.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from hfstack import templates, wire
from hfstack.cloud.services import Cloud
from hfstack.errors import CloudTrouble, Refusal, explain
from hfstack.new_server import Resolved, server_body
from hfstack.recording import record

if TYPE_CHECKING:
    from hfstack.call import Call
    from hfstack.cloud.nova import Nova
    from hfstack.cloud.resolve import Resolver
    from hfstack.template import Template

NAME = "requestMachines"


class Made(NamedTuple):
    """What came of one POST. Neither id nor message: it is not known whether there is a server."""

    name: str
    machine_id: str = ""
    message: str = ""


def run(document: object, name: str, call: Call) -> wire.RequestAnswer:
    """Answer HostFactory's document.

    Raises `InputError`, `ConfigError`, `Refusal`, `CloudTrouble` and `FactsUnwritable` before any POST, and `Refusal`
    if every POST was refused.
    """
    wanted = wire.machine_request(document, name)
    template = templates.find(call.around, wanted.template_id)
    if template.floatingNetwork:
        raise Refusal(f"template {template.templateId}: floatingNetwork is not supported by this version of hfstack")
    request_id = f"req-{uuid.uuid4()}"
    call.log.request_id = request_id
    cloud = Cloud(call)
    resolved = resolve(template, cloud.resolver(request_id))
    nova = cloud.nova(request_id)
    check_room(nova, template, wanted.machine_count, call.around.provider)
    names = [f"{template.namePrefix}-{request_id[4:12]}-{index}" for index in range(wanted.machine_count)]
    documents = {
        one: server_body(template, resolved, one, index, wanted, request_id, call.around.provider)
        for index, one in enumerate(names)
    }
    fact = {
        "asked": call.now(),
        "templateId": template.templateId,
        "names": names,
        "requestTimeout": call.settings.requestTimeout,
    }
    record(call.around.workdir, request_id, "asked.json", fact)
    made = settle(nova, request_id, make(nova, documents, call))
    machines = [{"name": one.name, "machineId": one.machine_id, "message": one.message} for one in made]
    record(call.around.workdir, request_id, "created.json", {"machines": machines})
    return summed_up(made, request_id, call)


def resolve(template: Template, resolver: Resolver) -> Resolved:
    """Turn the template's names into ids. Raises `Refusal`, `CloudTrouble`."""
    return Resolved(
        image=resolver.image(template.image),
        flavor=resolver.flavor(template.flavors[0]),
        networks=tuple(resolver.network(one) for one in template.networks),
        security_groups=tuple(resolver.security_group(one) for one in template.securityGroups),
        key_name=resolver.key(template.keyName) if template.keyName else None,
        server_group=resolver.server_group(template.serverGroup) if template.serverGroup else None,
        zone=template.availabilityZones[0] if template.availabilityZones else None,
    )


def check_room(nova: Nova, template: Template, count: int, provider: str) -> None:
    """Refuse more machines than the template's `maxNumber`, the living counted. Raises `Refusal`, `CloudTrouble`."""
    if template.maxNumber < 0:
        return
    alive = 0
    for server in nova.servers_of(f"hfp:{provider}"):
        metadata = server.get("metadata")
        alive += isinstance(metadata, Mapping) and metadata.get("hf_template_id") == template.templateId
    if alive + count > template.maxNumber:
        raise Refusal(
            f"template {template.templateId} allows {template.maxNumber} machines: "
            f"{alive} are there, {count} more were asked for"
        )


def make(nova: Nova, documents: Mapping[str, Mapping[str, Any]], call: Call) -> list[Made]:
    """Send the POSTs, some at a time, and no more of them when the time of this call is used up."""

    def post(name: str) -> Made:
        if call.budget.left() <= 0:
            return Made(name, message="it was not asked for: the time of the call was used up")
        try:
            return Made(name, machine_id=nova.create(documents[name]))
        except Refusal as refusal:
            return Made(name, message=str(refusal))
        except CloudTrouble as trouble:
            call.log.warning(f"{name}: it is not known whether there is a server: {explain(trouble)}")
            return Made(name)

    with ThreadPoolExecutor(call.settings.createConcurrency) as pool:
        return list(pool.map(post, documents))


def settle(nova: Nova, request_id: str, made: Sequence[Made]) -> list[Made]:
    """Look for the servers of unclear POSTs by the request's tag. Those not seen may still appear: polls look too."""
    if all(one.machine_id or one.message for one in made):
        return list(made)
    try:
        seen = {str(server.get("name")): str(server["id"]) for server in nova.servers_of(f"hf:{request_id}")}
    except CloudTrouble:
        return list(made)
    return [one if one.machine_id or one.message else one._replace(machine_id=seen.get(one.name, "")) for one in made]


def summed_up(made: Sequence[Made], request_id: str, call: Call) -> wire.RequestAnswer:
    """Return the answer. Raises `Refusal` if there is nothing to wait for."""
    refused = [one for one in made if one.message]
    words = f"{len(refused)} of {len(made)} machines were refused; {refused[0].message}" if refused else ""
    call.log.info(f"{len(made) - len(refused)} of {len(made)} machines asked for" + (f"; {words}" if words else ""))
    if len(refused) == len(made):
        raise Refusal(words)
    return {"message": words or f"{len(made)} machines were asked for", "requestId": request_id}
