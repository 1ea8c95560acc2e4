"""Reading records: a record that is missing and a record that is unreadable are different."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hfstack.errors import FactsUnreadable
from hfstack.store.facts import (
    END_OF_TIME,
    AcquireRequest,
    Failed,
    Planned,
    Returned,
    ReturnRequest,
    load_acquire,
    load_return,
)
from hfstack.store.folders import check_never_recorded, is_unused
from hfstack.store.request_list import load_recorded, recorded_request_ids
from tests.provider import mark_as_used
from tests.unit.records import CREATED_AT, LAUNCHED_AT, REQUEST, RETURN, server_id
from tests.unit.shapes import JSON

ASKED = {"asked": CREATED_AT + 0.5, "templateId": "small", "names": ["hf-1", "hf-2"], "requestTimeout": 900}
CREATED = {
    "machines": [
        {"name": "hf-1", "machineId": server_id(1), "message": ""},
        {"name": "hf-2", "machineId": "", "message": "Quota exceeded"},
    ]
}
LEAVING = {"machineId": server_id(1), "name": "hf-1", "privateIpAddress": "10.0.0.7", "launchtime": LAUNCHED_AT}
RETURNING = {"asked": CREATED_AT, "returnTimeout": 600, "machines": [LEAVING]}


FAILED = {
    "machineId": server_id(1),
    "name": "hf-1",
    "privateIpAddress": "",
    "launchtime": CREATED_AT,
    "message": "the server is in ERROR",
}


def record(workdir: Path, request_id: str, **documents: object) -> Path:
    """Record facts, each given as a document or as raw text."""
    folder = workdir / "requests" / request_id
    folder.mkdir(parents=True)
    for name, document in documents.items():
        text = document if isinstance(document, str) else json.dumps(document)
        (folder / f"{name}.json").write_text(text, "utf-8")
    return folder


def unreadable_acquire(workdir: Path) -> str:
    with pytest.raises(FactsUnreadable) as caught:
        load_acquire(str(workdir), REQUEST)
    return str(caught.value)


def unreadable_return(workdir: Path) -> str:
    with pytest.raises(FactsUnreadable) as caught:
        load_return(str(workdir), RETURN)
    return str(caught.value)


# What is there


@pytest.mark.parametrize("request_id", [REQUEST.upper(), REQUEST.replace("req", "Req"), f"{REQUEST}.", f".{REQUEST}"])
def test_an_id_that_some_file_systems_confuse_with_another_has_no_folder(tmp_path: Path, request_id: str) -> None:
    record(tmp_path, request_id, asked=ASKED)
    assert load_acquire(str(tmp_path), request_id) is None


def test_the_record_holds_the_request_and_novas_answers(tmp_path: Path) -> None:
    folder = record(tmp_path, REQUEST, asked=ASKED, created=CREATED)
    os.utime(folder / "asked.json", (1e9, 1e9))
    os.utime(folder / "created.json", (2e9, 2e9))
    assert load_acquire(str(tmp_path), REQUEST) == AcquireRequest(
        CREATED_AT + 0.5,
        900,
        (Planned("hf-1", server_id(1), ""), Planned("hf-2", "", "Quota exceeded")),
        recorded_at=1e9,
        created_at=2e9,
    )


def test_before_novas_answers_the_record_holds_the_plan(tmp_path: Path) -> None:
    folder = record(tmp_path, REQUEST, asked=ASKED)
    os.utime(folder / "asked.json", (1e9, 1e9))
    assert load_acquire(str(tmp_path), REQUEST) == AcquireRequest(
        CREATED_AT + 0.5, 900, (Planned("hf-1"), Planned("hf-2")), recorded_at=1e9
    )


def test_the_record_holds_the_replaced_servers(tmp_path: Path) -> None:
    record(tmp_path, REQUEST, asked=ASKED, created={**CREATED, "replaced": [server_id(7)]})
    found = load_acquire(str(tmp_path), REQUEST)
    assert found
    assert found.replaced == frozenset({server_id(7)})


def test_the_record_holds_the_network_of_the_floating_ips(tmp_path: Path) -> None:
    record(tmp_path, REQUEST, asked={**ASKED, "floatingNetwork": "net-ext"})
    found = load_acquire(str(tmp_path), REQUEST)
    assert found is not None
    assert found.floating_network == "net-ext"


def test_a_machine_without_an_answer_keeps_its_plan(tmp_path: Path) -> None:
    record(tmp_path, REQUEST, asked=ASKED, created={"machines": CREATED["machines"][:1]})
    found = load_acquire(str(tmp_path), REQUEST)
    assert found
    assert found.machines == (Planned("hf-1", server_id(1)), Planned("hf-2"))


def test_null_is_an_empty_text(tmp_path: Path) -> None:
    record(tmp_path, REQUEST, asked=ASKED, created={"machines": [{"name": "hf-1", "machineId": None}]})
    found = load_acquire(str(tmp_path), REQUEST)
    assert found
    assert found.machines[0] == Planned("hf-1")


def test_the_record_of_a_return_holds_its_machines(tmp_path: Path) -> None:
    folder = record(tmp_path, RETURN, asked=RETURNING)
    os.utime(folder / "asked.json", (1e9, 1e9))
    assert load_return(str(tmp_path), RETURN) == ReturnRequest(
        CREATED_AT, 600, (Returned(server_id(1), "hf-1", "10.0.0.7", LAUNCHED_AT),), recorded_at=1e9
    )


def test_a_returned_machine_needs_only_its_id(tmp_path: Path) -> None:
    record(tmp_path, RETURN, asked={**RETURNING, "machines": [{"machineId": server_id(1)}]})
    found = load_return(str(tmp_path), RETURN)
    assert found
    assert found.machines == (Returned(server_id(1), "", "", CREATED_AT),)


def test_keys_of_a_later_version_are_ignored(tmp_path: Path) -> None:
    record(tmp_path, RETURN, asked={**RETURNING, "colour": "blue"})
    assert load_return(str(tmp_path), RETURN)


def test_the_record_holds_polls_failures_and_the_end(tmp_path: Path) -> None:
    folder = record(tmp_path, REQUEST, asked=ASKED, polled={"polled": CREATED_AT})
    (folder / "failed-hf-1.json").write_text(json.dumps(FAILED), "utf-8")
    found = load_acquire(str(tmp_path), REQUEST)
    assert found
    assert (found.polled, found.ended) == (True, False)
    assert found.failed == (Failed("hf-1", server_id(1), "hf-1", "", CREATED_AT, "the server is in ERROR"),)
    (folder / "ended.json").write_text(json.dumps({"ended": CREATED_AT, "status": "complete_with_error"}), "utf-8")
    found = load_acquire(str(tmp_path), REQUEST)
    assert found
    assert found.ended


def test_the_record_of_a_return_holds_which_machines_are_gone(tmp_path: Path) -> None:
    folder = record(tmp_path, RETURN, asked=RETURNING, ended={"ended": CREATED_AT, "status": "complete"})
    (folder / f"gone-{server_id(1)}.json").write_text("{}", "utf-8")
    (folder / f".gone-{server_id(2)}.json.0123").write_text("{}", "utf-8")
    found = load_return(str(tmp_path), RETURN)
    assert found
    assert (found.gone, found.ended) == (frozenset({server_id(1)}), True)


# Nothing recorded


@pytest.mark.parametrize("load", [load_acquire, load_return])
def test_without_a_folder_nothing_is_recorded(tmp_path: Path, load: Any) -> None:
    mark_as_used(tmp_path)
    assert load(str(tmp_path), REQUEST) is None
    assert load(str(tmp_path), "req-1") is None


@pytest.mark.parametrize("holds", [(), ("requests",), ("requests/notes", "requests/req-1", "cache")])
def test_a_work_directory_without_any_record_may_be_a_mount_point(tmp_path: Path, holds: tuple[str, ...]) -> None:
    for name in holds:
        (tmp_path / name).mkdir(parents=True)
    for request_id in (REQUEST, RETURN):
        with pytest.raises(FactsUnreadable) as caught:
            check_never_recorded(str(tmp_path), request_id)
        assert str(caught.value) == (
            f"the work directory {tmp_path} holds no records of hfstack at all: is its file system mounted? "
            "If it is a new directory, there is nothing to do: the next requestMachines call makes it usable"
        )
    check_never_recorded(str(tmp_path), "req-2")  # hfstack makes no such id
    assert is_unused(str(tmp_path))


def test_a_record_of_an_older_version_shows_that_a_work_directory_is_mounted(tmp_path: Path) -> None:
    record(tmp_path, REQUEST, asked=ASKED)
    assert load_return(str(tmp_path), RETURN) is None
    assert not is_unused(str(tmp_path))


def test_a_missing_work_directory_is_not_unused(tmp_path: Path) -> None:
    with pytest.raises(FactsUnreadable, match="does not exist"):
        is_unused(str(tmp_path / "gone"))


@pytest.mark.parametrize("load", [load_acquire, load_return])
def test_a_folder_without_the_first_fact_is_no_record(tmp_path: Path, load: Any) -> None:
    record(tmp_path, REQUEST, created=CREATED)
    assert load(str(tmp_path), REQUEST) is None


@pytest.mark.parametrize(
    "request_id",
    ["..", ".", "../evil", "req-1/../../evil", "/evil", "evil\\..", "", ".hidden", "req-1\n", "req\0", "ä"],
)
@pytest.mark.parametrize("load", [load_acquire, load_return])
def test_an_id_never_leads_out_of_the_folder(tmp_path: Path, load: Any, request_id: str) -> None:
    workdir = tmp_path / "work"
    (workdir / "requests" / "req-1").mkdir(parents=True)
    for folder in (tmp_path / "evil", workdir / "evil", workdir, tmp_path, workdir / "requests"):
        folder.mkdir(exist_ok=True)
        (folder / "asked.json").write_text(json.dumps(ASKED | RETURNING), "utf-8")
    assert load(str(workdir), request_id) is None


# What cannot be read concludes nothing


@pytest.mark.parametrize("load", [load_acquire, load_return])
def test_a_missing_work_directory_is_not_an_empty_one(tmp_path: Path, load: Any) -> None:
    missing = str(tmp_path / "not-mounted")
    with pytest.raises(FactsUnreadable) as caught:
        load(missing, REQUEST)
    assert str(caught.value) == f"the work directory {missing} does not exist, so this request cannot be looked up"


def test_an_unset_work_directory_is_named() -> None:
    with pytest.raises(FactsUnreadable) as caught:
        load_acquire("", REQUEST)
    assert str(caught.value) == (
        "none of HF_PROVIDER_WORKDIR, HF_WORKDIR and PRO_DATA_DIR is set, so this request cannot be looked up"
    )


@pytest.mark.parametrize("text", ["", "{", '{"asked": 17', "\0\0\0\0", "[" * 100_000, "1" * 10_000])
def test_a_corrupt_fact_is_named(tmp_path: Path, text: str) -> None:
    folder = record(tmp_path, REQUEST, asked=text)
    assert unreadable_acquire(tmp_path) == f"{folder / 'asked.json'} is not JSON"


@pytest.mark.parametrize("text", ["[]", "null", '"asked"', "17"])
def test_a_fact_is_an_object(tmp_path: Path, text: str) -> None:
    folder = record(tmp_path, REQUEST, asked=text)
    assert unreadable_acquire(tmp_path) == f"{folder / 'asked.json'} is not a JSON object"


def test_a_corrupt_answer_of_nova_is_no_plan(tmp_path: Path) -> None:
    folder = record(tmp_path, REQUEST, asked=ASKED, created="{")
    assert unreadable_acquire(tmp_path) == f"{folder / 'created.json'} is not JSON"


def test_a_fact_that_the_system_cannot_read_is_unreadable(tmp_path: Path) -> None:
    folder = record(tmp_path, REQUEST)
    (folder / "asked.json").mkdir()
    assert unreadable_acquire(tmp_path) == f"cannot read {folder / 'asked.json'}: found a folder, wanted a regular file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_fact_that_is_not_permitted_is_unreadable(tmp_path: Path) -> None:
    folder = record(tmp_path, REQUEST, asked=ASKED)
    (folder / "asked.json").chmod(0)
    assert unreadable_acquire(tmp_path) == f"cannot read {folder / 'asked.json'}: Permission denied"


INFINITY = float("inf")
NAN = float("nan")


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"names": None}, id="names-null"),
        pytest.param({"names": "hf-1"}, id="names-string"),
        pytest.param({"names": [1]}, id="names-numbers"),
        pytest.param({"asked": None}, id="asked-null"),
        pytest.param({"asked": "yesterday"}, id="asked-word"),
        pytest.param({"asked": NAN}, id="asked-nan"),
        pytest.param({"asked": INFINITY}, id="asked-infinite"),
        pytest.param({"asked": -1}, id="asked-before-1970"),
        pytest.param({"asked": 1e300}, id="asked-after-the-sun"),
        pytest.param({"asked": []}, id="asked-list"),
        pytest.param({"requestTimeout": None}, id="timeout-null"),
        pytest.param({"requestTimeout": INFINITY}, id="timeout-infinite"),
        pytest.param({"requestTimeout": {}}, id="timeout-object"),
        pytest.param({"floatingNetwork": ["net-ext"]}, id="floating-network-list"),
    ],
)
def test_a_request_of_the_wrong_shape_is_unreadable(tmp_path: Path, wrong: dict[str, object]) -> None:
    folder = record(tmp_path, REQUEST, asked=ASKED | wrong, created=CREATED)
    assert unreadable_acquire(tmp_path).startswith(f"the facts in {folder} are malformed (")


@pytest.mark.parametrize("key", ["asked", "names", "requestTimeout"])
def test_a_request_without_a_key_is_unreadable(tmp_path: Path, key: str) -> None:
    folder = record(tmp_path, REQUEST, asked={name: value for name, value in ASKED.items() if name != key})
    assert unreadable_acquire(tmp_path) == f"the facts in {folder} are malformed (KeyError: '{key}')"


@pytest.mark.parametrize(
    "created",
    [
        pytest.param({}, id="no-machines"),
        pytest.param({"machines": None}, id="null"),
        pytest.param({"machines": ["hf-1"]}, id="names"),
        pytest.param({"machines": [{"name": 1}]}, id="name-number"),
        pytest.param({"machines": [{"name": "hf-1", "machineId": 7}]}, id="id-number"),
        pytest.param({"machines": [{"name": "hf-1", "message": ["no"]}]}, id="message-list"),
    ],
)
def test_answers_of_the_wrong_shape_are_unreadable(tmp_path: Path, created: object) -> None:
    record(tmp_path, REQUEST, asked=ASKED, created=created)
    assert "malformed" in unreadable_acquire(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"machineId": None}, id="id-null"),
        pytest.param({"machineId": ""}, id="id-empty"),
        pytest.param({"message": None}, id="message-null"),
        pytest.param({"launchtime": "soon"}, id="launchtime-word"),
        pytest.param({"launchtime": INFINITY}, id="launchtime-infinite"),
        pytest.param({"privateIpAddress": 7}, id="address-number"),
    ],
)
def test_a_failure_of_the_wrong_shape_is_unreadable(tmp_path: Path, wrong: dict[str, object]) -> None:
    folder = record(tmp_path, REQUEST, asked=ASKED)
    (folder / "failed-hf-1.json").write_text(json.dumps(FAILED | wrong), "utf-8")
    assert "malformed" in unreadable_acquire(tmp_path)


@pytest.mark.parametrize("load", [load_acquire, load_return])
def test_a_folder_that_cannot_be_listed_is_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Any
) -> None:
    def stale(_: str) -> list[str]:
        raise OSError(116, "Stale file handle")

    folder = record(tmp_path, REQUEST, asked=ASKED | RETURNING)
    monkeypatch.setattr(os, "listdir", stale)
    with pytest.raises(FactsUnreadable) as caught:
        load(str(tmp_path), REQUEST)
    assert str(caught.value) == f"cannot read {folder}: Stale file handle"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"machines": None}, id="machines-null"),
        pytest.param({"machines": [None]}, id="machine-null"),
        pytest.param({"machines": [server_id(1)]}, id="machine-string"),
        pytest.param({"machines": [{"name": "hf-1"}]}, id="no-id"),
        pytest.param({"machines": [LEAVING | {"machineId": "", "name": ""}]}, id="id-empty"),
        pytest.param({"machines": [LEAVING | {"machineId": 7}]}, id="id-number"),
        pytest.param({"machines": [LEAVING | {"name": 7}]}, id="name-number"),
        pytest.param({"machines": [LEAVING | {"launchtime": "soon"}]}, id="launchtime-word"),
        pytest.param({"machines": [LEAVING | {"launchtime": INFINITY}]}, id="launchtime-infinite"),
        pytest.param({"asked": NAN}, id="asked-nan"),
        pytest.param({"asked": 1e300}, id="asked-after-the-sun"),
        pytest.param({"returnTimeout": "long"}, id="timeout-word"),
    ],
)
def test_a_return_of_the_wrong_shape_is_unreadable(tmp_path: Path, wrong: dict[str, object]) -> None:
    record(tmp_path, RETURN, asked=RETURNING | wrong)
    assert "malformed" in unreadable_return(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=st.fixed_dictionaries({}, optional=dict.fromkeys({*ASKED, *RETURNING}, JSON)), created=JSON)
def test_any_facts_are_read_or_unreadable(tmp_path: Path, asked: object, created: object) -> None:
    folder = tmp_path / "requests" / REQUEST
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "asked.json").write_text(json.dumps(asked), "utf-8")
    (folder / "created.json").write_text(json.dumps(created), "utf-8")
    for load in (load_acquire, load_return):
        try:
            found = load(str(tmp_path), REQUEST)
        except FactsUnreadable:
            continue
        assert found
        assert 0 <= found.requested_at < END_OF_TIME


# All requests


def test_a_whole_folder(tmp_path: Path) -> None:
    folder = record(tmp_path, REQUEST, asked=ASKED, created=CREATED, ended={"machineIds": [server_id(1)]})
    os.utime(folder / "created.json", (2e9, 2e9))
    found = load_recorded(str(tmp_path), REQUEST)
    assert found == (REQUEST, load_acquire(str(tmp_path), REQUEST), 2e9)
    record(tmp_path, RETURN, asked=RETURNING)
    assert load_recorded(str(tmp_path), RETURN).request == load_return(str(tmp_path), RETURN)


def test_an_empty_folder_is_as_old_as_itself(tmp_path: Path) -> None:
    folder = record(tmp_path, REQUEST)
    os.utime(folder, (1e9, 1e9))
    assert load_recorded(str(tmp_path), REQUEST) == (REQUEST, None, 1e9)


@pytest.mark.parametrize("told", ["all", [7], {}])
def test_an_end_of_the_wrong_shape_is_malformed(tmp_path: Path, told: object) -> None:
    record(tmp_path, REQUEST, asked=ASKED, ended={"machineIds": told})
    with pytest.raises(FactsUnreadable, match="malformed"):
        load_recorded(str(tmp_path), REQUEST)


def test_a_folder_that_vanished_is_unreadable(tmp_path: Path) -> None:
    mark_as_used(tmp_path)
    with pytest.raises(FactsUnreadable, match="cannot read"):
        load_recorded(str(tmp_path), REQUEST)


def test_requests_are_listed_and_nothing_else(tmp_path: Path) -> None:
    assert recorded_request_ids(str(tmp_path)) == []
    strays = (
        f".{REQUEST}",
        "notes",
        "req-1",
        REQUEST.upper(),
        f"{REQUEST}.",
        f"{REQUEST}.old",
        f"x{REQUEST}",
        RETURN[:-1],
    )
    for name in (RETURN, REQUEST, *strays):
        record(tmp_path, name)
    (tmp_path / "requests" / "req-notes.txt").write_text("", "utf-8")
    assert recorded_request_ids(str(tmp_path)) == [REQUEST, RETURN]


def test_a_missing_work_directory_is_not_an_empty_list(tmp_path: Path) -> None:
    with pytest.raises(FactsUnreadable, match="does not exist"):
        recorded_request_ids(str(tmp_path / "gone"))
    (tmp_path / "requests").write_text("")
    with pytest.raises(FactsUnreadable, match="cannot read"):
        recorded_request_ids(str(tmp_path))
