"""Command line of the real OpenStack on loopback: `python -m tests.tools.openstack --help`, from the project's root."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
import urllib.request
from pathlib import Path

from tests.tools.openstack import OpenStackError, RealOpenStack
from tests.tools.openstack.cloud import NAMES
from tests.tools.openstack.settings import HOST

COMMANDS = {
    "install": "get the software (quick when it is there)",
    "start": "start what is not running; the first time, make the cloud",
    "stop": "stop everything, keep the state",
    "reset": "put the cloud back to what it was after its first start, and start it",
    "wipe": "stop everything and delete the state, but not the software",
    "status": "show the processes and the range of compute microversions",
    "env": "print shell commands that make OpenStack's clients use the cloud",
}


def print_line(text: str) -> None:
    """One line on standard output, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def print_status(cloud: RealOpenStack) -> None:
    """A line for each service, and what Nova says of its versions."""
    for name, pid in cloud.running().items():
        print_line(f"{name:15} {f'pid {pid:<8} {resident(pid):4} MiB' if pid else 'down'}")
    print_line(f"{'microversions':15} {microversions(cloud)}")
    print_line(f"{'logs':15} {cloud.log_dir}")


def resident(pid: int) -> int:
    """Memory of a process in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS")), 0)


def microversions(cloud: RealOpenStack) -> str:
    """Lowest and highest compute microversion that Nova admits to."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy cannot reach our loopback
    try:
        with opener.open(f"http://{HOST}:{cloud.ports['nova']}/", timeout=10) as answer:
            newest = json.load(answer)["versions"][-1]
    except (OSError, ValueError):
        return "unknown, as Nova does not answer"
    return f"{newest['min_version']} to {newest['version']}"


def print_environment(cloud: RealOpenStack) -> None:
    """For `eval` in a shell."""
    for name, value in cloud.client_environment().items():
        print_line(f"export {name}={shlex.quote(value)}")
    print_line(f'export PATH={shlex.quote(str(cloud.settings.environment_dir / "bin"))}:"$PATH"')


def parse() -> argparse.Namespace:
    """The command line's words."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.tools.openstack", description="A real OpenStack on loopback."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        commands.add_parser(name, help=text)
    for name in ("stop-service", "start-service"):
        text = f"{name.partition('-')[0]} one of: {' '.join(NAMES)}"
        commands.add_parser(name, help=text).add_argument("name", choices=NAMES, metavar="NAME")
    return parser.parse_args()


def main() -> int:
    """Do what the command line says; 0 when that worked."""
    arguments = parse()
    begin = time.monotonic()
    try:
        cloud = RealOpenStack(say=lambda text: print_line(f"{time.monotonic() - begin:6.1f} s  {text}"))
        if arguments.command in ("status", "env"):
            {"status": print_status, "env": print_environment}[arguments.command](cloud)
            return 0
        method = getattr(cloud, arguments.command.replace("-", "_"))
        method(*([arguments.name] if "name" in arguments else []))
    except (OpenStackError, ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    print_line(f"{time.monotonic() - begin:6.1f} s  {arguments.command} done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
