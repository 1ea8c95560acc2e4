"""The sandbox's Nova: versions, errors and headers, whatever is asked of it."""

from __future__ import annotations

import re

import pytest

from tests.sandbox.client import Client, message

REQUEST_ID = re.compile("req-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_the_version_document_needs_no_token(client: Client) -> None:
    version = client.send("nova", "GET", "/v2.1/").body["version"]
    assert (version["min_version"], version["version"]) == ("2.1", "2.104")
    assert version["links"][0]["href"] == client.sandbox.url("nova") + "/v2.1/"


def test_the_highest_microversion_can_be_lowered(client: Client) -> None:
    client.knobs(max_microversion="2.60")
    assert client.send("nova", "GET", "/v2.1").body["version"]["version"] == "2.60"
    reply = client.nova("GET", "/servers", version="2.61")
    assert message(reply) == "Version 2.61 is not supported by the API. Minimum is 2.1 and maximum is 2.60."


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        pytest.param({}, "2.1", id="none"),
        pytest.param({"OpenStack-API-Version": "compute 2.79"}, "2.79", id="modern"),
        pytest.param({"X-OpenStack-Nova-API-Version": "2.20"}, "2.20", id="old"),
        pytest.param({"OpenStack-API-Version": "compute latest"}, "2.104", id="latest"),
        pytest.param({"OpenStack-API-Version": "volume 3.1"}, "2.1", id="of another service"),
    ],
)
def test_the_microversion_is_echoed(client: Client, headers: dict[str, str], version: str) -> None:
    reply = client.send("nova", "GET", "/v2.1/servers", headers={"X-Auth-Token": client.token(), **headers})
    assert reply.status == 200
    assert reply.headers["OpenStack-API-Version"] == f"compute {version}"
    assert reply.headers["X-OpenStack-Nova-API-Version"] == version
    assert reply.headers.get_all("Vary") == ["OpenStack-API-Version", "X-OpenStack-Nova-API-Version"]


@pytest.mark.parametrize("version", ["2.105", "2.0", "1.2", "3.1"])
def test_a_microversion_out_of_range_is_406(client: Client, version: str) -> None:
    reply = client.nova("GET", "/servers", version=version)
    assert list(reply.body) == ["computeFault"]
    assert reply.status == 406
    assert reply.headers["OpenStack-API-Version"] == f"compute {version}"


@pytest.mark.parametrize("version", ["x", "2", "2.01", "2.1.1"])
def test_a_microversion_that_is_none_is_400(client: Client, version: str) -> None:
    reply = client.nova("GET", "/servers", version=version)
    assert message(reply) == f"API Version String {version} is of invalid format. Must be of format MajorNum.MinorNum."
    assert "OpenStack-API-Version" not in reply.headers


@pytest.mark.parametrize("path", ["/servers", "/servers/nope", "/nothing"])
def test_every_answer_has_the_identifier_of_its_request(client: Client, path: str) -> None:
    replies = [client.nova("GET", path) for _ in range(2)]
    found = [reply.headers["x-openstack-request-id"] for reply in replies]
    assert all(REQUEST_ID.fullmatch(identifier) for identifier in found)
    assert found[0] != found[1]
    assert found == [reply.headers["x-compute-request-id"] for reply in replies]


def test_a_server_that_is_not_there_is_404_in_novas_words(client: Client) -> None:
    for method in ("GET", "DELETE"):
        reply = client.nova(method, "/servers/nope")
        assert reply.status == 404
        assert reply.body == {"itemNotFound": {"code": 404, "message": "Instance nope could not be found."}}
        assert reply.headers["Content-Type"] == "application/json; charset=UTF-8"


def test_a_path_that_is_not_there_never_reached_nova(client: Client) -> None:
    headers = {"X-Auth-Token": client.token(), "Accept": "application/json"}
    reply = client.send("nova", "DELETE", "/v2.1/servers", headers=headers)
    assert (reply.status, reply.body["title"]) == (404, "Not Found")
    assert "OpenStack-API-Version" not in reply.headers


def test_flavors_show_what_their_microversion_has(client: Client) -> None:
    old = client.nova("GET", "/flavors/detail", version="2.1").body["flavors"]
    new = client.nova("GET", "/flavors/detail", version="2.79").body["flavors"]
    assert {flavor["name"] for flavor in old} == {"m1.tiny", "m1.small", "m1.large", "huge", "third"}
    assert set(new[0]) - set(old[0]) == {"description", "extra_specs"}
    assert (old[0]["swap"], new[0]["swap"]) == ("", 0)
    assert client.nova("GET", f"/flavors/{new[0]['id']}").body["flavor"] == new[0]
    assert message(client.nova("GET", "/flavors/nope")) == "Flavor nope could not be found."


def test_limits_count_what_is_used(client: Client) -> None:
    client.knobs(quota_instances=9)
    client.create()
    absolute = client.nova("GET", "/limits").body["limits"]["absolute"]
    assert (absolute["totalInstancesUsed"], absolute["maxTotalInstances"]) == (1, 9)
    assert (absolute["totalCoresUsed"], absolute["totalRAMUsed"]) == (1, 512)
    assert client.nova("GET", "/os-quota-sets/mine").body["quota_set"]["instances"] == 9


def test_a_key_pair_is_taken_once_and_shown_to_its_owner(client: Client) -> None:
    key = {
        "name": "k",
        "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAsoFJx2nDxWtcdQyKWbTLbKqRXnPBPMLbMLvbeEDWrR x",
    }
    made = client.nova("POST", "/os-keypairs", {"keypair": key})
    assert made.status == 201
    assert made.body["keypair"]["fingerprint"] == "4b:57:74:e9:ad:20:66:d8:20:9c:68:fb:f0:1a:82:04"
    assert client.nova("POST", "/os-keypairs", {"keypair": key}).status == 409
    assert client.nova("GET", "/os-keypairs/k").body["keypair"]["public_key"] == key["public_key"]
    assert client.nova("GET", "/os-keypairs").body["keypairs"][0]["keypair"]["name"] == "k"
    assert client.nova("GET", "/os-keypairs/k", user="other").status == 404
    assert client.nova("DELETE", "/os-keypairs/k").status == 204
    assert client.nova("GET", "/os-keypairs").body == {"keypairs": []}


def test_a_key_that_is_none_is_400(client: Client) -> None:
    reply = client.nova("POST", "/os-keypairs", {"keypair": {"name": "k", "public_key": "bad"}})
    assert message(reply) == "Keypair data is invalid: failed to generate fingerprint"


def test_the_one_zone_is_there(client: Client) -> None:
    zones = client.nova("GET", "/os-availability-zone").body["availabilityZoneInfo"]
    assert [zone["zoneName"] for zone in zones] == ["nova"]


def test_a_server_group_knows_its_members(client: Client) -> None:
    made = client.nova("POST", "/os-server-groups", {"server_group": {"name": "g", "policy": "anti-affinity"}})
    group = made.body["server_group"]
    server = {"name": "one", "flavorRef": "", "imageRef": "", "networks": "none"}
    body = {"server": server, "os:scheduler_hints": {"group": group["id"]}}
    record = client.show(client.create())
    server["imageRef"] = record["image"]["id"]
    server["flavorRef"] = client.nova("GET", "/flavors").body["flavors"][0]["id"]
    server_id = client.nova("POST", "/servers", body).body["server"]["id"]
    assert client.nova("GET", f"/os-server-groups/{group['id']}").body["server_group"]["members"] == [server_id]
    assert client.show(server_id)["server_groups"] == [group["id"]]
    assert client.nova("DELETE", f"/os-server-groups/{group['id']}").status == 204
    assert client.nova("GET", f"/os-server-groups/{group['id']}").status == 404
