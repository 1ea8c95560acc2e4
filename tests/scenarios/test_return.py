"""Returned machines: deleted only on proof."""

from __future__ import annotations

import pytest

from tests.provider import mark_as_used
from tests.scenarios.clouds import Cloud, new_id
from tests.scenarios.site import Site
from tests.scenarios.steps import our_tags


@pytest.mark.parametrize(
    "count", [pytest.param(1, id="one, asked by id"), pytest.param(3, id="several, asked at once")]
)
def test_from_deleting_to_gone(cloud: Cloud, site: Site, count: int) -> None:
    cloud.knobs(destroy_delay=60)
    request_id = new_id("ret")
    ids = cloud.create(new_id(), count, tags=our_tags(new_id()))
    records = cloud.wait(ids)
    site.record_return(request_id, records)
    up = site.poll_one(request_id)
    assert (up["status"], {one["result"] for one in up["machines"]}) == ("running", {"executing"})
    cloud.delete(ids)
    deleting = site.poll_one(request_id)
    assert {(one["result"], one["status"]) for one in deleting["machines"]} == {("executing", "shutting-down")}
    cloud.knobs()
    cloud.wait_gone(ids)
    gone = site.poll_one(request_id)
    assert (gone["status"], gone["message"]) == ("complete", "")
    assert [(one["machineId"], one["result"], one["status"]) for one in gone["machines"]] == [
        (server_id, "succeed", "terminated") for server_id in ids
    ]
    assert {(one["privateIpAddress"], one["launchtime"]) for one in gone["machines"]} == {("10.9.9.9", 1700000000)}
    asked_by_id = [line for line in site.log().splitlines() if ": 404," in line]
    assert len(asked_by_id) == (1 if count == 1 else 0), "a list shows all of several deleted servers at once"


@pytest.mark.usefixtures("cloud")
def test_a_return_that_nobody_recorded(site: Site) -> None:
    return_id = new_id("ret")
    answer = site.poll_one(return_id)
    assert (answer["status"], answer["machines"]) == ("running", []), "the file system may not be mounted"
    mark_as_used(site.workdir)
    answer = site.poll_one(return_id)
    assert (answer["status"], answer["machines"]) == ("complete_with_error", [])


def test_locked_and_foreign_servers_fail_and_live_on(cloud: Cloud, site: Site) -> None:
    request_id = new_id("ret")
    (locked,) = cloud.create(new_id(), tags=our_tags(new_id()))
    (foreign,) = cloud.create(new_id(), tags=["somebody-else"])
    records = cloud.wait([locked, foreign])
    site.record_return(request_id, records)
    cloud.act(locked, "lock")
    answer = site.poll_one(request_id)
    cloud.act(locked, "unlock")
    assert answer["status"] == "complete_with_error"
    assert [(one["machineId"], one["result"]) for one in answer["machines"]] == [(locked, "fail"), (foreign, "fail")]
    assert "locked" in answer["machines"][0]["message"]
    assert "does not carry the tags hostfactory and hfp:osinst" in answer["machines"][1]["message"]
    assert cloud.show(locked)
    assert cloud.show(foreign)


def test_a_delete_that_ends_in_error_is_a_failure_only_at_the_deadline(cloud: Cloud, site: Site) -> None:
    cloud.knobs(destroy_fail="stubborn")
    young, old = new_id("ret"), new_id("ret")
    ids = cloud.create(new_id(), name="stubborn", tags=our_tags(new_id()))
    records = cloud.wait(ids)
    site.record_return(young, records)
    site.record_return(old, records, age=1801)
    cloud.delete(ids)
    cloud.wait(ids, "ERROR")
    trying, failed = site.poll(young, old)
    assert [one["result"] for one in trying["machines"]] == ["executing"]
    assert [one["result"] for one in failed["machines"]] == ["fail"]
    assert "not deleted after 1800 s" in failed["machines"][0]["message"]
