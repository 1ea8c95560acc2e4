"""requestMachines: have machines made, and say by which id to ask for them.

Everything that can be checked is checked before anything is made, and what is asked for is recorded before the first
POST. What the POSTs answered is recorded last.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hfstack import inputs
from hfstack.actions import floating_ips
from hfstack.actions.create import Created, ServerCreator
from hfstack.actions.server_body import Resolved, server_body
from hfstack.cloud.connection import Cloud
from hfstack.config import template_file
from hfstack.errors import Refusal
from hfstack.rules import server_record
from hfstack.store.facts import AcquireRequest, Planned
from hfstack.store.write import write_acquire_asked, write_created

if TYPE_CHECKING:
    from hfstack import schema
    from hfstack.actions.create import Documents
    from hfstack.cloud.nova import Nova
    from hfstack.cloud.resolve import Resolver
    from hfstack.config.template import Template
    from hfstack.context import Context

NAME = "requestMachines"


def run(document: object, name: str, context: Context) -> schema.RequestAnswer:
    """Answer HostFactory's document.

    Raises `InputError`, `ConfigError`, `Refusal`, `CloudTrouble` and `FactsUnwritable` before any POST, and `Refusal`
    if every POST was refused.
    """
    wanted = inputs.machine_request(document, name)
    template = template_file.find(context.environment, wanted.template_id)
    request_id = f"req-{uuid.uuid4()}"
    context = context.for_request(request_id)
    cloud = Cloud(context)
    resolver = cloud.resolver()
    resolved = resolve(template, resolver)
    resolver.names.keep()
    nova = cloud.nova()
    check_room(nova, template, wanted.machine_count, context.environment.provider)
    names = [f"{template.namePrefix}-{request_id[4:12]}-{index}" for index in range(wanted.machine_count)]
    alternatives = [
        {
            one: server_body(template, attempt, one, index, wanted, request_id, context.environment.provider)
            for index, one in enumerate(names)
        }
        for attempt in resolved
    ]
    network = resolved[0].floating_network or ""
    request = AcquireRequest(
        context.now(), context.settings.requestTimeout, tuple(map(Planned, names)), floating_network=network
    )
    write_acquire_asked(context.environment.workdir, context.request_id, request, template.templateId)
    creator = ServerCreator(nova, context)
    made = make_addressed(cloud, creator, network, alternatives) if network else creator.create(alternatives)
    if any(one.code == "BadRequest" for one in made):
        resolver.names.drop()
    machines = [Planned(one.name, one.machine_id, one.message) for one in made]
    write_created(context.environment.workdir, context.request_id, machines, creator.replaced)
    return summed_up(made, context)


def resolve(template: Template, resolver: Resolver) -> list[Resolved]:
    """Turn the template's names into ids, once for each flavor and zone, in the order in which they are tried.

    Raises `Refusal`, `CloudTrouble`.
    """
    first = Resolved(
        image=resolver.image(template.image),
        flavor="",
        networks=tuple(resolver.network(one) for one in template.networks),
        security_groups=tuple(resolver.security_group(one) for one in template.securityGroups),
        key_name=resolver.key(template.keyName) if template.keyName else None,
        server_group=resolver.server_group(template.serverGroup) if template.serverGroup else None,
        floating_network=resolver.external_network(template.floatingNetwork) if template.floatingNetwork else None,
    )
    # another zone for the same machine comes before another kind of machine
    return [
        first._replace(flavor=flavor, zone=zone)
        for flavor in [resolver.flavor(one) for one in template.flavors]
        for zone in template.availabilityZones or (None,)
    ]


def check_room(nova: Nova, template: Template, count: int, provider: str) -> None:
    """Refuse more machines than the template's `maxNumber`, the living counted. Raises `Refusal`, `CloudTrouble`."""
    if template.maxNumber < 0:
        return
    servers = nova.servers_of(server_record.provider_tag(provider))
    alive = [server_record.template_id(server) for server in servers].count(template.templateId)
    if alive + count > template.maxNumber:
        raise Refusal(
            f"template {template.templateId} allows {template.maxNumber} machines: "
            f"{alive} are there, {count} more were asked for",
            "MaxNumberReached",
        )


def make_addressed(
    cloud: Cloud, creator: ServerCreator, network: str, alternatives: Sequence[Documents]
) -> list[Created]:
    """Have machines made that each have a floating IP, taken before the server is asked for; in the names' order."""
    names = list(alternatives[0])
    refused = floating_ips.take(cloud, network, names)
    addressed = [{name: one[name] for name in names if name not in refused} for one in alternatives]
    made = {one.name: one for one in creator.create(addressed)}
    floating_ips.release_refused(cloud, [one.name for one in made.values() if one.message])
    made |= {name: Created(name, message=str(refusal), code=refusal.code) for name, refusal in refused.items()}
    return [made[name] for name in names]


def summed_up(made: Sequence[Created], context: Context) -> schema.RequestAnswer:
    """Return the answer. Raises `Refusal` if there is nothing to wait for."""
    refused = [Refusal(one.message, one.code) for one in made if one.code]
    words = f"{len(refused)} of {len(made)} machines were refused; {refused[0]}" if refused else ""
    context.log.info(f"{len(made) - len(refused)} of {len(made)} machines asked for" + (f"; {words}" if words else ""))
    if len(refused) == len(made):
        raise Refusal(words, refused[0].code)
    return {"message": words or f"{len(made)} machines were asked for", "requestId": context.request_id}
