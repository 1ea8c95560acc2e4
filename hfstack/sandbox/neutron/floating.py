"""Floating IPs."""

from __future__ import annotations

from hfstack.sandbox import inventory
from hfstack.sandbox.neutron.api import ROUTES, Record, body, iso, listed, missing, refused
from hfstack.sandbox.neutron.networks import own_network
from hfstack.sandbox.neutron.ports import port_record
from hfstack.sandbox.routing import Answer, Request, answer_json
from hfstack.sandbox.state import Cloud, FloatingIP, Port, Token

_ROUTER = inventory.fixed_uuid("router")


@ROUTES.add("GET", "/v2.0/floatingips")
def list_floating_ips(cloud: Cloud, request: Request, token: Token) -> Answer:
    """The project's floating IPs."""
    known = dict.fromkeys(
        (
            *("id", "floating_ip_address", "floating_network_id", "port_id", "fixed_ip_address", "status"),
            *("project_id", "tenant_id", "router_id", "description"),
        )
    )
    return listed(request, "floatingips", _floating_ips(cloud, token), known)


@ROUTES.add("GET", "/v2.0/floatingips/{floating_id}")
def show_floating_ip(cloud: Cloud, _: Request, token: Token, floating_id: str) -> Answer:
    """One floating IP."""
    return answer_json(200, {"floatingip": _floating(cloud, _own_floating(cloud, token, floating_id))})


@ROUTES.add("POST", "/v2.0/floatingips")
def create_floating_ip(cloud: Cloud, request: Request, token: Token) -> Answer:
    """Create a floating IP, and associate it with a port if one is given."""
    wanted = body(request, "floatingip", "floating_network_id")
    network = own_network(cloud, token, wanted["floating_network_id"])
    if not network.external:
        raise refused(
            400,
            "BadRequest",
            f"Bad floatingip request: Network {network.id} is not a valid external network.",
        )
    description = wanted.get("description", "")
    if len(description) > 255:
        raise refused(
            400,
            "HTTPBadRequest",
            f"Invalid input for description. Reason: '{description}' exceeds maximum length of 255.",
        )
    port = _port_of(cloud, token, wanted.get("port_id"))
    _check_quota(cloud, token)
    floating = cloud.make_floating_ip(token.project.id)
    floating.description = description
    floating.port = port
    return answer_json(201, {"floatingip": _floating(cloud, floating)})


@ROUTES.add("PUT", "/v2.0/floatingips/{floating_id}")
def update_floating_ip(cloud: Cloud, request: Request, token: Token, floating_id: str) -> Answer:
    """Associate a floating IP with a port, or with none."""
    floating = _own_floating(cloud, token, floating_id)
    changes = body(request, "floatingip", "port_id")
    port = _port_of(cloud, token, changes["port_id"])
    if port is not None:
        _check_port(cloud, floating, port, changes.get("fixed_ip_address"))
    floating.port = port
    floating.updated = cloud.now()
    floating.revision += 1
    return answer_json(200, {"floatingip": _floating(cloud, floating)})


@ROUTES.add("DELETE", "/v2.0/floatingips/{floating_id}")
def delete_floating_ip(cloud: Cloud, _: Request, token: Token, floating_id: str) -> Answer:
    """Delete a floating IP."""
    del cloud.floating_ips[_own_floating(cloud, token, floating_id).id]
    return Answer(204)


def _floating_ips(cloud: Cloud, token: Token) -> list[Record]:
    return [
        _floating(cloud, floating)
        for floating in cloud.floating_ips.values()
        if token.is_admin or floating.project_id == token.project.id
    ]


def _own_floating(cloud: Cloud, token: Token, floating_id: str) -> FloatingIP:
    floating = cloud.floating_ips.get(floating_id)
    if floating is None or not (token.is_admin or floating.project_id == token.project.id):
        raise missing("FloatingIP", "Floating IP", floating_id, end="")
    return floating


def _port_of(cloud: Cloud, token: Token, port_id: str | None) -> Port | None:
    if port_id is None:
        return None
    for port, _ in cloud.bound_ports():
        if port.id == port_id and (token.is_admin or port.project_id == token.project.id):
            return port
    raise missing("Port", "Port", port_id)


def _check_quota(cloud: Cloud, token: Token) -> None:
    used = sum(floating.project_id == token.project.id for floating in cloud.floating_ips.values())
    if 0 <= cloud.knobs.quota_floating_ips <= used:
        raise refused(409, "OverQuota", "Quota exceeded for resources: ['floatingip'].")


def _check_port(cloud: Cloud, floating: FloatingIP, port: Port, address: str | None) -> None:
    """Refuse a port that the floating IP cannot be associated with: only the private network has a router."""
    if address and ":" in address:
        reason = f"Cannot process floating IP association with {address}, since that is not an IPv4 address."
        raise refused(400, "BadRequest", f"Bad floatingip request: {reason}")
    if address and address not in port.addresses(4):
        reason = f"Port {port.id} does not have fixed ip {address}."
        raise refused(400, "BadRequest", f"Bad floatingip request: {reason}")
    if port.network.id != inventory.PRIVATE.id:
        subnet = next((subnet.id for subnet, found in port.fixed if found in port.addresses(4)), None)
        raise refused(
            404,
            "ExternalGatewayForFloatingIPNotFound",
            f"External network {inventory.PUBLIC.id} is not reachable from subnet {subnet}.  Therefore, cannot"
            f" associate Port {port.id} with a Floating IP.",
        )
    address = address or next(iter(port.addresses(4)), None)
    if any(other is not floating for other in cloud.floating_by_port().get(port.id, [])):
        raise refused(
            409,
            "FloatingIPPortAlreadyAssociated",
            f"Cannot associate floating IP {floating.address} ({floating.id}) with port {port.id} using fixed IP"
            f" {address}, as that fixed IP already has a floating IP on external network {inventory.PUBLIC.id}.",
        )


def _floating(cloud: Cloud, floating: FloatingIP) -> Record:
    # deleting a port with its server also ends the association
    bound = next((pair for pair in cloud.bound_ports() if floating.port and pair[0].id == floating.port.id), None)
    details = None
    if bound:
        port = port_record(cloud, *bound)
        keys = ("name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")
        details = {key: port[key] for key in keys}
    return {
        "id": floating.id,
        "tenant_id": floating.project_id,
        "project_id": floating.project_id,
        "floating_ip_address": floating.address,
        "floating_network_id": inventory.PUBLIC.id,
        "router_id": _ROUTER if bound else None,
        "port_id": bound[0].id if bound else None,
        "fixed_ip_address": next(iter(bound[0].addresses(4)), None) if bound else None,
        "status": "DOWN",
        "description": floating.description,
        "port_details": details,
        "tags": [],
        "created_at": iso(floating.created),
        "updated_at": iso(floating.updated),
        "revision_number": floating.revision,
    }
