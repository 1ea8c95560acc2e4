"""A host whose clock is wrong: `python -m tests.scenarios.shifted SECONDS COMMAND -f FILE` runs one command there.

The time of day is shifted before anything of hfstack is imported. The monotonic clock is not, nor are the times that
the file system gives to files. Without a command, the host serves calls from standard input, one JSON object per line:
{"command", "file", "env"}; it answers each with {"code", "stdout"}.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import sys
import time
from contextlib import redirect_stdout


def shift(seconds: float) -> None:
    """Shift this process's time of day."""
    true_time, gmtime, localtime, strftime = time.time, time.gmtime, time.localtime, time.strftime

    def now() -> float:
        return true_time() + seconds

    time.time = now
    time.time_ns = lambda: int(now() * 1e9)
    time.gmtime = lambda moment=None: gmtime(now() if moment is None else moment)
    time.localtime = lambda moment=None: localtime(now() if moment is None else moment)
    time.strftime = lambda form, *moment: strftime(form, *(moment or (time.localtime(),)))

    class Shifted(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Shifted:
            return cls.fromtimestamp(now(), tz)

        @classmethod
        def utcnow(cls) -> Shifted:
            return cls.fromtimestamp(now(), dt.UTC).replace(tzinfo=None)

    dt.datetime = Shifted  # type: ignore[misc]


def serve() -> None:
    """Run the calls that are read from standard input."""
    from hfstack import cli

    for line in sys.stdin:
        call = json.loads(line)
        content = io.BytesIO()
        with redirect_stdout(io.TextIOWrapper(content, "utf-8")):
            code = cli.run(call["command"], ["-f", call["file"]], call["env"])
            answer = {"code": code, "stdout": content.getvalue().decode()}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    shift(float(sys.argv[1]))
    if sys.argv[2:]:
        sys.argv = ["hfstack", *sys.argv[2:]]
        from hfstack import cli

        cli.main()
    else:
        serve()
