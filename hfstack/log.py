"""The log: `<logdir>/<provider>-provider.<host>.log`, one line per event.

    2026-03-01T09:30:00.123Z 4711 getRequestStatus INFO req-… 2 servers seen

Each line is one `write` to a file opened for appending, so processes that log at once do not mix their lines, and a
rotation by another process loses none. A log that cannot be written never stops an answer. Nothing secret is handed to
it at any level: no request bodies, no headers, no values of configuration keys that hfstack does not know.
"""

from __future__ import annotations

import os
import re
import sys
import time

from hfstack.environment import Environment

LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40}

ALIASES = {
    "WARN": "WARNING",
    "NOTICE": "INFO",
    "ERR": "ERROR",
    "CRIT": "ERROR",
    "CRITICAL": "ERROR",
    "ALERT": "ERROR",
    "EMERG": "ERROR",
    "FATAL": "ERROR",
    "DEBUG1": "DEBUG",
    "DEBUG2": "DEBUG",
    "DEBUG3": "DEBUG",
}
"""EGO's other level names."""

STALE_ROTATION = 60
"""Seconds after which a rotation's mark is that of a process that died."""

URL_PASSWORD = re.compile(r"(://[^/\s:@]*):[^/\s]*@")


def level_number(name: str) -> int | None:
    """Return the level of a name such as `LOG_INFO`, `INFO` or `debug`; `None` for any other."""
    word = name.strip().upper().removeprefix("LOG_")
    return LEVELS.get(ALIASES.get(word, word))


class Log:
    """The log of one call. `command` and `request_id` stand in every line."""

    def __init__(self, environment: Environment, command: str, request_id: str = "") -> None:
        file_name = f"{environment.provider}-provider.{environment.host}.log"
        self.path = os.path.join(environment.logdir, file_name) if environment.logdir else ""
        self.environment = environment
        self.command = command
        self.request_id = request_id
        self.max_bytes = environment.log_max_bytes
        self.max_rotate = environment.log_max_rotate
        self.threshold = level_number(environment.log_level) or LEVELS["INFO"]

    def of(self, request_id: str) -> Log:
        """Return the same log for the lines of one request."""
        log = Log(self.environment, self.command, request_id)
        log.threshold = self.threshold
        return log

    def set_level(self, name: str) -> None:
        """Take the level of the provider's configuration, which is nearer than HostFactory's common one."""
        self.threshold = level_number(name) or self.threshold

    def debug(self, message: str) -> None:
        """Log for a developer."""
        self.write("DEBUG", message)

    def info(self, message: str) -> None:
        """Log what was done."""
        self.write("INFO", message)

    def warning(self, message: str) -> None:
        """Log what an administrator may want to mend."""
        self.write("WARNING", message)

    def error(self, message: str) -> None:
        """Log what kept the command from its answer."""
        self.write("ERROR", message)

    def write(self, level: str, message: str) -> None:
        """Append one line, if the level is wanted. Never fails."""
        if not self.path or LEVELS[level] < self.threshold:
            return
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
        text = printable(message)
        line = f"{stamp} {os.getpid()} {self.command} {level} {printable(self.request_id) or '-'} {text}\n"
        try:
            self.append(line.encode("utf-8", "replace"))
        except OSError:
            return

    def append(self, line: bytes) -> None:
        """Write the line; the one that reaches the size limit is the last of its file."""
        try:
            handle = open_to_append(self.path)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            handle = open_to_append(self.path)
        try:
            os.write(handle, line)
            size = os.fstat(handle).st_size
        finally:
            os.close(handle)
        if size >= self.max_bytes:
            self.rotate()

    def rotate(self) -> None:
        """Shift log -> log.1 -> log.2 …, in one process at a time.

        The mark file is taken with an exclusive create. Whoever does not get it goes on: its lines land in whichever
        file it has open, and none is lost.
        """
        mark = self.path + ".rotating"
        try:
            os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640))
        except FileExistsError:
            if time.time() - os.stat(mark).st_mtime > STALE_ROTATION:
                os.unlink(mark)
            return
        try:
            # another process may have rotated between our write and our mark
            if os.stat(self.path).st_size >= self.max_bytes:
                for number in range(self.max_rotate, 0, -1):
                    older = f"{self.path}.{number}"
                    newer = f"{self.path}.{number - 1}" if number > 1 else self.path
                    if os.path.exists(newer):
                        os.replace(newer, older)
        finally:
            os.unlink(mark)


def open_to_append(path: str) -> int:
    """Open a file, or make it, so that each write lands at its end."""
    if sys.platform == "win32":
        from hfstack import _windows

        return _windows.open_to_append(path)
    else:  # noqa: RET505 - type checkers look at one of the two alone
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)


def printable(text: str) -> str:
    """Keep a message on its line, and the password of a URL out of it."""
    flat = "".join(char if char.isprintable() else " " for char in text)
    return URL_PASSWORD.sub(r"\1:***@", flat)
