"""`hfstack rehearse`: a good provider passes, a broken one fails, and every machine is returned."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hfstack.admin.rehearse import checks, rehearsal, scripts
from hfstack.admin.rehearse.command import rehearse
from hfstack.admin.rehearse.output import ANSWERS
from hfstack.errors import counted
from tests.http import broken_provider
from tests.http.broken_provider import FAULTS

CLOUDS = {"clouds": {"only": {"auth": {"auth_url": "http://127.0.0.1:9/v3", "username": "a", "password": "secret-b"}}}}


class Rehearsed(NamedTuple):
    """The result of a rehearsal with the broken provider."""

    code: int
    output: str
    errors: str
    state: dict[str, Any]


class Stage:
    """A provider instance whose scripts violate one rule."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.capsys = capsys
        self.monkeypatch = monkeypatch
        self.scripts = folder / "scripts"
        self.scripts.mkdir()
        (folder / "clouds.yaml").write_text(json.dumps(CLOUDS), encoding="utf-8")

    def options(self, fault: str) -> list[str]:
        """Write the scripts for the fault; return the command line's options."""
        for command in ANSWERS:
            words = [sys.executable, "-IS", broken_provider.__file__, str(self.folder), fault, command]
            path = self.scripts / f"{command}.sh"
            path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
            path.chmod(0o755)
        self.monkeypatch.setenv("HF_PROVIDER_ACTION_TIMEOUT", "2" if "hang" in fault else "60")
        folders = [f"--confdir={self.folder}", f"--workdir={self.folder}", f"--logdir={self.folder}"]
        timeout = "1" if fault in {"never-over", "never-gone"} else "120"
        return [*folders, "--provider=bank", f"--scripts={self.scripts}", "--machines=3", f"--timeout={timeout}"]

    def rehearse(self, fault: str, *options: str) -> Rehearsed:
        """Rehearse with the fault."""
        code = rehearse([*self.options(fault), *options])
        found = self.capsys.readouterr()
        return Rehearsed(code, found.out, found.err, self.state())

    def state(self) -> dict[str, Any]:
        """Return what the provider recorded."""
        file = self.folder / "state.json"
        return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}

    def running(self) -> list[str]:
        """Return the scripts that still run."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            # a process may end meanwhile
            with contextlib.suppress(OSError):
                found.append(path.read_bytes().replace(b"\0", b" ").decode())
        return [line for line in found if str(self.folder) in line]


@pytest.fixture
def stage(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage whose polls follow each other without a pause."""
    monkeypatch.setattr(rehearsal, "pauses", lambda: itertools.repeat(0.0))
    return Stage(tmp_path, capsys, monkeypatch)


ALL = ["id-0", "id-1", "id-2"]


def test_a_good_provider_passes(stage: Stage) -> None:
    done = stage.rehearse("none")
    assert done.code == 0
    assert done.output.endswith("\n\nPASS: 3 machines created and returned; 11 of 11 answers valid.\n")
    assert done.errors == ""
    assert done.state["returned"] == ALL


def test_one_machine_is_no_plural(stage: Stage) -> None:
    done = stage.rehearse("none", "--machines=1")
    assert "Requesting 1 machine of template only" in done.output
    assert done.output.endswith("\n\nPASS: 1 machine created and returned; 11 of 11 answers valid.\n")
    assert not re.search(r"\b1 (machines|violations|answers)\b", done.output)


def test_a_machine_that_the_cloud_takes_away_is_rightly_reported(stage: Stage) -> None:
    done = stage.rehearse("machine-lost")
    assert done.output.endswith("\n\nPASS: 3 machines created and returned; 12 of 12 answers valid.\n")
    assert done.state["polls"]["req-1"] == 4, "once more after getReturnRequests"


def test_it_announces_what_it_will_do(stage: Stage) -> None:
    done = stage.rehearse("none")
    announced, _, rest = done.output.partition("requestMachines")
    assert f"Provider bank, configuration {stage.folder}, cloud only at http://127.0.0.1:9/v3." in announced
    assert f"{stage.scripts}/getRequestStatus.sh" in announced
    assert "Requesting 3 machines of template only" in announced
    assert "secret-b" not in rest


VIOLATIONS = {
    "templates-exit-2": "getAvailableTemplates: found exit code 2, wanted 0",
    "bad-question-accepted": "getRequestStatus: found exit code 0, wanted 1",
    "request-refused": "requestMachines: found exit code 1, wanted 0: the quota is used up",
    "request-hangs": "requestMachines: it did not end within 2 s and was killed",
    "request-warns": 'requestMachines: found "warning: old" on stderr, wanted nothing',
    "request-interrupted": "the rehearsal: it was interrupted",
    "two-documents": 'getRequestStatus: found "{',
    "polls-hang": "getRequestStatus: it did not end within 2 s and was killed",
    "machine-forgotten": "getRequestStatus of req-1: found complete with 2 machines, wanted 3",
    "address-missing": "getRequestStatus of req-1: machine host-0: found succeed without a private address",
    "launchtime-in-words": 'getRequestStatus: requests[0].machines[0].launchtime is the string "yesterday"',
    "launchtime-moves": "getRequestStatus of req-1: machine host-0: its launchtime changed after succeed, from",
    "names-alike": "getRequestStatus of req-1: 2 machines have the name host-1, wanted a different one for each",
    "lists-only": "getRequestStatus of req-1: requests is a list, wanted an object as in the question",
    "machine-fails": "getRequestStatus of req-1: the machines were not created: complete_with_error, no valid host",
    "never-over": "getRequestStatus of req-1: still running after 1 s",
    "working-one-reported": "getReturnRequests: machine host-1 is to be returned, but its result is still succeed",
    "return-refused": "requestReturnMachines: found exit code 1, wanted 0: the quota is used up",
    "return-interrupted": "the rehearsal: it was interrupted before all machines were returned",
    "never-gone": "getRequestStatus of ret-1: still running after 1 s",
}

NOTHING_RETURNED = {"templates-exit-2", "request-refused", "request-hangs", "polls-hang"}

HOSTS = tuple(f"host-{number} (id-{number})" for number in range(3))

LEFT = {
    "request-hangs": ("3 machines of a requestMachines call that gave no requestId",),
    "polls-hang": ("3 machines of req-1, never reported",),
    "return-refused": HOSTS,
    "return-interrupted": HOSTS,
    "never-gone": HOSTS,
}


def test_each_fault_has_its_violation() -> None:
    assert set(FAULTS) == {"none", "machine-lost", *VIOLATIONS}


@pytest.mark.parametrize("fault", VIOLATIONS)
def test_a_broken_provider_fails_and_gets_its_machines_back(stage: Stage, fault: str) -> None:
    done = stage.rehearse(fault)
    assert done.code == 1
    assert f"  - {VIOLATIONS[fault]}" in done.output
    known = ALL[:2] if fault == "machine-forgotten" else ALL
    assert done.state.get("returned", []) == ([] if fault in NOTHING_RETURNED else known)
    left = "\n".join(f"  - {one}" for one in LEFT.get(fault, ()))
    assert left in done.output
    number = len(re.findall("^  - ", done.output.partition("Violations:")[2].partition("\n\n")[0], re.MULTILINE))
    leaked = " and possibly leaked servers" if fault in LEFT else ""
    assert done.output.endswith(f"\n\nFAIL: {counted(number, 'violation')}{leaked}; see above.\n")
    assert ("\nPossibly leaked servers" in done.output) == (fault in LEFT)
    assert ("getReturnRequests: machine" in done.output) == (fault == "working-one-reported")
    assert done.errors == ""
    assert not stage.running()


def test_after_ctrl_c_it_only_looks_for_the_machines_and_returns_them(stage: Stage) -> None:
    before = signal.getsignal(signal.SIGINT)
    done = stage.rehearse("request-interrupted")
    assert done.state["polls"] == {"req-1": 1, "ret-1": 3}
    assert "getReturnRequests" not in done.output
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_may_arrive_while_something_is_printed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        busy = False

        def write(self, text: str) -> int:
            assert not self.busy
            self.busy = True
            if "req-1: requested" in text:
                signal.raise_signal(signal.SIGINT)
            self.busy = False
            return super().write(text)

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert stage.rehearse("none").code == 1
    assert "Interrupted: returning the machines." in terminal.getvalue()
    assert stage.state()["returned"] == ALL


def test_after_a_bug_in_the_rehearsal_the_machines_are_returned(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "all_created", None)
    with pytest.raises(TypeError):
        stage.rehearse("none")
    assert stage.state()["returned"] == ALL


def test_when_nobody_reads_any_more_the_machines_are_returned(stage: Stage) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "hfstack", "rehearse", *stage.options("none")], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline().startswith(b"Provider bank")
        process.stdout.close()
    assert stage.state()["returned"] == ALL


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param(["--template=other"], "there is no template other, only only", id="template"),
        pytest.param(["--machines=6"], "template only allows 5 machines, wanted at least 6", id="too-many"),
    ],
)
def test_what_is_not_offered_is_not_requested(stage: Stage, options: list[str], reason: str) -> None:
    done = stage.rehearse("none", *options)
    assert done.code == 1
    assert f"  - getAvailableTemplates: {reason}" in done.output
    assert done.state == {}


def test_a_missing_script_is_named(stage: Stage) -> None:
    missing = stage.folder / "nowhere"
    done = stage.rehearse("none", f"--scripts={missing}")
    assert done.code == 1
    assert done.output == ""
    assert done.errors == f"hfstack rehearse: there is no script {missing}/getAvailableTemplates.sh\n"


def test_a_script_that_cannot_be_run_is_trouble(tmp_path: Path) -> None:
    call = scripts.Scripts({"requestMachines": [str(tmp_path)]}, {}, 1).call("requestMachines", {})
    assert call.trouble == f"cannot run it: [Errno 13] Permission denied: '{tmp_path}'"


@pytest.mark.usefixtures("stage")
def test_a_missing_configuration_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("HF_PROVIDER_CONFDIR", "HF_CONFDIR", "PRO_CONF_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert rehearse([]) == 1
    found = capsys.readouterr()
    assert found.out == ""
    assert "HF_PROVIDER_CONFDIR is not set, nor HF_CONFDIR or PRO_CONF_DIR" in found.err


@pytest.mark.parametrize("options", [["--sandbox", "--confdir=x"], ["--machines=0"], ["--timeout=0"], ["--nonsense"]])
@pytest.mark.usefixtures("stage")
def test_a_wrong_command_line_is_refused(options: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        rehearse(options)
    assert refused.value.code == 2


def test_the_sandbox_passes_from_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert rehearse(["--sandbox", "--machines=3"]) == 0
    output = capsys.readouterr().out
    assert "PASS: 3 machines created and returned;" in output
    assert '"privateIpAddress": "10.0.0.2"' in output
    assert "requestMachines INFO req-" in output


# Which scripts


def frozen_in(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    folder.mkdir(parents=True)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(folder / "hfstack"))


@pytest.mark.parametrize("inner", ["bin", "hfstack"])
def test_a_frozen_program_calls_the_scripts_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inner: str
) -> None:
    frozen_in(monkeypatch, tmp_path / inner)
    (tmp_path / "scripts").mkdir()
    for command in ANSWERS:
        (tmp_path / "scripts" / f"{command}.sh").touch()
    assert scripts.own_commands()["requestMachines"] == [str(tmp_path / "scripts" / "requestMachines.sh")]


def test_without_scripts_it_calls_its_own_executables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen_in(monkeypatch, tmp_path / "hfstack")
    assert scripts.own_commands()["requestMachines"] == [str(tmp_path / "hfstack" / "requestMachines")]


def test_scripts_get_nothing_from_a_frozen_programs_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"LD_LIBRARY_PATH": "/inner", "_PYI_ARCHIVE_FILE": "x", "HF_TOP": "/opt", "HF_PROVIDER_NAME": "a"}
    chosen = {"HF_PROVIDER_NAME": "b"}
    assert scripts.script_environment(given, chosen)["LD_LIBRARY_PATH"] == "/inner"
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert scripts.script_environment(given, chosen) == {"HF_TOP": "/opt", "HF_PROVIDER_NAME": "b"}
    before = {**given, "LD_LIBRARY_PATH_ORIG": "/site"}
    assert scripts.script_environment(before, {})["LD_LIBRARY_PATH"] == "/site"
