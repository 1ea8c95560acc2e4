"""What is packaged: its version, its time, and the paths of its files."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from hfstack import __version__

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
FROZEN = DIST / "linux-x86_64" / "hfstack"
WORK = ROOT / ".cache" / "packages"
"""Intermediate files."""

PACKAGE = DIST / f"hfstack-{__version__}-1.x86_64.rpm"
SBOM = DIST / f"hfstack-{__version__}.cdx.json"
WINDOWS_SBOM = DIST / f"hfstack-{__version__}-windows.cdx.json"
INSTALLER = DIST / f"hfstack-{__version__}-x64.msi"
BUNDLE = DIST / f"hfstack-{__version__}-bundle.tar"


def time() -> int:
    """Return the time to give to all files, in seconds since 1970: SOURCE_DATE_EPOCH, or the commit's time.

    It is not the current time, so that the same commit gives the same bytes.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return int(given or subprocess.check_output(["git", "log", "-1", "--format=%ct"], cwd=ROOT, text=True))


def documents(folder: Path) -> None:
    """Copy the documents, Markdown and JSON. Links between them keep working."""
    for name in ("README.md", "CHANGELOG.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "docs", folder / "docs")


def freshen(folder: Path, seconds: int) -> None:
    """Give a folder and everything below it this time, and modes that do not depend on the umask."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_symlink():
            os.utime(path, (seconds, seconds), follow_symlinks=False)
        else:
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
            os.utime(path, (seconds, seconds))
