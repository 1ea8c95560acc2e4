"""Check where the files of the frozen folder for Windows come from: `python audit.py FOLDER PYTHON`.

Each library must be, byte for byte, one in PYTHON, the folder of interpreter.py with the wheels. Nothing may be Wine's.
What is imported must be shipped or part of every Windows 10 and Server 2016. The programs must contain their names and
allow long paths.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from hfstack.cli import COMMANDS

OBJDUMP = "x86_64-w64-mingw32-objdump"

WINDOWS = re.compile(
    r"(api-ms-win-(core|crt)-[\w-]+|advapi32|bcrypt|bcryptprimitives|crypt32|gdi32|iphlpapi|kernel32|netapi32|ntdll"
    r"|ole32|oleaut32|pdh|powrprof|psapi|rpcrt4|shell32|shlwapi|user32|userenv|version|ws2_32|wtsapi32)\.dll\Z"
)
"""Libraries of every Windows 10 and Server 2016."""

PROGRAMS = {f"{name}.exe" for name in ("hfstack", *COMMANDS)}

OF_WINE = (b"Wine builtin DLL", b"Wine placeholder DLL")
"""Marks near the beginning of Wine's own files."""


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def imported(path: Path) -> Iterator[str]:
    """Yield the libraries that a file imports, in lower case."""
    done = subprocess.run([OBJDUMP, "-p", path], capture_output=True, text=True, check=True, env={"LC_ALL": "C"})
    yield from (name.lower() for name in re.findall(r"DLL Name: (\S+)", done.stdout))


def libraries(folder: Path) -> list[Path]:
    """Return the libraries below a folder."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".dll", ".pyd"})


def problems(folder: Path, python: Path) -> Iterator[str]:
    """Yield what is wrong."""
    known = {digest(path) for path in libraries(python)}
    shipped = {path.name.lower() for path in libraries(folder)}
    programs = sorted(folder.glob("*.exe"))
    if {path.name for path in programs} != PROGRAMS:
        yield f"the programs are {', '.join(path.name for path in programs) or 'missing'}"
    for path in libraries(folder):
        if digest(path) not in known:
            yield f"{path.name} is not in {python}"
    for path in [*programs, *libraries(folder)]:
        content = path.read_bytes()
        if any(mark in content for mark in OF_WINE):
            yield f"{path.name} belongs to Wine"
        for name in imported(path):
            if name not in shipped and not WINDOWS.match(name):
                yield f"{path.name} imports {name}, which is neither shipped nor part of Windows"
    for path in programs:
        content = path.read_bytes()
        if b"longPathAware" not in content or path.name.encode("utf-16-le") not in content:
            yield f"{path.name} has no manifest for long paths, or does not contain its name"


def main() -> None:
    """Print each problem, or a summary."""
    folder, python = map(Path, sys.argv[1:])
    found = list(problems(folder, python))
    if found:
        sys.exit("\n".join(found))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    count = len(libraries(folder))
    print(f"{folder}: {len(PROGRAMS)} programs, {count} libraries, all of known origin, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
