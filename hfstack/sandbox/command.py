"""The command `hfstack sandbox`: runs a sandbox in the foreground until it is interrupted."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence

from hfstack.sandbox.sandbox import Sandbox

DEFAULT_SPAWN_DELAY = 2.0

MAX_PORT_BASE = 65531
"""Four more ports follow the first."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hfstack sandbox", description="Runs a small OpenStack on loopback, for demonstrations and tests."
    )
    parser.add_argument(
        "--port-base", type=int, default=0, metavar="N", help="first of five ports; default: any free ports"
    )
    parser.add_argument("--dir", default=".", metavar="DIR", help="folder for clouds.yaml; default: the current one")
    parser.add_argument(
        "--spawn-delay",
        type=float,
        default=DEFAULT_SPAWN_DELAY,
        metavar="S",
        help=f"how long a server takes to become ACTIVE (seconds); default: {DEFAULT_SPAWN_DELAY:g}",
    )
    parser.add_argument("--tls-cert", metavar="FILE", help="certificate, to serve HTTPS")
    parser.add_argument("--tls-key", metavar="FILE", help="its private key")
    return parser


def serve(argv: Sequence[str]) -> int:
    """Run a sandbox until SIGINT or SIGTERM; return the exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    if bool(args.tls_cert) != bool(args.tls_key):
        parser.error("--tls-cert and --tls-key go together")
    if not 0 <= args.port_base <= MAX_PORT_BASE:
        parser.error(f"--port-base must be 0 to {MAX_PORT_BASE}")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        os.makedirs(args.dir, exist_ok=True)
        clouds = os.path.abspath(os.path.join(args.dir, "clouds.yaml"))
        sandbox = Sandbox(args.port_base, (args.tls_cert, args.tls_key) if args.tls_cert else None)
        sandbox.cloud.knobs.spawn_delay = args.spawn_delay
        with sandbox:
            sandbox.write_clouds_yaml(clouds)
            _say(f"clouds.yaml: {clouds} (clouds member, other, admin, appcred)")
            for name in sandbox.ports:
                _say(f"{name}: {sandbox.control_url if name == 'control' else sandbox.url(name)}")
            _say(f"stop: Ctrl-C, or kill {os.getpid()}")
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        print(f"hfstack sandbox: {error}", file=sys.stderr)  # noqa: T201 - a command's own output
        return 1


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command's own output
