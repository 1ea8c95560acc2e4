"""Freeze hfstack: `python build/freeze.py` gives dist/linux-x86_64/hfstack/ with one executable per command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SYSTEM = "windows-x86_64" if sys.platform == "win32" else "linux-x86_64"
FOLDER = ROOT / "dist" / SYSTEM / "hfstack"
COMMANDS = (
    "getAvailableTemplates",
    "getRequestStatus",
    "getReturnRequests",
    "requestMachines",
    "requestReturnMachines",
)


def main() -> None:
    """Run PyInstaller, then give the executable its other names."""
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    arguments = ["--noconfirm", "--log-level", "WARN", "--distpath", str(FOLDER.parent), "--workpath", ".cache/freeze"]
    subprocess.run(
        [sys.executable, "-m", "PyInstaller", *arguments, "build/hfstack.spec"], cwd=ROOT, env=environment, check=True
    )
    for command in COMMANDS:
        # a link, not a copy: each copy would carry all modules again; the program knows by its name what to be
        (FOLDER / command).symlink_to("hfstack")
    size = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file() and not path.is_symlink())
    print(f"{FOLDER.relative_to(ROOT)}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
