"""Calls the five scripts as HostFactory does: a process for each question, which is in a file `hf_in_…`."""

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

from hfstack.admin.rehearse.output import ANSWERS, Called

ENDING = ".bat" if sys.platform == "win32" else ".sh"

LAST_WORDS = 5
"""Seconds in which the output of a process that was ended is read to its end."""


class Scripts:
    """The scripts of one provider instance. Each call may take `timeout` seconds, then its processes are ended."""

    def __init__(self, commands: Mapping[str, Sequence[str]], environment: Mapping[str, str], timeout: float) -> None:
        self.commands = commands
        self.environment = environment
        self.timeout = timeout

    def call(self, command: str, document: object) -> Called:
        """Ask one question. The input file looks as HostFactory's does, and goes with the call."""
        try:
            handle, path = tempfile.mkstemp(prefix="hf_in_")
        except OSError as error:
            return Called(command, None, b"", b"", 0, f"its input file cannot be made: {error}")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(document, file, indent="\t")
            return self.run(command, [*self.commands[command], "-f", path])
        except OSError as error:
            return Called(command, None, b"", b"", 0, f"it cannot be run: {error}")
        finally:
            Path(path).unlink(missing_ok=True)

    def run(self, command: str, words: Sequence[str]) -> Called:
        """Run a process to its end, or until its time is over."""
        began = time.monotonic()
        trouble = ""
        with subprocess.Popen(
            words,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # a group of its own: Ctrl-C lets a call end, and all that it started can be ended with it
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        ) as process:
            try:
                stdout, stderr = process.communicate(timeout=self.timeout)
            except subprocess.TimeoutExpired:
                end(process)
                stdout, stderr = last_words(process)
                trouble = f"it did not end within {self.timeout:g} s, and was ended"
            except BaseException:
                end(process)
                raise
        exit_code = None if trouble else process.returncode
        return Called(command, exit_code, stdout, stderr, time.monotonic() - began, trouble)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False)
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def last_words(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """Return what a process printed before it was ended."""
    try:
        return process.communicate(timeout=LAST_WORDS)
    except subprocess.TimeoutExpired as error:
        # something that it started went its own way and still has the pipes
        return error.output or b"", error.stderr or b""


def commands_in(folder: Path) -> dict[str, list[str]]:
    """Return the commands of a folder of scripts. Raises `FileNotFoundError` with the one that is missing."""
    found = {command: folder / f"{command}{ENDING}" for command in ANSWERS}
    for path in found.values():
        if not path.is_file():
            raise FileNotFoundError(f"there is no script {path}")
    return {command: [str(path)] for command, path in found.items()}


def own_commands() -> dict[str, list[str]]:
    """Return the commands that belong to this program: its scripts, else its executables, else its source."""
    if not getattr(sys, "frozen", False):
        return {command: [sys.executable, "-m", "hfstack", command] for command in ANSWERS}
    executable = Path(sys.executable).resolve()
    scripts = executable.parent.with_name("scripts")
    if (scripts / f"getRequestStatus{ENDING}").is_file():
        return commands_in(scripts)
    return {command: [str(executable.with_name(command + executable.suffix))] for command in ANSWERS}


def environment(given: Mapping[str, str], chosen: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for the scripts: what this program was given, and what its command line chose.

    What a frozen program's loader added for itself is taken out again, as HostFactory's processes have none of it.
    """
    made = {name: value for name, value in given.items() if not name.startswith("_PYI_")}
    if getattr(sys, "frozen", False):
        made.pop("LD_LIBRARY_PATH", None)
        original = made.pop("LD_LIBRARY_PATH_ORIG", None)
        if original is not None:
            made["LD_LIBRARY_PATH"] = original
    return {**made, **chosen}
