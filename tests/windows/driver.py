"""Runs inside Windows, or Wine: `python driver.py FILE` carries out the calls of a file, and prints what came of each.

A call is a command line as CreateProcess takes it, and the folder it runs in. Exit codes are whole here; of Wine's own
only 8 bits reach Linux. With `"together": true` all calls run at the same time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def started(call: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Start one call."""
    return subprocess.Popen(
        call["line"], cwd=call["cwd"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def ended(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Wait for a call; the output's bytes are the first 256 characters of Unicode."""
    stdout, stderr = process.communicate()
    return {"code": process.returncode, "stdout": stdout.decode("latin-1"), "stderr": stderr.decode("latin-1")}


def main() -> None:
    """Carry out the calls."""
    order = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    if order["together"]:
        found = [ended(process) for process in list(map(started, order["calls"]))]
    else:
        found = [ended(started(call)) for call in order["calls"]]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
