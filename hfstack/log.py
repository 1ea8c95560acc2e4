"""The log: `<logdir>/<provider>-provider.<host>.log`, one line per event.

    2026-03-01T09:30:00.123Z 4711 getRequestStatus INFO req-… 2 servers seen

Each line is one `write` to a file opened for appending, so processes do not mix their lines, and no line is lost while
another process rotates the log. The log is a regular file and no link. An error of the log never prevents an answer.
No level logs secrets: no request bodies, no headers, no values of configuration keys that hfstack does not know.
"""

from __future__ import annotations

import os
import re
import sys
import time

from hfstack import _files
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
"""EGO's other names of levels."""

STALE_ROTATION = 60
"""The age of a mark file at which the process that created it must have died (seconds)."""

URL_PASSWORD = re.compile(r"(://[^/\s:@]*):[^/\s]*@")


def level_number(name: str) -> int | None:
    """Return the level of a name such as `LOG_INFO`, `INFO` or `debug`; `None` for any other."""
    word = name.strip().upper().removeprefix("LOG_")
    return LEVELS.get(ALIASES.get(word, word))


class Log:
    """The log of one call. Every line contains `command` and `request_id`."""

    def __init__(self, environment: Environment, command: str, request_id: str = "") -> None:
        file_name = f"{environment.provider}-provider.{environment.host}.log"
        self.path = os.path.join(environment.logdir, file_name) if environment.logdir else ""
        self.environment = environment
        self.command = command
        self.request_id = request_id
        self.max_bytes = environment.log_max_bytes
        self.max_rotate = environment.log_max_rotate
        self.threshold = level_number(environment.log_level) or LEVELS["INFO"]
        self.troubles: list[str] = []

    @property
    def trouble(self) -> str:
        """Why lines were not written, in one sentence; "" if all were. Shared by the logs of a call."""
        return self.troubles[0] if self.troubles else ""

    def for_request(self, request_id: str) -> Log:
        """Return the log of one request, whose lines contain its id."""
        log = Log(self.environment, self.command, request_id)
        log.threshold, log.troubles = self.threshold, self.troubles
        return log

    def set_level(self, name: str) -> None:
        """Use the level of the provider's configuration, which takes precedence over HF_LOGLEVEL."""
        self.threshold = level_number(name) or self.threshold

    def debug(self, message: str) -> None:
        """Log for a developer."""
        self.write("DEBUG", message)

    def info(self, message: str) -> None:
        """Log what hfstack did."""
        self.write("INFO", message)

    def warning(self, message: str) -> None:
        """Log what an administrator may want to fix."""
        self.write("WARNING", message)

    def error(self, message: str) -> None:
        """Log what prevented an answer."""
        self.write("ERROR", message)

    def write(self, level: str, message: str) -> None:
        """Append one line, unless the level is below the threshold. Never fails."""
        if not self.path or LEVELS[level] < self.threshold:
            return
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
        text = printable(message)
        line = f"{stamp} {os.getpid()} {self.command} {level} {printable(self.request_id) or '-'} {text}\n"
        try:
            self.append(line.encode("utf-8", "replace"))
        except OSError as error:
            self.troubles.append(f"the log {self.path} cannot be written: {error.strerror}")

    def append(self, line: bytes) -> None:
        """Write the line. The line that reaches the size limit is the last of its file."""
        handle = open_to_append(self.path)
        try:
            os.write(handle, line)
            size = os.fstat(handle).st_size
        finally:
            os.close(handle)
        if size >= self.max_bytes:
            self.rotate()

    def rotate(self) -> None:
        """Rename log -> log.1 -> log.2 …, in one process at a time.

        The process that creates the mark file rotates. The others continue to write to the file that they have open,
        so no line is lost.
        """
        mark = self.path + ".rotating"
        try:
            os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640))
        except FileExistsError:
            if time.time() - os.stat(mark).st_mtime > STALE_ROTATION:
                os.unlink(mark)
            return
        try:
            # another process may have rotated between this process's write and its mark
            if os.stat(self.path).st_size >= self.max_bytes:
                for number in range(self.max_rotate, 0, -1):
                    older = f"{self.path}.{number}"
                    newer = f"{self.path}.{number - 1}" if number > 1 else self.path
                    if os.path.exists(newer):
                        os.replace(newer, older)
        finally:
            os.unlink(mark)


def open_to_append(path: str) -> int:
    """Open or create a file so that each write lands at its end. Raises `OSError` for anything but a regular file."""
    if sys.platform == "win32":
        from hfstack import _windows

        if os.path.lexists(path):
            _files.check_kind(path, os.lstat(path))
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        return _windows.open_to_append(path)
    else:  # noqa: RET505 - type checkers check only one of the branches
        while True:
            try:
                return _files.open_regular(path, os.O_WRONLY | os.O_APPEND, follow=False)[0]
            except FileNotFoundError:
                # once more, because another process may rotate the new file away before it is open here
                from hfstack import _posix

                _posix.create_log(path)


def printable(text: str) -> str:
    """Keep a message on one line, and remove the password of a URL."""
    flat = "".join(char if char.isprintable() else " " for char in text)
    return URL_PASSWORD.sub(r"\1:***@", flat)
