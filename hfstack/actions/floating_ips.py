"""The floating IPs of machines: taken before the server is created, attached when it is up, released with it.

A poll attaches them, because a new server has no port at first. If Neutron cannot attach or release one now, the next
poll or housekeeping tries again; no request fails for that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from hfstack import states
from hfstack.cloud.client import in_parallel, in_threads
from hfstack.cloud.neutron import fixed_addresses
from hfstack.cloud.nova import Deletion
from hfstack.cloud.transport import Unreachable
from hfstack.errors import CloudTrouble, Refusal, explain
from hfstack.rules import floating_ip, server_record

if TYPE_CHECKING:
    from hfstack.cloud.connection import Cloud
    from hfstack.cloud.neutron import Neutron
    from hfstack.rules.floating_ip import FloatingIP
    from hfstack.rules.server_record import Server


def take(cloud: Cloud, network_id: str, names: Sequence[str]) -> dict[str, Refusal]:
    """Take a floating IP for each server name, a few at a time; return the reason for each name that got none.

    Raises `CloudTrouble` if the cloud has no Neutron.
    """
    neutron = cloud.neutron()

    refusals: dict[str, Refusal] = {}

    def attempt(name: str) -> None:
        try:
            neutron.take_floating_ip(network_id, describe(cloud, name))
        except Refusal as refusal:
            refusals[name] = refusal

    in_threads(attempt, names, cloud.context.settings.createConcurrency)
    return refusals


def release_refused(cloud: Cloud, names: Sequence[str]) -> None:
    """Release the floating IPs of servers that Nova refused to create."""
    release(cloud, {describe(cloud, name) for name in names})


def attached(cloud: Cloud, records: Sequence[Server], networks: Sequence[str]) -> tuple[list[Server], dict[str, str]]:
    """Attach the floating IPs of the servers that are up and show none.

    Return the records with these addresses, and by server id why a server still has none. A floating IP leads to the
    server's private address: the first one in the order of `networks`.
    """
    waiting = {
        str(record["id"]): record for record in records if is_up(record) and server_record.lacks_floating_ip(record)
    }
    log = cloud.context.log
    names = {server_id: describe(cloud, str(record["name"])) for server_id, record in waiting.items()}
    try:
        neutron = cloud.neutron()
        by_description = {floating.description: floating for floating in neutron.floating_ips(set(names.values()))}
    except CloudTrouble as trouble:
        log.warning(f"cannot look for floating IPs: {explain(trouble)}")
        return list(records), dict.fromkeys(waiting, str(trouble))

    reasons: dict[str, str] = {}

    def attach(server_id: str) -> Server:
        record, description = waiting[server_id], names[server_id]
        try:
            if description not in by_description:
                raise CloudTrouble(f"there is none with the description {description}")
            private_address = server_record.private_address(record, networks)
            return with_floating_ip(neutron, record, by_description[description], private_address)
        except Unreachable:
            raise
        except CloudTrouble as trouble:
            log.warning(f"{server_id} has no floating IP: {explain(trouble)}")
            reasons[server_id] = str(trouble)
            return record

    shown, first_trouble = in_parallel(attach, waiting, stop_at=Unreachable)
    if first_trouble is not None:
        log.warning(f"cannot attach floating IPs: {explain(first_trouble)}")
    return [shown.get(str(record["id"]), record) for record in records], reasons


def is_up(record: Server) -> bool:
    """Tell whether a server lacks nothing but a floating IP."""
    return server_record.row(record).acquire[0] == states.SUCCEED and bool(server_record.private_address(record))


def with_floating_ip(neutron: Neutron, record: Server, floating: FloatingIP, private_address: str) -> Server:
    """Attach a floating IP, if it is not attached; return the record with it. Raises `CloudTrouble`."""
    ports = {str(port.get("id")): fixed_addresses(port) for port in neutron.ports(str(record["id"]))}
    if floating.port_id and floating.port_id not in ports:
        raise CloudTrouble(f"its floating IP {floating.address} leads to a port that is not the server's")
    if not floating.port_id:
        port_id = next((port_id for port_id, fixed in ports.items() if private_address in fixed), None)
        if port_id is None:
            raise CloudTrouble(f"Neutron shows no port of the server that has the address {private_address}")
        neutron.attach(floating, port_id, private_address)
    label = next(label for label, entry in server_record.addresses(record) if entry["addr"] == private_address)
    version = 6 if ":" in floating.address else 4
    entry = {"addr": floating.address, "version": version, "OS-EXT-IPS:type": "floating"}
    known = record["addresses"]
    return {**record, "addresses": {**known, label: [*known[label], entry]}}


def release_going(cloud: Cloud, records: Sequence[Server], outcomes: Mapping[str, Deletion]) -> None:
    """Release the floating IPs of servers that Nova deletes; `records` are these and the others of their requests."""
    going = [server_id for server_id, outcome in outcomes.items() if outcome is not Deletion.CONFLICT]
    release(cloud, floating_ip.of_deleted(records, going, cloud.context.environment.provider))


def release(cloud: Cloud, descriptions: Collection[str]) -> None:
    """Release the floating IPs that have these descriptions, as far as Neutron does it now."""
    if not descriptions:
        return
    try:
        neutron = cloud.neutron()
        neutron.release(neutron.floating_ips(descriptions))
    except CloudTrouble as trouble:
        cloud.context.log.warning(
            f"a floating IP could not be released, getReturnRequests will do it: {explain(trouble)}"
        )


def describe(cloud: Cloud, server_name: str) -> str:
    """Return the description of the floating IP of one machine of the request."""
    context = cloud.context
    return floating_ip.describe(context.environment.provider, context.request_id, server_name)
