"""The parts of the frozen folder for Windows beside Python packages: CPython and libraries, as their makers built them.

The files contain their versions, except libffi: its version comes from CPython's list for 3.11 to 3.13
(PCbuild/get_externals.bat).
"""

from __future__ import annotations

import _decimal
import platform
import re
import ssl
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import yaml._yaml

from msi_tables import version
from part import Part, texts

PROGRAM = "hfstack.exe"
EXTENSION = ".pyd"
STAND_INS: set[str] = set()

LIBFFI = "3.4.4"
LICENCE = str(Path(sys.base_prefix) / "LICENSE.txt")
"""Python's licence, which includes the conditions for Microsoft's runtime and for libffi."""

CORE = f"python{sys.version_info.major}{sys.version_info.minor}"
LIBRARIES = ("VCRUNTIME140", "VCRUNTIME140_1", "libcrypto-3", "libssl-3", "libffi-8")


def interpreter() -> Part:
    """Return the interpreter."""
    number = platform.python_version()
    texts_of = [LICENCE, *texts("cpython-incorporated")]
    return Part("CPython", number, f"pkg:generic/python@{number}", "Python-2.0.1", texts_of)


def owners(python: Part) -> dict[str, Part]:
    """Return the owners of files that belong to no package, by the beginnings of their names."""
    return dict.fromkeys(("python3", CORE, *LIBRARIES), python)


def brought(folder: Path, python: Part) -> Iterator[Part]:
    """Yield the libraries that came with the interpreter as parts of their own, and what is linked into others."""
    files = {Path(place).stem: place for place in python.places}
    yaml_library = next(folder.glob("_internal/yaml/*.pyd")).relative_to(folder).as_posix()
    microsofts = {place for name, place in files.items() if name.startswith("VCRUNTIME")}
    runtime = version((folder / files["VCRUNTIME140"]).read_bytes())
    assert runtime is not None, "Microsoft's libraries have a version"
    for name, number, licence, places in (
        ("openssl", ssl.OPENSSL_VERSION.split()[1], "Apache-2.0", {files["libcrypto-3"], files["libssl-3"]}),
        ("libffi", LIBFFI, "MIT", {files["libffi-8"]}),
        ("vcruntime", runtime[0], "LicenseRef-Microsoft-Distributable-Code", microsofts),
        ("zlib", zlib.ZLIB_RUNTIME_VERSION, "Zlib", {files[CORE]}),
        ("zlib", bootloaders_zlib(folder), "Zlib", {path.name for path in folder.glob("*.exe")}),
        ("libmpdec", _decimal.__libmpdec_version__, "BSD-2-Clause", {files["_decimal"]}),
        ("libyaml", yaml._yaml.get_version_string(), "MIT", {yaml_library}),  # noqa: SLF001
    ):
        yield Part(name, number, f"pkg:generic/{name}@{number}", licence, texts(name) or [LICENCE], places)
    python.places -= {files[name] for name in LIBRARIES if name in files}


def bootloaders_zlib(folder: Path) -> str:
    """Return the version of zlib in the executables: PyInstaller's bootloader unpacks with it."""
    found = re.search(rb"inflate ([\d.]+) Copyright", (folder / PROGRAM).read_bytes())
    assert found is not None, "zlib leaves this text wherever it is linked in"
    return found[1].decode()
