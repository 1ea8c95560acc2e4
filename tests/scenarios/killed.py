"""Runs one command and kills its process at a chosen boundary: `python -m tests.scenarios.killed N COMMAND -f FILE`.

Boundaries are before and after each fact and before and after each call to the cloud, counted from 1. The process kills
itself with SIGKILL, as nothing else is as exact. Beyond the last boundary the command ends as usual.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from hfstack import cli
from hfstack.cloud.client import ServiceClient
from hfstack.store import write


class Boundaries:
    """Counts boundaries, in whichever thread they are met."""

    def __init__(self, fatal: int) -> None:
        self.left = fatal
        self.lock = threading.Lock()

    def meet(self) -> None:
        """Meet one boundary, and die at the fatal one."""
        with self.lock:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Put a boundary before and behind a function."""

        def bounded(*args: Any, **kwargs: Any) -> Any:
            self.meet()
            result = function(*args, **kwargs)
            self.meet()
            return result

        return bounded


if __name__ == "__main__":
    boundaries = Boundaries(int(sys.argv[1]))
    # commands are imported by entry.main, so they get these
    write.record = boundaries.around(write.record)
    ServiceClient.once = boundaries.around(ServiceClient.once)  # type: ignore[method-assign]
    sys.argv = ["hfstack", *sys.argv[2:]]
    cli.main()
