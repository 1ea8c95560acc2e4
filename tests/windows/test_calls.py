"""Calls as HostFactory may make them on Windows: the scripts and the programs, with all kinds of paths."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from hfstack import __version__, cli
from tests.scenarios import windows
from tests.windows.conftest import Done, Windows

QUESTION = '\ufeff{"requests":\r\n {"requestId": "ret-Ελ日"}}\r\n'
"""With a mark of its encoding and Windows' ends of lines; an id that no return has is answered without a cloud."""


@pytest.fixture
def question(system: Windows) -> Path:
    path = system.folder / "in put 日本.json"
    path.write_bytes(QUESTION.encode())
    return path


def script(folder: Path, command: str = "getRequestStatus") -> str:
    return windows.path(folder / "scripts" / f"{command}.bat")


def by_shell(program: str, *words: str) -> str:
    """Return the command line that is right for a script: all of it in quotes once more."""
    quoted = " ".join(f'"{word}"' for word in (program, *words))
    return f'cmd.exe /d /s /c "{quoted}"'


def answered(done: Done) -> None:
    """Check the answer to the question."""
    assert (done.code, done.stderr) == (0, b""), done
    assert (done.stdout.count(b"\n"), done.stdout.count(b"\r")) == (1, 0)
    answer = json.loads(done.stdout.decode("utf-8"))["requests"]
    assert (answer["requestId"], answer["status"]) == ("ret-Ελ日", "complete_with_error")


def test_scripts_and_programs_from_odd_folders(system: Windows, installed: Path, question: Path) -> None:
    path = windows.path(question)
    program = windows.path(installed / "bin" / "getRequestStatus.exe")
    lines = [
        by_shell(script(installed), "-f", path),
        f'"{script(installed)}" "-f" "{path}"',  # CreateProcess on the script itself
        f'"{program}" -f "{path}"',
    ]
    for done in system.call(*lines):
        answered(done)


def test_relative_paths(system: Windows, installed: Path, question: Path) -> None:
    (done,) = system.call(by_shell(script(installed), "-f", question.name))
    answered(done)
    lines = [by_shell(r"scripts\getRequestStatus.bat", "-f", windows.path(question))]
    (done,) = system.call(*lines, cwd=installed)
    answered(done)


@pytest.mark.parametrize("page", ["437", "932", "1253"])
def test_the_output_is_utf_8_on_every_code_page(system: Windows, installed: Path, question: Path, page: str) -> None:
    line = f'cmd.exe /d /s /c "chcp {page} >nul & "{script(installed)}" -f "{windows.path(question)}""'
    (done,) = system.call(line)
    answered(done)


def test_long_and_extended_paths(system: Windows, installed: Path, question: Path) -> None:
    deep = system.folder
    while len(str(deep)) < 400:
        deep = deep / ("d" * 60)
    deep.mkdir(parents=True)
    (deep / question.name).write_bytes(question.read_bytes())
    system.variables["HF_PROVIDER_WORKDIR"] = str(deep)
    program = windows.path(installed / "bin" / "getRequestStatus.exe")
    lines = [
        f'"{program}" -f "{windows.path(deep / question.name)}"',
        f'"{program}" -f "\\\\?\\{windows.path(deep / question.name)}"',
        by_shell(script(installed), "-f", windows.path(deep / question.name)),
    ]
    for done in system.call(*lines):
        answered(done)


def test_the_sites_folders_on_a_network_share(system: Windows, installed: Path, question: Path) -> None:
    for name, folder in system.variables.items():
        if name.endswith("DIR"):
            system.variables[name] = windows.network(folder)
    path, program = windows.network(question), windows.path(installed / "bin" / "getRequestStatus.exe")
    lines = [
        by_shell(script(installed), "-f", path),
        f'"{program}" -f "{path}"',
        f'"{program}" -f "\\\\?\\UNC\\{path[2:]}"',
    ]
    for done in system.call(*lines):
        answered(done)
    (log,) = (system.folder / "log").iterdir()
    assert len(log.read_text("utf-8").splitlines()) >= len(lines)


@pytest.mark.skipif(not windows.HERE, reason="Wine tells no program its name on a network share")
def test_installed_on_a_network_share(system: Windows, installed: Path, question: Path) -> None:
    program = windows.network(installed / "bin" / "getRequestStatus.exe")
    path = windows.network(installed / "scripts" / "getRequestStatus.bat")
    for done in system.call(f'"{program}" -f "{question}"', by_shell(path, "-f", str(question))):
        answered(done)


def test_exit_codes_and_messages_pass_through(system: Windows, installed: Path, question: Path) -> None:
    gone = windows.path(question.with_name("nö.json"))
    program = windows.path(installed / "bin" / "getRequestStatus.exe")
    lines = [by_shell(script(installed), "-f", gone), f'"{program}" -f "{gone}"', by_shell(script(installed))]
    first, second, third = system.call(*lines)
    assert first == second
    assert (first.code, third.code, third.stderr) == (1, 1, b"")
    assert json.loads(first.stdout.decode("utf-8"))["message"] == f"cannot read {gone}: No such file or directory"


@pytest.mark.parametrize("command", sorted(cli.COMMANDS))
def test_each_script_runs_the_program_of_its_own_name(system: Windows, installed: Path, command: str) -> None:
    version, usage = system.call(
        by_shell(script(installed, command), "--version"), by_shell(script(installed, command), "--help")
    )
    assert version == (0, f"hfstack {__version__}\n".encode(), b"")
    assert usage.stdout.startswith(f"usage: {command} -f FILE\n".encode())


def test_a_missing_program_is_said_in_json(system: Windows, installed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "incomplete" / "scripts" / "getRequestStatus.bat"
    copy.parent.mkdir(parents=True)
    copy.write_bytes((installed / "scripts" / copy.name).read_bytes())
    (done,) = system.call(by_shell(windows.path(copy), "-f", "x"))
    assert (done.code, done.stderr) == (1, b"")
    assert "installation of hfstack is incomplete" in json.loads(done.stdout)["message"]


def test_many_at_once_from_a_folder_that_nobody_writes_to(system: Windows, installed: Path, question: Path) -> None:
    files = [installed, *installed.rglob("*")]
    for path in files:
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        lines = [by_shell(script(installed), "-f", windows.path(question))] * 8
        for done in system.call(*lines, together=True):
            answered(done)
        assert sorted([installed, *installed.rglob("*")]) == sorted(files)
    finally:
        for path in files:
            path.chmod(path.stat().st_mode | 0o200)


AUTH = {"auth_url": "http://127.0.0.1:9/v3", "username": "u", "password": "p", "project_name": "p"}
"""A cloud that does not answer: what is said of a request then shows which files were read."""


@pytest.mark.parametrize("common", [True, False], ids=["HF_CONFDIR", "HF_PROVIDER_CONFDIR"])
def test_hostfactorys_environment_leads_to_all_folders(system: Windows, installed: Path, common: bool) -> None:
    top = system.folder / "host factory"
    own = {
        "CONF": top / "conf" / "providers" / "osinst",
        "WORK": top / "work" / "providers" / "osinst",
        "LOG": top / "log",
    }
    recorded = own["WORK"] / "requests" / "ret-1" / "asked.json"
    for folder in (own["CONF"], own["LOG"], recorded.parent):
        folder.mkdir(parents=True)
    (own["CONF"] / "clouds.yaml").write_text(json.dumps({"clouds": {"only": {"auth": AUTH}}}), "utf-8")
    machine = {"machineId": "4711", "name": "hf-1", "privateIpAddress": "10.0.0.1", "launchtime": 1700000000}
    asked = {"asked": time.time(), "returnTimeout": 1800, "machines": [machine]}
    recorded.write_text(json.dumps(asked), "utf-8")
    system.variables = {"HF_PROVIDER_NAME": "osinst"}
    for name, folder in own.items():
        if common:
            system.variables[f"HF_{name}DIR"] = windows.path(top / name.lower())
        else:
            # as hostProviders.json has them: with a backslash at the end
            system.variables[f"HF_PROVIDER_{name}DIR"] = windows.path(folder) + "\\"
    path = system.folder / "in"
    path.write_text('{"requests": {"requestId": "ret-1"}}', "utf-8")
    (done,) = system.call(by_shell(script(installed), "-f", windows.path(path)))
    assert (done.code, done.stderr) == (0, b"")
    answer = json.loads(done.stdout)["requests"]
    assert (answer["status"], [one["machineId"] for one in answer["machines"]]) == ("running", ["4711"])
    assert "http://127.0.0.1:9" in answer["message"]
    (log,) = own["LOG"].iterdir()
    assert log.name.startswith("osinst-provider.")


def test_credentials_in_the_accounts_home_are_found(system: Windows, installed: Path) -> None:
    home = system.folder / "profile"
    clouds = home / ".config" / "openstack" / "clouds.yaml"
    clouds.parent.mkdir(parents=True)
    clouds.write_text(json.dumps({"clouds": {"only": {"auth": AUTH}}}), "utf-8")
    path = system.folder / "in"
    path.write_text('{"requests": {"requestId": "req-1"}}', "utf-8")
    call = f'"{script(installed)}" -f "{windows.path(path)}"'
    (done,) = system.call(f'cmd.exe /d /s /c "set "USERPROFILE={windows.path(home)}"& {call}"')
    assert (done.code, done.stderr) == (0, b"")
    assert "http://127.0.0.1:9" in json.loads(done.stdout)["requests"]["message"]
