"""The `hfstack` command, for administrators."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from hfstack import __version__


def main(arguments: Sequence[str]) -> int:
    """Run one administrator's command; return the exit code."""
    parser = argparse.ArgumentParser("hfstack", description="OpenStack for HostFactory: the administrator's command.")
    parser.add_argument("--version", action="version", version=f"hfstack {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("sandbox", help="a small OpenStack on loopback, for rehearsals", add_help=False)
    commands.add_parser("rehearse", help="play HostFactory against a site's set-up, or the sandbox", add_help=False)
    known, rest = parser.parse_known_args(arguments[:1]), arguments[1:]
    if known[0].command == "sandbox":
        from hfstack.sandbox import serve

        return serve(rest)
    from hfstack.admin.rehearse.command import rehearse

    return rehearse(rest)
