"""Neutron's verbs: the ports of a server, and floating IPs."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest

from hfstack.cloud.client import ServiceClient
from hfstack.cloud.neutron import DESCRIPTIONS, Neutron, fixed_addresses
from hfstack.cloud.transport import Reply, Unreachable
from hfstack.context import Budget
from hfstack.errors import CloudTrouble, Refusal
from hfstack.log import Log
from hfstack.rules import server_record
from hfstack.rules.floating_ip import FloatingIP
from tests.unit.records import REQUEST, Clock, FakeTransport, raw, reply, server, server_id

Make = Callable[..., tuple[Neutron, FakeTransport]]

PORT_FIELDS = "&fields=id&fields=device_id&fields=network_id&fields=fixed_ips"
GRID, STORAGE = "net-1", "net-2"
NETWORKS = {"networks": [{"id": GRID, "name": "grid"}, {"id": STORAGE, "name": "storage"}]}


@pytest.fixture
def neutron(log: Log) -> Make:
    def make(*answers: Reply | Exception) -> tuple[Neutron, FakeTransport]:
        clock = Clock()
        transport = FakeTransport(*answers)
        budget = Budget(240, clock.monotonic, clock.sleep)
        return Neutron(ServiceClient("Neutron", "http://neutron/v2.0", transport, budget, 30, log, {})), transport

    return make


def port(network: str, *addresses: str, device: int = 1) -> dict[str, object]:
    fixed = [{"subnet_id": "s", "ip_address": address} for address in addresses]
    return {"id": "p", "device_id": server_id(device), "network_id": network, "fixed_ips": fixed}


def test_the_ports_of_a_server_give_its_fixed_addresses_by_network_name(neutron: Make) -> None:
    made, transport = neutron(
        reply(200, {"ports": [port(GRID, "10.0.0.7", "fd00::7"), port(STORAGE, "192.0.2.9")]}), reply(200, NETWORKS)
    )
    assert made.addresses(server_id(1)) == {
        "grid": [
            {"addr": "10.0.0.7", "version": 4, "OS-EXT-IPS:type": "fixed"},
            {"addr": "fd00::7", "version": 6, "OS-EXT-IPS:type": "fixed"},
        ],
        "storage": [{"addr": "192.0.2.9", "version": 4, "OS-EXT-IPS:type": "fixed"}],
    }
    assert [sent.url for sent in transport.sent] == [
        f"http://neutron/v2.0/ports?device_id={server_id(1)}{PORT_FIELDS}",
        "http://neutron/v2.0/networks?id=net-1&id=net-2&fields=id&fields=name",
    ]


def test_the_addresses_serve_as_novas(neutron: Make) -> None:
    made, _ = neutron(reply(200, {"ports": [port(GRID, "10.0.0.7"), port(STORAGE, "192.0.2.9")]}), reply(200, NETWORKS))
    record = server(addresses=made.addresses(server_id(1)))
    assert server_record.private_address(record, ("storage",)) == "192.0.2.9"
    assert server_record.public_address(record) == ""


def test_ports_of_other_devices_are_never_taken(neutron: Make) -> None:
    made, _ = neutron(reply(200, {"ports": [port(GRID, "10.0.0.8", device=2)]}))
    assert made.addresses(server_id(1)) == {}


def test_without_ports_no_network_is_looked_up(neutron: Make) -> None:
    made, transport = neutron(reply(200, {"ports": []}))
    assert made.addresses(server_id(1)) == {}
    assert len(transport.sent) == 1


def test_a_network_without_a_name_goes_by_its_id(neutron: Make) -> None:
    made, _ = neutron(reply(200, {"ports": [port("net-3", "10.0.0.7")]}), reply(200, NETWORKS))
    assert list(made.addresses(server_id(1))) == ["net-3"]


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_a_refusal_is_trouble(neutron: Make, status: int) -> None:
    made, _ = neutron(reply(status, {}))
    with pytest.raises(CloudTrouble, match=f"^Neutron .*: {status}$"):
        made.addresses(server_id(1))


@pytest.mark.parametrize(
    "ports",
    [
        pytest.param(None, id="null"),
        pytest.param("none", id="string"),
        pytest.param([None, 7, "port"], id="no-objects"),
        pytest.param([{}], id="empty-object"),
        pytest.param([{"device_id": server_id(1)}], id="no-addresses"),
        pytest.param([{"device_id": server_id(1), "fixed_ips": {"ip_address": "10.0.0.7"}}], id="addresses-object"),
        pytest.param([{"device_id": server_id(1), "fixed_ips": ["10.0.0.7", None]}], id="addresses-strings"),
        pytest.param([{"device_id": server_id(1), "fixed_ips": [{"ip_address": None}]}], id="address-null"),
    ],
)
def test_a_broken_list_of_ports_gives_no_address(neutron: Make, ports: object) -> None:
    made, _ = neutron(reply(200, {"ports": ports}), reply(200, {"networks": None}))
    assert server_record.private_address(server(addresses=made.addresses(server_id(1)))) == ""


# Floating IPs

NAME = "hf-33e9ed03-1"
OURS = f"hfstack bank {REQUEST} {NAME}"
ONE = FloatingIP("f-1", "203.0.113.7", OURS)


def row(number: int = 1, description: str = OURS, port: str | None = None) -> dict[str, Any]:
    address = f"203.0.113.{6 + number}"
    return {"id": f"f-{number}", "floating_ip_address": address, "description": description, "port_id": port}


def listed(*found: Any, **more: Any) -> Reply:
    return reply(200, {"floatingips": list(found), **more})


def methods(transport: FakeTransport) -> list[str]:
    return [sent.method for sent in transport.sent]


def test_a_floating_ip_is_taken_with_its_description(neutron: Make) -> None:
    made, transport = neutron(reply(201, {"floatingip": row()}))
    made.take_floating_ip("net-ext", OURS)
    (sent,) = transport.sent
    assert (sent.method, sent.url) == ("POST", "http://neutron/v2.0/floatingips")
    wanted = {"floating_network_id": "net-ext", "description": OURS}
    assert json.loads(sent.body or b"") == {"floatingip": wanted}


@pytest.mark.parametrize(
    ("status", "words", "code"),
    [
        pytest.param(409, "Quota exceeded for resources: ['floatingip'].", "QuotaExceeded", id="quota"),
        pytest.param(409, "No more IP addresses available on network net-ext.", "FloatingIpRefused", id="none left"),
        pytest.param(403, "rule:create_floatingip is disallowed by policy", "FloatingIpRefused", id="permission"),
    ],
)
def test_a_refusal_is_final(neutron: Make, status: int, words: str, code: str) -> None:
    made, transport = neutron(reply(status, {"NeutronError": {"type": "T", "message": words, "detail": ""}}))
    with pytest.raises(Refusal) as caught:
        made.take_floating_ip("net-ext", OURS)
    assert (str(caught.value), caught.value.code) == (f"Neutron refused a floating IP: {status} {words}", code)
    assert methods(transport) == ["POST"]


UNCLEAR = [
    pytest.param(reply(500, {}), id="500"),
    pytest.param(raw(504, b"<html>"), id="504"),
    pytest.param(raw(302, b""), id="redirect"),
    pytest.param(Unreachable("cannot reach http://neutron: no answer in time"), id="timeout"),
]


@pytest.mark.parametrize("answer", UNCLEAR)
def test_an_unclear_answer_is_settled_by_the_description(neutron: Make, answer: Reply | Exception) -> None:
    made, transport = neutron(answer, listed(row()))
    made.take_floating_ip("net-ext", OURS)
    assert methods(transport) == ["POST", "GET"]


@pytest.mark.parametrize("answer", UNCLEAR)
@pytest.mark.parametrize(
    "look", [pytest.param(listed(row(2, OURS + "0")), id="not seen"), pytest.param(reply(500, {}), id="trouble")]
)
def test_what_stays_unclear_is_refused(neutron: Make, answer: Reply | Exception, look: Reply) -> None:
    made, transport = neutron(answer, look)
    with pytest.raises(Refusal, match="not requested, because it is unknown whether it has a floating IP: "):
        made.take_floating_ip("net-ext", OURS)
    assert methods(transport) == ["POST", "GET"]


def test_only_what_shows_the_description_exactly_is_found(neutron: Make) -> None:
    strangers = [row(2, OURS.upper()), row(3, OURS + " "), row(4, ""), {"id": "f-5"}, None, "f-6"]
    made, transport = neutron(listed(row(port="p-1"), *strangers))
    assert made.floating_ips([OURS]) == [ONE._replace(port_id="p-1")]
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(transport.sent[0].url).query)
    assert query == {"description": [OURS], "fields": ["id", "floating_ip_address", "description", "port_id"]}


def test_many_descriptions_are_requested_some_at_a_time(neutron: Make) -> None:
    many = [f"{OURS}{number:03}" for number in range(2 * DESCRIPTIONS + 1)]
    made, transport = neutron(listed())
    assert made.floating_ips(many) == []
    asked = [urllib.parse.parse_qs(urllib.parse.urlsplit(sent.url).query)["description"] for sent in transport.sent]
    assert [len(some) for some in asked] == [DESCRIPTIONS, DESCRIPTIONS, 1]
    assert sorted(text for some in asked for text in some) == many
    assert max(len(sent.url) for sent in transport.sent) < 4096
    assert made.floating_ips([]) == []
    assert len(transport.sent) == 3


def test_all_pages_are_read(neutron: Make) -> None:
    more = [{"rel": "next", "href": "http://elsewhere/v2.0/floatingips?marker=f-1"}]
    last = [{"rel": "previous", "href": "http://elsewhere"}]
    made, transport = neutron(listed(row(1), floatingips_links=more), listed(row(2), floatingips_links=last))
    assert [one.id for one in made.floating_ips_of({"net-b", "net-a"})] == ["f-1", "f-2"]
    first, second = (sent.url for sent in transport.sent)
    assert first.startswith("http://neutron/v2.0/floatingips?floating_network_id=net-a&floating_network_id=net-b&")
    assert second == first + "&marker=f-1"


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_a_list_that_cannot_be_had_is_trouble(neutron: Make, status: int) -> None:
    made, _ = neutron(reply(status, {}))
    with pytest.raises(CloudTrouble, match=f"^Neutron .*: {status}$"):
        made.floating_ips([OURS])


def test_the_ports_of_a_server_with_their_addresses(neutron: Make) -> None:
    ports = [
        {"id": "p-1", "device_id": server_id(), "fixed_ips": [{"ip_address": "10.0.0.7"}, {"ip_address": "fd00::7"}]},
        {"id": "p-2", "device_id": server_id(), "fixed_ips": []},
        {"id": "p-3", "device_id": server_id(2), "fixed_ips": [{"ip_address": "10.0.0.8"}]},
    ]
    made, transport = neutron(reply(200, {"ports": ports}))
    assert [(port["id"], fixed_addresses(port)) for port in made.ports(server_id())] == [
        ("p-1", ["10.0.0.7", "fd00::7"]),
        ("p-2", []),
    ]
    assert transport.sent[0].url.endswith(f"/ports?device_id={server_id()}{PORT_FIELDS}")


def test_a_floating_ip_is_attached_to_one_address_of_a_port_and_that_may_be_repeated(neutron: Make) -> None:
    made, transport = neutron(Unreachable("cannot reach http://neutron: no answer in time"), reply(200, {}))
    made.attach(ONE, "p-1", "10.0.0.7")
    assert methods(transport) == ["PUT", "PUT"]
    for sent in transport.sent:
        assert sent.url == "http://neutron/v2.0/floatingips/f-1"
        assert json.loads(sent.body or b"") == {"floatingip": {"port_id": "p-1", "fixed_ip_address": "10.0.0.7"}}


def test_why_it_is_not_attached_is_said_in_neutrons_words(neutron: Make) -> None:
    words = "External network e is not reachable from subnet s."
    made, _ = neutron(reply(404, {"NeutronError": {"type": "T", "message": words, "detail": ""}}))
    with pytest.raises(CloudTrouble, match=f"^Neutron did not attach 203.0.113.7: 404 {words}$"):
        made.attach(ONE, "p-1", "10.0.0.7")


@pytest.mark.parametrize("status", [204, 404])
def test_a_floating_ip_is_released_and_one_that_is_gone_is_fine(
    neutron: Make, logged: Callable[[], str], status: int
) -> None:
    made, transport = neutron(listed(row()), raw(status, b""))
    made.release(made.floating_ips([OURS]))
    assert [(sent.method, sent.url.partition("?")[0]) for sent in transport.sent] == [
        ("GET", "http://neutron/v2.0/floatingips"),
        ("DELETE", "http://neutron/v2.0/floatingips/f-1"),
    ]
    assert f"released the floating IP 203.0.113.7: {OURS}" in logged()


def test_one_that_is_not_released_does_not_keep_the_others(neutron: Make) -> None:
    made, transport = neutron(raw(500, b""), raw(204, b""))
    with pytest.raises(CloudTrouble, match="Neutron failed: 500"):
        made.release([ONE, ONE._replace(id="f-2")])
    assert sorted(sent.url[-3:] for sent in transport.sent) == ["f-1", "f-2"]
