"""Starts processes and measures them. Runs as a process of its own (`python -I -S spawner.py`), for `measure.Spawner`.

Linux counts into a process's peak memory the peak of the one that it was spawned from, so that one has to be small: it
imports next to nothing.

Reads one line of JSON per batch, `[{"argv", "env", "output"}, ...]`, starts them all at once, waits for all, and
answers with a line `{"wall": seconds, "ended": [{"code", "cpu": seconds, "memory": kB}, ...]}`. Standard output and
standard error of each process go to the files `output` and `output` + ".err".
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def start(one: dict[str, Any]) -> int:
    """Start one process; return its id."""
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, one["output"], WRITE, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, one["output"] + ".err", WRITE, 0o600),
    ]
    return os.posix_spawn(one["argv"][0], one["argv"], one["env"], file_actions=files)


def wait(process: int) -> dict[str, Any]:
    """Wait for one process; what it used includes the children that it waited for."""
    _, status, usage = os.wait4(process, 0)
    cpu = usage.ru_utime + usage.ru_stime
    return {"code": os.waitstatus_to_exitcode(status), "cpu": cpu, "memory": usage.ru_maxrss}


def main() -> None:
    """Serve batches until the input ends."""
    for line in sys.stdin:
        batch = json.loads(line)
        begun = time.perf_counter()
        processes = [start(one) for one in batch]
        ended = [wait(process) for process in processes]
        wall = time.perf_counter() - begun
        sys.stdout.write(json.dumps({"wall": wall, "ended": ended}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
