"""A site whose commands run in the test's own process: fast, and the test can step in at any point of a command."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from http.client import HTTPConnection
from typing import Any
from unittest.mock import patch

from hfstack import cli
from hfstack.cloud.transport import TokenTransport
from tests.scenarios.site import Site


class Inside(Site):
    """A provider instance that needs no process per call. Calls may nest: one may run while another is paused."""

    calls = 0

    def run(
        self, document: object, command: str = "getRequestStatus", **env: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Call a command as HostFactory does, with an input file of its own."""
        self.calls += 1
        path = self.confdir.parent / f"hf_in_{self.calls}"
        path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
        content = io.BytesIO()
        # the disk need not be flushed: nothing survives the test
        with redirect_stdout(io.TextIOWrapper(content, "utf-8")), connections_closed(), patch("os.fsync", no_flush):
            code = cli.run(command, ["-f", str(path)], self.environment(**env))
            return subprocess.CompletedProcess([command], code, content.getvalue(), b"")

    def forget_log(self) -> None:
        """Begin a new log: each answer is compared with all of it."""
        for path in self.logdir.iterdir():
            path.unlink()


def no_flush(_: int) -> None:
    """Stand for `os.fsync`."""


@contextmanager
def connections_closed() -> Iterator[None]:
    """Close the connections that a call leaves open, as the end of its process would."""
    made: list[HTTPConnection] = []
    connect = TokenTransport.connect

    def remembered(self: TokenTransport, *args: Any) -> HTTPConnection:
        made.append(connect(self, *args))
        return made[-1]

    with patch.object(TokenTransport, "connect", remembered):
        yield
    for connection in made:
        connection.close()
