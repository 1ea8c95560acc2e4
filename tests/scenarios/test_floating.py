"""Floating IPs: each machine has one from before it exists until it is returned, and those of others stay untouched."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.scenarios.clouds import Cloud, until
from tests.scenarios.conftest import SiteMaker
from tests.scenarios.proxy import Fault, proxy_before
from tests.scenarios.site import Site
from tests.scenarios.steps import ended, request, servers_of


def test_a_whole_life(cloud: Cloud, site: Site) -> None:
    site.write_templates({"floatingNetwork": "public"})
    request_id = request(site, 2)
    servers = servers_of(cloud, request_id)
    assert {server["metadata"]["hf_floating_network"] for server in servers} == {cloud.external}
    taken = cloud.taken()
    assert sorted(taken.values()) == sorted(f"hfstack osinst {request_id} {server['name']}" for server in servers)
    done = ended(site, request_id)
    assert done["status"] == "complete"
    for machine in done["machines"]:
        assert taken[machine["publicIpAddress"]] == f"hfstack osinst {request_id} {machine['name']}"
        until(partial(shows, cloud, machine), "Nova to show the floating IP beside the private address")
    assert site.poll_one(request_id) == done, "Nova shows what Neutron has told before"
    return_id = site.ask("requestReturnMachines", {"machines": done["machines"]})["requestId"]
    assert cloud.taken() == {}
    assert ended(site, return_id)["status"] == "complete"


def shows(cloud: Cloud, machine: dict[str, Any]) -> bool:
    """Tell whether Nova shows both addresses of a machine on one port."""
    entries = (cloud.show(machine["machineId"]) or {})["addresses"]["private"]
    ports = {entry["addr"]: entry["OS-EXT-IPS-MAC:mac_addr"] for entry in entries}
    return bool(ports.get(machine["publicIpAddress"]) == ports[machine["privateIpAddress"]])


def test_no_valid_host_gives_the_floating_ip_back(cloud: Cloud, site: Site) -> None:
    site.write_templates({"floatingNetwork": "public", "flavor": "huge"})
    request_id = request(site)
    (server,) = servers_of(cloud, request_id)
    assert len(cloud.taken()) == 1
    assert ended(site, request_id)["status"] == "complete_with_error"
    assert cloud.taken() == {}
    cloud.wait_gone([server["id"]])


def test_what_nova_refuses_gives_its_floating_ip_back(cloud: Cloud, site: Site) -> None:
    site.write_templates({"floatingNetwork": cloud.external, "availabilityZones": ["moon"]})
    answer = site.ask("requestMachines", {"template": {"templateId": "small", "machineCount": 2}}, code=1)
    assert "availability zone" in answer["message"]
    assert cloud.taken() == {}


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        pytest.param("gone", "there is no network gone", id="unknown"),
        pytest.param("private", "network private provides no floating IPs", id="not-external"),
    ],
)
def test_a_network_that_gives_none_is_refused(cloud: Cloud, site: Site, network: str, reason: str) -> None:
    site.write_templates({"floatingNetwork": network})
    answer = site.ask("requestMachines", {"template": {"templateId": "small", "machineCount": 1}}, code=1)
    assert reason in answer["message"]
    assert cloud.taken() == {}
    assert not list((site.workdir / "requests").glob("r*"))


@pytest.fixture
def island(cloud: Cloud) -> Iterator[str]:
    """A network that no router joins to the external one."""
    network = cloud.connection.network.create_network(name="island")
    cloud.connection.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.66.0.0/24")
    yield network.id
    cloud.clear()
    cloud.connection.network.delete_network(network)


def test_what_no_router_leads_to_fails_with_neutrons_reason(cloud: Cloud, site: Site, island: str) -> None:
    site.configure(cloud="member", requestTimeout=15)
    site.write_templates({"floatingNetwork": "public", "networks": [island]})
    request_id = request(site)
    (server,) = servers_of(cloud, request_id)
    cloud.wait([server["id"]])
    done = ended(site, request_id)
    assert done["status"] == "complete_with_error"
    (machine,) = done["machines"]
    assert machine["message"].startswith(
        "not ready after 15 s: ACTIVE, it has no floating IP yet: Neutron did not attach"
    )
    assert "is not reachable from subnet" in machine["message"]
    assert cloud.taken() == {}


def test_the_floating_ip_of_a_server_that_never_came_is_released_by_housekeeping(
    cloud: Cloud, new_site: SiteMaker
) -> None:
    site = new_site()
    with proxy_before(cloud.compute) as proxy:
        site.clouds["clouds"]["member"]["compute_endpoint_override"] = proxy.url
        site.write_clouds()
        site.write_templates({"floatingNetwork": "public"})
        proxy.post_faults = [Fault(503)]
        request_id = request(site)
        assert (servers_of(cloud, request_id), len(cloud.taken())) == ([], 1)
        site.ask("getReturnRequests", {})
        assert len(cloud.taken()) == 1, "the call that took it might still be running"

        def released() -> bool:
            site.run({}, "getReturnRequests", HF_PROVIDER_ACTION_TIMEOUT="1")
            return not cloud.taken()

        until(released, "the floating IP to be released")


def test_the_floating_ips_of_others_are_left_alone(cloud: Cloud, site: Site) -> None:
    site.write_templates({"floatingNetwork": "public"})
    request_id = request(site)
    (ours,) = cloud.taken().values()
    theirs = {
        cloud.connection.network.create_ip(
            floating_network_id=cloud.external, description=description
        ).floating_ip_address: description
        for description in (f"{ours}0", ours.replace("osinst", "osinst2"))
    }
    done = ended(site, request_id)
    servers_of(cloud, request_id)
    assert done["machines"][0]["publicIpAddress"] not in theirs
    return_id = site.ask("requestReturnMachines", {"machines": done["machines"]})["requestId"]
    assert ended(site, return_id)["status"] == "complete"
    site.run({}, "getReturnRequests", HF_PROVIDER_ACTION_TIMEOUT="1")
    assert cloud.taken() == theirs
