"""What the ELF files below a folder need of a system: `python elf.py FOLDER` fails if that is more than RHEL 7 has.

The limits are those of RHEL 7: glibc 2.17 and the libraries of gcc 4.8. A library that a file needs must be in the
folder or on every system. zlib is: PyInstaller's bootloader is linked with it, and rpm needs it, too. So is libgcc.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

LIMITS = {"GLIBC": (2, 17), "GCC": (4, 8, 0), "GLIBCXX": (3, 4, 19), "CXXABI": (1, 3, 7)}

HOST = re.compile(r"(lib(c|m|dl|rt|pthread|util|crypt|resolv|nsl|gcc_s|z)\.so\.\d+|ld-linux-x86-64\.so\.2)\Z")
"""Libraries that every system has."""


class Needs(NamedTuple):
    """What one file needs."""

    versions: dict[str, tuple[int, ...]]
    """The newest version of each kind of symbol: `{"GLIBC": (2, 14)}`."""
    libraries: list[str]
    private: bool
    """Whether it uses symbols of one glibc alone."""


def needs(path: Path) -> Needs:
    """Ask objdump (binutils) what a file needs."""
    done = subprocess.run(["objdump", "-p", path], capture_output=True, text=True, check=True, env={"LC_ALL": "C"})
    references = done.stdout.partition("Version References:")[2]
    versions: dict[str, tuple[int, ...]] = {}
    for kind, version in re.findall(r" ([A-Z]+)_([0-9][0-9.]*)$", references, re.MULTILINE):
        found = tuple(map(int, version.split(".")))
        versions[kind] = max(versions.get(kind, ()), found)
    libraries = re.findall(r"^ +NEEDED +(\S+)$", done.stdout, re.MULTILINE)
    return Needs(versions, libraries, "GLIBC_PRIVATE" in references)


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
            yield f"{name} needs symbols of one glibc alone"
        for library in wanted.libraries:
            if library not in inside and not HOST.match(library):
                yield f"{name} needs {library}, which neither this folder nor every system has"


def newest(folder: Path) -> str:
    """Return the newest version of glibc that a file below a folder needs."""
    return dotted(max(needs(path).versions.get("GLIBC", ()) for path in files(folder)))


def dotted(version: tuple[int, ...]) -> str:
    """Return a version as people write it."""
    return ".".join(map(str, version))


def main() -> None:
    """Print each problem, else the newest glibc that is needed."""
    folder = Path(sys.argv[1])
    found = list(problems(folder))
    if found:
        sys.exit("\n".join(found))
    print(f"{folder}: glibc {newest(folder)} suffices")


if __name__ == "__main__":
    main()
