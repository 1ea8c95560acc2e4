"""Every state that Nova can show, as the cloud itself renders it."""

from __future__ import annotations

import csv

import pytest

from hfstack.rules import server_record
from tests import ROOT
from tests.scenarios.clouds import Cloud, new_id
from tests.scenarios.conftest import SiteMaker
from tests.scenarios.site import Site
from tests.scenarios.steps import our_tags

FACTS = ROOT / "tests" / "unit" / "states.csv"

# name of the scenario: vm_state, task_state, power_state -> Nova's status; acquire and return: (result, status)
STATES = {
    "SHUTOFF": ("stopped", None, 4, "SHUTOFF", ("fail", "stopped"), ("executing", "stopped")),
    "SHUTOFF-starting": ("stopped", "powering-on", 4, "SHUTOFF", ("executing", "stopped"), ("executing", "stopped")),
    "PAUSED": ("paused", None, 3, "PAUSED", ("fail", "stopped"), ("executing", "stopped")),
    "SUSPENDED": ("suspended", None, 7, "SUSPENDED", ("fail", "stopped"), ("executing", "stopped")),
    "RESCUE": ("rescued", None, 1, "RESCUE", ("fail", "stopped"), ("executing", "stopped")),
    "SHELVED": ("shelved", None, 4, "SHELVED", ("fail", "stopped"), ("executing", "stopped")),
    "SHELVED_OFFLOADED": (
        "shelved_offloaded",
        None,
        0,
        "SHELVED_OFFLOADED",
        ("fail", "stopped"),
        ("executing", "stopped"),
    ),
    "REBOOT": ("active", "rebooting", 1, "REBOOT", ("executing", "running"), ("executing", "running")),
    "HARD_REBOOT": ("active", "rebooting_hard", 1, "HARD_REBOOT", ("executing", "running"), ("executing", "running")),
    "RESIZE": ("active", "resize_migrating", 1, "RESIZE", ("executing", "running"), ("executing", "running")),
    "VERIFY_RESIZE": ("resized", None, 1, "VERIFY_RESIZE", ("succeed", "running"), ("executing", "running")),
    "REVERT_RESIZE": (
        "resized",
        "resize_reverting",
        1,
        "REVERT_RESIZE",
        ("executing", "running"),
        ("executing", "running"),
    ),
    "REBUILD": ("active", "rebuilding", 1, "REBUILD", ("executing", "running"), ("executing", "running")),
    "MIGRATING": ("active", "migrating", 1, "MIGRATING", ("succeed", "running"), ("executing", "running")),
    "PASSWORD": ("active", "updating_password", 1, "PASSWORD", ("succeed", "running"), ("executing", "running")),
    "ERROR": ("error", None, 0, "ERROR", ("fail", "stopped"), ("executing", "stopped")),
    "ACTIVE-powering-off": (
        "active",
        "powering-off",
        1,
        "ACTIVE",
        ("executing", "stopping"),
        ("executing", "stopping"),
    ),
    "ACTIVE-crashed": ("active", None, 6, "ACTIVE", ("executing", "stopped"), ("executing", "stopped")),
    "being-deleted": ("active", "deleting", 1, "ACTIVE", ("fail", "shutting-down"), ("executing", "shutting-down")),
    "soft-deleted": ("soft-delete", None, 4, "SOFT_DELETED", ("fail", "terminated"), ("succeed", "terminated")),
}


def test_states_that_only_last_a_moment_or_that_a_person_made(cloud: Cloud, site: Site) -> None:
    acquires = {name: new_id() for name in STATES}
    returns = {name: new_id("ret") for name in STATES}
    servers = {
        name: cloud.create(acquires[name], name=name.lower(), tags=our_tags(acquires[name]))[0] for name in STATES
    }
    cloud.wait(list(servers.values()))
    for name, (vm_state, task_state, power_state, status, _, _) in STATES.items():
        cloud.force(servers[name], vm_state, task_state, power_state)
        record = cloud.show(servers[name])
        assert record
        assert record["status"] == status
        site.record_acquire(acquires[name], [record["name"]], [record["id"]])
        site.record_return(returns[name], [record])
    # another instance deletes none of them
    answers = site.poll(*acquires.values(), HF_PROVIDER_NAME="another") + site.poll(*returns.values())
    found = [(one["machines"][0]["result"], one["machines"][0].get("status")) for one in answers]
    wanted = [state[4] for state in STATES.values()] + [state[5] for state in STATES.values()]
    assert dict(zip([*acquires, *("return " + name for name in returns)], found, strict=True)) == dict(
        zip([*acquires, *("return " + name for name in returns)], wanted, strict=True)
    )


@pytest.mark.timeout(600)
def test_nova_renders_every_state_as_the_table_expects(cloud: Cloud) -> None:
    """All vm_states x task_states through the cloud's own API, against the facts that the table was made from."""
    (server_id,) = cloud.create(new_id())
    cloud.wait([server_id])
    wrong = []
    with FACTS.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["vm_state"] != "deleted"]
    for row in rows:
        task = None if row["task_state"] == "None" else row["task_state"]
        cloud.force(server_id, row["vm_state"], task)
        record = cloud.show(server_id)
        assert record
        found = server_record.row(record)
        got = (record["status"], *found.acquire, *found.returned)
        want = (
            row["status"],
            row["req_result"].rstrip("+"),
            row["req_machine_status"],
            row["ret_result"].rstrip("*"),
            row["ret_machine_status"],
        )
        if got != want:
            wrong.append((row["vm_state"], task, got, want))
    assert len(rows) == 473
    assert wrong == []


@pytest.mark.parametrize(
    ("action", "argument", "status", "result"),
    [
        pytest.param("os-stop", None, "SHUTOFF", "fail", id="SHUTOFF"),
        pytest.param("pause", None, "PAUSED", "fail", id="PAUSED"),
        pytest.param("suspend", None, "SUSPENDED", "fail", id="SUSPENDED"),
        pytest.param("rescue", None, "RESCUE", "fail", id="RESCUE"),
        pytest.param("shelve", None, "SHELVED_OFFLOADED", "fail", id="SHELVED"),
    ],
)
def test_states_that_an_operator_brings_about(
    cloud: Cloud, site: Site, action: str, argument: object, status: str, result: str
) -> None:
    request_id = new_id()
    ids = cloud.create(request_id)
    cloud.wait(ids)
    cloud.act(ids[0], action, argument)
    cloud.wait(ids, status)
    answer = site.poll_one(request_id)
    assert answer["status"] == "complete_with_error"
    assert [(one["result"], one["status"]) for one in answer["machines"]] == [(result, "stopped")]


def test_a_server_that_is_being_deleted(cloud: Cloud, site: Site) -> None:
    cloud.knobs(destroy_delay=60)
    request_id = new_id()
    ids = cloud.create(request_id)
    cloud.wait(ids)
    cloud.delete(ids)
    (machine_,) = site.poll_one(request_id)["machines"]
    assert (machine_["result"], machine_["status"]) == ("fail", "shutting-down")


@pytest.mark.disruptive
def test_a_cell_that_is_down_proves_nothing(cloud: Cloud, site: Site, new_site: SiteMaker) -> None:
    request_id, return_id = new_id(), new_id("ret")
    ids = cloud.create(request_id)
    (record,) = cloud.wait(ids)
    site.record_acquire(request_id, [record["name"]], ids)
    site.record_return(return_id, [record])
    with cloud.cell_down(ids[0]):
        known_by_tag = new_site().poll_one(request_id)
        assert (known_by_tag["status"], known_by_tag["machines"]) == ("running", [])
        assert "a cell of the cloud is down" in known_by_tag["message"]
        answers = site.poll(request_id, return_id)
        assert [answer["status"] for answer in answers] == ["running", "running"]
        assert [answer["machines"][0]["result"] for answer in answers] == ["executing", "executing"]
    assert site.poll_one(request_id)["status"] == "complete"
