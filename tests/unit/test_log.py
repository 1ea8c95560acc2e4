"""The log: one complete line per event, even with concurrent processes, and never an obstacle to an answer."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfstack.environment import Environment
from hfstack.log import LEVELS, STALE_ROTATION, Log, level_number, printable

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (\d+) getRequestStatus ([A-Z]+) (\S+) (.*)")


def lines_of(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


# Lines


def test_the_log_is_named_after_provider_and_host(environment: Environment) -> None:
    assert Log(environment, "x").path == os.path.join(environment.logdir, "bank-provider.master1.log")


def test_a_line_has_time_pid_command_level_request_and_message(log: Log, logged: Callable[[], str]) -> None:
    log.for_request("req-1").info("2 servers seen")
    match = LINE.fullmatch(logged().removesuffix("\n"))
    assert match
    assert match.groups() == (str(os.getpid()), "INFO", "req-1", "2 servers seen")


def test_a_dash_replaces_a_missing_request_id(log: Log, logged: Callable[[], str]) -> None:
    log.error("no such file")
    assert " ERROR - no such file\n" in logged()


@pytest.mark.parametrize(
    ("message", "line"),
    [
        pytest.param("one\ntwo\r\nthree", "one two  three", id="newlines"),
        pytest.param("a\x1b[31mb\0c", "a [31mb c", id="control-characters"),
        pytest.param("a\u2028b\x85c", "a b c", id="newlines-of-unicode"),
        pytest.param("Grüße, 世界", "Grüße, 世界", id="utf-8"),
        pytest.param("lone \ud800 surrogate", "lone   surrogate", id="surrogate"),
        pytest.param("http://user:hunter2@proxy:3128/x", "http://user:***@proxy:3128/x", id="password-in-url"),
        pytest.param("a://u:p@h b://v:q@h", "a://u:***@h b://v:***@h", id="two-passwords"),
        pytest.param("http://user:hunter@2@proxy", "http://user:***@proxy", id="password-with-at"),
        pytest.param("http://:hunter2@proxy", "http://:***@proxy", id="password-without-user"),
        pytest.param("http://keystone:5000/v3 of me@bank", "http://keystone:5000/v3 of me@bank", id="port"),
    ],
)
def test_a_message_stays_on_its_line_and_keeps_no_password(
    log: Log, logged: Callable[[], str], message: str, line: str
) -> None:
    log.info(message)
    assert logged().endswith(f" INFO - {line}\n")


def test_the_log_of_a_request_does_not_change_the_other_lines(log: Log, logged: Callable[[], str]) -> None:
    log.set_level("LOG_WARNING")
    of_request = log.for_request("req-1")
    of_request.info("below the level")
    of_request.warning("x")
    log.warning("y")
    assert [line.split(" ", 3)[3] for line in logged().splitlines()] == ["WARNING req-1 x", "WARNING - y"]


def test_a_request_id_cannot_break_a_line(log: Log, logged: Callable[[], str]) -> None:
    log.for_request("req-1\nreq-2").info("x")
    assert logged().count("\n") == 1


@given(text=st.text())
def test_any_text_is_printable(text: str) -> None:
    assert printable(text).isprintable()


# Levels


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("LOG_DEBUG", "DEBUG"),
        ("LOG_INFO", "INFO"),
        ("LOG_NOTICE", "INFO"),
        ("LOG_WARNING", "WARNING"),
        ("LOG_WARN", "WARNING"),
        ("LOG_ERR", "ERROR"),
        ("LOG_ERROR", "ERROR"),
        ("LOG_CRIT", "ERROR"),
        ("LOG_ALERT", "ERROR"),
        ("LOG_EMERG", "ERROR"),
        ("LOG_DEBUG3", "DEBUG"),
        ("info", "INFO"),
        (" Log_Info ", "INFO"),
        ("", None),
        ("LOUD", None),
    ],
)
def test_levels_have_egos_names(name: str, level: str | None) -> None:
    assert level_number(name) == (LEVELS[level] if level else None)


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        pytest.param("LOG_DEBUG", ["DEBUG", "INFO", "WARNING", "ERROR"], id="debug"),
        pytest.param("LOG_INFO", ["INFO", "WARNING", "ERROR"], id="info"),
        pytest.param("LOG_WARNING", ["WARNING", "ERROR"], id="warning"),
        pytest.param("LOG_ERROR", ["ERROR"], id="error"),
        pytest.param("", ["INFO", "WARNING", "ERROR"], id="not-said"),
        pytest.param("LOUD", ["INFO", "WARNING", "ERROR"], id="unknown"),
    ],
)
def test_the_level_selects_the_lines(environment: Environment, level: str, expected: list[str]) -> None:
    log = Log(environment._replace(log_level=level), "getRequestStatus")
    for write in (log.debug, log.info, log.warning, log.error):
        write("x")
    assert [line.split()[3] for line in lines_of(Path(log.path))] == expected


def test_the_configurations_level_takes_precedence(log: Log, logged: Callable[[], str]) -> None:
    log.set_level("LOG_ERROR")
    log.warning("quiet")
    log.error("loud")
    assert [line.split()[-1] for line in logged().splitlines()] == ["loud"]


# Files


def test_a_missing_folder_is_created(environment: Environment) -> None:
    log = Log(environment._replace(logdir=environment.logdir + "/hf/bank"), "getRequestStatus")
    log.info("x")
    assert len(lines_of(Path(log.path))) == 1


def test_without_a_folder_there_is_no_log(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    Log(environment._replace(logdir=""), "getRequestStatus").error("x")
    assert sorted(tmp_path.rglob("*")) == before


def folder_is_a_file(environment: Environment) -> tuple[Environment, str]:
    path = Path(environment.logdir) / "file"
    path.write_bytes(b"")
    return environment._replace(logdir=str(path / "below")), "Not a directory"


def name_too_long(environment: Environment) -> tuple[Environment, str]:
    return environment._replace(host="h" * 300), "File name too long"


def log_is(make: Callable[[Path], object], found: str) -> Callable[[Environment], tuple[Environment, str]]:
    def obstacle(environment: Environment) -> tuple[Environment, str]:
        make(Path(Log(environment, "x").path))
        return environment, f"found {found}, wanted a regular file"

    return obstacle


def read_by_nobody(path: Path) -> None:
    os.mkfifo(path)


def read_by_somebody(path: Path) -> None:
    os.mkfifo(path)
    os.open(path, os.O_RDONLY | os.O_NONBLOCK)


OBSTACLES = {
    "the folder is a file": folder_is_a_file,
    "the name is too long": name_too_long,
    "the log is a folder": log_is(Path.mkdir, "a folder"),
    "the log is a pipe": log_is(read_by_nobody, "a named pipe"),
    "the log is a pipe that somebody reads": log_is(read_by_somebody, "a named pipe"),
    "the log is a link": log_is(lambda path: path.symlink_to(path.with_name("elsewhere")), "a link"),
    "the log is a device": log_is(lambda path: path.symlink_to("/dev/full"), "a link"),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_log_that_cannot_be_written_says_why_and_has_no_other_effect(environment: Environment, obstacle: str) -> None:
    changed, why = OBSTACLES[obstacle](environment)
    log = Log(changed, "getRequestStatus")
    assert log.trouble == ""
    log.for_request("req-1").error("x")
    log.error("y")
    assert log.trouble == f"the log {log.path} cannot be written: {why}"
    assert log.for_request("req-2").trouble == log.trouble
    assert not Path(environment.logdir, "elsewhere").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device")
def test_a_device_is_no_log(environment: Environment) -> None:
    log = Log(environment, "getRequestStatus")
    os.mknod(log.path, 0o600 | stat.S_IFCHR, os.makedev(1, 7))
    log.error("x")
    assert log.trouble.endswith(": found a device, wanted a regular file")


def test_a_full_disk_is_named(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    log.error("x")
    assert log.trouble.endswith(": No space left on device")


def test_without_a_folder_there_is_no_trouble(environment: Environment, log: Log) -> None:
    nowhere = Log(environment._replace(logdir=""), "getRequestStatus")
    for one in (nowhere, log):
        one.error("x")
        assert one.trouble == ""


def test_other_users_cannot_read_the_log(log: Log) -> None:
    log.info("x")
    assert Path(log.path).stat().st_mode & 0o007 == 0


# Rotation


def rotated(log: Log) -> list[Path]:
    path = Path(log.path)
    return [path] * path.exists() + sorted(path.parent.glob(path.name + ".*"))


def test_a_full_log_is_rotated_and_the_oldest_is_deleted(environment: Environment) -> None:
    log = Log(environment._replace(log_max_bytes=1, log_max_rotate=2), "getRequestStatus")
    for number in range(5):
        log.info(f"event {number}")
    path = Path(log.path)
    assert rotated(log) == [path.with_name(path.name + ".1"), path.with_name(path.name + ".2")]
    assert [lines_of(one)[0][-1] for one in rotated(log)] == ["4", "3"]


def test_a_log_exceeds_its_limit_by_at_most_one_line(environment: Environment) -> None:
    log = Log(environment._replace(log_max_bytes=1000), "getRequestStatus")
    for _ in range(50):
        log.info("x" * 50)
    sizes = [path.stat().st_size for path in rotated(log)]
    assert len(sizes) > 2
    assert max(sizes) < 1000 + 200


def test_only_one_process_rotates(environment: Environment) -> None:
    log = Log(environment._replace(log_max_bytes=1), "getRequestStatus")
    mark = Path(log.path + ".rotating")
    mark.write_bytes(b"")
    log.info("first")
    log.info("second")
    assert len(lines_of(Path(log.path))) == 2
    assert mark.exists()


def test_the_stale_mark_of_a_rotation_is_deleted(environment: Environment) -> None:
    log = Log(environment._replace(log_max_bytes=1), "getRequestStatus")
    mark = Path(log.path + ".rotating")
    mark.write_bytes(b"")
    long_ago = time.time() - STALE_ROTATION - 60
    os.utime(mark, (long_ago, long_ago))
    log.info("first")
    assert not mark.exists()
    log.info("second")
    assert not Path(log.path).exists()
    assert len(lines_of(Path(log.path + ".1"))) == 2


WRITER = """
import sys
from hfstack.log import Log
from hfstack.environment import Environment
folder, writer, events, max_bytes, max_rotate = sys.argv[1:]
environment = Environment("bank", "", "", folder, "master1", "", int(max_bytes), int(max_rotate), "")
log = Log(environment, "getRequestStatus")
sys.stdin.read()
for number in range(int(events)):
    log.info(f"{writer}/{number} " + "x" * (number % 90))
"""


def write_at_once(folder: str, writers: int, events: int, max_bytes: int, max_rotate: int) -> None:
    """Let many processes log at once. They start together, when their standard input ends."""
    numbers = [str(number) for number in (events, max_bytes, max_rotate)]
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, folder, str(writer), *numbers], stdin=subprocess.PIPE)
        for writer in range(writers)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.close()
    assert [process.wait() for process in processes] == [0] * writers


def test_many_processes_at_once_neither_lose_nor_break_a_line(environment: Environment) -> None:
    write_at_once(environment.logdir, writers=6, events=500, max_bytes=8000, max_rotate=100)
    files = rotated(Log(environment, "getRequestStatus"))
    assert len(files) > 5
    matches = [LINE.fullmatch(line) for path in files for line in lines_of(path)]
    messages = sorted(match[4].split()[0] for match in matches if match)
    assert len(messages) == len(matches)
    assert messages == sorted(f"{writer}/{number}" for writer in range(6) for number in range(500))


def test_many_processes_at_once_leave_no_more_old_files_than_allowed(environment: Environment) -> None:
    write_at_once(environment.logdir, writers=6, events=200, max_bytes=2000, max_rotate=3)
    path = Path(Log(environment, "getRequestStatus").path)
    assert {one.name for one in rotated(Log(environment, "getRequestStatus"))} <= {
        path.name,
        *(f"{path.name}.{number}" for number in (1, 2, 3)),
    }
    newest = [line for one in rotated(Log(environment, "getRequestStatus")) for line in lines_of(one)]
    assert all(LINE.fullmatch(line) for line in newest)
