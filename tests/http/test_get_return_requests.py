"""getReturnRequests against prepared answers: what is asked of Nova, what trouble does, and what is cleaned up."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from hfstack.rules.leftovers import DAY
from hfstack.store import request_list
from tests.http.conftest import NOW, Call, Cloud, Site, answer
from tests.unit.records import CREATED_AT, REQUEST, RETURN, TAG, server, server_id

OURS = ["hostfactory", "hfp:bank", TAG]
ONE, TWO = "hf-33e9ed03-1", "hf-33e9ed03-2"
NOTHING = {"status": "complete", "message": "0 of 2 machines to return", "requests": []}

NEW, SMALL = "req-4ae9dd8c-6c1c-4d11-9f5c-1f6b4e3f6a01", "req-4ae9dd8c-6c1c-4d11-9f5c-1f6b4e3f6a02"

Reclaim = Callable[..., dict[str, Any]]


@pytest.fixture
def reclaim(site: Site, call: Call) -> Reclaim:
    """Call getReturnRequests with a document, expecting an exit code."""
    return lambda document=None, code=0: call("getReturnRequests", {} if document is None else document, site.env, code)


def record_request(site: Site, age: float = 60, **more: Any) -> None:
    """Record a request for two machines."""
    created = [{"name": ONE, "machineId": server_id(1)}, {"name": TWO, "machineId": server_id(2)}]
    asked = {"asked": NOW - age, "names": [ONE, TWO], "requestTimeout": 1800}
    site.record(REQUEST, **{"asked": asked, "created": {"machines": created}, **more})


def record_return(site: Site, *numbers: int, **more: Any) -> None:
    machines = [{"machineId": server_id(number), "name": ONE} for number in numbers]
    site.record(RETURN, asked={"asked": CREATED_AT, "returnTimeout": 1800, "machines": machines}, **more)


def test_one_list_and_the_missing_by_id(reclaim: Reclaim, site: Site, cloud: Cloud) -> None:
    record_request(site, polled={})
    cloud.servers = [server(1, tags=OURS)]
    assert reclaim() == {
        "status": "complete",
        "message": "1 of 2 machines to return",
        "requests": [{"machine": TWO, "machineId": server_id(2), "gracePeriod": 0}],
    }
    assert cloud.paths() == ["/v2.1/servers/detail", f"/v2.1/servers/{server_id(2)}"]


@pytest.mark.parametrize(
    ("machines", "found"),
    [
        pytest.param([{"name": ONE}, {"name": TWO}], [server_id(2)], id="names"),
        pytest.param({"name": "w2", "machineId": server_id(2)}, [server_id(2)], id="an object"),
        pytest.param([{"name": "other", "machineId": "other-id"}], ["other-id"], id="no record of it"),
        pytest.param([{"name": "nobody"}], ["nobody"], id="a name that nothing has"),
        pytest.param([{"name": "HF-33E9ED03-2.bank.test"}], [server_id(2)], id="other case, with a domain"),
        pytest.param([{"name": ONE, "machineId": server_id(2)}], [], id="the name of one and the id of the other"),
        pytest.param([{"name": TWO}, {"machineId": server_id(2)}], [server_id(2)], id="named twice"),
        pytest.param([], [], id="none"),
    ],
)
def test_the_machines_that_hostfactory_names(
    reclaim: Reclaim, site: Site, cloud: Cloud, machines: object, found: list[str]
) -> None:
    record_request(site, polled={})
    cloud.servers = [server(1, tags=OURS)]
    assert [one["machineId"] for one in reclaim({"machines": machines})["requests"]] == found


def test_a_machine_with_a_requested_return_is_not_reported(reclaim: Reclaim, site: Site, cloud: Cloud) -> None:
    record_request(site, polled={})
    record_return(site, 1)
    assert [one["machineId"] for one in reclaim()["requests"]] == [server_id(2)]
    assert reclaim({"machines": {"name": ONE}})["requests"] == []
    assert f"/v2.1/servers/{server_id(1)}" not in cloud.paths()


@pytest.mark.parametrize("answered", [0, 1], ids=["the list", "one of the servers"])
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(answer(500, {"computeFault": {"message": "no database"}}), id="500"),
        pytest.param(answer(404, {"error": "no such page"}), id="a 404 that is not Nova's"),
    ],
)
def test_trouble_reports_nothing_and_deletes_nothing(
    reclaim: Reclaim, site: Site, cloud: Cloud, fault: Any, answered: int
) -> None:
    record_request(site, age=9999)
    gone = server(1, tags=OURS)
    good = answer(200, {"servers": [gone]}, OpenStack_API_Version="compute 2.79")
    cloud.faults = [good] * answered + [fault] * 3
    found = reclaim(code=1)
    assert (set(found), found["requests"]) == ({"message", "requests"}, [])
    assert "Nova" in found["message"]
    assert cloud.deletes() == []


def test_a_down_cell_proves_nothing(reclaim: Reclaim, site: Site, cloud: Cloud) -> None:
    record_request(site, polled={})
    cloud.servers = [{"id": server_id(number), "status": "UNKNOWN", "tags": []} for number in (1, 2)]
    assert reclaim() == NOTHING


@pytest.mark.parametrize("content", [b"", b"[]"])
def test_an_emptied_return_concerns_only_its_own_machines(
    reclaim: Reclaim, site: Site, cloud: Cloud, content: bytes
) -> None:
    """Case c15."""
    site.record(RETURN, asked={})
    (site.work / "requests" / RETURN / "asked.json").write_bytes(content)
    record_request(site, polled={})
    cloud.servers = [server(1, tags=OURS)]
    assert [one["machineId"] for one in reclaim()["requests"]] == [server_id(2)]
    assert f"WARNING - {RETURN} is skipped: " in site.logged()


@pytest.mark.parametrize("damaged", [NEW, RETURN])
def test_what_is_damaged_concerns_only_its_own_machines(
    reclaim: Reclaim, site: Site, cloud: Cloud, damaged: str
) -> None:
    site.record(damaged, asked={"asked": "yesterday"})
    record_request(site, polled={})
    cloud.servers = [server(1, tags=OURS)]
    assert [one["machineId"] for one in reclaim()["requests"]] == [server_id(2)]
    assert f"{damaged} is skipped: the facts in" in site.logged()


@pytest.mark.parametrize("stray", ["notes.txt", "req-1", f"{REQUEST}.old", ".swp", "ret-copy"])
def test_a_stray_entry_is_ignored(reclaim: Reclaim, site: Site, cloud: Cloud, stray: str) -> None:
    """Case c15."""
    (site.work / "requests" / stray).write_text("x", "utf-8")
    record_request(site, polled={})
    cloud.servers = [server(1, tags=OURS), server(2, tags=OURS)]
    assert reclaim() == NOTHING
    assert stray not in site.logged()


def test_requests_that_are_a_link_report_nothing(reclaim: Reclaim, site: Site, cloud: Cloud) -> None:
    """Case `evil link`."""
    record_request(site, polled={}, ended={})
    age(site, REQUEST, 91)
    requests = site.work / "requests"
    requests.rename(site.work / "elsewhere")
    requests.symlink_to("elsewhere")
    cloud.servers = []
    found = reclaim(code=1)
    assert found == {"message": f"cannot read {requests}: found a link, wanted a folder", "requests": []}
    assert len(os.listdir(requests / REQUEST)) == 4


def test_an_old_request_that_is_a_link_keeps_what_it_leads_to(reclaim: Reclaim, site: Site, cloud: Cloud) -> None:
    """Case `evil link`."""
    record_request(site, polled={}, ended={})
    age(site, REQUEST, 91)
    folder = site.work / "requests" / REQUEST
    folder.rename(site.work / "elsewhere")
    folder.symlink_to(site.work / "elsewhere")
    cloud.servers = []
    assert reclaim()["requests"] == []
    assert f"WARNING - {REQUEST} is skipped: cannot read {folder}: found a link, wanted a folder" in site.logged()
    assert len(os.listdir(site.work / "elsewhere")) == 4


def test_a_record_that_another_process_removes_meanwhile_is_history(
    reclaim: Reclaim, site: Site, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_request(site, polled={})
    cloud.servers = [server(1, tags=OURS), server(2, tags=OURS)]
    monkeypatch.setattr(request_list, "recorded_request_ids", lambda _: [REQUEST, NEW, RETURN])
    assert reclaim() == NOTHING
    assert NEW not in site.logged()


def test_a_work_directory_that_is_not_there_reports_nothing(reclaim: Reclaim, site: Site, cloud: Cloud) -> None:
    assert reclaim()["requests"] == []
    shutil.rmtree(site.work)
    assert reclaim(code=1)["requests"] == []
    assert cloud.paths() == ["/v2.1/servers/detail"] * 2


def test_malformed_input_is_refused_before_anything_is_sent(reclaim: Reclaim, cloud: Cloud) -> None:
    wrong: list[object] = [[], {"machines": "all"}, {"machines": [{}]}, {"machines": [{"name": 7}]}]
    for document in wrong:
        assert list(reclaim(document, code=1)) == ["message"]
    assert cloud.logins == []


def test_a_request_that_was_never_polled_is_reaped_and_not_reported(reclaim: Reclaim, site: Site, cloud: Cloud) -> None:
    record_request(site, age=3601)
    cloud.servers = [server(1, tags=OURS), server(2, tags=OURS), server(3)]
    assert reclaim() == NOTHING
    assert sorted(cloud.deletes()) == [server_id(1), server_id(2)]
    reason = "HostFactory has not polled its request within 3600 s"
    assert site.facts(REQUEST)[f"failed-{ONE}.json"]["message"] == reason
    assert f"INFO - {REQUEST}: asked Nova to delete {server_id(1)} (accepted): {reason}" in site.logged()
    cloud.servers, cloud.asked = [], []
    assert reclaim()["requests"] == []


@pytest.mark.parametrize(("timeout", "reaped"), [("300", []), ("100", [server_id(1)])])
def test_a_call_that_never_ended_is_reaped_after_twice_its_time(
    reclaim: Reclaim, site: Site, cloud: Cloud, timeout: str, reaped: list[str]
) -> None:
    site.env["HF_PROVIDER_ACTION_TIMEOUT"] = timeout
    site.record(REQUEST, asked={"asked": NOW - 201, "names": [ONE], "requestTimeout": 1800})
    cloud.servers = [server(1, tags=OURS)]
    reclaim()
    assert cloud.deletes() == reaped


def test_trouble_during_cleanup_changes_no_answer(reclaim: Reclaim, site: Site, cloud: Cloud) -> None:
    record_request(site, age=3601)
    cloud.servers = [server(1, tags=OURS), server(2, tags=OURS)]
    cloud.delete_faults = [answer(500, {"computeFault": {"message": "no database"}})] * 2
    assert reclaim() == NOTHING
    assert "WARNING - a server could not be deleted: Nova failed: 500 no database" in site.logged()


@pytest.mark.premise("The work directory has room, and can be written.")
def test_what_cannot_be_recorded_is_not_deleted(
    reclaim: Reclaim, site: Site, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_request(site, age=3601)
    cloud.servers = [server(1, tags=OURS), server(2, tags=OURS)]

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert reclaim() == NOTHING
    assert cloud.deletes() == []
    assert f"cannot record {site.work / 'requests' / REQUEST / 'polled.json'}" in site.logged()


def test_the_delete_of_a_failed_machine_is_repeated_after_the_end(reclaim: Reclaim, site: Site, cloud: Cloud) -> None:
    failure: dict[str, Any] = {f"failed-{ONE}": {"machineId": server_id(1), "launchtime": 7, "message": "late"}}
    record_request(site, ended={"machineIds": [server_id(1), server_id(2)]}, **failure)
    cloud.servers = [server(number, tags=OURS) for number in (1, 2, 3)]
    assert reclaim()["requests"] == []
    assert sorted(cloud.deletes()) == [server_id(1), server_id(3)], "3 appeared after the end"


def age(site: Site, request_id: str, days: float) -> None:
    """Make the facts of a request old."""
    for path in (site.work / "requests" / request_id).iterdir():
        site.age(path, days * DAY)


def test_history_goes(reclaim: Reclaim, site: Site, cloud: Cloud) -> None:
    record_request(site, polled={}, ended={})
    record_return(site, 1, 2, ended={})
    site.record(NEW, asked={"asked": NOW, "names": [], "requestTimeout": 1}, polled={}, ended={})
    (site.work / "requests" / "notes").mkdir()
    for request_id, days in ((REQUEST, 90.1), (RETURN, 90.1), (NEW, 89.9)):
        age(site, request_id, days)
    cloud.servers = [{"id": "x", "name": "x", "status": "UNKNOWN", "tags": []}]
    reclaim()
    assert (site.work / "requests" / REQUEST).exists(), "a cell is down: it may hide servers"
    cloud.servers = [server(1, tags=OURS)]
    reclaim()
    assert (site.work / "requests" / REQUEST).exists(), "a server of it is there"
    cloud.servers = []
    reclaim()
    assert sorted(path.name for path in (site.work / "requests").iterdir()) == [".hfstack", "notes", NEW]
    assert f"{REQUEST}: its record is older than historyDays and was removed" in site.logged()


@pytest.mark.usefixtures("cloud")
def test_a_record_that_cannot_be_removed_is_a_warning(reclaim: Reclaim, site: Site) -> None:
    record_request(site, polled={}, ended={})
    record_return(site, 1, 2, ended={})
    (site.work / "requests" / REQUEST / "notes").mkdir()
    site.record(SMALL, asked={"asked": CREATED_AT, "names": [], "requestTimeout": 1}, polled={}, ended={})
    for request_id in (REQUEST, SMALL):
        age(site, request_id, 91)
    assert reclaim()["requests"] == []
    folder = site.work / "requests" / REQUEST
    assert f"WARNING - cannot remove {folder}: hfstack did not write notes" in site.logged()
    assert {"asked.json", "created.json", "ended.json", "notes"} <= {path.name for path in folder.iterdir()}
    assert not (site.work / "requests" / SMALL).exists()


def test_without_knowing_of_the_cells_nothing_is_removed(reclaim: Reclaim, site: Site, cloud: Cloud) -> None:
    site.record(REQUEST, asked={"asked": CREATED_AT, "names": [], "requestTimeout": 1}, polled={}, ended={})
    age(site, REQUEST, 91)
    none = answer(200, {"servers": []}, OpenStack_API_Version="compute 2.79")
    cloud.faults = [none, answer(500, {"computeFault": {"message": "no database"}})]
    reclaim()
    assert (site.work / "requests" / REQUEST).exists()
    assert "WARNING - Nova failed: 500 no database" in site.logged()
