"""The sandbox's Neutron and Glance."""

from __future__ import annotations

from typing import Any

import pytest

from hfstack.sandbox.inventory import IMAGE_ID, PRIVATE, PUBLIC
from tests.sandbox.client import Client, Reply, message


def error(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.body["NeutronError"]["type"]


def take_floating_ip(client: Client, **more: Any) -> dict[str, Any]:
    body = {"floatingip": {"floating_network_id": PUBLIC.id, **more}}
    reply = client.neutron("POST", "/floatingips", body)
    assert reply.status == 201
    floating: dict[str, Any] = reply.body["floatingip"]
    return floating


def port_of(client: Client, server_id: str) -> dict[str, Any]:
    [port] = client.neutron("GET", f"/ports?device_id={server_id}").body["ports"]
    found: dict[str, Any] = port
    return found


def addresses(client: Client, server_id: str, kind: str) -> list[str]:
    entries = client.show(server_id)["addresses"]["private"]
    return [entry["addr"] for entry in entries if entry["OS-EXT-IPS:type"] == kind]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"private", "public"}),
        ("?name=private", {"private"}),
        (f"?id={PUBLIC.id}", {"public"}),
        ("?router:external=True", {"public"}),
        ("?name=private&name=public", {"private", "public"}),
        ("?name=nope", set()),
    ],
)
def test_networks_are_filtered_by_equality(client: Client, query: str, names: set[str]) -> None:
    found = client.neutron("GET", f"/networks{query}").body["networks"]
    assert {network["name"] for network in found} == names


def test_a_project_sees_its_own_networks_and_the_external_one(client: Client) -> None:
    found = client.neutron("GET", "/networks", user="other").body["networks"]
    assert [network["name"] for network in found] == ["public"]


def test_fields_can_be_chosen(client: Client) -> None:
    assert client.neutron("GET", "/networks?name=private&fields=id").body == {"networks": [{"id": PRIVATE.id}]}


def test_a_list_is_cut_to_pages(client: Client) -> None:
    first = client.neutron("GET", "/subnets?limit=3").body
    second = client.neutron("GET", f"/subnets?limit=3&marker={first['subnets'][-1]['id']}").body
    assert "marker=" in first["subnets_links"][0]["href"]
    assert {subnet["name"] for subnet in first["subnets"] + second["subnets"]} == {
        *("private4", "private6", "public4", "public6")
    }
    assert "subnets_links" not in second


def test_an_attribute_that_does_not_exist_is_400(client: Client) -> None:
    reply = client.neutron("GET", "/networks?bogus=1")
    assert error(reply) == (400, "HTTPBadRequest")
    assert reply.body["NeutronError"]["message"] == "['bogus'] is invalid attribute for filtering"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/networks/nope", "NetworkNotFound"),
        ("/subnets/nope", "SubnetNotFound"),
        ("/ports/nope", "PortNotFound"),
        ("/floatingips/nope", "FloatingIPNotFound"),
        ("/security-groups/nope", "SecurityGroupNotFound"),
        ("/nothing", "HTTPNotFound"),
    ],
)
def test_what_is_not_there_is_404(client: Client, path: str, kind: str) -> None:
    assert error(client.neutron("GET", path)) == (404, kind)


def test_a_server_has_a_port_that_goes_with_it(client: Client) -> None:
    server_id = client.create()
    port = port_of(client, server_id)
    assert (port["status"], port["device_owner"], port["network_id"]) == ("ACTIVE", "compute:nova", PRIVATE.id)
    assert client.neutron("GET", f"/ports/{port['id']}").body["port"] == port
    client.nova("DELETE", f"/servers/{server_id}")
    assert client.neutron("GET", f"/ports?device_id={server_id}").body == {"ports": []}


def test_ports_of_another_project_are_not_shown(client: Client) -> None:
    server_id = client.create()
    assert client.neutron("GET", f"/ports?device_id={server_id}", user="other").body == {"ports": []}


def test_a_port_is_made_and_deleted(client: Client) -> None:
    port = client.neutron("POST", "/ports", {"port": {"network_id": PRIVATE.id, "name": "mine"}}).body["port"]
    assert [found["id"] for found in client.neutron("GET", "/ports?name=mine").body["ports"]] == [port["id"]]
    assert client.neutron("DELETE", f"/ports/{port['id']}").status == 204
    assert error(client.neutron("DELETE", f"/ports/{port['id']}")) == (404, "PortNotFound")


def make_network(client: Client, *cidrs: str) -> str:
    made: str = client.neutron("POST", "/networks", {"network": {"name": "mine"}}).body["network"]["id"]
    for cidr in cidrs:
        subnet = {"network_id": made, "ip_version": 6 if ":" in cidr else 4, "cidr": cidr}
        assert client.neutron("POST", "/subnets", {"subnet": subnet}).status == 201
    return made


def test_a_network_of_ones_own_gives_the_addresses_of_its_subnets(client: Client) -> None:
    network_id = make_network(client, "fd00:66::/64")
    server_id = client.create(networks=[{"uuid": network_id}])
    [entry] = client.show(server_id)["addresses"]["mine"]
    assert (entry["version"], entry["addr"].startswith("fd00:66::")) == (6, True)
    assert client.neutron("GET", f"/networks/{network_id}", user="other").status == 404


def test_a_network_without_subnets_has_no_servers(client: Client) -> None:
    network_id = make_network(client)
    reply = client.post_server(networks=[{"uuid": network_id}])
    assert message(reply) == f"Network {network_id} requires a subnet in order to boot instances on."


def test_of_several_networks_one_must_be_named(client: Client) -> None:
    make_network(client, "10.66.0.0/24")
    reply = client.post_server(networks="auto")
    assert reply.status == 409
    assert message(reply) == "Multiple possible networks found, use a Network ID to be more specific."


def test_a_network_is_deleted_when_it_has_no_ports(client: Client) -> None:
    network_id = make_network(client, "10.66.0.0/24")
    server_id = client.create(networks=[{"uuid": network_id}])
    assert error(client.neutron("DELETE", f"/networks/{network_id}")) == (409, "NetworkInUse")
    client.nova("DELETE", f"/servers/{server_id}")
    assert client.neutron("DELETE", f"/networks/{network_id}").status == 204
    assert error(client.neutron("DELETE", f"/networks/{network_id}")) == (404, "NetworkNotFound")
    assert error(client.neutron("DELETE", f"/networks/{PUBLIC.id}")) == (403, "PolicyNotAuthorized")


def test_nova_shows_a_floating_ip_while_it_is_associated(client: Client) -> None:
    server_id = client.create()
    floating = take_floating_ip(client)
    path = f"/floatingips/{floating['id']}"
    port = port_of(client, server_id)
    bound = client.neutron("PUT", path, {"floatingip": {"port_id": port["id"]}}).body["floatingip"]
    assert bound["fixed_ip_address"] in addresses(client, server_id, "fixed")
    assert bound["port_details"]["device_id"] == server_id
    assert addresses(client, server_id, "floating") == [floating["floating_ip_address"]]
    found = client.neutron("GET", f"/floatingips?port_id={port['id']}").body["floatingips"]
    assert [one["id"] for one in found] == [floating["id"]]
    client.neutron("PUT", path, {"floatingip": {"port_id": None}})
    assert addresses(client, server_id, "floating") == []


def test_a_floating_ip_outlives_its_server_without_an_association(client: Client) -> None:
    server_id = client.create()
    floating = take_floating_ip(client, port_id=port_of(client, server_id)["id"])
    assert floating["port_id"] is not None
    client.nova("DELETE", f"/servers/{server_id}")
    shown = client.neutron("GET", f"/floatingips/{floating['id']}").body["floatingip"]
    assert (shown["port_id"], shown["floating_ip_address"]) == (None, floating["floating_ip_address"])
    assert client.neutron("DELETE", f"/floatingips/{floating['id']}").status == 204
    assert client.neutron("GET", "/floatingips").body == {"floatingips": []}


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({}, (400, "HTTPBadRequest")),
        ({"floating_network_id": PRIVATE.id}, (400, "BadRequest")),
        ({"floating_network_id": "nope"}, (404, "NetworkNotFound")),
        ({"floating_network_id": PUBLIC.id, "port_id": "nope"}, (404, "PortNotFound")),
        ({"floating_network_id": PUBLIC.id, "description": "x" * 256}, (400, "HTTPBadRequest")),
    ],
)
def test_a_floating_ip_is_refused(client: Client, body: dict[str, str], refusal: tuple[int, str]) -> None:
    assert error(client.neutron("POST", "/floatingips", {"floatingip": body})) == refusal
    assert client.neutron("GET", "/floatingips").body == {"floatingips": []}


def test_floating_ips_are_found_by_their_description(client: Client) -> None:
    first, second, _ = (take_floating_ip(client, description=text) for text in ("one of mine", "two", ""))
    found = client.neutron("GET", "/floatingips?description=one+of+mine&description=two&fields=id").body["floatingips"]
    assert {one["id"] for one in found} == {first["id"], second["id"]}
    assert first["created_at"].endswith("Z")


def test_the_quota_of_floating_ips(client: Client) -> None:
    client.control("PUT", "/knobs", {"quota_floating_ips": 1})
    floating = take_floating_ip(client)
    reply = client.neutron("POST", "/floatingips", {"floatingip": {"floating_network_id": PUBLIC.id}})
    assert error(reply) == (409, "OverQuota")
    assert reply.body["NeutronError"]["message"] == "Quota exceeded for resources: ['floatingip']."
    client.neutron("DELETE", f"/floatingips/{floating['id']}")
    take_floating_ip(client)


def attach(client: Client, floating: dict[str, Any], port: dict[str, Any], **more: Any) -> Reply:
    body = {"floatingip": {"port_id": port["id"], **more}}
    return client.neutron("PUT", f"/floatingips/{floating['id']}", body)


def test_a_floating_ip_needs_an_ipv4_address_of_the_port_that_has_none_yet(client: Client) -> None:
    port = port_of(client, client.create())
    first, second = take_floating_ip(client), take_floating_ip(client)
    v4, v6 = sorted((fixed["ip_address"] for fixed in port["fixed_ips"]), key=lambda address: ":" in address)
    for address in (v6, "10.99.99.99"):
        assert error(attach(client, first, port, fixed_ip_address=address)) == (400, "BadRequest")
    for _ in range(2):
        assert attach(client, first, port, fixed_ip_address=v4).status == 200
    assert error(attach(client, second, port, fixed_ip_address=v4)) == (409, "FloatingIPPortAlreadyAssociated")


def test_a_floating_ip_needs_a_router(client: Client) -> None:
    server_id = client.create(networks=[{"uuid": make_network(client, "10.66.0.0/24")}])
    reply = attach(client, take_floating_ip(client), port_of(client, server_id))
    assert error(reply) == (404, "ExternalGatewayForFloatingIPNotFound")


def test_the_security_group_is_the_one_of_the_ports(client: Client) -> None:
    [group] = client.neutron("GET", "/security-groups?name=default").body["security_groups"]
    assert port_of(client, client.create())["security_groups"] == [group["id"]]


def glance(client: Client, path: str) -> Reply:
    return client.send("glance", "GET", path, headers={"X-Auth-Token": client.token()})


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["cirros"]),
        ("?name=cirros", ["cirros"]),
        (f"?id={IMAGE_ID}", ["cirros"]),
        ("?id=in:a,b", []),
        ("?name=nope", []),
    ],
)
def test_images_are_filtered(client: Client, query: str, names: list[str]) -> None:
    assert [image["name"] for image in glance(client, f"/v2/images{query}").body["images"]] == names


def test_an_image_is_shown_by_id(client: Client) -> None:
    assert glance(client, f"/v2/images/{IMAGE_ID}").body["name"] == "cirros"
    assert glance(client, "/v2/images/nope").status == 404
    assert client.send("glance", "GET", "/").status == 300
