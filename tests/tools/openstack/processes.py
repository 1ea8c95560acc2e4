"""Background processes known by pid files, which outlive the command that started them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

LOG_LIMIT = 16 * 1024 * 1024


class OpenStackError(RuntimeError):
    """The cloud cannot do what was asked; the text says why and what to do."""


def identity_of(pid: int) -> str | None:
    """What tells this process from a later one with the same pid; None when it is gone or a zombie.

    The start time serves, together with the boot it belongs to.  The command line would not: Neutron rewrites its own.
    """
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # if it was our own child, do not keep it as a zombie
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    after_name = stat.rpartition(")")[2].split()  # the name may hold spaces and parentheses
    # The first thread of a process that ends may be a zombie while others still hold its ports open.
    if after_name[0] in "ZX" and _threads(pid) <= 1:
        return None
    return f"{boot}:{after_name[19]}"


def _threads(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0


def listening(host: str, port: int) -> bool:
    """Whether anybody accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def ask(path: Path, line: str, seconds: float) -> str:
    """Send one line to a unix socket and give all that comes back."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        connection.connect(str(path))
        connection.sendall(line.encode())
        with connection.makefile() as answer:
            return answer.read().strip()


def wait_until(ready: Callable[[], bool], seconds: float, interval: float = 0.05) -> bool:
    """Poll until ready or the time is over; say which."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            return False
        time.sleep(interval)
    return True


class Processes:
    """Starts, finds and stops named processes; one pid file and one log file each."""

    def __init__(self, run_dir: Path, log_dir: Path) -> None:
        self.run_dir = run_dir
        self.log_dir = log_dir

    def log(self, name: str) -> Path:
        """The file that holds all that the process prints."""
        return self.log_dir / f"{name}.log"

    def pid(self, name: str) -> int | None:
        """The process's pid while it runs.  A pid that now belongs to something else is not ours."""
        try:
            record = json.loads((self.run_dir / f"{name}.pid").read_text(encoding="ascii"))
            pid = int(record["pid"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return pid if identity_of(pid) == record.get("identity") else None

    def spawn(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        """Start the process in a session of its own, unless it runs already.

        posix_spawn rather than Popen: a Popen object that is dropped while its child lives gives a ResourceWarning,
        which the project's tests treat as an error.
        """
        if self.pid(name):
            return
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self.log_dir.mkdir(parents=True, exist_ok=True)
        log = self.log(name)
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))
        words = [str(word) for word in command]
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        pid = os.posix_spawn(
            words[0],
            words,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        record = {"pid": pid, "identity": identity_of(pid)}
        (self.run_dir / f"{name}.pid").write_text(json.dumps(record), encoding="ascii")

    def stop(self, *names: str, seconds: float = 15) -> None:
        """Ask all of them to end, wait, and kill what is left."""
        for name in names:
            self._signal(name, signal.SIGTERM)
            self._signal(name, signal.SIGCONT)  # one that was halted takes no notice until it goes on
        if not wait_until(lambda: not any(map(self.pid, names)), seconds):
            for name in names:
                self._signal(name, signal.SIGKILL)
            wait_until(lambda: not any(map(self.pid, names)), seconds)
        for name in names:
            if not self.pid(name):
                (self.run_dir / f"{name}.pid").unlink(missing_ok=True)

    def _signal(self, name: str, number: int) -> None:
        pid = self.pid(name)
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def wait(self, name: str, ready: Callable[[], bool], seconds: float = 180) -> None:
        """Wait until a process that was started is ready; fail with the end of its log if it dies first."""
        if not wait_until(lambda: ready() or not self.pid(name), seconds) or not self.pid(name):
            fate = "is not ready" if self.pid(name) else "died"
            raise OpenStackError(f"{name} {fate}; the end of {self.log(name)}:\n{tail(self.log(name))}")


def tail(path: Path, lines: int = 20, skip: Iterable[str] = (" INFO ", " DEBUG ")) -> str:
    """The last lines of a log that may say what went wrong, indented."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "    (no log)"
    telling = [line for line in text.splitlines() if line.strip() and not any(word in line for word in skip)]
    return "\n".join(f"    {line}" for line in telling[-lines:]) or "    (the log is empty)"
