"""Calls the five scripts as HostFactory does: a process for each call, its document in a file `hf_in_…`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from hfstack.admin.rehearse.output import ANSWERS, Call

ENDING = ".bat" if sys.platform == "win32" else ".sh"

DRAIN_TIMEOUT = 5
"""How long the output of a killed process may take to be read (seconds)."""


class Scripts:
    """The scripts of one provider instance. Each call may take `timeout` seconds, then its processes are killed."""

    def __init__(self, commands: Mapping[str, Sequence[str]], environment: Mapping[str, str], timeout: float) -> None:
        self.commands = commands
        self.environment = environment
        self.timeout = timeout

    def call(self, command: str, document: object) -> Call:
        """Call a script. Its input file looks like HostFactory's, and is deleted after the call."""
        try:
            handle, path = tempfile.mkstemp(prefix="hf_in_")
        except OSError as error:
            return Call(command, None, b"", b"", 0, f"cannot write its input file: {error}")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(document, file, indent="\t")
            return self.run(command, [*self.commands[command], "-f", path])
        except OSError as error:
            return Call(command, None, b"", b"", 0, f"cannot run it: {error}")
        finally:
            Path(path).unlink(missing_ok=True)

    def run(self, command: str, words: Sequence[str]) -> Call:
        """Run a process until it ends, or until its time is up."""
        began = time.monotonic()
        trouble = ""
        with subprocess.Popen(
            words,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # a group of its own: Ctrl-C does not reach it, and what it started can be killed with it
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        ) as process:
            try:
                stdout, stderr = process.communicate(timeout=self.timeout)
            except subprocess.TimeoutExpired:
                kill(process)
                stdout, stderr = remaining_output(process)
                trouble = f"it did not end within {self.timeout:g} s and was killed"
            except BaseException:
                kill(process)
                raise
        exit_code = None if trouble else process.returncode
        return Call(command, exit_code, stdout, stderr, time.monotonic() - began, trouble)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and everything that it started."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False)
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def remaining_output(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """Return what a process printed before it was killed."""
    try:
        return process.communicate(timeout=DRAIN_TIMEOUT)
    except subprocess.TimeoutExpired as error:
        # something that it started left the group and still holds the pipes
        return error.output or b"", error.stderr or b""


def commands_in(folder: Path) -> dict[str, list[str]]:
    """Return the commands of a folder of scripts. Raises `FileNotFoundError` if one is missing."""
    found = {command: folder / f"{command}{ENDING}" for command in ANSWERS}
    for path in found.values():
        if not path.is_file():
            raise FileNotFoundError(f"there is no script {path}")
    return {command: [str(path)] for command, path in found.items()}


def own_commands() -> dict[str, list[str]]:
    """Return the commands of this program: its scripts, else its executables, or its source if it is not frozen."""
    if not getattr(sys, "frozen", False):
        return {command: [sys.executable, "-m", "hfstack", command] for command in ANSWERS}
    executable = Path(sys.executable).resolve()
    scripts = executable.parent.with_name("scripts")
    if (scripts / f"getRequestStatus{ENDING}").is_file():
        return commands_in(scripts)
    return {command: [str(executable.with_name(command + executable.suffix))] for command in ANSWERS}


def script_environment(given: Mapping[str, str], chosen: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for the scripts: this program's own, and what its command line chose.

    It leaves out what a frozen program's loader added for itself: HostFactory's processes do not have that.
    """
    made = {name: value for name, value in given.items() if not name.startswith("_PYI_")}
    if getattr(sys, "frozen", False):
        made.pop("LD_LIBRARY_PATH", None)
        original = made.pop("LD_LIBRARY_PATH_ORIG", None)
        if original is not None:
            made["LD_LIBRARY_PATH"] = original
    return {**made, **chosen}
