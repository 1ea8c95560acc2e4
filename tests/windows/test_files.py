"""Files as Windows has them: appended to by many, replaced while they are open, and for one account alone."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.scenarios import windows

from .conftest import Windows

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
from hfstack.windows import patiently
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

patiently(replace, new, old)
print(len(refused))
"""

PRIVATE = """
import os, sys
from hfstack.windows import create_private
path, = sys.argv[1:]
with os.fdopen(create_private(path), "wb") as file:
    file.write(b"secret\\n")
try:
    create_private(path)
except FileExistsError:
    print(open(path).read())
"""

WINNING = """
import sys
from hfstack.recording import record
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


def test_a_private_file_is_made_once(system: Windows) -> None:
    path = system.folder / "private"
    (done,) = system.call(f'{program(system, PRIVATE)} "{windows.path(path)}"')
    assert (done.code, done.stdout.split()) == (0, [b"secret"]), done


@pytest.mark.skipif(windows.HERE, reason="modes are how Wine shows an access control list to Linux")
def test_others_may_not_open_a_private_file(system: Windows) -> None:
    path = system.folder / "private"
    system.call(f'{program(system, PRIVATE)} "{windows.path(path)}"')
    # administrators are shown as the group
    assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0
    assert stat.S_IMODE((system.folder / "program.py").stat().st_mode) & 0o007, "as other files are not"


def test_of_several_that_record_a_fact_one_wins(system: Windows) -> None:
    work = system.folder / "work"
    start = program(system, WINNING)
    lines = [f'{start} "{windows.path(work)}" {writer}' for writer in range(4)]
    wins = [int(done.stdout) for done in system.call(*lines, together=True)]
    assert sum(wins) == 50
    facts = [json.loads(path.read_text("utf-8"))["writer"] for path in work.rglob("ended.json")]
    assert [facts.count(str(writer)) for writer in range(4)] == wins
    assert list(work.rglob(".*")) == [], "and no temporary file stays"


def test_the_log_is_one_line_per_event_with_unix_ends(system: Windows) -> None:
    text = "from hfstack.log import Log\nfrom hfstack.surroundings import look_around\nimport os\n"
    text += "Log(look_around(os.environ), 'getRequestStatus').info('Größe')\n"
    (done,) = system.call(program(system, text))
    assert done.code == 0, done
    (log,) = Path(system.variables["HF_PROVIDER_LOGDIR"]).iterdir()
    assert log.read_bytes().endswith(" INFO - Größe\n".encode())
