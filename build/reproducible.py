"""Freeze again, elsewhere: `python build/reproducible.py` fails if the result differs from what is in dist/.

Sources, Python and libraries are the same; folder, time zone, language, home and umask are not. All files must have the
same contents, modes and times.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import freeze

ELSEWHERE = freeze.ROOT / ".cache" / "reproducible" / freeze.SYSTEM / "another folder"
ENVIRONMENT = {"TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}


def main() -> None:
    """Compare both builds, and name each file that differs."""
    first = described(freeze.FOLDER.parent)
    second = described(build(int(freeze.FOLDER.stat().st_mtime)))
    differing = [path for path in sorted({*first, *second}) if first.get(path) != second.get(path)]
    if differing:
        sys.exit("differing: " + ", ".join(differing))
    whole = hashlib.sha256("\n".join(f"{path} {first[path]}" for path in sorted(first)).encode()).hexdigest()
    print(f"{len(first)} files are the same in both builds; the digest of all is {whole[:16]}")
    shutil.rmtree(ELSEWHERE)


def build(epoch: int) -> Path:
    """Freeze a copy of the sources; return the folder of the result."""
    shutil.rmtree(ELSEWHERE, ignore_errors=True)
    for name in ("hfstack", "build", "scripts"):
        shutil.copytree(freeze.ROOT / name, ELSEWHERE / name, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, **ENVIRONMENT, "SOURCE_DATE_EPOCH": str(epoch)}
    subprocess.run([sys.executable, "build/freeze.py"], cwd=ELSEWHERE, env=environment, umask=0o077, check=True)
    return ELSEWHERE / freeze.FOLDER.parent.relative_to(freeze.ROOT)


def described(folder: Path) -> dict[str, str]:
    """Return mode, time and contents of each file in the frozen folder and the scripts' folder, by its path."""
    paths = [path for name in (freeze.FOLDER.name, freeze.SCRIPTS.name) for path in (folder / name).rglob("*")]
    return {path.relative_to(folder).as_posix(): description(path) for path in paths}


def description(path: Path) -> str:
    """Return a file's mode, time and contents, or a link's target."""
    if path.is_symlink():
        return f"-> {path.readlink()}"
    status = path.stat()
    contents = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "a folder"
    return f"{status.st_mode:o} {status.st_mtime_ns} {contents}"


if __name__ == "__main__":
    main()
