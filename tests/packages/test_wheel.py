"""`pip wheel .` leaves the sources as they are, and the wheel has every command."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hfstack import cli
from tests import ROOT


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a wheel is built from, and of build/, where setuptools would put its own files."""
    folder = tmp_path_factory.mktemp("sources")
    for name in ("hfstack", "build"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


def files(folder: Path) -> set[str]:
    """Return the files below a folder, but for those that git ignores."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {path for path in found if not path.startswith((".cache/", "hfstack.egg-info/"))}


@pytest.fixture(scope="module")
def wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel. The sources are the same before and after."""
    folder = tmp_path_factory.mktemp("wheel")
    before = files(sources)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", *options, "-w", folder, sources], check=True)
    assert files(sources) == before
    return next(folder.glob("*.whl"))


def test_every_command_is_installed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/entry_points.txt"))
        points = configparser.ConfigParser()
        points.optionxform = str  # type: ignore[assignment,method-assign] # names keep their case
        points.read_string(archive.read(name).decode())
    assert dict(points["console_scripts"]) == dict.fromkeys(("hfstack", *cli.COMMANDS), "hfstack.cli:main")


def test_only_the_package_is_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert {name.split("/")[0].split("-")[0] for name in archive.namelist()} == {"hfstack"}
