"""Facts are written once and whole, whatever other processes do and however the disk fails."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hfstack.errors import FactsUnwritable
from hfstack.store import files
from hfstack.store.facts import load_acquire
from hfstack.store.write import record
from tests.unit.records import CREATED_AT, REQUEST

ASKED = {"asked": CREATED_AT, "names": ["hf-1"], "requestTimeout": 900}


def folder(workdir: Path) -> Path:
    return workdir / "requests" / REQUEST


def refusal(workdir: Path, request_id: str = REQUEST, name: str = "asked.json") -> str:
    with pytest.raises(FactsUnwritable) as caught:
        record(str(workdir), request_id, name, ASKED)
    return str(caught.value)


def left_over(workdir: Path) -> list[str]:
    """Return the files in the request's folder that are no facts."""
    return sorted(path.name for path in folder(workdir).iterdir() if path.name.startswith("."))


# Once


def test_a_fact_is_recorded_and_read_again(tmp_path: Path) -> None:
    assert record(str(tmp_path), REQUEST, "asked.json", ASKED) is True
    found = load_acquire(str(tmp_path), REQUEST)
    assert found
    assert (found.requested_at, [one.name for one in found.machines]) == (CREATED_AT, ["hf-1"])
    assert left_over(tmp_path) == []


def test_a_fact_is_never_changed(tmp_path: Path) -> None:
    assert record(str(tmp_path), REQUEST, "ended.json", {"status": "complete"}) is True
    assert record(str(tmp_path), REQUEST, "ended.json", {"status": "complete_with_error"}) is False
    assert json.loads((folder(tmp_path) / "ended.json").read_text("utf-8")) == {"status": "complete"}
    assert left_over(tmp_path) == []


def test_only_hostfactorys_account_can_read_facts(tmp_path: Path) -> None:
    record(str(tmp_path), REQUEST, "asked.json", ASKED)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder(tmp_path).parent, folder(tmp_path))]
    assert [*modes, stat.S_IMODE((folder(tmp_path) / "asked.json").stat().st_mode)] == [0o700, 0o700, 0o600]


def test_what_is_recorded_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []

    def fsync(handle: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{handle}")).name)

    monkeypatch.setattr(os, "fsync", fsync)
    record(str(tmp_path), REQUEST, "asked.json", ASKED)
    written = [re.sub(r"\.[0-9a-f]{32}$", "", name) for name in synced]
    folders = [tmp_path.name, "requests"]
    assert written == [*folders, "..hfstack", "requests", ".asked.json", REQUEST]


# Against others

WRITER = """
import sys
from hfstack.store.write import record
workdir, request_id, number = sys.argv[1:]
sys.stdin.readline()
for fact in range(200):
    if record(workdir, request_id, f"fact-{fact}.json", {"by": number, "text": "x" * 20_000}):
        print(fact)
"""

READER = """
import json, os, sys
folder = sys.argv[1]
print("ready", flush=True)
while not os.path.exists(os.path.join(folder, "stop.json")):
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        if not name.startswith("."):
            with open(os.path.join(folder, name), "rb") as file:
                json.loads(file.read())
"""


def test_of_several_processes_one_wins_and_nobody_reads_half_a_fact(tmp_path: Path) -> None:
    def python(program: str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", program, *arguments]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    reader = python(READER, str(folder(tmp_path)))
    writers = [python(WRITER, str(tmp_path), REQUEST, str(number)) for number in range(4)]
    assert reader.stdout
    reader.stdout.readline()
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("\n")
        writer.stdin.flush()
    won = [writer.communicate()[0].split() for writer in writers]
    record(str(tmp_path), REQUEST, "stop.json", {})
    reader.communicate()
    assert [process.returncode for process in (*writers, reader)] == [0] * 5
    assert sorted(int(fact) for facts in won for fact in facts) == list(range(200))
    for number, facts in enumerate(won):
        for fact in facts:
            content = json.loads((folder(tmp_path) / f"fact-{fact}.json").read_text("utf-8"))
            assert (content["by"], len(content["text"])) == (str(number), 20_000)
    assert left_over(tmp_path) == []


def test_a_killed_process_leaves_nothing_that_is_read(tmp_path: Path) -> None:
    endless = (
        "import itertools, sys; from hfstack.store.write import record\n"
        "for n in itertools.count(): record(sys.argv[1], sys.argv[2], f'failed-{n}.json', "
        "{'machineId': str(n), 'launchtime': 7, 'message': 'x' * 9999}); print(n, flush=True)"
    )
    record(str(tmp_path), REQUEST, "asked.json", ASKED)
    for _ in range(5):
        command = [sys.executable, "-c", endless, str(tmp_path), REQUEST]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.readline()
            time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
    found = load_acquire(str(tmp_path), REQUEST)
    assert found
    assert {len(one.message) for one in found.failed} == {9999}


def test_left_over_temporary_files_are_no_facts(tmp_path: Path) -> None:
    record(str(tmp_path), REQUEST, "asked.json", ASKED)
    for name in (".failed-hf-1.json.0123", ".ended.json", ".polled.json.4567"):
        (folder(tmp_path) / name).write_text("{", "utf-8")
    found = load_acquire(str(tmp_path), REQUEST)
    assert found
    assert (found.failed, found.polled, found.ended) == ((), False, False)
    assert record(str(tmp_path), REQUEST, "ended.json", {"status": "complete"}) is True


def another_wins(monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """Let another process record the fact between our check and our write."""
    original = getattr(os, verb)

    def second(source: str, target: str) -> None:
        Path(target).write_text("{}", "utf-8")
        if verb == "rename":
            raise FileExistsError(errno.EEXIST, "File exists", source)
        original(source, target)

    monkeypatch.setattr(os, verb, second)


def test_a_fact_that_appears_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    another_wins(monkeypatch, "link")
    assert record(str(tmp_path), REQUEST, "asked.json", ASKED) is False
    assert (folder(tmp_path) / "asked.json").read_text("utf-8") == "{}"
    assert left_over(tmp_path) == []


def test_a_link_that_exists_although_it_was_refused_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def twice(source: str, target: str) -> None:
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", twice)
    assert record(str(tmp_path), REQUEST, "asked.json", ASKED) is True
    assert left_over(tmp_path) == []


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behave as on Windows: no links, and folders that cannot be opened."""
    opened = os.open

    def open_file(path: str, flags: int, mode: int = 0o777) -> int:
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return opened(path, flags, mode)

    monkeypatch.setattr(files, "RENAME_REFUSES", True)
    monkeypatch.setattr(os, "open", open_file)
    monkeypatch.delattr(os, "link")


@pytest.mark.usefixtures("windows")
def test_on_windows_a_fact_is_renamed_into_place(tmp_path: Path) -> None:
    assert record(str(tmp_path), REQUEST, "asked.json", ASKED) is True
    assert json.loads((folder(tmp_path) / "asked.json").read_text("utf-8")) == ASKED
    assert left_over(tmp_path) == []


@pytest.mark.usefixtures("windows")
def test_on_windows_a_fact_that_appears_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    another_wins(monkeypatch, "rename")
    assert record(str(tmp_path), REQUEST, "asked.json", ASKED) is False
    assert (folder(tmp_path) / "asked.json").read_text("utf-8") == "{}"
    assert left_over(tmp_path) == []


# What cannot be recorded


def fails_with(code: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.premise("The work directory has room, and can be written.")
@pytest.mark.parametrize(
    ("verb", "code"),
    [
        pytest.param("mkdir", errno.EROFS, id="read-only"),
        pytest.param("open", errno.EACCES, id="not-permitted"),
        pytest.param("open", errno.ENOSPC, id="no-inode-left"),
        pytest.param("fsync", errno.ENOSPC, id="full"),
        pytest.param("fsync", errno.EDQUOT, id="over-quota"),
        pytest.param("fsync", errno.EIO, id="broken"),
        pytest.param("link", errno.EPERM, id="no-hard-links"),
        pytest.param("link", errno.ESTALE, id="stale"),
    ],
)
def test_a_disk_that_cannot_be_written_is_explained_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, code: int
) -> None:
    if verb != "mkdir":
        folder(tmp_path).mkdir(parents=True)
    with monkeypatch.context() as patched:
        patched.setattr(os, verb, fails_with(code))
        message = refusal(tmp_path)
    assert message == f"cannot record {folder(tmp_path) / 'asked.json'}: {os.strerror(code)}"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []
    assert record(str(tmp_path), REQUEST, "asked.json", ASKED) is True


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_of_another_account_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert refusal(tmp_path).endswith(": Permission denied")
    tmp_path.chmod(0o700)


def test_a_missing_work_directory_is_not_created(tmp_path: Path) -> None:
    assert refusal(tmp_path / "unmounted").endswith(": No such file or directory")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "requests").write_text("", "utf-8")
    assert refusal(tmp_path).endswith(f": {tmp_path / 'requests'}: found a file, wanted a folder")


@pytest.mark.parametrize("wrong", ["..", "../evil", "/evil", "a/b", "", ".hidden", "a\\b", "x\0"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, wrong: str) -> None:
    assert refusal(tmp_path, request_id=wrong).endswith(": hfstack uses no such file name")
    assert refusal(tmp_path, name=wrong).endswith(": hfstack uses no such file name")
    assert list(tmp_path.iterdir()) == []


def test_without_a_work_directory_nothing_is_recorded() -> None:
    with pytest.raises(FactsUnwritable, match="none of HF_PROVIDER_WORKDIR, HF_WORKDIR and PRO_DATA_DIR is set"):
        record("", REQUEST, "asked.json", ASKED)
