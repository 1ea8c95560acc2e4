"""Fill a new cloud through its own APIs; runs in the environment that holds OpenStack.

    fill.py identity '{"compute": URL, ...}'   users, projects, catalog, application credential
    fill.py rest                               networks, image, flavors; waits for the compute host

The identities of what was made are printed as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import openstack

# Written out, not imported: this runs alone, in another environment.
SERVICE_PASSWORD = "service"
REGION = "RegionOne"

# Two that are alike, for two test runs at the same time, and one that sees nothing of theirs.
TENANTS = ("demo", "second")
PROJECTS = (*TENANTS, "other")

# name: VCPUs, MiB of memory, GiB of disk
FLAVORS = {
    "m1.tiny": (1, 512, 1),
    "m1.small": (1, 2048, 20),
    "m1.large": (4, 8192, 80),
    "third": (33_000, 512, 1),  # three fit, so that a request for more can fail half way
    "huge": (5, 2_000_000_000, 1),  # never fits
}


def fill_identity(urls: dict[str, str]) -> dict[str, Any]:
    admin: Any = openstack.connect(cloud="admin")
    identity = admin.identity
    # Keystone's bootstrap has made the roles admin, member, reader, manager and service.
    roles = {role.name: role.id for role in identity.roles()}
    add_services(identity, roles, urls)
    projects = {}
    for name in PROJECTS:
        project = identity.create_project(name=name, domain_id="default")
        add_user(identity, name, name, project, [roles["member"]])
        projects[name] = project.id
    administrator = identity.find_user("admin")
    identity.assign_project_role_to_user(projects["demo"], administrator.id, roles["admin"])

    member: Any = openstack.connect(cloud="member")
    credential = member.identity.create_application_credential(user=member.current_user_id, name="tests")
    return {
        "projects": projects,
        "application_credential": {"id": credential.id, "secret": credential.secret},
    }


def add_services(identity: Any, roles: dict[str, str], urls: dict[str, str]) -> None:
    project = identity.create_project(name="service", domain_id="default")
    names = {"compute": "nova", "placement": "placement", "image": "glance", "network": "neutron"}
    for service_type, name in names.items():
        add_user(identity, name, SERVICE_PASSWORD, project, [roles["admin"], roles["service"]])
        service = identity.create_service(name=name, type=service_type)
        for interface in ("public", "internal", "admin"):
            identity.create_endpoint(
                service_id=service.id, interface=interface, url=urls[service_type], region_id=REGION
            )


def add_user(identity: Any, name: str, password: str, project: Any, roles: list[str]) -> None:
    user = identity.create_user(name=name, password=password, domain_id="default", default_project_id=project.id)
    for role in roles:
        identity.assign_project_role_to_user(project.id, user.id, role)


def fill_rest() -> dict[str, Any]:
    cloud: Any = openstack.connect(cloud="admin")
    flavors = {
        name: cloud.compute.create_flavor(name=name, vcpus=vcpus, ram=ram, disk=disk).id
        for name, (vcpus, ram, disk) in FLAVORS.items()
    }
    public = add_public_network(cloud.network)
    private = [add_private_network(cloud.network, cloud.identity.find_project(name).id, public) for name in TENANTS]
    image = add_image(cloud.image)
    wait_for_host(cloud)
    return {"networks": {"public": public, "private": private[0]}, "image": image, "flavors": flavors}


def add_public_network(network: Any) -> str:
    public = network.create_network(
        name="public", is_router_external=True, provider_network_type="flat", provider_physical_network="ext"
    )
    network.create_subnet(
        network_id=public.id, name="public4", ip_version=4, cidr="203.0.113.0/24", is_dhcp_enabled=False
    )
    network.create_subnet(
        network_id=public.id, name="public6", ip_version=6, cidr="2001:db8:1::/64", is_dhcp_enabled=False
    )
    return str(public.id)


def add_private_network(network: Any, project: str, public: str) -> str:
    """A network of a project's own, and its router to the public one."""
    private = network.create_network(name="private", project_id=project)
    v4 = network.create_subnet(
        network_id=private.id, name="private4", ip_version=4, cidr="10.0.0.0/16", project_id=project
    )
    v6 = network.create_subnet(
        network_id=private.id,
        name="private6",
        ip_version=6,
        cidr="fd00:10::/64",
        ipv6_address_mode="slaac",
        ipv6_ra_mode="slaac",
        project_id=project,
    )
    router = network.create_router(name="router", project_id=project, external_gateway_info={"network_id": public})
    for subnet in (v4, v6):
        network.add_interface_to_router(router, subnet_id=subnet.id)
    return str(private.id)


def add_image(image: Any) -> str:
    made = image.create_image(
        name="cirros", container_format="bare", disk_format="raw", visibility="public", data=b"x" * 1024
    )
    return str(made.id)


def host_is_up(cloud: Any) -> bool:
    services = cloud.compute.services(binary="nova-compute")
    return any(service.state == "up" for service in services) and any(cloud.compute.hypervisors())


def wait_for_host(cloud: Any, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not host_is_up(cloud):
        if time.monotonic() > end:
            raise SystemExit("no compute host came up")
        time.sleep(0.3)


def main() -> None:
    phase, *arguments = sys.argv[1:]
    made = fill_identity(json.loads(arguments[0])) if phase == "identity" else fill_rest()
    json.dump(made, sys.stdout)


if __name__ == "__main__":
    main()
