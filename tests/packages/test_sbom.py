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
from typing import Any, NamedTuple

import pytest

import layout
import release
from hfstack import __version__

LIBRARY = {*sys.stdlib_module_names, "_colorize", "_opcode_metadata", "_pydatetime"}
"""The standard library; the Python that was frozen may be newer than the one that tests."""


class Product(NamedTuple):
    """What is shipped for one system."""

    frozen: Path
    program: str
    sbom: Path
    lock: Path
    own: set[str]
    """hfstack's modules."""
    binary: bytes
    """What programs and libraries begin with."""
    marks: dict[str, bytes]
    """What these libraries leave in a file that they are linked into, with their version."""
    hints: dict[str, bytes]
    """What those leave that do not say which they are, or their users."""


def wide(text: str) -> bytes:
    """Return a pattern for a text in UTF-16, as Windows' resources have it."""
    return re.escape(text.encode("utf-16-le"))


LINUX = Product(
    release.FROZEN,
    "hfstack",
    release.SBOM,
    release.ROOT / "build" / "linux" / "requirements.txt",
    {"hfstack", "__main__", *(path.stem for path in (release.ROOT / "build" / "linux" / "host").glob("*.py"))},
    b"\x7fELF",
    {
        "openssl": rb"OpenSSL (\d+\.\d+\.\d+) \d",
        "zlib": rb"inflate (\d[\d.]*) Copyright",
        "bzip2": rb"\0(\d\.\d\.\d), \d+-\w{3}-\d{4}\0",
        "expat": rb"\0expat_(\d+\.\d+\.\d+)\0",
    },
    {"xz-utils": b"_lzma", "libffi": b"_ctypes", "libmpdec": b"libmpdec: ", "libyaml": b"expected <stream-start>"},
)
WINDOWS = Product(
    release.DIST / "windows-x86_64" / "hfstack",
    "hfstack.exe",
    release.WINDOWS_SBOM,
    release.ROOT / "build" / "windows" / "requirements.txt",
    {"hfstack", "__main__"},
    b"MZ",
    {
        # its version resource: ProductName, ProductVersion
        "openssl": wide("OpenSSL Toolkit\0") + rb".{4,12}" + wide("ProductVersion\0") + rb"((?:[\d.]\0)+)",
        # in two versions: in Python's library, which does not say which, and in PyInstaller's bootloader
        "zlib": rb"invalid distance code()",
    },
    {
        "libffi": b"ffi_call",
        "libmpdec": b"libmpdec: ",
        "libyaml": b"expected <stream-start>",
        "vcruntime": b"VCRUNTIME140",
    },
)


@pytest.fixture(scope="module", params=[LINUX, WINDOWS], ids=["linux", "windows"])
def product(request: pytest.FixtureRequest) -> Product:
    found: Product = request.param
    if not found.sbom.exists():
        pytest.skip(f"there is no {found.sbom.name}: make rpm, make msi")
    return found


@pytest.fixture(scope="module")
def document(product: Product) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(product.sbom.read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def places(document: dict[str, Any]) -> dict[str, set[str]]:
    """Where each part is said to be."""
    found: dict[str, set[str]] = {}
    for part in document["components"]:
        found.setdefault(part["name"], set()).update(one["location"] for one in part["evidence"]["occurrences"])
    return found


@pytest.fixture(scope="module")
def binaries(product: Product) -> dict[str, bytes]:
    """Programs and libraries."""
    files = {path.relative_to(product.frozen).as_posix(): path for path in product.frozen.rglob("*") if path.is_file()}
    contents = {name: path.read_bytes() for name, path in files.items() if not path.is_symlink()}
    return {name: content for name, content in contents.items() if content.startswith(product.binary)}


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


def test_two_runs_give_the_same_bytes(product: Product, document: dict[str, Any]) -> None:
    parts = release.WORK / f"{product.sbom.stem}.parts.json"
    seconds = int(datetime.fromisoformat(document["metadata"]["timestamp"]).timestamp())
    command: list[str | Path] = [layout.PYTHON, "packaging/sbom.py", __version__, parts, str(seconds)]
    seeds: list[dict[str, str]] = [{"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2"}]
    runs = {subprocess.check_output(command, cwd=release.ROOT, env=env) for env in seeds}
    assert runs == {product.sbom.read_bytes()}


def test_each_part_has_what_a_reader_needs(document: dict[str, Any]) -> None:
    assert (document["bomFormat"], document["metadata"]["component"]["version"]) == ("CycloneDX", __version__)
    for part in document["components"]:
        assert re.fullmatch(r"pkg:(pypi|deb/debian|generic)/[^@]+@\S+", part["purl"])
        assert part["version"]
        assert part["licenses"][0]["expression"]
        assert part["evidence"]["occurrences"]


def test_every_module_has_its_part_and_every_part_its_module(product: Product, places: dict[str, set[str]]) -> None:
    inside = set(modules((product.frozen / product.program).read_bytes()))
    assert {"hfstack", "openstack", "json"} <= inside
    foreign = {name for name in inside - product.own - LIBRARY if not name.startswith("_sysconfigdata")}
    said = {place.removeprefix("hfstack:") for where in places.values() for place in where if ":" in place}
    assert said == foreign


def test_every_file_has_its_part_and_every_part_its_file(
    product: Product, places: dict[str, set[str]], binaries: dict[str, bytes]
) -> None:
    said = {place for where in places.values() for place in where if ":" not in place}
    assert {place for place in said if not (product.frozen / place).exists()} == set()
    assert binaries.keys() <= said
    for path in product.frozen.rglob("*"):
        name = path.relative_to(product.frozen).as_posix()
        if path.is_file() and not path.is_symlink():
            assert any(name == place or name.startswith(f"{place}/") for place in said), name


def test_linked_libraries_are_named_with_the_version_that_is_there(
    product: Product, document: dict[str, Any], places: dict[str, set[str]], binaries: dict[str, bytes]
) -> None:
    versions = {part["name"]: part["version"] for part in document["components"]}
    for name, mark in product.marks.items():
        found = {file: set(re.findall(mark, content)) for file, content in binaries.items()}
        assert {file for file, marks in found.items() if marks} == places[name]
        said = {mark.replace(b"\0", b"").decode() for marks in found.values() for mark in marks}
        assert all(one in versions[name] for one in said), name
    for name, hint in product.hints.items():
        assert all(hint in binaries[file] for file in places[name]), name


def test_python_packages_have_the_versions_that_are_locked(product: Product, document: dict[str, Any]) -> None:
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", product.lock.read_text("utf-8"), re.MULTILINE))
    said = {part["purl"].split("/")[1].split("@")[0]: part["version"] for part in document["components"]}
    python = {part["purl"].split("/")[1].split("@")[0] for part in document["components"] if "pypi" in part["purl"]}
    assert len(python) > 20
    assert {name: said[name] for name in python} == {name: locked[name.replace(".", "-")] for name in python}
