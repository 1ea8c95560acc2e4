"""What getRequestStatus records and deletes after its answer, and that the answer does not depend on it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.http.conftest import NOW, Answer, Ask, Cloud, Site, answer
from tests.unit.records import CREATED_AT, REQUEST, RETURN, TAG, building, deleted, down_cell, failed, server, server_id

OURS = ["hostfactory", "hfp:bank", TAG]
ERROR = "the server is in ERROR: No valid host was found."
ONE, TWO = "hf-33e9ed03-1", "hf-33e9ed03-2"
ENDED = {"ended": NOW, "status": "complete", "machineIds": [server_id(1), server_id(2)]}


def record_plan(site: Site, timeout: int = 1800, **facts: object) -> None:
    """Record a request for two machines."""
    created = [{"name": ONE, "machineId": server_id(1)}, {"name": TWO, "machineId": server_id(2)}]
    asked = {"asked": CREATED_AT, "names": [ONE, TWO], "requestTimeout": timeout}
    site.record(REQUEST, asked=asked, created={"machines": created}, **facts)


def record_return(site: Site, timeout: int = 1800, **facts: object) -> None:
    """Record a return of two machines."""
    machines = [
        {"machineId": server_id(1), "name": ONE, "privateIpAddress": "10.0.0.7", "launchtime": 7},
        {"machineId": server_id(2), "name": TWO, "privateIpAddress": "10.0.0.8", "launchtime": 8},
    ]
    site.record(RETURN, asked={"asked": CREATED_AT, "returnTimeout": timeout, "machines": machines}, **facts)


def results(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["result"], one["message"]) for one in found["machines"]]


def new_facts(site: Site, request_id: str) -> dict[str, Any]:
    """Return what the polls recorded."""
    return {name: fact for name, fact in site.facts(request_id).items() if name not in {"asked.json", "created.json"}}


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no room on the disk of the facts."""

    def fsync(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)


# Requests for machines


def test_a_machine_that_failed_is_recorded_deleted_and_stays_failed(ask: Ask, site: Site, cloud: Cloud) -> None:
    record_plan(site)
    cloud.servers = [failed(1, tags=OURS), building(2, tags=OURS)]
    first = ask(REQUEST)
    assert (first["status"], results(first)) == ("running", [("fail", ERROR), ("executing", "")])
    assert cloud.deletes() == [server_id(1)]
    assert new_facts(site, REQUEST) == {
        f"failed-{ONE}.json": {
            "name": ONE,
            "machineId": server_id(1),
            "privateIpAddress": "",
            "launchtime": CREATED_AT,
            "message": ERROR,
        },
        "polled.json": {"polled": NOW},
    }
    cloud.servers = [server(2, tags=OURS)]
    last = ask(REQUEST)
    assert (last["status"], results(last)) == ("complete_with_error", [("fail", ERROR), ("succeed", "")])
    assert new_facts(site, REQUEST)["ended.json"] == {
        "ended": NOW,
        "status": "complete_with_error",
        "machineIds": [server_id(1), server_id(2)],
        "failed": [ONE],
    }
    assert ask(REQUEST) == last
    assert cloud.deletes() == [server_id(1)]
    assert f"/v2.1/servers/{server_id(1)}" not in cloud.paths()[2:], "it is on record, and not asked for"


def test_a_server_is_deleted_at_each_poll_while_it_shows(ask: Ask, site: Site, cloud: Cloud) -> None:
    record_plan(site)
    cloud.servers = [failed(1, tags=OURS), building(2, tags=OURS)]
    for _ in range(3):
        ask(REQUEST)
    assert cloud.deletes() == [server_id(1)] * 3
    cloud.servers = [failed(1, tags=OURS, task="deleting"), building(2, tags=OURS)]
    assert results(ask(REQUEST))[0] == ("fail", ERROR)
    assert len(cloud.deletes()) == 3


def test_machines_that_overran_the_deadline_are_deleted(ask: Ask, site: Site, cloud: Cloud) -> None:
    record_plan(site, timeout=60)
    cloud.servers = [building(1, tags=OURS), server(2, tags=OURS)]
    found = ask(REQUEST)
    assert (found["status"], cloud.deletes()) == ("complete_with_error", [server_id(1)])
    cloud.servers = [server(1, tags=OURS), server(2, tags=OURS)]
    late = "not ready after 60 s: BUILD/spawning"
    assert results(ask(REQUEST)) == [("fail", late), ("succeed", "")]


def test_a_server_that_only_its_own_id_shows_is_deleted_too(ask: Ask, site: Site, cloud: Cloud) -> None:
    record_plan(site)
    empty = answer(200, {"servers": []}, OpenStack_API_Version="compute 2.79")
    cloud.servers, cloud.faults = [failed(1, tags=OURS), building(2, tags=OURS)], [empty]
    ask(REQUEST)
    assert cloud.deletes() == [server_id(1)]


def test_after_the_end_nothing_is_deleted(ask: Ask, site: Site, cloud: Cloud) -> None:
    record_plan(site)
    cloud.servers = [server(1, tags=OURS), server(2, tags=OURS)]
    assert ask(REQUEST)["status"] == "complete"
    assert new_facts(site, REQUEST)["ended.json"] == {**ENDED, "failed": []}
    cloud.servers = [server(1, tags=OURS, status="SHUTOFF"), failed(2, tags=OURS)]
    assert ask(REQUEST)["status"] == "complete_with_error"
    assert cloud.deletes() == []
    assert new_facts(site, REQUEST)["ended.json"]["status"] == "complete"


def test_of_a_request_that_is_not_on_record_nothing_is_recorded_or_deleted(ask: Ask, site: Site, cloud: Cloud) -> None:
    cloud.servers = [failed(1, tags=OURS)]
    assert ask(REQUEST)["status"] == "complete_with_error"
    assert ask("req-nobody")["status"] == "complete_with_error"
    assert ask(RETURN)["status"] == "complete_with_error"
    assert (cloud.deletes(), [path.name for path in site.work.rglob("*")]) == ([], ["requests", ".hfstack"])


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param(answer(404, {"itemNotFound": {"message": "Instance could not be found."}}), "", id="gone"),
        pytest.param(answer(409, {"conflictingRequest": {"message": "Locked."}}), "", id="conflict"),
        pytest.param(
            answer(500, {"computeFault": {"message": "Unexpected API Error."}}),
            "a server could not be deleted: Nova failed: 500 Unexpected API Error. (req-of-the-service)",
            id="500",
        ),
        pytest.param(
            answer(403, {"forbidden": {"message": "Policy doesn't allow it."}}),
            "a server could not be deleted: Nova does not allow this account to do this: 403 Policy doesn't allow it. "
            "(req-of-the-service)",
            id="403",
        ),
    ],
)
def test_what_nova_says_to_a_delete_changes_no_more_than_the_message(
    ask: Ask, site: Site, cloud: Cloud, fault: Answer, words: str
) -> None:
    record_plan(site)
    cloud.servers, cloud.delete_faults = [failed(1, tags=OURS), building(2, tags=OURS)], [fault]
    found = ask(REQUEST)
    assert (found["status"], results(found)) == ("running", [("fail", ERROR), ("executing", "")])
    assert found["message"] == words
    cloud.servers = [failed(1, tags=OURS), server(2, tags=OURS)]
    assert results(ask(REQUEST)) == [("fail", ERROR), ("succeed", "")]
    assert cloud.deletes() == [server_id(1)] * 2


def test_trouble_with_a_delete_is_said_beside_the_reason(ask: Ask, site: Site, cloud: Cloud) -> None:
    record_plan(site)
    cloud.servers = [failed(1, tags=OURS), server(2, tags=OURS)]
    cloud.delete_faults = [requests.ConnectionError("Connection aborted.")] * 3
    found = ask(REQUEST)
    assert found["status"] == "complete_with_error"
    assert found["message"].startswith(f"1 of 2 machines failed; {ONE}: {ERROR}; a server could not be deleted: ")


@pytest.mark.premise("The work directory has room, and can be written.")
@pytest.mark.usefixtures("full")
def test_what_cannot_be_recorded_is_not_deleted_and_keeps_the_request_running(
    ask: Ask, site: Site, cloud: Cloud
) -> None:
    record_plan(site)
    cloud.servers = [failed(1, tags=OURS), server(2, tags=OURS)]
    found = ask(REQUEST)
    assert (found["status"], results(found)) == ("running", [("fail", ERROR), ("succeed", "")])
    assert found["message"] == "this cannot be recorded in the work directory: see the log"
    assert (cloud.deletes(), new_facts(site, REQUEST)) == ([], {})
    for name in ("polled", f"failed-{ONE}", "ended"):
        fact = site.work / "requests" / REQUEST / f"{name}.json"
        assert f"WARNING {REQUEST} cannot record {fact}: No space left on device" in site.logged()


def test_an_outage_is_a_poll_but_no_end(ask: Ask, site: Site, cloud: Cloud) -> None:
    record_plan(site, timeout=1, **{f"failed-{ONE}": {"machineId": server_id(1), "launchtime": 7, "message": "late"}})
    cloud.faults = [answer(500, {})]
    found = ask(REQUEST)
    assert (found["status"], results(found)) == ("running", [("fail", "late"), ("executing", "")])
    assert set(new_facts(site, REQUEST)) == {"polled.json", f"failed-{ONE}.json"}


def test_the_first_poll_is_recorded_and_no_other(ask: Ask, site: Site, cloud: Cloud) -> None:
    record_plan(site, polled={"polled": 7})
    cloud.servers = [building(1, tags=OURS)]
    ask(REQUEST)
    assert site.facts(REQUEST)["polled.json"] == {"polled": 7}


def test_the_log_says_what_was_deleted_and_why(ask: Ask, site: Site, cloud: Cloud) -> None:
    record_plan(site)
    cloud.servers = [failed(1, tags=OURS), server(2, tags=OURS)]
    ask(REQUEST)
    assert f"INFO {REQUEST} asked Nova to delete {server_id(1)} (accepted): {ERROR}\n" in site.logged()


# Returns


def test_a_server_that_lives_on_is_deleted_again(ask: Ask, site: Site, cloud: Cloud) -> None:
    record_return(site)
    cloud.servers = [failed(1, tags=OURS), server(2, tags=OURS, task="deleting")]
    assert ask(RETURN)["status"] == "running"
    assert ask(RETURN)["status"] == "running"
    assert cloud.deletes() == [server_id(1)] * 2
    assert new_facts(site, RETURN) == {}


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(server(1, tags=OURS, locked=True), id="locked"),
        pytest.param(failed(1, tags=["hostfactory", "hfp:bank2", TAG]), id="another-provider"),
        pytest.param(failed(1, tags=["somebody-else"]), id="foreign"),
        pytest.param({**down_cell(1), "name": ONE}, id="down-cell"),
    ],
)
def test_a_return_leaves_what_is_not_ours_or_held_by_somebody(
    ask: Ask, site: Site, cloud: Cloud, one: dict[str, Any]
) -> None:
    record_return(site)
    cloud.servers = [one, failed(2, tags=OURS)]
    ask(RETURN)
    assert cloud.deletes() == [server_id(2)]


def test_what_is_proven_gone_is_recorded_and_not_asked_for_again(ask: Ask, site: Site, cloud: Cloud) -> None:
    record_return(site)
    cloud.servers = [deleted(1), server(2, tags=OURS, task="deleting")]
    ask(RETURN)
    assert new_facts(site, RETURN) == {
        f"gone-{server_id(1)}.json": {"machineId": server_id(1), "gone": NOW, "how": "Nova shows it as DELETED"}
    }
    cloud.servers, cloud.asked = [], []
    found = ask(RETURN)
    assert (found["status"], [one["result"] for one in found["machines"]]) == ("complete", ["succeed", "succeed"])
    assert cloud.paths() == [f"/v2.1/servers/{server_id(2)}"]
    assert new_facts(site, RETURN)["ended.json"] == ENDED
    assert new_facts(site, RETURN)[f"gone-{server_id(2)}.json"]["how"] == "Nova answers 404 itemNotFound"
    cloud.asked = []
    assert ask(RETURN) == found
    assert cloud.paths() == []


def test_a_return_of_which_all_is_proven_needs_no_cloud(ask: Ask, site: Site, cloud: Cloud) -> None:
    proofs: dict[str, Any] = {f"gone-{server_id(number)}": {} for number in (1, 2)}
    record_return(site, **proofs)
    assert ask(RETURN)["status"] == "complete"
    assert cloud.logins == []
    assert new_facts(site, RETURN)["ended.json"] == ENDED


@pytest.mark.parametrize(
    "record", [record_return, lambda site, _: record_return(site, ended={})], ids=["late", "ended"]
)
def test_after_the_deadline_or_the_end_a_return_deletes_nothing(
    ask: Ask, site: Site, cloud: Cloud, record: Callable[[Site, int], None]
) -> None:
    record(site, 60)
    cloud.servers = [failed(1, tags=OURS), failed(2, tags=OURS)]
    ask(RETURN)
    assert cloud.deletes() == []


def test_trouble_with_a_returns_delete_keeps_it_running(ask: Ask, site: Site, cloud: Cloud) -> None:
    record_return(site)
    cloud.servers = [failed(1, tags=OURS), failed(2, tags=OURS)]
    cloud.delete_faults = [answer(500, {"computeFault": {"message": "no database"}})] * 2
    found = ask(RETURN)
    assert (found["status"], {one["result"] for one in found["machines"]}) == ("running", {"executing"})
    assert found["message"].startswith("a server could not be deleted: Nova failed: 500 no database")


@pytest.mark.usefixtures("full")
def test_proof_that_cannot_be_recorded_is_proof_all_the_same(ask: Ask, site: Site, cloud: Cloud) -> None:
    record_return(site)
    cloud.servers = [deleted(1), deleted(2)]
    assert ask(RETURN)["status"] == "complete"
    assert new_facts(site, RETURN) == {}
    assert "gone-" in site.logged()
