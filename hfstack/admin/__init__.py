"""The `hfstack` command for administrators: one file or folder for each of its commands."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from hfstack import __version__


def main(arguments: Sequence[str]) -> int:
    """Run one of the administrator's commands; return the exit code."""
    parser = argparse.ArgumentParser("hfstack", description="Administers the OpenStack host provider of HostFactory.")
    parser.add_argument("--version", action="version", version=f"hfstack {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("sandbox", help="run a small OpenStack on loopback", add_help=False)
    commands.add_parser("rehearse", help="play HostFactory against a site's set-up, or the sandbox", add_help=False)
    command, rest = parser.parse_args(arguments[:1]).command, arguments[1:]
    if command == "sandbox":
        from hfstack.sandbox import serve

        return serve(rest)
    from hfstack.admin.rehearse.command import rehearse

    return rehearse(rest)
