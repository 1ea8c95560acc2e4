"""From argv to one JSON document on stdout and an exit code."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from hfstack import __version__, cli
from hfstack.cloud import sdk
from hfstack.context import Context
from hfstack.environment import Environment
from hfstack.log import Log

EMPTY = '{"requests": []}'


@pytest.fixture
def env(environment: Environment) -> dict[str, str]:
    return {
        "HF_PROVIDER_NAME": "bank",
        "HF_PROVIDER_CONFDIR": environment.confdir,
        "HF_PROVIDER_WORKDIR": environment.workdir,
        "HF_PROVIDER_LOGDIR": environment.logdir,
        "EGOSC_INSTANCE_HOST": "master1",
        "PATH": os.environ["PATH"],
    }


class Ended(NamedTuple):
    """How a process ended."""

    exit_code: int
    stdout: bytes
    stderr: bytes


def call(*arguments: str, env: dict[str, str], stdin: bytes = b"") -> Ended:
    """Run the command as a process."""
    command = [sys.executable, "-m", "hfstack", "getRequestStatus", *arguments]
    done = subprocess.run(command, env=env, input=stdin, capture_output=True)
    return Ended(done.returncode, done.stdout, done.stderr)


def written(tmp_path: Path, text: str, name: str = "hf_in_Q2kSeS") -> str:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return str(path)


# As a process


def test_the_answer_is_one_document_and_a_newline(tmp_path: Path, env: dict[str, str]) -> None:
    assert call("-f", written(tmp_path, EMPTY), env=env) == Ended(0, b'{"requests": []}\n', b"")


def test_a_dash_reads_standard_input(env: dict[str, str]) -> None:
    assert call("-f", "-", env=env, stdin=EMPTY.encode()) == Ended(0, b'{"requests": []}\n', b"")


def test_the_answer_is_utf_8_whatever_the_locale(tmp_path: Path, env: dict[str, str]) -> None:
    document = '{"requests": {"requestId": "räq \\ud800"}}'
    ended = call("-f", written(tmp_path, document), env=env | {"LC_ALL": "C", "PYTHONIOENCODING": "latin-1"})
    assert (ended.exit_code, ended.stderr) == (0, b"")
    assert ended.stdout.endswith(b"}\n")
    assert ended.stdout.count(b"\n") == 1
    found = json.loads(ended.stdout.decode("utf-8"))["requests"]
    assert found == {
        "requestId": "räq ?",
        "status": "complete_with_error",
        "message": "this is not the id of an hfstack request",
        "machines": [],
    }


def test_an_error_is_a_message_and_exit_1(tmp_path: Path, env: dict[str, str]) -> None:
    path = written(tmp_path, '{"requests": {}}')
    assert call("-f", path, env=env) == Ended(
        1, json.dumps({"message": f"{path}: requests.requestId is missing"}).encode() + b"\n", b""
    )


def test_the_current_folder_does_not_matter(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "in put").mkdir()
    written(tmp_path / "in put", EMPTY)
    done = subprocess.run(
        [sys.executable, "-m", "hfstack", "getRequestStatus", "-f", "hf_in_Q2kSeS"],
        env=env | {"PYTHONPATH": str(Path(cli.__file__).parents[1])},
        cwd=tmp_path / "in put",
        capture_output=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b'{"requests": []}\n', b"")


@pytest.mark.parametrize("target", ["closed", "full", "nobody-reads"])
def test_an_answer_that_cannot_be_written_is_exit_1_with_empty_stderr(
    tmp_path: Path, env: dict[str, str], target: str
) -> None:
    redirection = {"closed": ">&-", "full": ">/dev/full", "nobody-reads": ""}[target]
    command = [
        "sh",
        "-c",
        f'exec "$0" -m hfstack getRequestStatus -f "$1" {redirection}',
        sys.executable,
        written(tmp_path, EMPTY),
    ]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(command, env=env, stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_closed_standard_input_is_a_message(env: dict[str, str]) -> None:
    command = ["sh", "-c", 'exec "$0" -m hfstack getRequestStatus -f - <&-', sys.executable]
    done = subprocess.run(command, env=env, capture_output=True)
    assert (done.returncode, done.stderr) == (1, b"")
    assert json.loads(done.stdout) == {"message": "cannot read standard input: it is closed"}


# In process

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(env: dict[str, str], capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run the command in this process; returns exit code and stdout."""

    def run(*arguments: str, **changes: str) -> tuple[int, str]:
        exit_code = cli.run("getRequestStatus", arguments, env | changes)
        out, err = capsysbinary.readouterr()
        assert err == b""
        return exit_code, out.decode("utf-8")

    return run


def message(ended: tuple[int, str]) -> str:
    exit_code, text = ended
    document = json.loads(text)
    assert (exit_code, list(document), text[-2:]) == (1, ["message"], "}\n")
    return str(document["message"])


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_shows_the_usage(run: Run, option: str) -> None:
    exit_code, text = run(option)
    assert exit_code == 0
    assert text.startswith("usage: getRequestStatus -f FILE\n")
    assert "HF_PROVIDER_CONFDIR" in text


def test_version_is_printed(run: Run) -> None:
    assert run("--version") == (0, f"hfstack {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        pytest.param((), "nothing", id="nothing"),
        pytest.param(("-f",), "-f", id="no-file"),
        pytest.param(("-f", ""), "-f ", id="empty-file"),
        pytest.param(("in.json",), "in.json", id="no-option"),
        pytest.param(("-x", "in.json"), "-x in.json", id="unknown-option"),
        pytest.param(("-f", "in.json", "more"), "-f in.json more", id="too-much"),
        pytest.param(("-f", "in.json", "--help"), "-f in.json --help", id="help-too-late"),
    ],
)
def test_invalid_arguments_are_a_message(run: Run, arguments: tuple[str, ...], found: str) -> None:
    assert message(run(*arguments)) == (
        f"arguments: found {found}, wanted getRequestStatus -f FILE (or --help, --version)"
    )


def test_the_input_is_read_before_the_configuration(run: Run, tmp_path: Path) -> None:
    missing = str(tmp_path / "gone.json")
    found = message(run("-f", missing, HF_PROVIDER_CONFDIR=str(tmp_path / "gone")))
    assert found == f"cannot read {missing}: No such file or directory"


def test_an_invalid_configuration_is_exit_1(run: Run, tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    found = message(run("-f", written(tmp_path, EMPTY), HF_PROVIDER_CONFDIR=gone))
    assert found == f"the configuration folder {gone} does not exist"


def test_an_invalid_timeout_is_exit_1(run: Run, tmp_path: Path) -> None:
    found = message(run("-f", written(tmp_path, EMPTY), HF_PROVIDER_ACTION_TIMEOUT="soon"))
    assert found.startswith("HF_PROVIDER_ACTION_TIMEOUT is 'soon'")


def test_an_error_is_also_logged(run: Run, logged: Callable[[], str]) -> None:
    run("-x")
    assert " getRequestStatus ERROR - arguments: found -x, wanted " in logged()


@pytest.mark.parametrize(("command", "prefix"), [("requestMachines", "req"), ("requestReturnMachines", "ret")])
def test_a_refused_request_has_its_id_in_the_log(
    environment: Environment, tmp_path: Path, logged: Callable[[], str], command: str, prefix: str
) -> None:
    env = {"HF_PROVIDER_NAME": "bank", "HF_PROVIDER_CONFDIR": environment.confdir}
    env |= {"HF_PROVIDER_LOGDIR": environment.logdir, "EGOSC_INSTANCE_HOST": environment.host}
    assert cli.run(command, ["-f", written(tmp_path, "[]")], env) == 1
    assert re.search(rf" {command} ERROR {prefix}-[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}} ", logged())


def test_the_configured_level_applies_to_the_command(
    run: Run, environment: Environment, tmp_path: Path, logged: Callable[[], str]
) -> None:
    (Path(environment.confdir) / "bankprov_config.json").write_text('{"logLevel": "LOG_ERROR"}', "utf-8")
    path = written(tmp_path, '{"requests": {"requestId": "räq"}}')
    assert run("-f", path, HF_LOGLEVEL="LOG_DEBUG")[0] == 0
    assert logged() == ""


def test_a_log_that_cannot_be_written_does_not_change_the_answer_to_a_poll(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path, '{"requests": {"requestId": "räq"}}')
    assert run("-f", path, HF_PROVIDER_LOGDIR=path) == run("-f", path)


def test_a_message_ends_with_why_the_log_cannot_be_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = written(tmp_path, EMPTY)
    why = f"the log {path}/bank-provider.master1.log cannot be written: Not a directory"
    assert message(run("-x", HF_PROVIDER_LOGDIR=path)).endswith(f"(or --help, --version); {why}")

    def answer(found: str) -> object:
        def log_and_answer(_: object, __: object, context: Context) -> dict[str, str]:
            context.log.info("x")
            return {"message": found, "requestId": "req-1"}

        return log_and_answer

    module = types.ModuleType("command")
    monkeypatch.setitem(sys.modules, "command", module)
    monkeypatch.setitem(cli.COMMANDS, "requestMachines", "command")
    env = {"HF_PROVIDER_NAME": "bank", "HF_PROVIDER_CONFDIR": str(tmp_path), "EGOSC_INSTANCE_HOST": "master1"}
    for found, expected in (("Requested 1 machine", f"Requested 1 machine; {why}"), ("", why)):
        monkeypatch.setattr(module, "run", answer(found), raising=False)
        assert cli.run("requestMachines", ["-f", path], {**env, "HF_PROVIDER_LOGDIR": path}) == 0
        assert json.loads(capsysbinary.readouterr().out) == {"message": expected, "requestId": "req-1"}
        assert cli.run("requestMachines", ["-f", path], env) == 0
        assert json.loads(capsysbinary.readouterr().out)["message"] == found, "no log folder is no trouble"


@pytest.mark.parametrize("odd", ["pipe", "/dev/zero", "sparse"])
def test_an_input_that_is_no_document_is_a_message_at_once(run: Run, tmp_path: Path, odd: str) -> None:
    path = tmp_path / odd if odd[0] != "/" else Path(odd)
    if odd == "pipe":
        os.mkfifo(path)
    if odd == "sparse":
        path.write_bytes(b"")
        os.truncate(path, 20 * 1024**3)
    found = {"pipe": "a named pipe, wanted a regular file", "/dev/zero": "a device, wanted a regular file"}
    assert message(run("-f", str(path))) == f"cannot read {path}: found {found.get(odd, 'more than 16 MiB')}"


def test_standard_input_is_read_up_to_the_limit(env: dict[str, str]) -> None:
    command = [sys.executable, "-m", "hfstack", "getRequestStatus", "-f", "-"]
    with Path("/dev/zero").open("rb") as endless:
        done = subprocess.run(command, env=env, stdin=endless, capture_output=True, timeout=60)
    assert json.loads(done.stdout) == {"message": "cannot read standard input: found more than 16 MiB"}


def test_an_internal_error_is_one_document_and_a_log_line_with_its_origin(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]
) -> None:
    def fail(*_: object) -> None:
        raise LookupError("no such thing")

    module = types.ModuleType("broken_command")
    monkeypatch.setattr(module, "run", fail, raising=False)
    monkeypatch.setitem(sys.modules, "broken_command", module)
    monkeypatch.setitem(cli.COMMANDS, "getRequestStatus", "broken_command")
    found = message(run("-f", written(tmp_path, EMPTY)))
    assert found == f"internal error in hfstack {__version__}: LookupError"
    assert "ERROR - internal error: LookupError: no such thing at test_cli.py:" in logged()
    assert "< cli.py:" in logged()


def test_warnings_of_libraries_go_to_the_log(log: Log, logged: Callable[[], str]) -> None:
    sdk.capture_library_logs(log)
    logging.getLogger("keystoneauth.session").warning("retry %d", 1)
    logging.getLogger("keystoneauth.session").debug("X-Auth-Token: hunter2")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("insecure", stacklevel=1)
    assert "WARNING - keystoneauth.session: retry 1\n" in logged()
    assert "insecure" in logged()
    assert "hunter2" not in logged()


# By the program's name


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(["/opt/hf/getRequestStatus", "--version"], id="program"),
        pytest.param(["C:/hf/getRequestStatus.exe".replace("/", os.sep), "--version"], id="windows"),
        pytest.param(["/opt/hf/GETREQUESTSTATUS.EXE", "getRequestStatus", "--version"], id="by-argument"),
        pytest.param(["/src/hfstack/__main__.py", "getRequestStatus", "--version"], id="module"),
    ],
)
def test_the_programs_name_is_the_command(
    argv: list[str], monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 0
    assert capsysbinary.readouterr() == (f"hfstack {__version__}\n".encode(), b"")
