"""The floating IPs of machines: taken before a server is asked for, attached when it is up, released with it.

A poll attaches them, as a server has no port at first. What Neutron does not attach or release now is for the next
poll, or for housekeeping: trouble there fails nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from hfstack import states
from hfstack.cloud.client import in_parallel
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
    """Take a floating IP for each server name, some at a time; returns why, for the names that got none.

    Raises `CloudTrouble` if the cloud shows no Neutron.
    """
    neutron = cloud.neutron()

    def attempt(name: str) -> Refusal | None:
        try:
            neutron.take_floating_ip(network_id, describe(cloud, name))
        except Refusal as refusal:
            return refusal
        return None

    with ThreadPoolExecutor(cloud.context.settings.createConcurrency) as pool:
        refusals = dict(zip(names, pool.map(attempt, names), strict=True))
    return {name: refusal for name, refusal in refusals.items() if refusal}


def give_back(cloud: Cloud, names: Sequence[str]) -> None:
    """Release the floating IPs of servers that Nova has refused to make."""
    release(cloud, {describe(cloud, name) for name in names})


def attached(cloud: Cloud, records: Sequence[Server], networks: Sequence[str]) -> tuple[list[Server], dict[str, str]]:
    """Attach the floating IPs of the servers that are up and show none.

    Returns the records with those addresses, and by server id why a server still has none. `networks` is the order in
    which its private address is looked for: a floating IP leads to that address.
    """
    waiting = {
        str(record["id"]): record for record in records if is_up(record) and server_record.lacks_floating_ip(record)
    }
    log = cloud.context.log
    names = {server_id: describe(cloud, str(record["name"])) for server_id, record in waiting.items()}
    try:
        neutron = cloud.neutron()
        found = {one.description: one for one in neutron.floating_ips(set(names.values()))}
    except CloudTrouble as trouble:
        log.warning(f"the floating IPs cannot be looked for: {explain(trouble)}")
        return list(records), dict.fromkeys(waiting, str(trouble))

    reasons: dict[str, str] = {}

    def attach(server_id: str) -> Server:
        record, description = waiting[server_id], names[server_id]
        try:
            if description not in found:
                raise CloudTrouble(f"there is none with the description {description}")
            return with_floating_ip(
                neutron, record, found[description], server_record.private_address(record, networks)
            )
        except Unreachable:
            raise
        except CloudTrouble as trouble:
            log.warning(f"{server_id} has no floating IP: {explain(trouble)}")
            reasons[server_id] = str(trouble)
            return record

    shown, first_trouble = in_parallel(attach, waiting, stop_at=Unreachable)
    if first_trouble is not None:
        log.warning(f"floating IPs cannot be attached: {explain(first_trouble)}")
    return [shown.get(str(record["id"]), record) for record in records], reasons


def is_up(record: Server) -> bool:
    """Tell a server that lacks nothing but a floating IP."""
    return server_record.row(record).acquire[0] == states.SUCCEED and bool(server_record.private_address(record))


def with_floating_ip(neutron: Neutron, record: Server, one: FloatingIP, address: str) -> Server:
    """Attach a floating IP unless it is; returns the record with it. Raises `CloudTrouble`."""
    ports = {str(port.get("id")): fixed_addresses(port) for port in neutron.ports(str(record["id"]))}
    if one.port_id and one.port_id not in ports:
        raise CloudTrouble(f"its floating IP {one.address} leads to a port that is not the server's")
    if not one.port_id:
        port_id = next((port_id for port_id, fixed in ports.items() if address in fixed), None)
        if port_id is None:
            raise CloudTrouble(f"Neutron shows no port of the server that has the address {address}")
        neutron.attach(one, port_id, address)
    label = next(label for label, entry in server_record.addresses(record) if entry["addr"] == address)
    entry = {"addr": one.address, "version": 6 if ":" in one.address else 4, "OS-EXT-IPS:type": "floating"}
    known = record["addresses"]
    return {**record, "addresses": {**known, label: [*known[label], entry]}}


def release_going(cloud: Cloud, records: Sequence[Server], outcomes: Mapping[str, Deletion]) -> None:
    """Release the floating IPs of the servers that Nova deletes; `records` are those and others of their requests."""
    going = [server_id for server_id, outcome in outcomes.items() if outcome is not Deletion.CONFLICT]
    release(cloud, floating_ip.of_deleted(records, going, cloud.context.environment.provider))


def release(cloud: Cloud, descriptions: Collection[str]) -> None:
    """Release the floating IPs of these descriptions, as far as that can be done now."""
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
    """Return the description of the floating IP of one of the request's machines."""
    context = cloud.context
    return floating_ip.describe(context.environment.provider, context.request_id, server_name)
