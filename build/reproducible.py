"""Freeze twice, in two folders and two environments: `python build/reproducible.py` fails where the results differ.

Sources, Python and libraries are the same; folder, time zone, language, home and umask are not. Contents, modes and
times of all files are compared.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import freeze

FOLDER = freeze.ROOT / ".cache" / "reproducible"

PLACES = (
    ("one", 0o022, {"TZ": "UTC", "LC_ALL": "C"}),
    ("another folder", 0o077, {"TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}),
)


def main() -> None:
    """Freeze in both places, and name each file that differs."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    epoch = str(freeze.source_date())
    first, second = (build(FOLDER / name, umask, {**own, "SOURCE_DATE_EPOCH": epoch}) for name, umask, own in PLACES)
    differing = [path for path in sorted({*first, *second}) if first.get(path) != second.get(path)]
    if differing:
        sys.exit("differing: " + ", ".join(differing))
    whole = hashlib.sha256("\n".join(f"{path} {first[path]}" for path in sorted(first)).encode()).hexdigest()
    print(f"{len(first)} files are the same in both; all together {whole[:16]}")
    shutil.rmtree(FOLDER)


def build(folder: Path, umask: int, environment: dict[str, str]) -> dict[str, str]:
    """Freeze a copy of the sources; return what there is to say of each file, by its path."""
    for name in ("hfstack", "build"):
        shutil.copytree(freeze.ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [sys.executable, "build/freeze.py"], cwd=folder, env={**os.environ, **environment}, umask=umask, check=True
    )
    made = folder / freeze.FOLDER.relative_to(freeze.ROOT)
    return {path.relative_to(made).as_posix(): described(path) for path in made.rglob("*")}


def described(path: Path) -> str:
    """Return a file's mode, time and content, or a link's target."""
    if path.is_symlink():
        return f"-> {path.readlink()}"
    status = path.stat()
    content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "a folder"
    return f"{status.st_mode:o} {status.st_mtime_ns} {content}"


if __name__ == "__main__":
    main()
