"""What the frozen folder for Windows is made of: `python audit.py FOLDER PYTHON` fails if anything is of another make.

Each library is, byte for byte, one of PYTHON, the folder of interpreter.py with the wheels in it. Nothing is Wine's.
What is imported is shipped, or part of every Windows 10 and Server 2016. The programs say their names and allow long
paths.
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
"""Libraries that every Windows 10 and Server 2016 has."""

PROGRAMS = {f"{name}.exe" for name in ("hfstack", *COMMANDS)}

OF_WINE = (b"Wine builtin DLL", b"Wine placeholder DLL")
"""What Wine's own files have near their beginning."""


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
    """Yield what should not be."""
    known = {digest(path) for path in libraries(python)}
    shipped = {path.name.lower() for path in libraries(folder)}
    programs = sorted(folder.glob("*.exe"))
    if {path.name for path in programs} != PROGRAMS:
        yield f"the programs are {', '.join(path.name for path in programs) or 'missing'}"
    for path in libraries(folder):
        if digest(path) not in known:
            yield f"{path.name} is not one of {python}"
    for path in [*programs, *libraries(folder)]:
        content = path.read_bytes()
        if any(mark in content for mark in OF_WINE):
            yield f"{path.name} is Wine's"
        for name in imported(path):
            if name not in shipped and not WINDOWS.match(name):
                yield f"{path.name} imports {name}, which is neither shipped nor part of Windows"
    for path in programs:
        content = path.read_bytes()
        if b"longPathAware" not in content or path.name.encode("utf-16-le") not in content:
            yield f"{path.name} has no manifest for long paths, or does not say its name"


def main() -> None:
    """Print each problem, else what there is."""
    folder, python = map(Path, sys.argv[1:])
    found = list(problems(folder, python))
    if found:
        sys.exit("\n".join(found))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    count = len(libraries(folder))
    print(f"{folder}: {len(PROGRAMS)} programs, {count} libraries, all of them known, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
