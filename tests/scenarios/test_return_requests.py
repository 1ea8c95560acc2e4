"""Machines that the cloud took away, or that an operator marked, and what is cleaned up as well."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.clouds import Cloud, new_id
from tests.scenarios.site import Site
from tests.scenarios.steps import our_tags, requested


def held(cloud: Cloud, site: Site, count: int = 1, **more: Any) -> tuple[str, list[dict[str, Any]]]:
    """Make servers of a request that HostFactory has seen through; returns its id and Nova's records."""
    request_id, ids = requested(cloud, site, count, **more)
    records = cloud.wait(ids)
    assert site.poll_one(request_id)["status"] == "complete"
    return request_id, records


def asked_back(site: Site, document: object = None) -> list[dict[str, Any]]:
    """Return the machines that HostFactory should return."""
    answer = site.ask("getReturnRequests", {} if document is None else document)
    assert set(answer) == {"status", "message", "requests"}
    assert answer["status"] == "complete"
    requests: list[dict[str, Any]] = answer["requests"]
    return requests


def of(record: dict[str, Any], grace: int = 0) -> dict[str, Any]:
    """Return how a machine is reported."""
    return {"machine": record["name"], "machineId": record["id"], "gracePeriod": grace}


def test_machines_that_were_deleted_or_shut_off(cloud: Cloud, site: Site) -> None:
    _, (deleted, off, alive) = held(cloud, site, 3)
    assert asked_back(site) == []
    cloud.delete([deleted["id"]])
    cloud.act(off["id"], "os-stop")
    cloud.wait_gone([deleted["id"]])
    cloud.wait([off["id"]], "SHUTOFF")
    assert asked_back(site) == [of(deleted), of(off)]
    by_name = [{"name": one["name"]} for one in (deleted, off, alive)]
    assert asked_back(site, {"machines": by_name}) == [of(deleted), of(off)]
    assert asked_back(site, {"machines": {"name": alive["name"], "machineId": alive["id"]}}) == []
    site.configure(cloud="member", reclaimedStates=["ERROR"])
    assert asked_back(site) == [of(deleted)]
    assert cloud.has_status(off["id"], "SHUTOFF"), "reporting deletes nothing"


def test_machines_that_an_operator_marked(cloud: Cloud, site: Site) -> None:
    _, (now, soon, _) = held(cloud, site, 3)
    cloud.call("PUT", f"/servers/{now['id']}/tags/hf-drain")
    cloud.call("PUT", f"/servers/{soon['id']}/tags/hf-drain:120")
    assert asked_back(site) == [of(now), of(soon, 120)]


def test_a_machine_with_a_requested_return_is_not_reported(cloud: Cloud, site: Site) -> None:
    _, (record,) = held(cloud, site)
    cloud.act(record["id"], "os-stop")
    cloud.wait([record["id"]], "SHUTOFF")
    assert asked_back(site) == [of(record)]
    machines = [{"name": record["name"], "machineId": record["id"]}]
    site.ask("requestReturnMachines", {"machines": machines})
    assert asked_back(site) == []
    assert asked_back(site, {"machines": machines}) == []


@pytest.mark.disruptive
@pytest.mark.parametrize("service", ["nova", "keystone"])
def test_while_the_cloud_is_down_nothing_is_reported(cloud: Cloud, site: Site, service: str) -> None:
    _, (record,) = held(cloud, site)
    cloud.delete([record["id"]])
    cloud.wait_gone([record["id"]])
    site.forget_login()
    with cloud.down(service):
        answer = site.ask("getReturnRequests", {}, code=1)
    assert answer["requests"] == []
    assert answer["message"]
    assert asked_back(site) == [of(record)]


@pytest.mark.disruptive
def test_a_down_cell_takes_nothing_away(cloud: Cloud, site: Site) -> None:
    _, (record,) = held(cloud, site)
    with cloud.cell_down(record["id"]):
        assert asked_back(site) == []


@pytest.mark.premise("HostFactory reads every answer.")
def test_requests_that_hostfactory_never_learned_of_are_reaped(cloud: Cloud, site: Site) -> None:
    unpolled, unpolled_ids = requested(cloud, site, age=3601)
    _, young_ids = requested(cloud, site, age=3500)
    unfinished = new_id()
    unfinished_ids = cloud.create(unfinished, tags=our_tags(unfinished))
    (record,) = cloud.wait(unfinished_ids)
    cloud.wait([*unpolled_ids, *young_ids])
    site.record_acquire(unfinished, [record["name"]], age=601)
    assert asked_back(site) == []
    cloud.wait_gone([*unpolled_ids, *unfinished_ids])
    assert cloud.has_status(young_ids[0], "ACTIVE")
    assert asked_back(site) == []
    late = site.poll_one(unpolled)
    assert (late["status"], late["machines"][0]["result"]) == ("complete_with_error", "fail")
    assert late["machines"][0]["message"] == "HostFactory has not polled its request within 3600 s"


def test_servers_that_are_not_ours_are_never_touched(cloud: Cloud, site: Site) -> None:
    unrecorded, tagged, foreign = new_id(), new_id(), new_id()
    ids = [
        *cloud.create(unrecorded, tags=our_tags(unrecorded)),
        *cloud.create(tagged, tags=[f"hf:{tagged}"]),
        *cloud.create(foreign, tags=our_tags(foreign, "another")),
    ]
    records = cloud.wait(ids)
    for request_id, record in zip((tagged, foreign), records[1:], strict=True):
        site.record_acquire(request_id, [record["name"]], age=9999)
    for server_id in ids:
        cloud.act(server_id, "os-stop")
    cloud.wait(ids, "SHUTOFF")
    machines = [{"name": record["name"], "machineId": record["id"]} for record in records[1:]]
    assert asked_back(site, {"machines": machines}) == []
    assert all(cloud.has_status(server_id, "SHUTOFF") for server_id in ids)
