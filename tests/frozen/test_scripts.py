"""What HostFactory calls: thin scripts that pass arguments and exit code through."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hfstack import __version__, cli
from tests import ROOT
from tests.frozen.conftest import FOLDER, Run

SCRIPT = FOLDER.with_name("scripts") / "getRequestStatus.sh"

COMMANDS = sorted(cli.COMMANDS)


def test_from_any_directory_through_a_link_with_blanks_everywhere(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "plug in's & scripts"
    folder.mkdir()
    link = folder / "getRequestStatus.sh"
    link.symlink_to(SCRIPT)
    (folder / "in put.json").write_text('{"requests": {"requestId": ""}}', encoding="utf-8")
    for command, cwd in ((link, "/"), (Path(os.path.relpath(link, tmp_path)), tmp_path), (SCRIPT, "/")):
        done = run(command, "-f", folder / "in put.json", cwd=cwd)
        assert (done.returncode, done.stderr) == (1, b"")
        assert json.loads(done.stdout)["message"].endswith("in put.json: requests.requestId is empty")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(["--version"], 0, id="version"),
        pytest.param([], 1, id="nothing"),
        pytest.param(["-f"], 1, id="no file"),
        pytest.param(["-f", "", "two words"], 1, id="empty and blank arguments"),
    ],
)
def test_arguments_and_exit_code_pass_through(run: Run, frozen: Path, arguments: list[str], code: int) -> None:
    by_script = run(SCRIPT, *arguments)
    direct = run(frozen / "getRequestStatus", *arguments)
    assert by_script.returncode == direct.returncode == code
    assert by_script.stdout == direct.stdout
    assert by_script.stderr == b""


@pytest.mark.parametrize("command", COMMANDS)
def test_the_version_is_the_source_trees(run: Run, command: str) -> None:
    assert run(SCRIPT.with_name(f"{command}.sh"), "--version").stdout == f"hfstack {__version__}\n".encode()


@pytest.mark.parametrize("command", COMMANDS)
def test_each_script_runs_the_program_of_its_own_name(run: Run, command: str) -> None:
    usage = run(SCRIPT.with_name(f"{command}.sh"), "--help").stdout
    assert usage.startswith(f"usage: {command} -f FILE\n".encode())


def test_there_is_one_script_for_each_command_made_from_the_template(frozen: Path) -> None:
    scripts = sorted(frozen.with_name("scripts").iterdir())
    assert [path.name for path in scripts] == [f"{command}.sh" for command in COMMANDS]
    assert {path.read_bytes() for path in scripts} == {(ROOT / "scripts" / "command.sh").read_bytes()}


def test_templates_are_shown(run: Run, tmp_path: Path) -> None:
    attributes = {"type": ["String", "X86_64"], "ncpus": ["Numeric", 1], "nram": ["Numeric", 1024]}
    own = {"image": "a", "flavor": "b", "networks": ["c"]}
    template = {"templateId": "small", "maxNumber": 1, "attributes": attributes, **own}
    path = tmp_path / "conf" / "openstackprov_templates.json"
    path.write_text(json.dumps({"templates": [template]}), encoding="utf-8")
    (tmp_path / "in").write_text("{}", encoding="utf-8")
    done = run(SCRIPT.with_name("getAvailableTemplates.sh"), "-f", tmp_path / "in")
    assert (done.returncode, done.stderr) == (0, b"")
    (shown,) = json.loads(done.stdout)["templates"]
    assert shown == {
        "templateId": "small",
        "maxNumber": 1,
        "attributes": {
            "type": ["String", "X86_64"],
            "ncpus": ["Numeric", "1"],
            "nram": ["Numeric", "1024"],
            "ncores": ["Numeric", "1"],
        },
    }


def test_a_missing_program_is_said_in_json(run: Run, tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    script = shutil.copy(SCRIPT, tmp_path / "scripts")
    done = run(script, "-f", "x")
    assert (done.returncode, done.stderr) == (1, b"")
    assert "installation of hfstack is incomplete" in json.loads(done.stdout)["message"]


def test_an_installed_program_comes_before_a_checkouts(run: Run, tmp_path: Path) -> None:
    for name in ("scripts", "bin"):
        (tmp_path / name).mkdir()
    script = shutil.copy(SCRIPT, tmp_path / "scripts")
    program = tmp_path / "bin" / "getRequestStatus"
    program.write_text('#!/bin/sh\nprintf "%s|" "$@"; exit 3\n', encoding="utf-8")
    program.chmod(0o755)
    done = run(script, "-f", "a b", "")
    assert (done.returncode, done.stdout) == (3, b"-f|a b||")


def test_nothing_is_left_behind_and_nothing_needed_but_reading(run: Run, tmp_path: Path, frozen: Path) -> None:
    copy = tmp_path / "install"
    shutil.copytree(frozen, copy, symlinks=True)
    for path in [copy, *copy.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    before = sorted(tmp_path.rglob("*"))
    done = run(copy / "getRequestStatus", "--help")
    assert done.returncode == 0
    assert sorted(tmp_path.rglob("*")) == before


def test_many_at_once(run: Run, tmp_path: Path, frozen: Path) -> None:
    def ask(number: int) -> str:
        path = tmp_path / f"in{number}"
        path.write_text(f'{{"requests": [{{"requestId": "ret-{number}"}}]}}', encoding="utf-8")
        return str(json.loads(run(frozen / "getRequestStatus", "-f", path).stdout)["requests"][0]["requestId"])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(16))) == [f"ret-{number}" for number in range(16)]
    logged = (tmp_path / "log").iterdir()
    lines = [line for path in logged for line in path.read_text(encoding="utf-8").splitlines() if " ret-" in line]
    assert len(lines) == 16


def test_the_scripts_are_rehearsed_in_the_sandbox(run: Run, frozen: Path) -> None:
    done = run(frozen / "hfstack", "rehearse", "--sandbox")
    assert (done.returncode, done.stderr) == (0, b""), done.stdout
    assert f"Scripts: {SCRIPT} and the other four.".encode() in done.stdout
    assert b"PASS: 2 machines created and returned;" in done.stdout


def test_the_windows_script_is_thin_and_has_windows_lines() -> None:
    content = (ROOT / "scripts" / "command.bat").read_bytes()
    lines = content.split(b"\r\n")
    assert lines[-1] == b""
    assert b"\n" not in b"".join(lines)
    assert lines[-2] == b"exit /b %ERRORLEVEL%"
    assert lines[-3] == b'"%hfstack_program%" %*'
