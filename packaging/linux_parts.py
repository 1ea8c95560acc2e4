"""The parts of the frozen folder for Linux that are not Python packages: the interpreter, and what is linked into it.

The file SOURCES beside the interpreter has the versions of its source packages.
"""

from __future__ import annotations

import _decimal
import platform
import pyexpat
import ssl
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import yaml._yaml

from part import HERE, Part, texts

PROGRAM = "hfstack"
EXTENSION = ".so"
STAND_INS = {path.stem for path in (HERE.parent / "build" / "linux" / "host").glob("*.py")}
"""Modules of hfstack's build that replace other packages."""

LINKED = {
    "zlib": "Zlib",
    "bzip2": "bzip2-1.0.6",
    "libffi": "MIT",
    "xz-utils": "0BSD",
    "openssl": "Apache-2.0",
}
"""The licences of the libraries linked into libpython, by source package."""


def interpreter() -> Part:
    """Return the interpreter."""
    return next(part for part in sources() if part.name == "CPython")


def owners(python: Part) -> dict[str, Part]:
    """Return the owners of files that belong to no package, by the beginnings of their names."""
    return dict.fromkeys(("libpython3", "_sysconfigdata__linux_x86_64-linux-gnu"), python)


def brought(folder: Path, python: Part) -> Iterator[Part]:
    """Yield what is linked into the interpreter and its libraries. Raises `SystemExit` if another one was frozen."""
    library = next(place for place in python.places if "libpython" in place)
    compiled = (folder / library).read_bytes()
    for word in (platform.python_version(), ssl.OPENSSL_VERSION, zlib.ZLIB_RUNTIME_VERSION, pyexpat.EXPAT_VERSION):
        if word.encode() not in compiled:
            sys.exit(f"{folder}: {library} does not come from {sys.executable}: it does not contain {word}")
    for part in sources():
        if part.name != "CPython":
            part.places.add(library)
            yield part
    yield from copied(folder, library)


def sources() -> Iterator[Part]:
    """Yield the interpreter and what is linked into it: the Debian source packages in SOURCES."""
    prefix = Path(sys.base_prefix)
    for line in (prefix.parent / "SOURCES").read_text("ascii").splitlines():
        name, version = line.split()
        purl = f"pkg:deb/debian/{name}@{quote(version, safe='')}?arch=source"
        if name.startswith("python"):
            text = next(prefix.glob("lib/python3.*/LICENSE.txt"))
            yield Part("CPython", version, purl, "Python-2.0.1", [str(text), *texts("cpython-incorporated")])
        else:
            yield Part(name, version, purl, LINKED[name], texts(name))


def copied(folder: Path, library: str) -> Iterator[Part]:
    """Yield libraries that others have copied into their sources, with the versions that the copies report."""
    for name, version, licence, place in (
        ("expat", pyexpat.EXPAT_VERSION.removeprefix("expat_"), "MIT", library),
        ("libmpdec", _decimal.__libmpdec_version__, "BSD-2-Clause", library),
        ("libyaml", yaml._yaml.get_version_string(), "MIT", "_internal/yaml"),  # noqa: SLF001
    ):
        where = {path.relative_to(folder).as_posix() for path in folder.glob(f"{place}/*.so")} or {place}
        yield Part(name, version, f"pkg:generic/{name}@{version}", licence, texts(name), where)
