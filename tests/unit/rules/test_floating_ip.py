"""Floating IPs: whose they are."""

from __future__ import annotations

import pytest

from hfstack.rules import floating_ip
from hfstack.rules.server_record import Server
from tests.unit.records import REQUEST, server, server_id

NAME = "hf-33e9ed03-1"
OURS = f"hfstack bank {REQUEST} {NAME}"
WANTED = {"hf_floating_network": "net-ext"}


def test_the_longest_description_is_one_that_neutron_takes() -> None:
    longest = floating_ip.describe("p" * 56, REQUEST, f"{'n' * 48}-33e9ed03-99999")
    assert len(longest) <= 255


@pytest.mark.parametrize(
    ("record", "found"),
    [
        pytest.param(server(), OURS, id="ours"),
        pytest.param(
            server(tags=["blue", "hf:other", "hf:third"]), f"hfstack bank other {NAME}", id="the first request"
        ),
        pytest.param(server(tags=["hostfactory", "hfp:bank"]), "", id="no request"),
        pytest.param({"id": server_id()}, "", id="down cell"),
    ],
)
def test_the_description_follows_from_the_servers_own_record(record: Server, found: str) -> None:
    assert floating_ip.of(record, "bank") == found


@pytest.mark.parametrize(
    ("records", "going", "found"),
    [
        pytest.param([server(metadata=WANTED)], [1], [OURS], id="one"),
        pytest.param([server(metadata=WANTED)], [], [], id="it stays"),
        pytest.param([server()], [1], [], id="it was to have none"),
        pytest.param([server(metadata=None)], [1], [], id="no metadata"),
        pytest.param([server(metadata=WANTED, tags=[])], [1], [], id="of no request"),
        pytest.param([server(metadata=WANTED), server(2, metadata=WANTED, name=NAME)], [1], [], id="it was replaced"),
        pytest.param([server(metadata=WANTED), server(2, name=NAME)], [1, 2], [OURS], id="both go"),
        pytest.param(
            [server(metadata=WANTED), server(2, metadata=WANTED, name=NAME, tags=["hf:other"])],
            [1],
            [OURS],
            id="another request's server has the name",
        ),
    ],
)
def test_the_floating_ips_that_go_with_their_servers(records: list[Server], going: list[int], found: list[str]) -> None:
    assert floating_ip.of_deleted(records, [server_id(number) for number in going], "bank") == found
