"""Records that are not hfstack's own prove nothing, nothing is written among them, and nothing of them is removed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from hfstack.errors import FactsUnreadable, FactsUnwritable
from hfstack.store.facts import Planned, load_acquire, load_return
from hfstack.store.request_list import load_recorded, recorded_request_ids
from hfstack.store.write import (
    forget,
    record,
    write_created,
    write_ended,
    write_polled,
)
from tests.accounts import AS_ROOT
from tests.unit.records import ANOTHER, CREATED_AT, REQUEST, RETURN, server_id

pytestmark = pytest.mark.premise("Files and folders are what they seem to be.")

ASKED = {"asked": CREATED_AT, "names": ["hf-1"], "requestTimeout": 900}
RETURNING = {"asked": CREATED_AT, "returnTimeout": 600, "machines": [{"machineId": server_id(1)}]}


class Recorded(NamedTuple):
    """A work directory with the whole record of a request and of a return."""

    work: Path

    @property
    def requests(self) -> Path:
        return self.work / "requests"

    @property
    def folder(self) -> Path:
        return self.requests / REQUEST

    def load(self) -> None:
        load_acquire(str(self.work), REQUEST)

    def content(self) -> dict[str, bytes]:
        """Return every file below the work directory, wherever links lead."""
        folders = [str(self.work), os.path.realpath(self.requests), os.path.realpath(self.folder)]
        return {str(path): path.read_bytes() for one in folders for path in Path(one).rglob("*") if path.is_file()}


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    work = tmp_path / "work"
    work.mkdir()
    record(str(work), REQUEST, "asked.json", ASKED)
    write_created(str(work), REQUEST, [Planned("hf-1", server_id(1))], [])
    write_polled(str(work), REQUEST, CREATED_AT)
    write_ended(str(work), REQUEST, "complete", [server_id(1)], CREATED_AT)
    record(str(work), RETURN, "asked.json", RETURNING)
    record(str(work), RETURN, f"gone-{server_id(1)}.json", {"machineId": server_id(1)})
    return Recorded(work)


def linked(path: Path) -> str:
    """Move a file or folder away, and leave a link to it."""
    elsewhere = path.with_name(f"{path.name}.real")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    return "found a link, wanted a " + ("folder" if elsewhere.is_dir() else "regular file")


def pipe(path: Path) -> str:
    wanted = "folder" if path.is_dir() else "regular file"
    path.rename(path.with_name(f"{path.name}.real"))
    os.mkfifo(path)
    return f"found a named pipe, wanted a {wanted}"


def writable(path: Path) -> str:
    path.chmod(0o777)
    return "its mode is 0777, so others may have changed it: check its content, then run chmod go-w"


def foreign(path: Path) -> str:
    os.chown(path, 1001, -1)
    trusted = "this account (uid 0), root or the owner of the work directory"
    return f"its owner is uid 1001, wanted {trusted}: change its owner (chown)"


def sparse(path: Path) -> str:
    with path.open("wb") as file:
        file.truncate(20 * 1024**3)
    return "found more than 64 MiB"


DISTRUST = [linked, pipe, writable, pytest.param(foreign, marks=AS_ROOT)]


def unreadable(action: Callable[[], object]) -> str:
    with pytest.raises(FactsUnreadable) as caught:
        action()
    return str(caught.value)


def unwritable(action: Callable[[], object]) -> str:
    with pytest.raises(FactsUnwritable) as caught:
        action()
    return str(caught.value)


@pytest.mark.parametrize("spoil", DISTRUST)
@pytest.mark.parametrize("below", ["requests", f"requests/{REQUEST}"])
def test_below_a_folder_of_others_nothing_is_read_written_or_removed(
    recorded: Recorded, below: str, spoil: Callable[[Path], str]
) -> None:
    """Case `evil link`."""
    work, spoilt = str(recorded.work), recorded.work / below
    why = spoil(spoilt)
    before = recorded.content()
    assert unreadable(recorded.load) == f"cannot read {spoilt}: {why}"
    assert unreadable(lambda: load_recorded(work, REQUEST)) == f"cannot read {spoilt}: {why}"
    target = recorded.folder / "failed-x.json"
    assert unwritable(lambda: record(work, REQUEST, target.name, {})) == f"cannot record {target}: {spoilt}: {why}"
    assert unwritable(lambda: forget(work, REQUEST)) == f"cannot remove {recorded.folder}: cannot read {spoilt}: {why}"
    assert recorded.content() == before
    if below == "requests":
        assert unreadable(lambda: recorded_request_ids(work)) == f"cannot read {spoilt}: {why}"
        assert unreadable(lambda: load_return(work, RETURN)) == f"cannot read {spoilt}: {why}"
    else:
        assert load_return(work, RETURN), "one request does not spoil the others"


@pytest.mark.parametrize("spoil", DISTRUST)
@pytest.mark.parametrize("fact", ["asked", "created", "polled", "ended"])
def test_a_fact_of_others_is_not_believed_and_its_folder_stays(
    recorded: Recorded, fact: str, spoil: Callable[[Path], str]
) -> None:
    path = recorded.folder / f"{fact}.json"
    why = spoil(path)
    assert unreadable(recorded.load) == f"cannot read {path}: {why}"
    names = sorted(os.listdir(recorded.folder))
    assert unwritable(lambda: forget(str(recorded.work), REQUEST)).startswith(f"cannot remove {recorded.folder}: ")
    assert sorted(os.listdir(recorded.folder)) == names


@pytest.mark.parametrize("spoil", DISTRUST)
def test_a_proof_of_others_is_none(recorded: Recorded, spoil: Callable[[Path], str]) -> None:
    path = recorded.requests / RETURN / f"gone-{server_id(1)}.json"
    why = spoil(path)
    assert unreadable(lambda: load_return(str(recorded.work), RETURN)) == f"cannot read {path}: {why}"


def test_a_huge_fact_is_refused_at_once(recorded: Recorded) -> None:
    path = recorded.folder / "asked.json"
    assert sparse(path) in unreadable(recorded.load)


def test_the_work_directory_may_be_a_link(recorded: Recorded) -> None:
    link = recorded.work.with_name("link")
    link.symlink_to(recorded.work)
    assert load_acquire(str(link), REQUEST) == load_acquire(str(recorded.work), REQUEST)
    assert record(str(link), ANOTHER, "asked.json", ASKED)
    forget(str(link), REQUEST)
    assert load_acquire(str(recorded.work), REQUEST) is None


@AS_ROOT
def test_the_records_of_root_and_of_the_owner_of_the_work_directory_are_believed(recorded: Recorded) -> None:
    os.chown(recorded.work, 1001, 1001)
    for path in recorded.work.rglob("*"):
        os.chown(path, 1001, -1)
    os.chown(recorded.folder / "polled.json", 0, 0)
    found = load_acquire(str(recorded.work), REQUEST)
    assert found
    assert (found.polled, found.ended) == (True, True)


# The marker


def test_the_first_record_leaves_a_marker(tmp_path: Path) -> None:
    record(str(tmp_path), REQUEST, "asked.json", ASKED)
    marker = tmp_path / "requests" / ".hfstack"
    assert "mount point" in marker.read_text("utf-8")
    assert marker.read_text("utf-8").count("\n") == 1
    assert load_return(str(tmp_path), RETURN) is None, "not recorded"


def test_the_next_record_leaves_a_marker_in_a_directory_of_an_older_version(recorded: Recorded) -> None:
    marker = recorded.requests / ".hfstack"
    marker.unlink()
    assert load_acquire(str(recorded.work), ANOTHER) is None
    record(str(recorded.work), REQUEST, "failed-hf-1.json", {})
    assert marker.exists()


# Removing


def test_a_whole_record_is_removed(recorded: Recorded) -> None:
    record(str(recorded.work), REQUEST, "failed-hf-1.json", {})
    record(str(recorded.work), REQUEST, "ready-hf-1.json", {})
    (recorded.folder / f".ended.json.{'0a' * 16}").write_bytes(b"{")
    forget(str(recorded.work), REQUEST)
    forget(str(recorded.work), RETURN)
    assert os.listdir(recorded.requests) == [".hfstack"]


@pytest.mark.parametrize(
    "name",
    ["notes", "notes.json", "asked.json.old", ".bashrc", ".asked.json.1", "fact.json", "failed-.json", "created.jsonx"],
)
def test_what_hfstack_did_not_write_keeps_the_folder(recorded: Recorded, name: str) -> None:
    (recorded.folder / name).write_text("mine", "utf-8")
    names = sorted(os.listdir(recorded.folder))
    message = f"cannot remove {recorded.folder}: hfstack did not write {name}"
    assert unwritable(lambda: forget(str(recorded.work), REQUEST)) == message
    assert sorted(os.listdir(recorded.folder)) == names


@pytest.mark.parametrize("content", [None, "", "[]"])
def test_without_a_readable_request_nothing_is_removed(recorded: Recorded, content: str | None) -> None:
    asked = recorded.folder / "asked.json"
    asked.unlink()
    if content is not None:
        asked.write_text(content, "utf-8")
    names = sorted(os.listdir(recorded.folder))
    assert "asked.json" in unwritable(lambda: forget(str(recorded.work), REQUEST))
    assert sorted(os.listdir(recorded.folder)) == names


def test_an_empty_folder_is_removed(recorded: Recorded) -> None:
    (recorded.requests / ANOTHER).mkdir()
    forget(str(recorded.work), ANOTHER)
    assert not (recorded.requests / ANOTHER).exists()


def test_a_killed_removal_leaves_no_half_record(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "unlink", killed)
    with pytest.raises(KeyboardInterrupt):
        forget(str(recorded.work), REQUEST)
    assert recorded_request_ids(str(recorded.work)) == [RETURN]
    assert json.loads(next(recorded.requests.glob(".req-*/asked.json")).read_text("utf-8")) == ASKED
