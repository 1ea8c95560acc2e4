"""Neutron's ports, where Nova's record shows no address."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hfstack.cloud.client import ServiceClient
from hfstack.cloud.neutron import Neutron
from hfstack.cloud.transport import Reply
from hfstack.context import Budget
from hfstack.errors import CloudTrouble
from hfstack.log import Log
from hfstack.rules import server_record
from tests.unit.records import Clock, FakeTransport, reply, server, server_id

Make = Callable[..., tuple[Neutron, FakeTransport]]

GRID, STORAGE = "net-1", "net-2"
NETWORKS = {"networks": [{"id": GRID, "name": "grid"}, {"id": STORAGE, "name": "storage"}]}


@pytest.fixture
def neutron(log: Log) -> Make:
    def make(*answers: Reply) -> tuple[Neutron, FakeTransport]:
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
        f"http://neutron/v2.0/ports?device_id={server_id(1)}",
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


def test_without_ports_no_network_is_asked_for(neutron: Make) -> None:
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
