"""Networks, subnets, the security group, and the quota."""

from __future__ import annotations

import uuid
from dataclasses import replace

from hfstack.sandbox import inventory
from hfstack.sandbox.inventory import Network, Subnet
from hfstack.sandbox.neutron.api import ROUTES, Record, body, listed, missing, one, refused
from hfstack.sandbox.routing import Answer, Request, answer_json
from hfstack.sandbox.state import Cloud, Token

_NOBODY = inventory.fixed_hex("project", "admin")
"""The project that owns public resources."""

_STAMPS = {"created_at": inventory.BIRTH, "updated_at": inventory.BIRTH, "revision_number": 0}


def _networks(cloud: Cloud, token: Token) -> list[Record]:
    return [_network(network) for network in cloud.networks_of(token)]


def _network(network: Network) -> Record:
    owner = network.project.id if network.project else _NOBODY
    record = {
        "id": network.id,
        "name": network.name,
        "tenant_id": owner,
        "project_id": owner,
        "admin_state_up": True,
        "mtu": 1500,
        "status": "ACTIVE",
        "subnets": [subnet.id for subnet in network.subnets],
        "shared": False,
        "availability_zone_hints": [],
        "availability_zones": [],
        "ipv4_address_scope": None,
        "ipv6_address_scope": None,
        "router:external": network.external,
        "description": "",
        "port_security_enabled": True,
        "tags": [],
    }
    return {**record, "is_default": False, **_STAMPS} if network.external else {**record, **_STAMPS}


@ROUTES.add("GET", "/v2.0/networks")
def list_networks(cloud: Cloud, request: Request, token: Token) -> Answer:
    """The networks."""
    return listed(request, "networks", _networks(cloud, token), _network(inventory.PRIVATE))


@ROUTES.add("GET", "/v2.0/networks/{network_id}")
def show_network(cloud: Cloud, _: Request, token: Token, network_id: str) -> Answer:
    """One network."""
    found = one(_networks(cloud, token), network_id, lambda wanted: missing("Network", "Network", wanted))
    return answer_json(200, {"network": found})


def _subnets(cloud: Cloud, token: Token) -> list[Record]:
    return [_subnet(network, subnet) for network in cloud.networks_of(token) for subnet in network.subnets]


def _subnet(network: Network, subnet: Subnet) -> Record:
    owner = network.project.id if network.project else _NOBODY
    slaac = "slaac" if subnet.version == 6 and not network.external else None
    return {
        "id": subnet.id,
        "name": subnet.name,
        "project_id": owner,
        "network_id": network.id,
        "ip_version": subnet.version,
        "subnetpool_id": None,
        "enable_dhcp": not network.external,
        "ipv6_ra_mode": slaac,
        "ipv6_address_mode": slaac,
        "gateway_ip": subnet.gateway,
        "cidr": subnet.cidr,
        "allocation_pools": [],
        "host_routes": [],
        "dns_nameservers": [],
        "description": "",
        "service_types": [],
        "tags": [],
        **_STAMPS,
        "tenant_id": owner,
    }


@ROUTES.add("GET", "/v2.0/subnets")
def list_subnets(cloud: Cloud, request: Request, token: Token) -> Answer:
    """The subnets."""
    known = _subnet(inventory.PRIVATE, inventory.PRIVATE.subnets[0])
    return listed(request, "subnets", _subnets(cloud, token), known)


@ROUTES.add("GET", "/v2.0/subnets/{subnet_id}")
def show_subnet(cloud: Cloud, _: Request, token: Token, subnet_id: str) -> Answer:
    """One subnet."""
    found = one(_subnets(cloud, token), subnet_id, lambda wanted: missing("Subnet", "Subnet", wanted))
    return answer_json(200, {"subnet": found})


def own_network(cloud: Cloud, token: Token, network_id: str) -> Network:
    """A network that the project sees. Raises Neutron's 404."""
    for network in cloud.networks_of(token):
        if network.id == network_id:
            return network
    raise missing("Network", "Network", network_id)


@ROUTES.add("POST", "/v2.0/networks")
def create_network(cloud: Cloud, request: Request, token: Token) -> Answer:
    """Create a network in the project."""
    wanted = body(request, "network")
    network = Network(str(uuid.uuid4()), wanted.get("name", ""), (), token.project)
    cloud.networks[network.id] = network
    return answer_json(201, {"network": _network(network)})


@ROUTES.add("DELETE", "/v2.0/networks/{network_id}")
def delete_network(cloud: Cloud, _: Request, token: Token, network_id: str) -> Answer:
    """Delete a network that has no ports."""
    network = own_network(cloud, token, network_id)
    if network.external and not token.is_admin:
        raise refused(403, "PolicyNotAuthorized", "rule:delete_network is disallowed by policy")
    used = ", ".join(port.id for port, _ in cloud.bound_ports() if port.network.id == network_id)
    if used:
        raise refused(
            409,
            "NetworkInUse",
            f"Unable to complete operation on network {network_id}. There are one or more ports still in use on the"
            f" network, id for these ports is: {used}.",
        )
    del cloud.networks[network_id]
    return Answer(204)


@ROUTES.add("POST", "/v2.0/subnets")
def create_subnet(cloud: Cloud, request: Request, token: Token) -> Answer:
    """Add a subnet to a network; existing ports get no address of it."""
    wanted = body(request, "subnet", "network_id", "ip_version", "cidr")
    network = own_network(cloud, token, wanted["network_id"])
    subnet = Subnet(str(uuid.uuid4()), wanted.get("name", ""), int(wanted["ip_version"]), wanted["cidr"])
    network = replace(network, subnets=(*network.subnets, subnet))
    cloud.networks[network.id] = network
    return answer_json(201, {"subnet": _subnet(network, subnet)})


@ROUTES.add("GET", "/v2.0/security-groups")
def list_security_groups(_: Cloud, request: Request, token: Token) -> Answer:
    """The project's security groups: the default one, without its rules."""
    group = _security_group(token)
    return listed(request, "security_groups", [group], group)


@ROUTES.add("GET", "/v2.0/security-groups/{group_id}")
def show_security_group(_: Cloud, __: Request, token: Token, group_id: str) -> Answer:
    """One security group."""
    found = one(
        [_security_group(token)],
        group_id,
        lambda wanted: refused(404, "SecurityGroupNotFound", f"Security group {wanted} does not exist"),
    )
    return answer_json(200, {"security_group": found})


def _security_group(token: Token) -> Record:
    return {
        "id": inventory.security_group_id(token.project.id),
        "name": inventory.DEFAULT_GROUP,
        "stateful": True,
        "tenant_id": token.project.id,
        "project_id": token.project.id,
        "description": "Default security group",
        "shared": False,
        "security_group_rules": [],
        "tags": [],
        **_STAMPS,
    }


@ROUTES.add("GET", "/v2.0/quotas/{project_id}")
def quotas(cloud: Cloud, __: Request, ___: Token, project_id: str) -> Answer:  # noqa: ARG001
    """The quota, which is generous."""
    floating_ips = cloud.knobs.quota_floating_ips
    quota = {
        "network": 100,
        "subnet": 100,
        "port": -1,
        "router": 10,
        "floatingip": floating_ips,
        "security_group": 1000,
    }
    return answer_json(200, {"quota": quota})


@ROUTES.add("GET", "/v2.0/extensions")
def extensions(_: Cloud, __: Request, ___: Token) -> Answer:
    """The extensions of the API; the sandbox announces none."""
    return answer_json(200, {"extensions": []})
