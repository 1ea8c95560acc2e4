"""One OpenStack service as a process: serve.py keystone|placement|glance|neutron|nova."""

import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

HOST = os.environ["LOOPBACK_HOST"]
PORTS = json.loads(os.environ["LOOPBACK_PORTS"])
THREADS = 12


def serve(application: Any, port: int) -> Any:
    """An HTTP server for the application, running in the background."""
    from cheroot import wsgi

    server = wsgi.Server((HOST, port), application, numthreads=THREADS, max=THREADS, request_queue_size=256, timeout=60)
    server.keep_alive_conn_limit = 100
    server.prepare()
    threading.Thread(target=server.serve, name="http", daemon=True).start()
    return server


def keystone() -> Any:
    from keystone.server import wsgi

    return wsgi.initialize_public_application()


def placement() -> Any:
    from placement.wsgi import init_application

    return init_application()


def glance() -> Any:
    from glance.common import wsgi_app

    return wsgi_app.init_app()


def neutron() -> Any:
    from neutron import server
    from neutron.server import api

    return server.boot_server(api.api_server, prog="neutron-api")


def wait_for(*services: str) -> None:
    for service in services:
        while True:
            try:
                socket.create_connection((HOST, PORTS[service]), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)


def nova() -> None:
    from loopback.nova_parts import PARTS, Nova

    parts = Nova(Path(os.environ["LOOPBACK_ETC"]) / "nova", lambda application: serve(application, PORTS["nova"]))
    # nova-compute tells Placement of its host when it starts; what could not be told is told again a minute later.
    # Waiting only here lets all services load at the same time.
    wait_for("keystone", "placement")
    parts.listen(os.environ["LOOPBACK_CONTROL"])
    for name in PARTS:
        parts.start(name)


def main() -> None:
    (role,) = sys.argv[1:]
    sys.argv = [role]  # Neutron and Keystone would parse what is left
    try:
        if role == "nova":
            nova()
        else:
            applications = {"keystone": keystone, "placement": placement, "glance": glance, "neutron": neutron}
            serve(applications[role](), PORTS[role])
    except BaseException:  # noqa: BLE001  (Neutron gives up by SystemExit)
        traceback.print_exc()
        os._exit(1)
    # The kernel ends the process, whatever its threads are at.  A handler in Python would run in the main thread only,
    # which sleeps, and the kernel may give the signal to another one.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Event().wait()


if __name__ == "__main__":
    main()
