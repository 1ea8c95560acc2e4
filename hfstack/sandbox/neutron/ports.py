"""Ports."""

from __future__ import annotations

from collections.abc import Iterable

from hfstack.sandbox import inventory
from hfstack.sandbox.neutron.api import ROUTES, Record, body, iso, listed, missing, one
from hfstack.sandbox.neutron.networks import own_network
from hfstack.sandbox.routing import Answer, Request, answer_json
from hfstack.sandbox.state import Cloud, Port, Server, Token


def port_records(cloud: Cloud, token: Token, server_id: str | None = None) -> list[Record]:
    """The ports that the project sees; of one server if its id is given."""
    ports: Iterable[tuple[Port, Server | None]] = cloud.bound_ports()
    server = cloud.servers.get(server_id or "")
    if server is not None:
        ports = [(port, server) for port in cloud.ports_of(server)]
    return [
        port_record(cloud, port, server)
        for port, server in ports
        if token.is_admin or port.project_id == token.project.id
    ]


def port_record(cloud: Cloud, port: Port, server: Server | None) -> Record:
    """A port as Neutron shows it, bound to a server or not."""
    fixed = [{"subnet_id": subnet.id, "ip_address": address} for subnet, address in port.fixed]
    return {
        "id": port.id,
        "name": port.name,
        "network_id": port.network.id,
        "project_id": port.project_id,
        "mac_address": port.mac,
        "admin_state_up": True,
        "status": "ACTIVE" if server else "DOWN",
        "device_id": server.id if server else "",
        "device_owner": f"compute:{inventory.ZONE}" if server else "",
        "fixed_ips": fixed if cloud.knobs.neutron_addresses else [],
        "allowed_address_pairs": [],
        "extra_dhcp_opts": [],
        "security_groups": [inventory.security_group_id(port.project_id)],
        "description": "",
        "binding:vnic_type": "normal",
        "port_security_enabled": True,
        "tags": [],
        "created_at": iso(port.created),
        "updated_at": iso(port.created),
        "revision_number": 1,
        "tenant_id": port.project_id,
    }


_KNOWN_OF_PORTS: Record = dict.fromkeys(
    ("id", "name", "network_id", "project_id", "tenant_id", "mac_address", "status", "device_id", "device_owner")
)


@ROUTES.add("GET", "/v2.0/ports")
def list_ports(cloud: Cloud, request: Request, token: Token) -> Answer:
    """The ports."""
    # by far the most frequent request, which thousands of servers must not slow down
    servers = [value for key, value in request.args() if key == "device_id"]
    records = port_records(cloud, token, servers[0] if len(servers) == 1 else None)
    return listed(request, "ports", records, _KNOWN_OF_PORTS)


@ROUTES.add("GET", "/v2.0/ports/{port_id}")
def show_port(cloud: Cloud, _: Request, token: Token, port_id: str) -> Answer:
    """One port."""
    found = one(port_records(cloud, token), port_id, lambda wanted: missing("Port", "Port", wanted))
    return answer_json(200, {"port": found})


@ROUTES.add("POST", "/v2.0/ports")
def create_port(cloud: Cloud, request: Request, token: Token) -> Answer:
    """Create a port, which a server can use."""
    wanted = body(request, "port", "network_id")
    network = own_network(cloud, token, wanted["network_id"])
    port = cloud.make_port(network, token.project.id)
    port.name = wanted.get("name", "")
    cloud.user_ports[port.id] = port
    return answer_json(201, {"port": port_record(cloud, port, None)})


@ROUTES.add("DELETE", "/v2.0/ports/{port_id}")
def delete_port(cloud: Cloud, _: Request, token: Token, port_id: str) -> Answer:
    """Delete a port, whether or not a server uses it."""
    one(port_records(cloud, token), port_id, lambda wanted: missing("Port", "Port", wanted))
    cloud.user_ports.pop(port_id, None)
    for server in cloud.servers.values():
        server.ports = [port for port in server.ports if port.id != port_id]
    return Answer(204)
