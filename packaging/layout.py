"""Makes the folder to package: what /opt/hfstack contains.

bin/              the frozen programs, with the folder that they share
scripts/          the scripts that HostFactory calls
share/examples/   configuration files to copy
share/doc/        documents, and the licences of all parts
share/man/        manual pages; man finds them from bin/
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import examples
import release
from hfstack import __version__

HERE = Path(__file__).resolve().parent
PYTHON = release.ROOT / ".cache" / "packaging" / ("Scripts" if os.name == "nt" else "bin") / "python"
"""The Python with the packages that sbom.py needs."""


def parts(python: Sequence[str | Path], frozen: str | Path, sbom: Path, seconds: int) -> list[dict[str, Any]]:
    """Write the SBOM of a folder and return its parts, which the Python that froze it finds out."""
    release.WORK.mkdir(parents=True, exist_ok=True)
    path = release.WORK / f"{sbom.stem}.parts.json"
    path.write_bytes(subprocess.check_output([*python, "packaging/inside.py", frozen], cwd=release.ROOT))
    command: list[str | Path] = [PYTHON, HERE / "sbom.py", __version__, path, str(seconds)]
    sbom.write_bytes(subprocess.check_output(command))
    found: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
    return found


def make(folder: Path, frozen: Path, found: list[dict[str, Any]], seconds: int) -> None:
    """Make the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copytree(frozen, folder / "bin", symlinks=True)
    shutil.copytree(frozen.with_name("scripts"), folder / "scripts")
    examples.write(release.ROOT / "docs" / "hostfactory-setup.md", folder / "share" / "examples")
    texts = folder / "share" / "doc"
    texts.mkdir()
    release.documents(texts)
    licences(texts / "licences", found)
    manual(folder / "share" / "man" / "man1")
    release.freshen(folder, seconds)


def licences(folder: Path, found: list[dict[str, Any]]) -> None:
    """Write a folder for each part, with its licence texts."""
    for part in found:
        into = folder / f"{part['name']}-{part['version'].replace(':', '-')}"
        into.mkdir(parents=True)
        for text in part["texts"]:
            # paths from Wine: drive Z is the root of Linux
            shutil.copy(text.removeprefix("Z:").replace("\\", "/"), into)


def manual(folder: Path) -> None:
    """Write the compressed manual pages, without a time stamp inside."""
    folder.mkdir(parents=True)
    for page in sorted((HERE / "man").glob("*.1")):
        (folder / f"{page.name}.gz").write_bytes(gzip.compress(page.read_bytes(), mtime=0))


def size(folder: Path) -> int:
    """Return the size of all files below a folder, in bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not os.path.islink(path))
