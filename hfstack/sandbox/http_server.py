"""HTTP/1.1 on loopback for the sandbox: services that can be stopped and started.

A stopped service keeps its port: it refuses connections until it is started again.
"""

from __future__ import annotations

import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from hfstack.sandbox.routing import Answer, Drop, HttpError, Request


class _Handler(BaseHTTPRequestHandler):
    """One connection: reads requests and writes the service's answers, until either side closes it."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "hfstack-sandbox", ""
    disable_nagle_algorithm = True
    server: _Listener

    def handle(self) -> None:
        """Serve the connection; it is no error if the peer goes away."""
        with suppress(OSError):
            super().handle()

    def answer(self) -> None:
        """Answer one request."""
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        host = self.headers.get("Host", "127.0.0.1")
        request = Request(
            self.command,
            path,
            query,
            self.headers,
            self.rfile.read(length) if length else b"",
            f"{self.server.scheme}://{host}",
        )
        self.write(self.server.respond(request))

    def write(self, answer: Answer) -> None:
        """Write an answer, or as much of it as should arrive."""
        if answer.drop in {Drop.BEFORE, Drop.AFTER}:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.header("Content-Length") is None and answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        body = b"" if self.command == "HEAD" else answer.body
        if answer.drop is Drop.MID:
            self.close_connection = True
            body = body[: len(body) // 2]
        self.end_headers()
        self.wfile.write(body)

    # The base class finds the handler of a method by its name.
    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Print nothing: the control port lists the requests."""


class _Listener(ThreadingHTTPServer):
    """A listening socket with a thread for each connection; all of them can be cut."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, respond: Callable[[Request], Answer], tls: ssl.SSLContext | None) -> None:
        self.respond, self.tls = respond, tls
        self.scheme = "https" if tls else "http"
        self._connections: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def serve(self) -> None:
        """Accept connections until the listening socket is closed."""
        with suppress(OSError):
            while True:
                self.process_request(*self.get_request())

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept one connection. Its own thread does the TLS handshake, at the first read."""
        accepted, peer = self.socket.accept()
        if self.tls:
            accepted = self.tls.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        with self._guard:
            self._connections.add(accepted)
        return accepted, peer

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close one connection."""
        with self._guard:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, *_: object) -> None:
        """Print nothing: some tests cause a failed handshake or a cut connection."""

    def cut(self) -> None:
        """Close the listening socket and every connection."""
        # shutdown wakes the thread that waits in accept; not every system allows it on a listening socket
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.server_close()
        with self._guard:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class Service:
    """One service on one loopback port, which it keeps while it is stopped."""

    def __init__(
        self, name: str, respond: Callable[[Request], Answer], port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.name, self.port = name, port
        self._respond, self._tls = respond, tls
        self._listener: _Listener | None = None
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether connections are accepted."""
        return self._listener is not None

    @property
    def url(self) -> str:
        """Scheme, address and port; without a slash at the end."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen. Raises `OSError` if the port is taken."""
        if self._listener is None:
            try:
                self._listener = _Listener(self.port, self._guarded, self._tls)
            except OSError as error:
                raise OSError(f"cannot listen on 127.0.0.1:{self.port}: {error.strerror}") from None
            self.port = self._listener.server_port
            self._thread = threading.Thread(target=self._listener.serve, name=self.name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Refuse new connections and cut the open ones."""
        if self._listener is not None and self._thread is not None:
            self._listener.cut()
            self._thread.join()
            self._listener = self._thread = None

    def _guarded(self, request: Request) -> Answer:
        try:
            return self._respond(request)
        except HttpError as error:
            return error.answer
        except Exception:  # noqa: BLE001 - the client gets the traceback
            return Answer(500, traceback.format_exc().encode(), [("Content-Type", "text/plain")])


def tls_context(files: Sequence[str] | None) -> ssl.SSLContext | None:
    """A server's TLS context made from (certificate file, key file), or None. Raises `OSError`."""
    if not files:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(*files)
    except OSError as error:
        raise OSError(f"cannot use the certificate {files[0]} with the key {files[1]}: {error.strerror}") from None
    return context
