"""Freeze hfstack: `python build/freeze.py` makes dist/<system>-x86_64/hfstack/, and scripts/ beside it.

hfstack/ has one executable per command, and scripts/ one script. The Python that runs this program is frozen in. The
same sources, Python and libraries give the same bytes, at any time and in any folder (`make reproducible`). Only what
passes the checks of build/linux gets into dist/.
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
SCRIPTS = FOLDER.with_name("scripts")
ENDING = ".bat" if sys.platform == "win32" else ".sh"
WORK = ROOT / ".cache" / "freeze" / SYSTEM

sys.path.insert(0, str(ROOT))

from hfstack.cli import COMMANDS  # noqa: E402


def main() -> None:
    """Freeze, check, and move the result to dist/."""
    epoch = source_date()
    made = freeze(epoch)
    if SYSTEM == "linux-x86_64":
        for command in COMMANDS:
            # a link: a copy would carry all modules again; the program's name tells it which command to be
            (made / command).symlink_to("hfstack")
    settle(made, epoch)
    if SYSTEM == "linux-x86_64":
        for check in ("elf.py", "contents.py"):
            if subprocess.run([sys.executable, ROOT / "build" / "linux" / check, made], check=False).returncode:
                sys.exit(f"{made} must not be shipped: see above")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    made.rename(FOLDER)
    write_scripts()
    settle(SCRIPTS, epoch)


def write_scripts() -> None:
    """Write the scripts that HostFactory calls: one script, under the name of each command."""
    shutil.rmtree(SCRIPTS, ignore_errors=True)
    SCRIPTS.mkdir()
    for command in COMMANDS:
        shutil.copy(ROOT / "scripts" / f"command{ENDING}", SCRIPTS / f"{command}{ENDING}")


def source_date() -> int:
    """Return the time to give to the files, in seconds since 1970: SOURCE_DATE_EPOCH, or the commit's time."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    done = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit("this is not a git repository: set SOURCE_DATE_EPOCH to the time of the sources")
    return int(done.stdout)


def freeze(epoch: int) -> Path:
    """Run PyInstaller and return the folder that it made."""
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "0",  # the order of sets is compiled in
        "SOURCE_DATE_EPOCH": str(epoch),
        "PYINSTALLER_CONFIG_DIR": str(WORK),  # a private cache: other builds share the account's
    }
    options = ["--noconfirm", "--clean", "--log-level=ERROR", f"--distpath={WORK}/dist", f"--workpath={WORK}/build"]
    subprocess.run(
        [sys.executable, "-m", "PyInstaller", *options, "build/hfstack.spec"], cwd=ROOT, env=environment, check=True
    )
    return WORK / "dist" / "hfstack"


def settle(folder: Path, epoch: int) -> None:
    """Give all files the same time, and modes that do not depend on the umask."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
            os.utime(path, (epoch, epoch))


if __name__ == "__main__":
    main()
