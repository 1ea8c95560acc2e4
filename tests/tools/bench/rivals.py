"""What hfstack is held against, made ready once below .cache/bench: a frozen program and OpenStack's client."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests import ROOT
from tests.tools.bench.measure import BenchError

CACHE = ROOT / ".cache" / "bench"
NAIVE = Path(__file__).with_name("naive.py")
PINNED = ROOT / "tests" / "openstack" / "constraints.txt"

COLLECT = (
    # without these a frozen openstacksdk does not start
    *("--collect-data", "openstack", "--collect-data", "os_service_types", "--copy-metadata", "openstacksdk"),
    *("--collect-submodules", "keystoneauth1.loading"),
    # pydantic's hook would take these from a developer's environment; the naive program's own would not have them
    *("--exclude-module", "mypy", "--exclude-module", "hypothesis", "--exclude-module", "pytest"),
)


def freezer() -> str:
    """Return the Python that hfstack was frozen with, in its environment. Raises `BenchError`."""
    found = os.environ.get("HFSTACK_FREEZER", "")
    if not os.path.exists(found):
        raise BenchError("HFSTACK_FREEZER does not name the Python that hfstack was frozen with: run make bench")
    return os.path.abspath(found)


def naive() -> str:
    """Freeze the naive program with PyInstaller's defaults, unless that has been done; return its path."""
    program = CACHE / "naive" / "naive"
    if not program.exists() or program.stat().st_mtime < NAIVE.stat().st_mtime:
        print("freezing the naive program (once)", flush=True)
        places = ["--distpath", str(CACHE), "--workpath", str(CACHE / "build"), "--specpath", str(CACHE / "build")]
        arguments = ["--noconfirm", "--log-level", "ERROR", "--name", "naive", *places, *COLLECT, str(NAIVE)]
        run([freezer(), "-m", "PyInstaller", *arguments])
    return str(program)


@functools.cache
def client() -> str | None:
    """Install python-openstackclient into an environment of its own, unless that has been done; return its path.

    The versions are those that the real OpenStack of the tests has. `None` if it cannot be installed.
    """
    environment = CACHE / "client"
    program, stamp = environment / "bin" / "openstack", environment / "pinned"
    if stamp.exists() and stamp.read_bytes() == PINNED.read_bytes():
        return str(program)
    print("installing python-openstackclient (once)", flush=True)
    pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        run([sys.executable, "-m", "venv", "--clear", str(environment)])
        run([*pip, "--constraint", str(PINNED), "python-openstackclient"])
    except BenchError as error:
        print(error)
        return None
    stamp.write_bytes(PINNED.read_bytes())
    return str(program)


def curl() -> str | None:
    """Return where curl is, `None` if there is none."""
    return shutil.which("curl")


def run(command: Sequence[str]) -> None:
    """Run a command that prints nothing unless it fails. Raises `BenchError`."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise BenchError(f"{' '.join(command[:4])} …: {done.stderr.strip()[-500:]}")
