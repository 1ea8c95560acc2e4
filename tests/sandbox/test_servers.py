"""A server in the sandbox: what is refused, how it comes up, how it is shown, and how it is deleted."""

from __future__ import annotations

import csv
import time
from typing import Any

import pytest

from hfstack.sandbox.inventory import FLAVORS, IMAGE_ID, PRIVATE, PUBLIC
from hfstack.sandbox.lifecycle import status_of
from tests import ROOT
from tests.sandbox.client import Client, message

NOWHERE = "0cc7cc2b-2270-4fbe-8aee-7350ae717ffd"
SMALL, HUGE, THIRD = FLAVORS[1].id, FLAVORS[3].id, FLAVORS[4].id

AT_2_1 = {
    *("accessIPv4", "accessIPv6", "addresses", "created", "flavor", "hostId", "id", "image", "links", "metadata"),
    *("name", "status", "tenant_id", "user_id", "updated", "OS-DCF:diskConfig", "progress", "security_groups"),
    *("OS-EXT-AZ:availability_zone", "config_drive", "key_name", "OS-SRV-USG:launched_at"),
    *("OS-SRV-USG:terminated_at", "OS-EXT-STS:task_state", "OS-EXT-STS:vm_state", "OS-EXT-STS:power_state"),
    "os-extended-volumes:volumes_attached",
}
AT_2_79 = AT_2_1 | {"locked", "description", "tags", "trusted_image_certificates", "locked_reason"}
AT_2_100 = AT_2_79 | {"OS-EXT-SRV-ATTR:hostname", "pinned_availability_zone", "scheduler_hints"}


def stamp(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))


def state(record: dict[str, Any]) -> tuple[Any, ...]:
    return record["status"], record["OS-EXT-STS:vm_state"], record["OS-EXT-STS:task_state"]


def test_every_state_has_novas_status() -> None:
    with (ROOT / "tests" / "unit" / "states.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 500
    for row in rows:
        task = None if row["task_state"] == "None" else row["task_state"]
        assert status_of(row["vm_state"], task) == row["status"], row


def test_a_vm_state_that_nova_does_not_have_is_unknown() -> None:
    assert status_of("melted", None) == "UNKNOWN"


def test_a_build_goes_by_the_clock(client: Client) -> None:
    client.knobs(spawn_delay=10)
    server_id = client.create()
    assert state(client.show(server_id)) == ("BUILD", "building", "scheduling")
    client.clock.advance(3)
    assert state(client.show(server_id)) == ("BUILD", "building", "networking")
    client.clock.advance(2)
    record = client.show(server_id)
    assert state(record) == ("BUILD", "building", "spawning")
    assert (record["addresses"], record["OS-SRV-USG:launched_at"]) == ({}, None)
    client.clock.advance(6)
    record = client.show(server_id)
    assert state(record) == ("ACTIVE", "active", None)
    assert record["OS-EXT-STS:power_state"] == 1
    assert record["OS-SRV-USG:launched_at"] == stamp(client.clock.now - 1) + ".000000"
    assert record["created"] == stamp(client.clock.now - 11) + "Z"


def test_the_answer_to_a_creation_is_novas(client: Client) -> None:
    reply = client.post_server()
    server = reply.body["server"]
    assert reply.status == 202
    assert set(server) == {"id", "links", "OS-DCF:diskConfig", "security_groups", "adminPass"}
    assert reply.headers["location"] == server["links"][0]["href"]


@pytest.mark.parametrize(
    ("version", "keys"), [("2.1", AT_2_1), ("2.9", AT_2_1 | {"locked"}), ("2.79", AT_2_79), ("2.100", AT_2_100)]
)
def test_a_record_has_the_keys_of_its_microversion(client: Client, version: str, keys: set[str]) -> None:
    server_id = client.create()
    groups = {"server_groups"} if version in {"2.79", "2.100"} else set()
    assert set(client.show(server_id, version)) == keys | groups
    [listed] = client.nova("GET", "/servers/detail", version=version).body["servers"]
    assert set(listed) == keys


def test_a_flavor_is_embedded_from_2_47(client: Client) -> None:
    server_id = client.create()
    assert client.show(server_id, "2.46")["flavor"]["id"] == FLAVORS[0].id
    flavor = client.show(server_id, "2.47")["flavor"]
    assert (flavor["original_name"], flavor["vcpus"], "id" in flavor) == ("m1.tiny", 1, False)


def test_an_administrator_sees_more(client: Client) -> None:
    server_id = client.create()
    hidden = {key for key in client.show(server_id, "2.79", "admin") if key.startswith("OS-EXT-SRV-ATTR:")}
    assert {"OS-EXT-SRV-ATTR:host", "OS-EXT-SRV-ATTR:reservation_id"} <= hidden
    assert not hidden & set(client.show(server_id))


def test_addresses_are_by_network_with_type_and_mac(client: Client) -> None:
    entries = client.show(client.create())["addresses"]["private"]
    assert [(entry["version"], entry["OS-EXT-IPS:type"]) for entry in entries] == [(6, "fixed"), (4, "fixed")]
    assert len({entry["OS-EXT-IPS-MAC:mac_addr"] for entry in entries}) == 1


def test_addresses_can_lag_behind_the_ports(client: Client) -> None:
    client.knobs(address_delay=30)
    server_id = client.create()
    assert client.show(server_id)["addresses"] == {}
    [port] = client.neutron("GET", f"/ports?device_id={server_id}").body["ports"]
    client.clock.advance(31)
    addresses = {entry["addr"] for entry in client.show(server_id)["addresses"]["private"]}
    assert addresses == {fixed["ip_address"] for fixed in port["fixed_ips"]}


def test_neutron_may_have_no_addresses_either(client: Client) -> None:
    client.knobs(neutron_addresses=False)
    server_id = client.create()
    assert client.show(server_id)["addresses"] == {}
    [port] = client.neutron("GET", f"/ports?device_id={server_id}").body["ports"]
    assert port["fixed_ips"] == []


def test_a_server_without_networks_has_no_addresses_and_no_groups(client: Client) -> None:
    record = client.show(client.create(networks="none"))
    assert (record["addresses"], "security_groups" in record) == ({}, False)


def test_a_server_can_have_a_given_port_and_address(client: Client) -> None:
    port = client.neutron("POST", "/ports", {"port": {"network_id": PRIVATE.id}}).body["port"]
    networks = [{"port": port["id"]}, {"uuid": PRIVATE.id, "fixed_ip": "10.0.200.200"}]
    server_id = client.create(networks=networks)
    shown = {entry["addr"] for entry in client.show(server_id)["addresses"]["private"]}
    assert {port["fixed_ips"][0]["ip_address"], "10.0.200.200"} <= shown
    assert client.post_server(networks=[{"port": port["id"]}]).status == 400
    client.nova("DELETE", f"/servers/{server_id}")
    [left] = client.neutron("GET", "/ports").body["ports"]
    assert (left["id"], left["device_id"]) == (port["id"], "")


def test_a_volume_backed_server_has_no_image(client: Client) -> None:
    device = {"source_type": "image", "destination_type": "volume", "uuid": IMAGE_ID, "boot_index": 0}
    record = client.show(client.create(imageRef=None, block_device_mapping_v2=[device]))
    assert record["image"] == ""
    assert len(record["os-extended-volumes:volumes_attached"]) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"imageRef": NOWHERE}, "Can not find requested image"),
        ({"imageRef": None}, "Missing imageRef attribute"),
        ({"flavorRef": "nope"}, "Flavor nope could not be found."),
        ({"networks": [{"uuid": NOWHERE}]}, f"Network {NOWHERE} could not be found."),
        ({"networks": [{"port": NOWHERE}]}, f"Port id {NOWHERE} could not be found."),
        ({"key_name": "nope"}, "Invalid key_name provided."),
        ({"availability_zone": "nope"}, "The requested availability zone is not available"),
        ({"security_groups": [{"name": "nope"}]}, "Unable to find security_group with name or id 'nope'"),
        ({"min_count": 3, "max_count": 2}, "min_count must be <= max_count"),
        ({"name": ""}, "Invalid input for field/attribute name. Value: . '' should be non-empty"),
        ({"tags": ["a/b"]}, "Invalid input for field/attribute 0. Value: a/b. 'a/b' does not match '^[^,/]*$'"),
        ({"metadata": {"a": 1}}, "Invalid input for field/attribute a. Value: 1. 1 is not of type 'string'"),
        (
            {"networks": "bla"},
            "Invalid input for field/attribute networks. Value: bla. 'bla' is not valid under any of the given schemas",
        ),
    ],
)
def test_a_creation_is_refused_in_novas_words(client: Client, changes: dict[str, Any], said: str) -> None:
    reply = client.post_server(**changes)
    assert (reply.status, message(reply)) == (400, said)
    assert client.names() == []


@pytest.mark.parametrize(
    ("version", "changes", "end"),
    [
        ("2.37", {"networks": None}, "'networks' is a required property"),
        ("2.79", {"name": None}, "'name' is a required property"),
        ("2.51", {"tags": ["a"]}, "Additional properties are not allowed ('tags' was unexpected)"),
        ("2.89", {"hostname": "host"}, "Additional properties are not allowed ('hostname' was unexpected)"),
        ("2.79", {"bogus": 1}, "Additional properties are not allowed ('bogus' was unexpected)"),
        ("2.79", {"max_count": 0}, "0 is less than the minimum of 1"),
        ("2.79", {"name": "x" * 256}, "is too long"),
        ("2.90", {"hostname": "h", "max_count": 2}, "'h' does not match '^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$'"),
    ],
)
def test_a_creation_must_fit_the_schema_of_its_microversion(
    client: Client, version: str, changes: dict[str, Any], end: str
) -> None:
    reply = client.post_server(version, **changes)
    assert reply.status == 400
    assert message(reply).endswith(end)


def test_networks_are_not_required_before_2_37(client: Client) -> None:
    reply = client.post_server("2.36", networks=None)
    assert list(client.show(reply.body["server"]["id"])["addresses"]) == ["private"]


def test_a_body_that_is_not_json_is_400(client: Client) -> None:
    assert message(client.nova("POST", "/servers", "{bad")) == "Malformed request body"


def test_several_servers_are_numbered_and_share_their_tags(client: Client) -> None:
    client.create(min_count=3, max_count=3, tags=["t"], metadata={"k": "v"})
    servers = client.nova("GET", "/servers/detail").body["servers"]
    assert {server["name"] for server in servers} == {"one-1", "one-2", "one-3"}
    assert all((server["tags"], server["metadata"]) == (["t"], {"k": "v"}) for server in servers)


def test_a_reservation_is_answered_instead_of_a_server(client: Client) -> None:
    reply = client.post_server(max_count=2, return_reservation_id=True)
    assert list(reply.body) == ["reservation_id"]
    assert client.names(f"?reservation_id={reply.body['reservation_id']}") == ["one-1", "one-2"]


def test_the_quota_is_kept(client: Client) -> None:
    client.knobs(quota_instances=2)
    client.create()
    reply = client.post_server(min_count=2, max_count=2)
    assert reply.status == 403
    assert message(reply) == "Quota exceeded for instances: Requested 2, but already used 1 of 2 instances"
    client.create(min_count=1, max_count=9, name="many")
    assert len(client.names()) == 2


def test_a_server_that_fits_nowhere_ends_in_error(client: Client) -> None:
    client.knobs(spawn_delay=10)
    server_id = client.create(flavorRef=HUGE)
    client.clock.advance(5)
    record = client.show(server_id)
    assert state(record) == ("ERROR", "error", None)
    assert (record["fault"]["code"], record["fault"]["message"]) == (500, "No valid host was found. ")
    assert (record["hostId"], record["OS-SRV-USG:launched_at"], record["addresses"]) == ("", None, {})
    assert (record["OS-EXT-AZ:availability_zone"], "progress" in record) == ("", False)


def test_the_scheduler_takes_all_or_none(client: Client) -> None:
    client.create(flavorRef=THIRD, networks="none", max_count=4)
    faults = [server["fault"]["message"] for server in client.nova("GET", "/servers/detail").body["servers"]]
    assert faults == ["No valid host was found. There are not enough hosts available."] * 4
    client.create(flavorRef=THIRD, networks="none", max_count=3, name="fits")
    assert client.names("?status=ACTIVE") == ["fits-1", "fits-2", "fits-3"]
    assert client.show(client.create(flavorRef=THIRD))["fault"]["message"] == "No valid host was found. "


def test_a_server_on_the_external_network_ends_in_error(client: Client) -> None:
    server_id = client.create(networks=[{"uuid": PUBLIC.id}])
    assert client.show(server_id)["fault"]["message"].endswith(
        "aborted: Failed to allocate the network(s), not rescheduling."
    )


def test_a_build_can_be_made_to_fail_by_name(client: Client) -> None:
    client.knobs(spawn_fail="^bad")
    good, bad = client.create(name="good"), client.create(name="bad-1")
    assert client.show(good)["status"] == "ACTIVE"
    fault = client.show(bad)["fault"]["message"]
    assert fault.startswith("Exceeded maximum number of retries. Exhausted all hosts available")
    assert fault.endswith(f"for instance {bad}.")
    assert client.neutron("GET", f"/ports?device_id={bad}").body == {"ports": []}


def test_a_deletion_takes_its_time(client: Client) -> None:
    client.knobs(destroy_delay=10)
    server_id = client.create()
    assert client.nova("DELETE", f"/servers/{server_id}").status == 204
    client.clock.advance(5)
    record = client.show(server_id)
    assert state(record) == ("ACTIVE", "active", "deleting")
    assert record["addresses"]
    assert client.nova("DELETE", f"/servers/{server_id}").status == 204
    client.clock.advance(6)
    for method in ("GET", "DELETE"):
        assert client.nova(method, f"/servers/{server_id}").status == 404
    assert client.names() == []


def test_the_row_of_a_deleted_server_has_lost_its_marks(client: Client) -> None:
    began = stamp(client.clock.now) + "Z"
    server_id = client.create(tags=["t"], metadata={"k": "v"})
    client.nova("DELETE", f"/servers/{server_id}")
    [row] = client.nova("GET", f"/servers/detail?changes-since={began}").body["servers"]
    assert state(row) == ("DELETED", "deleted", None)
    assert (row["tags"], row["metadata"], row["addresses"], row["OS-EXT-STS:power_state"]) == ([], {}, {}, 0)
    assert row["OS-SRV-USG:terminated_at"] == stamp(client.clock.now) + ".000000"
    assert row["name"] == "one"
    assert client.names(f"?tags=t&changes-since={began}") == []
    assert client.names(f"?name=one&changes-since={began}") == ["one"]


def test_nothing_stays_of_a_server_that_was_only_being_scheduled(client: Client) -> None:
    client.knobs(spawn_delay=10)
    began = stamp(client.clock.now) + "Z"
    server_id = client.create()
    client.nova("DELETE", f"/servers/{server_id}")
    assert client.nova("GET", f"/servers/{server_id}").status == 404
    assert client.names(f"?changes-since={began}") == []


def test_a_deletion_can_be_made_to_fail_by_name(client: Client) -> None:
    client.knobs(destroy_fail="^one$", destroy_delay=5)
    server_id = client.create()
    client.nova("DELETE", f"/servers/{server_id}")
    assert client.show(server_id)["OS-EXT-STS:task_state"] == "deleting"
    client.clock.advance(6)
    record = client.show(server_id)
    assert state(record) == ("ERROR", "error", None)
    assert record["fault"]["message"]
    client.knobs(destroy_fail="", destroy_delay=0)
    client.nova("DELETE", f"/servers/{server_id}")
    assert client.nova("GET", f"/servers/{server_id}").status == 404


def test_a_soft_deleted_server_is_hidden_and_can_come_back(client: Client) -> None:
    client.knobs(soft_delete=True, quota_instances=1)
    began = stamp(client.clock.now) + "Z"
    server_id = client.create(tags=["t"])
    client.nova("DELETE", f"/servers/{server_id}")
    assert state(client.show(server_id)) == ("SOFT_DELETED", "soft-delete", None)
    client.nova("DELETE", f"/servers/{server_id}")
    assert client.show(server_id)["status"] == "SOFT_DELETED"
    assert client.names() == client.names("?status=SOFT_DELETED") == []
    [row] = client.nova("GET", f"/servers/detail?changes-since={began}").body["servers"]
    assert (row["tags"], list(row["addresses"])) == (["t"], ["private"])
    assert client.nova("GET", "/limits").body["limits"]["absolute"]["totalInstancesUsed"] == 0
    assert client.nova("POST", f"/servers/{server_id}/action", {"restore": None}).status == 202
    assert client.show(server_id)["status"] == "ACTIVE"
    assert client.nova("POST", f"/servers/{server_id}/action", {"forceDelete": None}).status == 202
    assert client.nova("GET", f"/servers/{server_id}").status == 404


def test_a_locked_server_is_deleted_by_an_administrator_only(client: Client) -> None:
    server_id = client.create()
    client.nova("POST", f"/servers/{server_id}/action", {"lock": {"locked_reason": "mine"}})
    reply = client.nova("DELETE", f"/servers/{server_id}")
    assert reply.body == {"conflictingRequest": {"code": 409, "message": f"Instance {server_id} is locked"}}
    assert (client.show(server_id)["locked"], client.show(server_id)["locked_reason"]) == (True, "mine")
    assert client.nova("DELETE", f"/servers/{server_id}", user="admin").status == 204


def test_tags_are_read_set_and_removed(client: Client) -> None:
    path = f"/servers/{client.create(tags=['b', 'a', 'b'])}/tags"
    assert client.nova("GET", path).body == {"tags": ["a", "b"]}
    assert [client.nova(method, f"{path}/c").status for method in ("GET", "PUT", "PUT", "GET")] == [404, 201, 204, 204]
    assert [client.nova("DELETE", f"{path}/c").status for _ in range(2)] == [204, 404]
    assert client.nova("PUT", path, {"tags": ["z"]}).body == {"tags": ["z"]}
    assert client.nova("DELETE", path).status == 204
    assert client.nova("GET", path).body == {"tags": []}
    assert client.nova("GET", path, version="2.25").status == 404


def test_metadata_is_merged_replaced_and_removed(client: Client) -> None:
    path = f"/servers/{client.create(metadata={'a': '1'})}/metadata"
    assert client.nova("POST", path, {"metadata": {"b": "2"}}).body == {"metadata": {"a": "1", "b": "2"}}
    assert client.nova("PUT", path, {"metadata": {"c": "3"}}).body == {"metadata": {"c": "3"}}
    assert client.nova("PUT", f"{path}/d", {"meta": {"d": "4"}}).body == {"meta": {"d": "4"}}
    assert client.nova("GET", f"{path}/c").body == {"meta": {"c": "3"}}
    assert [client.nova("DELETE", f"{path}/c").status for _ in range(2)] == [204, 404]
    assert client.nova("GET", path).body == {"metadata": {"d": "4"}}


def test_a_server_is_renamed(client: Client) -> None:
    server_id = client.create()
    client.clock.advance(60)
    reply = client.nova("PUT", f"/servers/{server_id}", {"server": {"name": "two", "description": "d"}})
    record = reply.body["server"]
    assert (record["name"], record["description"]) == ("two", "d")
    assert record["updated"] == stamp(client.clock.now) + "Z"


def test_the_project_of_another_is_out_of_reach(client: Client) -> None:
    server_id = client.create()
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/tags"), ("GET", "/os-instance-actions")):
        assert client.nova(method, f"/servers/{server_id}{path}", user="other").status == 404
    assert client.names(user="other") == []
    assert message(client.post_server(user="other")) == f"Network {PRIVATE.id} could not be found."


def test_what_was_done_is_on_record(client: Client) -> None:
    reply = client.post_server()
    server_id = reply.body["server"]["id"]
    path = f"/servers/{server_id}/os-instance-actions"
    client.nova("DELETE", f"/servers/{server_id}")
    actions = client.nova("GET", path).body["instanceActions"]
    assert [action["action"] for action in actions] == ["delete", "create"]
    assert actions[1]["request_id"] == reply.headers["x-openstack-request-id"]
    assert client.nova("GET", path, version="2.20").status == 404


def test_a_server_in_a_cell_that_is_down_is_known_by_halves(client: Client) -> None:
    server_id = client.create(tags=["t"])
    client.create(name="two", tags=["t"])
    client.control("PUT", f"/servers/{server_id}", {"down": True})
    record = client.show(server_id)
    assert record["status"] == "UNKNOWN"
    assert set(record) == {
        *("id", "status", "tenant_id", "created", "links", "image", "flavor", "user_id", "server_groups"),
        *("OS-EXT-AZ:availability_zone", "OS-EXT-STS:power_state"),
    }
    assert client.nova("GET", f"/servers/{server_id}", version="2.68").status == 500
    assert client.nova("DELETE", f"/servers/{server_id}").status == 500
    assert client.names("?tags=t") == ["two"]
    listed = client.nova("GET", "/servers/detail").body["servers"]
    assert {server["status"]: len(server) for server in listed}["UNKNOWN"] == 5
    assert len(client.nova("GET", "/servers/detail", version="2.68").body["servers"]) == 1


@pytest.mark.parametrize(
    ("name", "hostname"), [("Web 1.example", "web-1-example"), ("-a_b-", "a-b"), ("x" * 70, "x" * 63)]
)
def test_the_host_name_is_made_of_the_name(client: Client, name: str, hostname: str) -> None:
    assert client.show(client.create(name=name), "2.90")["OS-EXT-SRV-ATTR:hostname"] == hostname


def test_a_host_name_can_be_given_from_2_90(client: Client) -> None:
    server_id = client.create(version="2.90", hostname="given")
    assert client.show(server_id, "2.90")["OS-EXT-SRV-ATTR:hostname"] == "given"
