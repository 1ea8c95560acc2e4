"""Files as Windows has them: appended to by many, replaced while they are open, and private to one account."""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenarios import windows
from tests.windows.conftest import Windows, rights

APPENDING = """
import os, sys
from hfstack.log import open_to_append
path, writer, lines = sys.argv[1:]
for number in range(int(lines)):
    handle = open_to_append(path)
    os.write(handle, f"{writer} {number} {'x' * 200}\\n".encode())
    os.close(handle)
"""

REPLACING = """
import os, sys
from hfstack._windows import with_retries
old, new = sys.argv[1:]
reader = open(old, encoding="utf-8")
refused = []

def replace(source, target):
    try:
        os.replace(source, target)
    except PermissionError as error:
        refused.append(error.winerror)
        reader.close()
        raise

with_retries(replace, new, old)
print(len(refused))
"""

PRIVATE = """
import sys
from hfstack.store import token_cache
from hfstack.store.write import record
work, = sys.argv[1:]
record(work, "req-1", "asked.json", {})
token_cache.write(work + r"\\cache\\access.json", {"token": "secret"})
"""

MADE_ONCE = """
import sys
from hfstack.store import files
path, = sys.argv[1:]
for make in (files.create, files.make_folder):
    make(path + make.__name__)
    try:
        make(path + make.__name__)
    except FileExistsError as error:
        print(error.winerror)
"""

READING = """
import ctypes, sys
from ctypes import wintypes
name, word, *paths = sys.argv[1:]
security = ctypes.WinDLL("advapi32", use_last_error=True)
token = wintypes.HANDLE()
# LOGON32_LOGON_NETWORK, LOGON32_PROVIDER_DEFAULT
assert security.LogonUserW(name, ".", word, 3, 0, ctypes.byref(token)), ctypes.WinError(ctypes.get_last_error())
assert security.ImpersonateLoggedOnUser(token), ctypes.WinError(ctypes.get_last_error())
for path in paths:
    try:
        open(path).close()
        print("read")
    except PermissionError:
        print("refused")
"""

WINNING = """
import sys
from hfstack.store.write import record
workdir, writer = sys.argv[1:]
print([record(workdir, f"req-{number}", "ended.json", {"writer": writer}) for number in range(50)].count(True))
"""


def program(system: Windows, text: str) -> str:
    """Write a program for the Python inside; returns the beginning of its command line."""
    path = system.folder / "program.py"
    path.write_text(text, "utf-8")
    return f'"{system.executable}" -X utf8 "{windows.path(path)}"'


@pytest.mark.skipif(not windows.HERE, reason="Wine moves to the end and then writes")
def test_of_lines_that_are_appended_at_once_none_is_lost(system: Windows) -> None:
    path = system.folder / "log" / "a.log"
    start = program(system, APPENDING)
    lines = [f'{start} "{windows.path(path)}" {writer} 100' for writer in range(6)]
    assert {done.code for done in system.call(*lines, together=True)} == {0}
    found = [line.split()[:2] for line in path.read_text("utf-8").splitlines()]
    assert sorted(found) == sorted([str(writer), str(number)] for writer in range(6) for number in range(100))


def test_a_file_that_somebody_reads_is_replaced_a_moment_later(system: Windows) -> None:
    old, new = system.folder / "old", system.folder / "new"
    old.write_text("old", "utf-8")
    new.write_text("new", "utf-8")
    (done,) = system.call(f'{program(system, REPLACING)} "{windows.path(old)}" "{windows.path(new)}"')
    assert (done.code, done.stdout.strip()) == (0, b"1"), done
    assert old.read_text("utf-8") == "new"
    assert not new.exists()


def test_private_files_and_folders_are_made_once(system: Windows) -> None:
    path = system.folder / "private"
    (done,) = system.call(f'{program(system, MADE_ONCE)} "{windows.path(path)}"')
    assert done.stdout.split() == [b"80", b"183"], done


@pytest.fixture
def kept(system: Windows) -> list[Path]:
    """What hfstack keeps in a work folder: folders and files."""
    work = system.folder / "work"
    (done,) = system.call(f'{program(system, PRIVATE)} "{windows.path(work)}"')
    assert done.code == 0, done
    found = sorted(path.relative_to(work).as_posix() for path in work.rglob("*"))
    assert found == [
        "cache",
        "cache/access.json",
        "requests",
        "requests/.hfstack",
        "requests/req-1",
        "requests/req-1/asked.json",
    ]
    return [work / name for name in found]


@pytest.mark.skipif(windows.HERE, reason="modes are how Wine shows an access control list to Linux")
def test_others_may_not_open_what_is_kept(system: Windows, kept: list[Path]) -> None:
    # administrators are shown as the group
    assert [stat.S_IMODE(path.stat().st_mode) & 0o007 for path in kept] == [0] * len(kept)
    assert stat.S_IMODE((system.folder / "program.py").stat().st_mode) & 0o007, "as other files are not"


@pytest.mark.skipif(not windows.HERE, reason="Wine keeps no access control lists")
def test_what_is_kept_lists_the_system_administrators_and_the_owner(kept: list[Path]) -> None:
    for path in kept:
        found = rights(path)
        assert found.startswith("D:P"), found
        trustees = re.findall(r"\(A;[A-Z]*;FA;;;([\w-]+)\)", found)
        assert sorted(one.replace("S-1-3-4", "OW") for one in trustees) == ["BA", "OW", "SY"], found
        assert found.count("(") == 3, found


@pytest.mark.skipif(not windows.HERE, reason="Wine enforces no access control lists")
def test_another_account_cannot_read_what_is_kept(system: Windows, kept: list[Path]) -> None:
    name, word = "hfstack-other", "Other-" + secrets.token_hex(8)
    files = [path for path in kept if path.is_file()]
    # others see this folder, but for what is private in it
    with tempfile.TemporaryDirectory(dir=os.environ["PUBLIC"]) as folder:
        public = Path(folder) / "work"
        (public / "cache").mkdir(parents=True)
        (public / "open").write_text("for everybody\n", "utf-8")
        system.call(f'{program(system, PRIVATE)} "{public}"')
        subprocess.run(["net", "user", name, word, "/add"], check=True, capture_output=True)
        try:
            paths = [public / "open", *(public / path.relative_to(system.folder / "work") for path in files)]
            quoted = " ".join(f'"{path}"' for path in paths)
            (done,) = system.call(f"{program(system, READING)} {name} {word} {quoted}")
        finally:
            subprocess.run(["net", "user", name, "/delete"], check=True, capture_output=True)
    assert done.stdout.split() == [b"read", b"refused", b"refused"], done


@pytest.mark.parametrize("path", [windows.path, windows.network])
def test_of_several_that_record_a_fact_one_wins(system: Windows, path: Callable[[Path], str]) -> None:
    work = system.folder / "work"
    start = program(system, WINNING)
    lines = [f'{start} "{path(work)}" {writer}' for writer in range(4)]
    wins = [int(done.stdout) for done in system.call(*lines, together=True)]
    assert sum(wins) == 50
    facts = [json.loads(path.read_text("utf-8"))["writer"] for path in work.rglob("ended.json")]
    assert [facts.count(str(writer)) for writer in range(4)] == wins
    assert [path.name for path in work.rglob(".*")] == [".hfstack"], "and no temporary file stays"


def test_the_log_is_one_line_per_event_with_unix_ends(system: Windows) -> None:
    text = "from hfstack.log import Log\nfrom hfstack.environment import read_environment\nimport os\n"
    text += "Log(read_environment(os.environ), 'getRequestStatus').info('Größe')\n"
    (done,) = system.call(program(system, text))
    assert done.code == 0, done
    (log,) = Path(system.variables["HF_PROVIDER_LOGDIR"]).iterdir()
    assert log.read_bytes().endswith(" INFO - Größe\n".encode())
