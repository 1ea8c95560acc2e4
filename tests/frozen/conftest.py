"""Where the frozen programs are."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import ROOT

FOLDER = ROOT / "dist" / "linux-x86_64" / "hfstack"

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture(scope="session")
def frozen() -> Path:
    """The folder of the frozen programs."""
    if not (FOLDER / "hfstack").exists():
        pytest.skip("nothing is frozen: make freeze")
    return FOLDER


@pytest.fixture
def run(tmp_path: Path, frozen: Path) -> Run:  # noqa: ARG001 - nothing to call otherwise
    """Call a program as HostFactory does, in an environment of its own, without Python's variables."""
    for name in ("conf", "work", "log", "home"):
        (tmp_path / name).mkdir()

    def call(*command: object, **more: object) -> subprocess.CompletedProcess[bytes]:
        env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path / "home"),
            "TMPDIR": str(tmp_path),
            "HF_PROVIDER_CONFDIR": str(tmp_path / "conf"),
            "HF_PROVIDER_WORKDIR": str(tmp_path / "work"),
            "HF_PROVIDER_LOGDIR": str(tmp_path / "log"),
        }
        words = [os.fspath(word) if isinstance(word, Path) else str(word) for word in command]
        cwd = str(more.get("cwd", tmp_path))
        return subprocess.run(words, env=env, cwd=cwd, capture_output=True, check=False, timeout=120)

    return call
