"""The SBOM names everything that is in the frozen folder, with the versions that are really there, and nothing else."""

from __future__ import annotations

import json
import marshal
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import make_rpm
import release
from hfstack import __version__

LOCK = release.ROOT / "build" / "linux" / "requirements.txt"
LIBRARY = {*sys.stdlib_module_names, "_colorize", "_opcode_metadata", "_pydatetime"}
"""The standard library; the Python that was frozen may be newer than the one that tests."""

STAND_INS = {path.stem for path in (release.ROOT / "build" / "linux" / "host").glob("*.py")}

MARKS = {
    "openssl": rb"OpenSSL (\d+\.\d+\.\d+) \d",
    "zlib": rb"inflate (\d[\d.]*) Copyright",
    "bzip2": rb"\0(\d\.\d\.\d), \d+-\w{3}-\d{4}\0",
    "expat": rb"\0expat_(\d+\.\d+\.\d+)\0",
}
"""What these libraries leave in a file that they are linked into, with their version."""

HINTS = {"xz-utils": b"_lzma", "libffi": b"_ctypes", "libmpdec": b"libmpdec: ", "libyaml": b"expected <stream-start>"}
"""What those leave that do not say which they are, or their users."""


@pytest.fixture(scope="module")
def document(package: Path) -> dict[str, Any]:  # noqa: ARG001 - made with it
    found: dict[str, Any] = json.loads(release.SBOM.read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def places(document: dict[str, Any]) -> dict[str, set[str]]:
    """Where each part is said to be."""
    return {
        part["name"]: {one["location"] for one in part["evidence"]["occurrences"]} for part in document["components"]
    }


@pytest.fixture(scope="module")
def elf_files() -> dict[str, bytes]:
    files = {path.relative_to(release.FROZEN).as_posix(): path for path in release.FROZEN.rglob("*") if path.is_file()}
    contents = {name: path.read_bytes() for name, path in files.items() if not path.is_symlink()}
    return {name: content for name, content in contents.items() if content.startswith(b"\x7fELF")}


def modules(program: bytes) -> Iterator[str]:
    """Yield the top-level modules in an executable, read as PyInstaller documents its archives."""
    cookie = struct.Struct("!8sIIii64s")
    start = program.rindex(b"MEI\014\013\012\013\016")
    _, length, toc, toc_length, *_ = cookie.unpack_from(program, start)
    archive = program[start + cookie.size - length :]
    at = toc
    while at < toc + toc_length:
        size, begin, packed, _, _, kind = struct.unpack_from("!IIIIBB", archive, at)
        name = archive[at + 18 : at + size].rstrip(b"\0").decode()
        at += size
        if kind == ord("z"):
            pyz = archive[begin : begin + packed]
            (index,) = struct.unpack_from("!I", pyz, 8)
            yield from (entry.split(".")[0] for entry, _ in marshal.loads(pyz[index:]))
        elif kind != ord("o"):
            yield name


def test_two_runs_give_the_same_bytes(document: dict[str, Any]) -> None:
    parts = release.WORK / "parts.json"
    seconds = int(datetime.fromisoformat(document["metadata"]["timestamp"]).timestamp())
    command: list[str | Path] = [make_rpm.PYTHON, "packaging/sbom.py", __version__, parts, str(seconds)]
    seeds: list[dict[str, str]] = [{"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2"}]
    runs = {subprocess.check_output(command, cwd=release.ROOT, env=env) for env in seeds}
    assert runs == {release.SBOM.read_bytes()}


def test_each_part_has_what_a_reader_needs(document: dict[str, Any]) -> None:
    assert (document["bomFormat"], document["metadata"]["component"]["version"]) == ("CycloneDX", __version__)
    for part in document["components"]:
        assert re.fullmatch(r"pkg:(pypi|deb/debian|generic)/[^@]+@\S+", part["purl"])
        assert part["version"]
        assert part["licenses"][0]["expression"]
        assert part["evidence"]["occurrences"]


def test_every_module_has_its_part_and_every_part_its_module(places: dict[str, set[str]]) -> None:
    inside = set(modules((release.FROZEN / "hfstack").read_bytes()))
    assert {"hfstack", "openstack", "json"} <= inside
    own = {"hfstack", "program", *STAND_INS}
    foreign = {name for name in inside - own - LIBRARY if not name.startswith("_sysconfigdata")}
    said = {place.removeprefix("hfstack:") for where in places.values() for place in where if ":" in place}
    assert said == foreign


def test_every_file_has_its_part_and_every_part_its_file(
    places: dict[str, set[str]], elf_files: dict[str, bytes]
) -> None:
    said = {place for where in places.values() for place in where if ":" not in place}
    assert {place for place in said if not (release.FROZEN / place).exists()} == set()
    assert elf_files.keys() <= said
    for path in release.FROZEN.rglob("*"):
        name = path.relative_to(release.FROZEN).as_posix()
        if path.is_file() and not path.is_symlink():
            assert any(name == place or name.startswith(f"{place}/") for place in said), name


def test_linked_libraries_are_named_with_the_version_that_is_there(
    document: dict[str, Any], places: dict[str, set[str]], elf_files: dict[str, bytes]
) -> None:
    versions = {part["name"]: part["version"] for part in document["components"]}
    for name, mark in MARKS.items():
        found = {file: set(re.findall(mark, content)) for file, content in elf_files.items()}
        assert {file for file, marks in found.items() if marks} == places[name]
        assert all(mark.decode() in versions[name] for marks in found.values() for mark in marks), name
    for name, hint in HINTS.items():
        assert all(hint in elf_files[file] for file in places[name]), name


def test_python_packages_have_the_versions_that_are_locked(document: dict[str, Any]) -> None:
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", LOCK.read_text("utf-8"), re.MULTILINE))
    said = {part["purl"].split("/")[1].split("@")[0]: part["version"] for part in document["components"]}
    python = {part["purl"].split("/")[1].split("@")[0] for part in document["components"] if "pypi" in part["purl"]}
    assert len(python) > 20
    assert {name: said[name] for name in python} == {name: locked[name.replace(".", "-")] for name in python}
