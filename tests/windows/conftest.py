"""Windows as the tests see it: exact command lines, and a Python that runs there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import wine
from tests import ROOT
from tests.scenarios import windows

HERE = Path(__file__).resolve().parent

ODD = "plug ins & scripts (x86) Überläufe Ελλάδα 日本"
"""A folder's name with all that a command line can stumble over."""


class Done(NamedTuple):
    """What came of one call."""

    code: int
    stdout: bytes
    stderr: bytes


def rights(path: Path) -> str:
    """Return who has which rights to a file or folder of a real Windows, in SDDL."""
    command = f"(Get-Acl -LiteralPath '{path}').GetSecurityDescriptorSddlForm('Access')"
    return subprocess.check_output(["powershell", "-NoProfile", "-Command", command], text=True).strip()


class Windows:
    """Windows, or Wine; what it runs gets HostFactory's variables for the folders in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.variables = {"HF_PROVIDER_NAME": "osinst"}
        for name in ("conf", "work", "log"):
            (folder / name).mkdir(parents=True)
            self.variables[f"HF_PROVIDER_{name.upper()}DIR"] = str(folder / name)

    @property
    def executable(self) -> str:
        """A Python that has what the source tree needs."""
        return sys.executable if windows.HERE else wine.path(wine.FOLDER / "python" / "python.exe")

    def python(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        """Run that Python, with the source tree."""
        environment = {**self.variables, "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            windows.called(self.executable, "-X", "utf8", *words),
            env=windows.environment(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=600,
        )

    def call(self, *lines: str, together: bool = False, cwd: Path | None = None) -> list[Done]:
        """Run command lines, one after the other, or all at once."""
        order = self.folder / "order.json"
        calls = [{"line": line, "cwd": windows.path(cwd or self.folder)} for line in lines]
        order.write_text(json.dumps({"calls": calls, "together": together}), "utf-8")
        done = self.python(windows.path(HERE / "driver.py"), windows.path(order))
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return [
            Done(one["code"], one["stdout"].encode("latin-1"), one["stderr"].encode("latin-1"))
            for one in json.loads(done.stdout)
        ]


@pytest.fixture
def system(tmp_path: Path, windows_ready: None) -> Windows:  # noqa: ARG001
    """Windows, with a site's folders that have an odd name."""
    return Windows(tmp_path / ODD)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, windows_ready: None) -> Path:  # noqa: ARG001
    """An installed folder with an odd name: scripts, and beside them the programs."""
    folder = tmp_path_factory.mktemp("installed") / ODD
    shutil.copytree(windows.FROZEN, folder / "bin")
    shutil.copytree(windows.SCRIPTS, folder / "scripts")
    return folder
