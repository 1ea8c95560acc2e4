"""requestMachines: create machines, and return the request id that HostFactory polls.

Everything that can be checked is checked before anything is created, and the request is recorded before the first POST.
The results of the POSTs are recorded last. Once a POST was sent, the answer has the id, whatever happens: without it
nobody could ask for the servers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hfstack import inputs
from hfstack.actions import floating_ips
from hfstack.actions.create import Created, ServerCreator
from hfstack.actions.server_body import Resolved, server_body
from hfstack.cloud.connection import Cloud
from hfstack.config import template_file
from hfstack.errors import FactsUnwritable, Refusal, counted, explain
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
    template = template_file.find(context.environment, context.settings, wanted.template_id)
    request_id = context.request_id
    cloud = Cloud(context)
    resolver = cloud.resolver()
    resolved = resolve(template, resolver)
    resolver.names.keep()
    nova = cloud.nova()
    check_room(nova, template, wanted.machine_count, context.environment.provider)
    names = [f"{template.namePrefix}-{request_id[4:12]}-{index}" for index in range(wanted.machine_count)]
    alternatives = [
        {
            server_name: server_body(
                template, attempt, server_name, index, wanted, request_id, context.environment.provider
            )
            for index, server_name in enumerate(names)
        }
        for attempt in resolved
    ]
    network = resolved[0].floating_network or ""
    request = AcquireRequest(
        context.now(),
        context.settings.requestTimeout,
        tuple(map(Planned, names)),
        floating_network=network,
        place=cloud.connection.place(),
    )
    write_acquire_asked(context.environment.workdir, request_id, request, template.templateId)
    creator = ServerCreator(nova, context)
    try:
        created = (
            create_with_floating_ips(cloud, creator, network, alternatives) if network else creator.create(alternatives)
        )
        if any(machine.code == "BadRequest" for machine in created):
            resolver.names.drop()
        machines = [Planned(one.name, one.machine_id, one.message, one.unclear) for one in created]
        try:
            write_created(context.environment.workdir, request_id, machines, creator.replaced)
        except FactsUnwritable as error:
            creator.warn(str(error))
        return summed_up(created, creator.warnings, context)
    except Refusal:
        raise
    except Exception as error:
        if not creator.has_posted:
            raise
        # servers may exist, and only the polls of this id can find and delete them
        creator.warn(f"not every result is known: {type(error).__name__}: {explain(error)}")
        return {"message": "; ".join(creator.warnings), "requestId": request_id}


def resolve(template: Template, resolver: Resolver) -> list[Resolved]:
    """Turn the template's names into ids, once for each flavor and zone, in the order in which to try them.

    Raises `Refusal`, `CloudTrouble`.
    """
    first = Resolved(
        image=resolver.image(template.image),
        flavor="",
        networks=tuple(resolver.network(network) for network in template.networks),
        security_groups=tuple(resolver.security_group(group) for group in template.securityGroups),
        key_name=resolver.key(template.keyName) if template.keyName else None,
        server_group=resolver.server_group(template.serverGroup) if template.serverGroup else None,
        floating_network=resolver.external_network(template.floatingNetwork) if template.floatingNetwork else None,
    )
    # try another zone for the same flavor before another flavor
    return [
        first._replace(flavor=flavor, zone=zone)
        for flavor in [resolver.flavor(flavor) for flavor in template.flavors]
        for zone in template.availabilityZones or (None,)
    ]


def check_room(nova: Nova, template: Template, count: int, provider: str) -> None:
    """Refuse more machines than the template's `maxNumber`, with existing ones. Raises `Refusal`, `CloudTrouble`."""
    if template.maxNumber < 0:
        return
    servers = nova.servers_of(server_record.provider_tag(provider))
    existing = [server_record.template_id(server) for server in servers].count(template.templateId)
    if existing + count > template.maxNumber:
        room = f"maxNumber {template.maxNumber}: {existing} exist, {count} more requested"
        raise Refusal(f"template {template.templateId} has {room}", "MaxNumberReached")


def create_with_floating_ips(
    cloud: Cloud, creator: ServerCreator, network: str, alternatives: Sequence[Documents]
) -> list[Created]:
    """Create machines with a floating IP each, taken before the server is requested; in the order of the names."""
    names = list(alternatives[0])
    refused = floating_ips.take(cloud, network, names)
    remaining = [{name: documents[name] for name in names if name not in refused} for documents in alternatives]
    created = {machine.name: machine for machine in creator.create(remaining)}
    floating_ips.release_refused(cloud, [machine.name for machine in created.values() if machine.message])
    created |= {name: Created(name, message=str(refusal), code=refusal.code) for name, refusal in refused.items()}
    return [created[name] for name in names]


def summed_up(created: Sequence[Created], warnings: Sequence[str], context: Context) -> schema.RequestAnswer:
    """Return the answer, with the warnings. Raises `Refusal` if there is nothing to wait for."""
    refused = [Refusal(machine.message, machine.code) for machine in created if machine.code]
    count = len(created)
    machines = counted(count, "machine")
    message = f"{len(refused)} of {machines} refused; {refused[0]}" if refused else ""
    context.log.info(f"requested {count - len(refused)} of {machines}" + (f"; {message}" if message else ""))
    if len(refused) == count:
        raise Refusal(message, refused[0].code)
    return {"message": "; ".join((message or f"Requested {machines}", *warnings)), "requestId": context.request_id}
