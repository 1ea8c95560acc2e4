"""Freeze hfstack: `python build/freeze.py` gives dist/<system>-x86_64/hfstack/ with one executable per command.

The Python that runs this is frozen in. The same sources, Python and libraries give the same bytes, whenever and
wherever (`make reproducible`). What does not pass build/linux's checks does not get into dist/.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SYSTEM = "windows-x86_64" if sys.platform == "win32" else "linux-x86_64"
FOLDER = ROOT / "dist" / SYSTEM / "hfstack"
WORK = ROOT / ".cache" / "freeze" / SYSTEM
COMMANDS = (
    "getAvailableTemplates",
    "getRequestStatus",
    "getReturnRequests",
    "requestMachines",
    "requestReturnMachines",
)


def main() -> None:
    """Freeze, check, and put the result where it belongs."""
    epoch = source_date()
    made = freeze(epoch)
    if SYSTEM == "linux-x86_64":
        for command in COMMANDS:
            # a link, not a copy: each copy would carry all modules again; the program knows by its name what to be
            (made / command).symlink_to("hfstack")
    settle(made, epoch)
    if SYSTEM == "linux-x86_64":
        for check in ("elf.py", "contents.py"):
            if subprocess.run([sys.executable, ROOT / "build" / "linux" / check, made], check=False).returncode:
                sys.exit(f"{made} is not fit to be shipped")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    made.rename(FOLDER)


def source_date() -> int:
    """Return the time that the files get, in seconds since 1970: SOURCE_DATE_EPOCH, else the commit's."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    done = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit("there is no git repository here: set SOURCE_DATE_EPOCH to the time of the sources")
    return int(done.stdout)


def freeze(epoch: int) -> Path:
    """Run PyInstaller; return the folder that it made."""
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "0",  # the order of sets gets into what is compiled
        "SOURCE_DATE_EPOCH": str(epoch),
        "PYINSTALLER_CONFIG_DIR": str(WORK),  # its own cache, not the account's, which other builds use
    }
    options = ["--noconfirm", "--clean", "--log-level=ERROR", f"--distpath={WORK}/dist", f"--workpath={WORK}/build"]
    subprocess.run(
        [sys.executable, "-m", "PyInstaller", *options, "build/hfstack.spec"], cwd=ROOT, env=environment, check=True
    )
    return WORK / "dist" / "hfstack"


def settle(folder: Path, epoch: int) -> None:
    """Give all files the same time, and modes that do not depend on who builds."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
            os.utime(path, (epoch, epoch))


if __name__ == "__main__":
    main()
