"""The Windows programs: on Linux they run under Wine, called with the paths of its drive Z."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

from tests import ROOT

sys.path.append(str(ROOT / "build" / "windows"))

import wine

FROZEN = ROOT / "dist" / "windows-x86_64" / "hfstack"
SCRIPTS = FROZEN.with_name("scripts")
HERE = sys.platform == "win32"
"""Whether this is Windows."""

KINDS = ("windows", "bat")
"""The executables, and the scripts before them."""


def missing() -> str:
    """Return why the programs cannot be run, "" if they can."""
    if not (FROZEN / "hfstack.exe").exists():
        return "nothing is frozen for Windows: make windows"
    return "" if HERE else wine.missing()


def path(one: Path | str) -> str:
    """Return a path as the programs see it."""
    return str(one) if HERE else wine.path(one)


def network(one: Path | str) -> str:
    r"""Return a path as one on the network: Windows shows its drives to administrators as shares, \\localhost\C$."""
    drive, rest = path(one).split(":", 1)
    return rf"\\localhost\{drive}$" + rest


@contextmanager
def awake() -> Iterator[None]:
    """Have calls under Wine start and end sooner."""
    with nullcontext() if HERE else wine.awake():
        yield


def called(*words: str) -> list[str]:
    """Return how a Windows program is called from here."""
    return list(words) if HERE else [wine.PROGRAM, *words]


def program(kind: str, command: str) -> list[str]:
    """Return how a command of HostFactory's is called."""
    if kind == "bat":
        return called("cmd", "/d", "/c", path(SCRIPTS / f"{command}.bat"))
    return called(path(FROZEN / f"{command}.exe"))


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return an environment as the programs see it: with Windows' own variables, or with Wine's, and their paths."""
    if HERE:
        return {**os.environ, **given}
    translated = {name: path(value) if value.startswith("/") else value for name, value in given.items()}
    return wine.environment(**translated)
