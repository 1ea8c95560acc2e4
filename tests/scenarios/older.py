"""An older Linux in a folder, for the frozen program to run in: `python -m tests.scenarios.older` makes it.

It is Debian 11 without Python: glibc 2.31, the oldest release that Debian's mirrors still have. A process sees it as
its root, with /proc, the folder of temporary files at its usual place, and the program in /opt/hfstack. Only that
process sees these mounts, so nothing is left when it has ended.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests import ROOT

FROZEN = ROOT / "dist" / "linux-x86_64" / "hfstack"
SCRIPTS = FROZEN.with_name("scripts")
OLDER = Path(os.environ.get("HFSTACK_CACHE") or ROOT / ".cache").resolve() / "bullseye"

ENTER = """
set -e
root=$1 temporary=$2 programs=$3 scripts=$4
shift 4
mkdir -p "$root$temporary"
mount --bind "$temporary" "$root$temporary"
mount --bind "$programs" "$root/opt/hfstack/bin"
mount --bind "$scripts" "$root/opt/hfstack/scripts"
mount -t proc proc "$root/proc"
exec chroot "$root" "$@"
"""


def missing() -> str:
    """Return why nothing can be run in the older Linux, "" if it can."""
    if os.geteuid() != 0:
        return "only root can change a process's root"
    if not (OLDER / "opt" / "hfstack").exists():
        return f"there is no older Linux in {OLDER}: make portable"
    return ""


def inside(*command: str) -> list[str]:
    """Return a command line that runs a command in the older Linux."""
    folders = [OLDER, Path(tempfile.gettempdir()).resolve(), FROZEN, SCRIPTS]
    return ["unshare", "--mount", "sh", "-c", ENTER, "sh", *map(str, folders), *command]


def main() -> None:
    """Make the folder. It gets its name last, so that one that is there is whole."""
    if OLDER.exists():
        return
    for program in ("debootstrap", "unshare"):
        if not shutil.which(program):
            sys.exit(f"{program} is missing: on Debian, apt-get install debootstrap util-linux")
    if os.geteuid() != 0:
        sys.exit("only root can make another Linux in a folder")
    unfinished = OLDER.with_name("bullseye.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    options = ["--variant=minbase", "--include=ca-certificates"]
    subprocess.run(["debootstrap", *options, "bullseye", unfinished], stdout=subprocess.DEVNULL, check=True)
    (unfinished / "etc" / "hosts").write_text("127.0.0.1 localhost\n", encoding="utf-8")
    for name in ("bin", "scripts"):
        (unfinished / "opt" / "hfstack" / name).mkdir(parents=True)
    unfinished.rename(OLDER)


if __name__ == "__main__":
    main()
