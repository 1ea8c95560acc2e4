"""Requests for machines, from nothing visible to complete."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

import pytest

from tests.scenarios.clouds import Cloud, new_id
from tests.scenarios.conftest import SiteMaker
from tests.scenarios.site import Site


def test_building_then_complete_with_v4_v6_and_floating_ip(cloud: Cloud, site: Site) -> None:
    cloud.knobs(spawn_delay=60)
    request_id = new_id()
    ids = cloud.create(request_id, 2)
    building = site.poll_one(request_id)
    assert building["status"] == "running"
    assert [machine["result"] for machine in building["machines"]] == ["executing"] * 2
    assert {machine["privateIpAddress"] for machine in building["machines"]} == {""}
    cloud.knobs()
    cloud.wait(ids)
    floating = cloud.floating_ip(ids[0])
    done = site.poll_one(request_id)
    assert (done["status"], done["message"]) == ("complete", "")
    by_id = {machine["machineId"]: machine for machine in done["machines"]}
    assert set(by_id) == set(ids)
    for record in cloud.wait(ids):
        machine = by_id[record["id"]]
        addresses = record["addresses"]["private"]
        assert (machine["result"], machine["status"], machine["message"]) == ("succeed", "running", "")
        assert machine["name"] == record["name"]
        assert machine["privateIpAddress"] == next(
            one["addr"] for one in addresses if one["version"] == 4 and one["OS-EXT-IPS:type"] == "fixed"
        )
    assert by_id[ids[0]]["publicIpAddress"] == floating
    assert "publicIpAddress" not in by_id[ids[1]]
    assert site.poll_one(request_id) == done, "a second look at machines that are up changes nothing"


def test_a_network_with_only_ipv6_gives_a_v6_address(cloud: Cloud, site: Site) -> None:
    request_id = new_id()
    made = cloud.connection.network.create_network(name="only6")
    try:
        cloud.connection.network.create_subnet(
            network_id=made.id, ip_version=6, cidr="fd00:66::/64", ipv6_address_mode="slaac", ipv6_ra_mode="slaac"
        )
        ids = cloud.create(request_id, networks=[{"uuid": made.id}])
        cloud.wait(ids)
        (machine,) = site.poll_one(request_id)["machines"]
        assert machine["result"] == "succeed"
        assert ipaddress.ip_address(machine["privateIpAddress"]) in ipaddress.ip_network("fd00:66::/64")
        cloud.clear()
    finally:
        cloud.connection.network.delete_network(made.id)


def test_error_server_reports_its_fault(cloud: Cloud, site: Site) -> None:
    request_id = new_id()
    ids = cloud.create(request_id, flavor="huge")
    cloud.wait(ids, "ERROR")
    answer = site.poll_one(request_id)
    assert answer["status"] == "complete_with_error"
    (machine,) = answer["machines"]
    assert (machine["machineId"], machine["result"]) == (ids[0], "fail")
    assert "No valid host was found" in machine["message"]
    assert "No valid host was found" in answer["message"]


def test_mixed_results_run_until_the_last_machine_is_decided(cloud: Cloud, site: Site) -> None:
    request_id = new_id()
    failed = cloud.create(request_id, name="failed", flavor="huge")
    cloud.wait(failed, "ERROR")
    cloud.knobs(spawn_delay=60)
    slow = cloud.create(request_id, name="slow")
    halfway = site.poll_one(request_id)
    assert halfway["status"] == "running"
    assert {machine["machineId"]: machine["result"] for machine in halfway["machines"]} == {
        slow[0]: "executing",
        failed[0]: "fail",
    }
    cloud.knobs()
    cloud.wait(slow)
    done = site.poll_one(request_id)
    assert done["status"] == "complete_with_error"
    assert {machine["machineId"]: machine["result"] for machine in done["machines"]} == {
        slow[0]: "succeed",
        failed[0]: "fail",
    }


@pytest.mark.usefixtures("cloud")
def test_none_of_n_visible_yet(site: Site) -> None:
    request_id = new_id()
    site.record_acquire(request_id, ["hf-a-0", "hf-a-1", "hf-a-2"])
    answer = site.poll_one(request_id)
    assert (answer["status"], answer["machines"]) == ("running", [])


def test_a_machine_that_was_never_created_fails_at_the_deadline(cloud: Cloud, site: Site) -> None:
    request_id = new_id()
    site.record_acquire(request_id, ["hf-b-0", "hf-b-1"], age=1801)
    ids = cloud.create(request_id, name="hf-b-0")
    cloud.wait(ids)
    answer = site.poll_one(request_id)
    assert answer["status"] == "complete_with_error"
    assert [(one["machineId"], one["result"]) for one in answer["machines"]] == [
        (ids[0], "succeed"),
        ("hf-b-1", "fail"),
    ]


def test_vanished_server(cloud: Cloud, site: Site) -> None:
    request_id = new_id()
    ids = cloud.create(request_id, 2)
    records = cloud.wait(ids)
    site.record_acquire(request_id, [record["name"] for record in records], ids)
    cloud.delete(ids[:1])
    cloud.wait_gone(ids[:1])
    young = site.poll_one(request_id)
    assert young["status"] == "running"
    assert young["machines"][0]["message"] == "Nova does not show the new server yet"
    site.age(request_id, 120)
    answer = site.poll_one(request_id)
    assert answer["status"] == "complete_with_error"
    found = {machine["machineId"]: (machine["result"], machine.get("status")) for machine in answer["machines"]}
    assert found == {ids[0]: ("fail", "terminated"), ids[1]: ("succeed", "running")}


def test_a_server_that_lost_its_tag_is_not_reported_as_this_requests(cloud: Cloud, site: Site) -> None:
    request_id = new_id()
    ids = cloud.create(request_id, name="hf-c-0")
    cloud.wait(ids)
    site.record_acquire(request_id, ["hf-c-0"], ids)
    cloud.call("DELETE", f"/servers/{ids[0]}/tags/hf:{request_id}")
    (machine,) = site.poll_one(request_id)["machines"]
    assert machine["result"] == "fail"
    assert "tag" in machine["message"]
    assert machine["privateIpAddress"] == ""


def test_tag_of_another_request_as_a_prefix(cloud: Cloud, site: Site) -> None:
    short = "req-prefix"
    ids = cloud.create(short + "1", 1) + cloud.create(short, 1)
    cloud.wait(ids)
    answers = site.poll(short + "1", short)
    assert [[machine["machineId"] for machine in answer["machines"]] for answer in answers] == [[ids[0]], [ids[1]]]


@pytest.fixture(scope="session")
def crowd(one_cloud: Cloud) -> Iterator[tuple[str, list[str]]]:
    """A request with 50 servers, for every program that is to see them: a real Nova takes its time for so many."""
    request_id = new_id()
    ids = one_cloud.create_many(request_id, 50)
    yield request_id, ids
    one_cloud.delete(ids)


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("cloud")
def test_50_servers_over_several_pages(site: Site, crowd: tuple[str, list[str]]) -> None:
    request_id, ids = crowd
    answer = site.poll_one(request_id)
    assert sorted(machine["machineId"] for machine in answer["machines"]) == sorted(ids)
    pages = re.findall(r"GET /servers/detail\S*: 200", site.log())
    assert len(pages) == 3
    # without network there is no address, so none of them may be called ready
    assert answer["status"] == "running"
    assert {machine["result"] for machine in answer["machines"]} == {"executing"}


def test_a_stale_address_cache_is_mended_by_neutrons_ports(cloud: Cloud, site: Site) -> None:
    request_id = new_id()
    ids = cloud.create(request_id)
    (record,) = cloud.wait(ids)
    expected = next(one["addr"] for one in record["addresses"]["private"] if one["version"] == 4)
    cloud.hide_addresses(ids[0])
    waiting = site.poll_one(request_id)
    assert [one["result"] for one in waiting["machines"]] == ["executing"], "within a minute Nova is given its time"
    cloud.age(ids[0], 120)
    found = site.poll_one(request_id)
    assert [(one["result"], one["privateIpAddress"]) for one in found["machines"]] == [("succeed", expected)]


def test_machines_past_the_deadline_fail_with_their_state(cloud: Cloud, site: Site) -> None:
    request_id = new_id()
    ids = cloud.create(request_id)
    (record,) = cloud.wait(ids)
    site.record_acquire(request_id, [record["name"]], ids, age=1801)
    cloud.force(ids[0], "building", "spawning", 0)
    answer = site.poll_one(request_id)
    assert answer["status"] == "complete_with_error"
    (machine,) = answer["machines"]
    assert machine["result"] == "fail"
    assert "BUILD/spawning" in machine["message"]
    assert "1800 s" in machine["message"]


def test_list_and_object_input(cloud: Cloud, site: Site) -> None:
    request_id = new_id()
    cloud.wait(cloud.create(request_id))
    as_object = site.run({"requests": {"requestId": request_id}})
    as_list = site.run({"requests": [{"requestId": request_id}], "other": 1})
    with_bom = site.run(b"\xef\xbb\xbf" + b'{"requests":\r\n {"requestId": "%s"}}\r\n' % request_id.encode())
    assert as_object.returncode == as_list.returncode == with_bom.returncode == 0
    assert as_object.stdout == with_bom.stdout
    assert b'{"requests": [' + as_object.stdout.strip()[len(b'{"requests": ') : -1] + b"]}\n" == as_list.stdout


def test_several_requests_are_answered_in_order_each_on_its_own(cloud: Cloud, site: Site) -> None:
    first, last = new_id(), new_id()
    ids = cloud.create(first) + cloud.create(last)
    cloud.wait(ids)
    answers = site.poll(first, "req-unknown", "not,a/tag", last)
    assert [answer["status"] for answer in answers] == [
        "complete",
        "complete_with_error",
        "complete_with_error",
        "complete",
    ]


def test_servers_of_other_projects_are_never_seen(cloud: Cloud, site: Site) -> None:
    request_id = new_id()
    cloud.create(request_id)
    site.clouds["clouds"]["member"] = site.clouds["clouds"]["other"]
    site.write_clouds()
    assert site.poll_one(request_id)["machines"] == []


def test_an_application_credential_serves_as_well(cloud: Cloud, new_site: SiteMaker) -> None:
    request_id = new_id()
    cloud.wait(cloud.create(request_id))
    site = new_site()
    site.configure(cloud="appcred")
    assert site.poll_one(request_id)["status"] == "complete"
