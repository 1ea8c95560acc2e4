"""HTTP itself works, and every sandbox begins alike."""

from __future__ import annotations

from hfstack.sandbox.inventory import DEMO, PRIVATE, PUBLIC
from tests.sandbox.client import Client


def test_a_connection_is_kept_over_answers_with_and_without_a_body(client: Client) -> None:
    server_id = client.create()
    before = client.connections["nova"].sock
    assert client.nova("DELETE", f"/servers/{server_id}").status == 204
    assert client.nova("GET", f"/servers/{server_id}").status == 404
    assert client.nova("HEAD", "/servers").status == 404
    assert client.connections["nova"].sock is before


def test_every_service_has_a_port_of_its_own(client: Client) -> None:
    assert len(set(client.sandbox.ports.values())) == 5


def test_what_is_always_there_keeps_its_identifiers(client: Client) -> None:
    with Client() as second:
        for path in ("/flavors", "/limits"):
            assert client.nova("GET", path).body.keys() == second.nova("GET", path).body.keys()
        assert [network["id"] for network in second.neutron("GET", "/networks").body["networks"]] == sorted(
            [PRIVATE.id, PUBLIC.id]
        )
        assert second.log_in().body["token"]["project"]["id"] == DEMO.id
