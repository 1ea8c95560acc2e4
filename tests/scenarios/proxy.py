"""A proxy before Nova that lets a request through or answers it badly, so that both clouds can be seen to fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit


class Fault(NamedTuple):
    """What is answered instead of Nova. A status of 0 closes the connection without a word."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}
    cut: int | None = None
    """Bytes after which the connection is closed in the middle of the body."""
    carried_out: bool = False
    """The request is passed on first, and only its answer is lost."""


class Handler(BaseHTTPRequestHandler):
    """Serves one connection of a proxy."""

    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def do_GET(self) -> None:
        self.serve(self.proxy.faults)

    def do_POST(self) -> None:
        self.serve(self.proxy.post_faults)

    def do_DELETE(self) -> None:
        self.serve([])

    def serve(self, faults: list[Fault]) -> None:
        self.proxy.seen.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not faults:
            self.reply(*self.passed_on(body))
            return
        fault = faults.pop(0)
        if fault.carried_out:
            self.passed_on(body)
        self.close_connection = True
        if fault.status:
            self.reply(fault.status, fault.headers, fault.body, fault.cut)

    def passed_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection(self.proxy.behind, timeout=60)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        headers = {name: value for name, value in answer.getheaders() if name.lower() != "content-length"}
        connection.close()
        return answer.status, headers, content

    def reply(self, status: int, headers: Mapping[str, str], content: bytes, cut: int | None = None) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            # else the client may send its next request into the connection that is just being closed
            self.send_header("Connection", "close")
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:cut])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        pass


class Proxy:
    """Serves on a loopback port; `url` stands for the Nova endpoint behind it."""

    def __init__(self, nova: str) -> None:
        self.faults: list[Fault] = []
        """For the next GETs."""
        self.post_faults: list[Fault] = []
        self.seen: list[str] = []
        """Method and path of every request."""
        parts = urlsplit(nova)
        self.behind = parts.netloc
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"proxy": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}{parts.path}"


@contextmanager
def proxy_before(nova: str) -> Iterator[Proxy]:
    """Run a proxy before a Nova endpoint."""
    proxy = Proxy(nova)
    thread = threading.Thread(target=proxy.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.server.shutdown()
        proxy.server.server_close()
        thread.join()
