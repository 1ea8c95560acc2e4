"""The check that nothing in the frozen folder needs a newer system than RHEL 7."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

LIBRARY = Path("_internal") / "psutil" / "_psutil_linux.abi3.so"


def checked(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the ELF files below a folder."""
    command = [sys.executable, str(ROOT / "build" / "linux" / "elf.py"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_frozen_folder_needs_no_more_than_glibc_2_17(frozen: Path) -> None:
    done = checked(frozen)
    assert (done.returncode, done.stdout) == (0, f"{frozen}: needs glibc 2.17\n")


@pytest.mark.parametrize(
    ("needed", "instead", "said"),
    [
        (b"GLIBC_2.2.5\0", b"GLIBC_2.215\0", "lib.so needs GLIBC_2.215, the limit is 2.17\n"),
        (
            b"libc.so.6\0",
            b"libd.so.6\0",
            "lib.so needs libd.so.6, which is not in this folder and not on every system\n",
        ),
    ],
    ids=["glibc", "library"],
)
def test_a_newer_need_is_named(frozen: Path, tmp_path: Path, needed: bytes, instead: bytes, said: str) -> None:
    content = (frozen / LIBRARY).read_bytes()
    assert needed in content
    (tmp_path / "lib.so").write_bytes(content.replace(needed, instead))
    done = checked(tmp_path)
    assert (done.returncode, done.stderr) == (1, said)


def test_a_folder_without_programs_fails(tmp_path: Path) -> None:
    done = checked(tmp_path)
    assert (done.returncode, done.stderr) == (1, f"{tmp_path} has no ELF file\n")
