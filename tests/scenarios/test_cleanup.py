"""What getRequestStatus deletes, and what it leaves alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.scenarios.clouds import Cloud, new_id, until
from tests.scenarios.site import Site
from tests.scenarios.steps import our_tags, requested


def fact(site: Site, request_id: str, name: str) -> dict[str, Any]:
    """Return a fact that was recorded."""
    path = site.workdir / "requests" / request_id / name
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_a_failed_machine_is_deleted_and_its_reason_stays(cloud: Cloud, site: Site) -> None:
    request_id, ids = requested(cloud, site, flavor="huge")
    cloud.wait(ids, "ERROR")
    first = site.poll_one(request_id)
    assert first["status"] == "complete_with_error"
    assert "No valid host was found" in first["machines"][0]["message"]
    cloud.wait_gone(ids)
    second = site.poll_one(request_id)
    assert second["status"] == "complete_with_error"
    for key in ("machineId", "name", "result", "message", "launchtime"):
        assert second["machines"][0][key] == first["machines"][0][key]
    assert fact(site, request_id, "ended.json")["status"] == "complete_with_error"
    assert fact(site, request_id, "polled.json")["polled"] <= fact(site, request_id, "ended.json")["ended"]


def test_a_failed_machine_is_deleted_while_others_are_waited_for(cloud: Cloud, site: Site) -> None:
    request_id = new_id()
    failed = cloud.create(request_id, name="failed", flavor="huge", tags=our_tags(request_id))
    cloud.wait(failed, "ERROR")
    cloud.knobs(spawn_delay=60)
    slow = cloud.create(request_id, name="slow", tags=our_tags(request_id))
    site.record_acquire(request_id, ["slow", "failed"])
    halfway = site.poll_one(request_id)
    assert (halfway["status"], [one["result"] for one in halfway["machines"]]) == ("running", ["executing", "fail"])
    cloud.wait_gone(failed)
    cloud.knobs()
    cloud.wait(slow)
    done = site.poll_one(request_id)
    assert (done["status"], [one["result"] for one in done["machines"]]) == ("complete_with_error", ["succeed", "fail"])
    assert done["machines"][1]["message"] == halfway["machines"][1]["message"]
    assert cloud.show(slow[0])


def test_a_machine_that_is_not_ready_in_time_is_deleted(cloud: Cloud, site: Site) -> None:
    cloud.knobs(spawn_delay=60)
    request_id, ids = requested(cloud, site, age=1801)
    # a server that no host has taken yet leaves no deleted row behind
    until(lambda: (cloud.show(ids[0]) or {})["OS-EXT-STS:task_state"] == "spawning", "the host")
    answer = site.poll_one(request_id)
    assert answer["status"] == "complete_with_error"
    assert answer["machines"][0]["message"].startswith("not ready after 1800 s: BUILD")
    cloud.knobs()
    cloud.wait_gone(ids)
    assert site.poll_one(request_id)["machines"][0]["message"] == answer["machines"][0]["message"]


def test_what_is_shut_off_goes_and_what_somebody_paused_stays(cloud: Cloud, site: Site) -> None:
    request_id, (off, paused) = requested(cloud, site, 2)
    cloud.wait([off, paused])
    cloud.act(off, "os-stop")
    cloud.act(paused, "pause")
    cloud.wait([off], "SHUTOFF")
    cloud.wait([paused], "PAUSED")
    answer = site.poll_one(request_id)
    assert [one["result"] for one in answer["machines"]] == ["fail", "fail"]
    cloud.wait_gone([off])
    site.poll_one(request_id)
    assert cloud.has_status(paused, "PAUSED")


def test_after_the_end_of_a_request_its_machines_are_hostfactorys(cloud: Cloud, site: Site) -> None:
    request_id, ids = requested(cloud, site)
    cloud.wait(ids)
    assert site.poll_one(request_id)["status"] == "complete"
    cloud.act(ids[0], "os-stop")
    cloud.wait(ids, "SHUTOFF")
    for _ in range(2):
        assert site.poll_one(request_id)["machines"][0]["result"] == "fail"
    assert cloud.has_status(ids[0], "SHUTOFF")


@pytest.mark.parametrize(
    ("tags", "recorded"),
    [
        pytest.param(["hostfactory"], True, id="without the provider's tag"),
        pytest.param(["hostfactory", "hfp:another"], True, id="of another provider"),
        pytest.param(["hostfactory", "hfp:osinst"], False, id="known only by its tag"),
    ],
)
def test_servers_of_others_and_of_other_requests_live_on(
    cloud: Cloud, site: Site, tags: list[str], recorded: bool
) -> None:
    request_id = new_id()
    ids = cloud.create(request_id, flavor="huge", tags=[*tags, f"hf:{request_id}"])
    (record,) = cloud.wait(ids, "ERROR")
    if recorded:
        site.record_acquire(request_id, [record["name"]], ids)
    for _ in range(2):
        assert site.poll_one(request_id)["status"] == "complete_with_error"
    assert cloud.has_status(ids[0], "ERROR")


@pytest.mark.disruptive
def test_a_delete_that_ended_in_error_is_repeated_until_it_works(cloud: Cloud, site: Site) -> None:
    cloud.knobs(destroy_fail="stubborn")
    return_id, acquire_id = new_id("ret"), new_id()
    ids = cloud.create(acquire_id, name="stubborn", tags=our_tags(acquire_id))
    records = cloud.wait(ids)
    site.record_return(return_id, records)
    cloud.delete(ids)
    cloud.wait(ids, "ERROR")
    assert site.poll_one(return_id)["status"] == "running"
    cloud.wait(ids, "ERROR")
    cloud.knobs()
    assert site.poll_one(return_id)["status"] == "running"
    cloud.wait_gone(ids)
    done = site.poll_one(return_id)
    assert (done["status"], done["machines"][0]["result"]) == ("complete", "succeed")
    assert fact(site, return_id, f"gone-{ids[0]}.json")["machineId"] == ids[0]
    assert fact(site, return_id, "ended.json")["status"] == "complete"
    with cloud.down("nova"):
        assert site.poll_one(return_id) == done, "what is proven needs no cloud"


def test_a_return_leaves_foreign_and_locked_servers_alone(cloud: Cloud, site: Site) -> None:
    return_id, request_id = new_id("ret"), new_id()
    foreign = cloud.create(request_id, tags=["hostfactory", "hfp:another", f"hf:{request_id}"])
    locked = cloud.create(request_id, tags=our_tags(request_id))
    site.record_return(return_id, cloud.wait([*foreign, *locked]))
    cloud.act(locked[0], "lock")
    for _ in range(2):
        site.poll_one(return_id)
    assert cloud.has_status(foreign[0], "ACTIVE")
    assert cloud.has_status(locked[0], "ACTIVE")
    cloud.act(locked[0], "unlock")
