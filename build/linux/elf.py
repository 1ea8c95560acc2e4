"""Check what the ELF files below a folder need of a system: `python elf.py FOLDER` fails if RHEL 7 has less.

The limits are those of RHEL 7: glibc 2.17 and the libraries of gcc 4.8. A library that a file needs must be in the
folder or on every system. zlib is on every system because rpm needs it, and PyInstaller's bootloader is linked with it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

LIMITS = {"GLIBC": (2, 17), "GCC": (4, 8, 0), "GLIBCXX": (3, 4, 19), "CXXABI": (1, 3, 7)}

HOST = re.compile(r"(lib(c|m|dl|rt|pthread|util|crypt|resolv|nsl|gcc_s|z)\.so\.\d+|ld-linux-x86-64\.so\.2)\Z")
"""Libraries that every system has."""


class Needs(NamedTuple):
    """What one file needs."""

    versions: dict[str, tuple[int, ...]]
    """The newest version of each kind of symbol: `{"GLIBC": (2, 14)}`."""
    libraries: list[str]
    private: bool
    """Whether it uses glibc's private symbols, which may change from one version to the next."""


def needs(path: Path) -> Needs:
    """Return what a file needs."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        libraries = [
            tag.needed  # type: ignore[attr-defined] # pyelftools names this attribute after the tag
            for segment in elf.iter_segments("PT_DYNAMIC")
            if isinstance(segment, DynamicSegment)
            for tag in segment.iter_tags("DT_NEEDED")
        ]
        symbols = [
            symbol.name
            for section in elf.iter_sections("SHT_GNU_verneed")
            if isinstance(section, GNUVerNeedSection)
            for _, wanted in section.iter_versions()
            for symbol in wanted
        ]
    versions: dict[str, tuple[int, ...]] = {}
    for symbol in symbols:
        kind, _, number = symbol.partition("_")
        if kind in LIMITS and number != "PRIVATE":
            versions[kind] = max(versions.get(kind, ()), tuple(map(int, number.split("."))))
    return Needs(versions, libraries, "GLIBC_PRIVATE" in symbols)


def files(folder: Path) -> Iterator[Path]:
    """Yield the ELF files below a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield path


def problems(folder: Path) -> Iterator[str]:
    """Yield what would keep the files below a folder from running on RHEL 7."""
    inside = {path.name for path in folder.rglob("*")}
    found = list(files(folder))
    if not found:
        yield f"{folder} has no ELF file"
    for path in found:
        wanted = needs(path)
        name = path.relative_to(folder)
        for kind, limit in LIMITS.items():
            if wanted.versions.get(kind, ()) > limit:
                yield f"{name} needs {kind}_{dotted(wanted.versions[kind])}, the limit is {dotted(limit)}"
        if wanted.private:
            yield f"{name} needs private symbols of glibc (GLIBC_PRIVATE)"
        for library in wanted.libraries:
            if library not in inside and not HOST.match(library):
                yield f"{name} needs {library}, which is not in this folder and not on every system"


def newest(folder: Path) -> str:
    """Return the newest version of glibc that a file below a folder needs."""
    return dotted(max(needs(path).versions.get("GLIBC", ()) for path in files(folder)))


def dotted(version: tuple[int, ...]) -> str:
    """Return a version as people write it."""
    return ".".join(map(str, version))


def main() -> None:
    """Print each problem, or the newest glibc that is needed."""
    folder = Path(sys.argv[1])
    found = list(problems(folder))
    if found:
        sys.exit("\n".join(found))
    print(f"{folder}: needs glibc {newest(folder)}")


if __name__ == "__main__":
    main()
