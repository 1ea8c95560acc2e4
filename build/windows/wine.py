"""Run Windows programs on Linux with Wine: `python wine.py PROGRAM ARGUMENTS…`. `python wine.py --prepare` sets it up.

Wine keeps the disk of a Windows system in a folder, its prefix: .cache/windows/prefix. A program's standard streams
must be pipes or /dev/null: under Wine, Python does not start if one is a file. Wine's drive Z is the root of Linux.
Exit codes are cut to 8 bits.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent.parent / ".cache" / "windows"
PREFIX = FOLDER / "prefix"
SYSTEM = PREFIX / "drive_c"
SHARES = PREFIX / "dosdevices" / "unc" / "localhost"
r"""What Windows programs see as \\localhost, a computer on the network. Its shares C$ and Z$ are the drives."""

# the wrapper in /usr/bin writes about 32-bit programs to stderr
PROGRAM = "/usr/lib/wine/wine64"
SERVER = "/usr/lib/wine/wineserver64"

SETTINGS = {
    "WINEPREFIX": str(PREFIX),
    "WINEARCH": "win64",
    "WINEDEBUG": "-all",
    # no .NET, no browser, no entries in the desktop's menu
    "WINEDLLOVERRIDES": "mscoree,mshtml=d;winemenubuilder.exe=d",
    "LC_ALL": "C.UTF-8",
    "DISPLAY": "",
}

VERSION = "win81"
"""The Windows version that Wine reports. On Windows 10, keystoneauth1 sets a socket option that Wine 8 lacks."""


def environment(**more: str) -> dict[str, str]:
    """Return the environment for a Windows program: Wine's settings and `more`."""
    return {"PATH": os.environ["PATH"], "HOME": str(FOLDER), **more, **SETTINGS}


def path(one: Path | str) -> str:
    """Return a path as Windows programs write it. The root of Linux is their drive Z."""
    return "Z:" + os.path.abspath(one).replace("/", "\\")


def run(*words: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    """Run a Windows program to its end, with `more` in its environment."""
    return subprocess.run(
        [PROGRAM, *words], env=environment(**more), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )


@contextmanager
def awake() -> Iterator[None]:
    """Keep Wine's services running between programs: starting and ending them takes longer than most programs.

    They run as long as any program does, here a shell that waits for input. Services keep the output of the program
    that starts them open, so the first programs here have no output; the first installer starts the last service.
    """
    nothing = subprocess.DEVNULL
    waiting, first = [PROGRAM, "cmd"], [PROGRAM, "msiexec", "/qn", "/x", "nothing.msi"]
    with subprocess.Popen(waiting, env=environment(), stdin=subprocess.PIPE, stdout=nothing, stderr=nothing):
        subprocess.call(first, env=environment(), stdin=nothing, stdout=nothing, stderr=nothing)
        yield


def missing() -> str:
    """Return why Windows programs cannot run here, or "" if they can."""
    if not Path(PROGRAM).exists():
        return "Wine is not installed"
    return "" if (PREFIX / ".ready").exists() else f"{PREFIX} does not exist: run make windows"


def prepare() -> None:
    """Make a new prefix."""
    shutil.rmtree(PREFIX, ignore_errors=True)
    PREFIX.mkdir(parents=True)
    for words in (("wineboot", "--init"), ("winecfg", "/v", VERSION)):
        done = run(*words)
        if done.returncode:
            sys.exit(f"{' '.join(words)}: {done.stderr.decode(errors='replace')}")
    library = SYSTEM / "windows" / "system32" / "bcryptprimitives.dll"
    compiler = ["x86_64-w64-mingw32-gcc", "-O2", "-shared", "-s"]
    subprocess.run([*compiler, "-o", library, HERE / "bcryptprimitives.c", "-ladvapi32"], check=True)
    SHARES.mkdir(parents=True)
    for name, folder in (("Z$", "/"), ("C$", SYSTEM)):
        (SHARES / name).symlink_to(folder)
    subprocess.run([SERVER, "--wait"], env=environment(), check=True)
    (PREFIX / ".ready").touch()


def main() -> None:
    """Make the prefix, or run a program and pass on its output."""
    if sys.argv[1:] == ["--prepare"]:
        prepare()
        return
    given = {name: os.environ[name] for name in ("SOURCE_DATE_EPOCH",) if name in os.environ}
    done = run(*sys.argv[1:], **given)
    sys.stdout.buffer.write(done.stdout)
    sys.stderr.buffer.write(done.stderr)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
