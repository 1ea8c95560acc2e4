"""All of Nova in one process, so that its parts can talk without a message broker (transport_url = fake://).

A control channel (unix socket, one line per connection) starts and stops single parts:
    start NAME | stop NAME | status
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PARTS = ("conductor", "scheduler", "compute", "api")

LOG = logging.getLogger(__name__)


def load_nova(etc: Path) -> Any:
    """Do what Nova's own commands do before they start a service; give Nova's configuration."""
    from nova import monkey_patch

    monkey_patch.patch(backend="threading")  # before anything else of Nova is imported
    import nova.conf
    import os_brick
    import os_vif
    from nova import config, objects
    from oslo_log import log
    from oslo_service import opts

    conf = nova.conf.CONF
    config.parse_args(["nova", "--config-file", str(etc / "nova.conf")])
    log.setup(conf, "nova")
    objects.register_all()
    opts.register_service_opts(conf)
    os_brick.setup(conf)
    os_vif.initialize()
    objects.Service.enable_min_version_cache()
    return conf


def patch_nova(etc: Path) -> None:
    """Every change to Nova itself; none of them is in the code that answers requests."""
    import nova.virt
    from nova.api.openstack import api_version_request
    from nova.scheduler.client import report

    import loopback.virt

    # Nova loads hypervisor drivers from its own package only.
    sys.modules["nova.virt.loopback"] = nova.virt.loopback = loopback.virt
    # At each build nova-compute asks Placement about every server on its host, one by one.  Only PCI devices need
    # the answer; with thousands of servers on the only host the work grows with their square.
    report.SchedulerReportClient.get_allocations_for_provider_tree = lambda *_: {}
    older = (etc / "max_microversion").read_text(encoding="ascii")
    if older:
        api_version_request._MAX_API_VERSION = older


class Nova:
    """The real services: conductor, scheduler, compute, and the API behind an HTTP server."""

    def __init__(self, etc: Path, serve: Callable[[Any], Any]) -> None:
        """`serve` makes an HTTP server for a WSGI application."""
        self._conf = load_nova(etc)
        patch_nova(etc)
        self._serve = serve
        self._application: Any = None
        self._running: dict[str, Any] = {}
        self._lock = threading.Lock()

    def status(self) -> str:
        with self._lock:  # a part that serves already may not be noted yet
            return " ".join(sorted(self._running))

    def start(self, name: str) -> str:
        if name not in PARTS:
            return f"error: no such part: {name}"
        with self._lock:
            if name not in self._running:
                self._running[name] = self._start_api() if name == "api" else self._start_service(name)
        return "started"

    def stop(self, name: str) -> str:
        with self._lock:
            part = self._running.pop(name, None)
        if part is None:
            return "not running"
        if name == "api":
            part.stop()
        else:
            self._stop_service(part)
        return "stopped"

    def _start_api(self) -> Any:
        if self._application is None:
            from nova.api.openstack import wsgi_app
            from paste import deploy

            wsgi_app._setup_service(self._conf.host, "osapi_compute")
            paste = Path(sys.prefix) / "etc" / "nova" / "api-paste.ini"
            self._application = deploy.loadapp(f"config:{paste}", name="osapi_compute")
        return self._serve(self._application)

    def _start_service(self, name: str) -> Any:
        from nova import service

        rpcapi = importlib.import_module(f"nova.{name}.rpcapi")
        alternative = {"topic_alt": rpcapi.RPC_TOPIC_ALT} if name == "compute" else {}
        part = service.Service.create(binary=f"nova-{name}", topic=rpcapi.RPC_TOPIC, **alternative)
        part.start()
        return part

    @staticmethod
    def _stop_service(part: Any) -> None:
        # Not part.stop(): Nova's own would also close the thread pools that the parts of this process share.
        from oslo_service import service

        for server in (part.rpcserver, part.rpcserver_alt):
            if server is not None:
                server.stop()
                server.wait()
        service.Service.stop(part)

    def listen(self, path: str) -> None:
        """Serve the control channel in the background."""
        if os.path.exists(path):
            os.unlink(path)  # left by a process that was killed
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen()
        threading.Thread(target=self._answer_all, args=(server,), daemon=True, name="control").start()

    def _answer_all(self, server: socket.socket) -> None:
        while True:
            connection, _ = server.accept()
            # who asked may be gone: this process may have been halted meanwhile
            with connection, contextlib.suppress(OSError):
                try:
                    answer = self._answer(connection.recv(200).decode().split())
                except Exception as error:
                    LOG.exception("control channel")
                    answer = f"error: {error!r}"
                connection.sendall(f"{answer}\n".encode())

    def _answer(self, words: list[str]) -> str:
        match words:
            case ["status"]:
                return self.status()
            case ["start", name]:
                return self.start(name)
            case ["stop", name]:
                return self.stop(name)
        return "error: usage: status | start NAME | stop NAME"
