"""A server as Nova shows it, for the microversion and the role of the caller."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from hfstack.sandbox import inventory
from hfstack.sandbox.inventory import Flavor
from hfstack.sandbox.lifecycle import NOSTATE, Fault, Phase
from hfstack.sandbox.nova.api import Call, iso, naive, unexpected
from hfstack.sandbox.state import FloatingIP, Server

Record = dict[str, Any]

_WITH_PROGRESS = frozenset({"ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"})

# What a microversion added to the record of a server: (minor number, key, value).
_ADDED: tuple[tuple[int, str, Callable[[Server], Any]], ...] = (
    (9, "locked", lambda server: server.locked),
    (19, "description", lambda server: server.description),
    (26, "tags", lambda server: sorted(server.tags)),
    (63, "trusted_image_certificates", lambda _: None),
    (73, "locked_reason", lambda server: server.locked_reason),
    (90, "OS-EXT-SRV-ATTR:hostname", lambda server: server.hostname),
    (96, "pinned_availability_zone", lambda server: server.zone),
    (100, "scheduler_hints", lambda server: server.hints),
)


def links(call: Call, kind: str, identifier: str) -> list[dict[str, str]]:
    """The two links of a record."""
    base = call.request.base_url
    return [
        {"rel": "self", "href": f"{base}/v2.1/{kind}/{identifier}"},
        {"rel": "bookmark", "href": f"{base}/{kind}/{identifier}"},
    ]


def brief(call: Call, server: Server) -> Record:
    """A server as `GET /servers` shows it: with its name, unless its cell is down."""
    if server.down:
        return {"id": server.id, "status": "UNKNOWN", "links": links(call, "servers", server.id)}
    return {"id": server.id, "name": server.name, "links": links(call, "servers", server.id)}


def partial(call: Call, server: Server) -> Record:
    """A server whose cell does not answer, as a list shows it."""
    return {
        "id": server.id,
        "status": "UNKNOWN",
        "tenant_id": server.project_id,
        "created": iso(server.created),
        "links": links(call, "servers", server.id),
    }


def partial_by_id(call: Call, server: Server) -> Record:
    """The same by id: Nova adds what its API database knows about the request."""
    record = {
        **partial(call, server),
        "image": _image(call, server),
        "flavor": embedded_flavor(call, server.at(call.now).flavor),
        "OS-EXT-AZ:availability_zone": server.zone or "UNKNOWN",
        "OS-EXT-STS:power_state": NOSTATE,
        "user_id": server.user_id,
    }
    if call.minor >= 71:
        record["server_groups"] = _groups(server)
    return record


def details(call: Call, servers: Iterable[Server]) -> list[Record]:
    """Servers as `GET /servers/detail` shows them."""
    floating = call.cloud.floating_by_port()
    records = [partial(call, server) if server.down else _record(call, server, floating) for server in servers]
    if records:
        _ask_neutron(call)
    return records


def detail(call: Call, server: Server) -> Record:
    """One server as `GET /servers/ID` shows it."""
    _ask_neutron(call)
    record = _record(call, server, call.cloud.floating_by_port())
    if call.minor >= 71:
        record["server_groups"] = _groups(server)
    return record


def _ask_neutron(call: Call) -> None:
    """Raise an error if Neutron is stopped: Nova needs it for the security groups of what it shows."""
    if "neutron" in call.cloud.stopped:
        raise unexpected("keystoneauth1.exceptions.connection.ConnectFailure")


def _record(call: Call, server: Server, floating: dict[str, list[FloatingIP]]) -> Record:
    phase = server.at(call.now)
    record: Record = {
        "accessIPv4": server.access.get("accessIPv4", ""),
        "accessIPv6": server.access.get("accessIPv6", ""),
        "addresses": _addresses(call, server, phase, floating),
        "created": iso(server.created),
        "flavor": embedded_flavor(call, phase.flavor),
        "hostId": host_id(server) if phase.on_host else "",
        "id": server.id,
        "image": _image(call, server),
        "links": links(call, "servers", server.id),
        "metadata": {} if phase.deleted else server.metadata,
        "name": server.name,
        "status": phase.status,
        "tenant_id": server.project_id,
        "user_id": server.user_id,
        "updated": iso(server.updated(call.now)),
        "OS-DCF:diskConfig": "MANUAL",
    }
    if phase.fault and phase.status == "ERROR":
        record["fault"] = _fault(call, phase.fault)
    if phase.status in _WITH_PROGRESS:
        record["progress"] = 0
    _add_extended(call, server, phase, record)
    for minor, key, value in _ADDED:
        if call.minor >= minor:
            record[key] = value(server)
    if phase.deleted and "tags" in record:
        record["tags"] = []
    return record


def _add_extended(call: Call, server: Server, phase: Phase, record: Record) -> None:
    """The keys that once were extensions."""
    record["OS-EXT-AZ:availability_zone"] = (server.zone or inventory.ZONE) if record["hostId"] else ""
    record["config_drive"] = server.config_drive
    record["key_name"] = server.key_name
    record["OS-SRV-USG:launched_at"] = naive(phase.launched_at)
    record["OS-SRV-USG:terminated_at"] = naive(phase.terminated_at)
    # the groups are those of the ports, so a server without ports has no such key
    if phase.networked and server.ports:
        record["security_groups"] = [{"name": name} for name in server.security_groups]
    if call.token.is_admin:
        _add_admins(call, server, phase, record)
    record["OS-EXT-STS:task_state"] = phase.task_state
    record["OS-EXT-STS:vm_state"] = phase.vm_state
    record["OS-EXT-STS:power_state"] = phase.power_state
    record["os-extended-volumes:volumes_attached"] = [
        {"id": volume, "delete_on_termination": True} if call.minor >= 3 else {"id": volume}
        for volume in server.volumes
    ]


def _add_admins(call: Call, server: Server, phase: Phase, record: Record) -> None:
    """The keys that only an administrator sees."""
    host = inventory.HOST if phase.on_host else None
    prefix = "OS-EXT-SRV-ATTR:"
    record[prefix + "host"] = host
    record[prefix + "instance_name"] = f"instance-{server.id[:8]}"
    record[prefix + "hypervisor_hostname"] = host
    if call.minor >= 3:
        record[prefix + "hostname"] = server.hostname
        record[prefix + "kernel_id"] = ""
        record[prefix + "launch_index"] = server.launch_index
        record[prefix + "ramdisk_id"] = ""
        record[prefix + "reservation_id"] = server.reservation_id
        record[prefix + "root_device_name"] = "/dev/vda"
        record[prefix + "user_data"] = server.user_data
    if call.minor >= 16:
        record["host_status"] = "UP" if phase.on_host else ""


def host_id(server: Server) -> str:
    """Nova's opaque id of the host."""
    return hashlib.sha224((server.project_id + inventory.HOST).encode()).hexdigest()


def _groups(server: Server) -> list[str]:
    return [server.group_id] if server.group_id else []


def _fault(call: Call, fault: Fault) -> Record:
    shown = {"code": fault.code, "created": iso(fault.created), "message": fault.message}
    if fault.details and (call.token.is_admin or fault.code != 500):
        shown["details"] = fault.details
    return shown


def _image(call: Call, server: Server) -> Record | str:
    if not server.image_id:
        return ""
    bookmark = links(call, "images", server.image_id)[1]
    shown: Record = {"id": server.image_id, "links": [bookmark]}
    if call.minor >= 98:
        shown["properties"] = {}
    return shown


def embedded_flavor(call: Call, flavor: Flavor) -> Record:
    """A flavor inside a server's record: its id, from 2.47 on its contents without the id."""
    if call.minor < 47:
        return {"id": flavor.id, "links": links(call, "flavors", flavor.id)[1:]}
    return {
        "vcpus": flavor.vcpus,
        "ram": flavor.ram,
        "disk": flavor.disk,
        "ephemeral": 0,
        "swap": 0,
        "original_name": flavor.name,
        "extra_specs": {},
    }


def _addresses(
    call: Call, server: Server, phase: Phase, floating: dict[str, list[FloatingIP]]
) -> dict[str, list[Record]]:
    """The addresses in Nova's cache, by the network's name. It is empty while the server is being built."""
    if phase.vm_state == "building" or phase.deleted:
        return {}
    if server.addresses is not None:
        return server.addresses
    if phase.addresses_at is None or call.now < phase.addresses_at or not call.cloud.knobs.neutron_addresses:
        return {}
    shown: dict[str, list[Record]] = {}
    for port in server.ports:
        entries = shown.setdefault(port.network.name, [])
        for version in (6, 4):
            entries += [_address(version, address, "fixed", port.mac) for address in port.addresses(version)]
        entries += [_address(4, ip.address, "floating", port.mac) for ip in floating.get(port.id, ())]
    return shown


def _address(version: int, address: str, kind: str, mac: str) -> Record:
    return {
        "version": version,
        "addr": address,
        "OS-EXT-IPS:type": kind,
        "OS-EXT-IPS-MAC:mac_addr": mac,
    }
