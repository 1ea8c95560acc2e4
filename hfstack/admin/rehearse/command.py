"""The command line of `hfstack rehearse`: its options, what it announces, and its result."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hfstack.admin.rehearse.console import Console
from hfstack.admin.rehearse.rehearsal import Rehearsal
from hfstack.admin.rehearse.sandbox_site import sandbox_site
from hfstack.admin.rehearse.scripts import Scripts, commands_in, own_commands, script_environment
from hfstack.cloud.credentials import open_access
from hfstack.config import settings
from hfstack.config.settings import Settings
from hfstack.environment import Environment, full_timeout, read_environment
from hfstack.errors import ConfigError, counted
from hfstack.log import Log

TIMEOUT = 1900
"""Seconds: longer than hfstack's own deadline, which is 1800 by default and should come first."""

FOLDERS = (
    ("provider", "HF_PROVIDER_NAME", "name of the provider instance"),
    ("confdir", "HF_PROVIDER_CONFDIR", "its configuration folder"),
    ("workdir", "HF_PROVIDER_WORKDIR", "its work folder"),
    ("logdir", "HF_PROVIDER_LOGDIR", "its log folder"),
)


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(
        prog="hfstack rehearse",
        description="Plays HostFactory: requests machines, polls until they are ready, returns them, and checks every "
        "answer. Run it as HostFactory's account. Folders and name default to HostFactory's environment variables.",
    )
    made.add_argument("--sandbox", action="store_true", help="use a sandbox cloud with a site of its own")
    for option, variable, what in FOLDERS:
        made.add_argument(f"--{option}", dest=variable, metavar=option.upper(), help=f"{what} ({variable})")
    made.add_argument("--scripts", type=Path, metavar="DIR", help="folder of the five scripts; default: hfstack's own")
    made.add_argument("--template", default="", metavar="ID", help="template to request; default: the first one")
    made.add_argument("--machines", type=int, default=2, metavar="N", help="how many to request; default: 2")
    made.add_argument(
        "--timeout",
        type=int,
        default=TIMEOUT,
        metavar="S",
        help=f"how long the machines may take to be created, and again to be deleted (seconds); default: {TIMEOUT}",
    )
    return made


def rehearse(arguments: Sequence[str]) -> int:
    """Run a rehearsal; return 0 if every answer was valid and every machine was returned, else 1."""
    made = parser()
    args = made.parse_args(arguments)
    if args.machines < 1 or args.timeout < 1:
        made.error("--machines and --timeout must be at least 1")
    chosen = {variable: value for _, variable, _ in FOLDERS if (value := getattr(args, variable))}
    if args.sandbox and chosen:
        made.error("--sandbox brings its own name and folders: leave out --provider, --confdir, --workdir and --logdir")
    console = Console(show_json=args.sandbox)
    try:
        if not args.sandbox:
            return summarize(run(console, args, script_environment(os.environ, chosen)), console)
        with sandbox_site() as site:
            rehearsal = run(console, args, script_environment(os.environ, site.environment))
            console.say(f"\nThe provider's log:\n{site.log().rstrip()}")
            return summarize(rehearsal, console)
    except (ConfigError, OSError) as error:
        print(f"hfstack rehearse: {error}", file=sys.stderr)
        return 1


def run(console: Console, args: argparse.Namespace, env: Mapping[str, str]) -> Rehearsal:
    """Announce a rehearsal and run it. Raises `ConfigError`, and `OSError` if a script is missing."""
    environment = read_environment(env)
    # no log here: the scripts log what is odd about the configuration, and once is enough
    configured = settings.load(environment, Log(environment._replace(logdir=""), "rehearse"))
    commands = commands_in(args.scripts) if args.scripts else own_commands()
    cloud = describe_cloud(configured, environment, env)
    console.say(f"Provider {environment.provider}, configuration {environment.confdir}, {cloud}.")
    console.say(f"Log folder: {environment.logdir or 'none, HF_PROVIDER_LOGDIR is not set'}.")
    console.say(f"Scripts: {' '.join(commands['getRequestStatus'])} and the other four.")
    scripts = Scripts(commands, env, full_timeout(environment, configured.actionTimeout))
    rehearsal = Rehearsal(scripts, console, args.timeout)
    try:
        with console.status:
            rehearsal.run(args.template, args.machines)
    except KeyboardInterrupt:
        rehearsal.note("the rehearsal", ["it was interrupted before all machines were returned"])
    return rehearsal


def summarize(rehearsal: Rehearsal, console: Console) -> int:
    """Show the result; return the exit code."""
    console.show_times(rehearsal.calls)
    console.show_findings("Violations", rehearsal.violations)
    console.show_findings("Possibly leaked servers (check with `openstack server list`)", rehearsal.leaked)
    if rehearsal.violations or rehearsal.leaked:
        leaked = " and possibly leaked servers" if rehearsal.leaked else ""
        console.say(f"\nFAIL: {counted(len(rehearsal.violations), 'violation')}{leaked}; see above.")
        return 1
    machines, answers = counted(len(rehearsal.machines), "machine"), len(rehearsal.calls)
    console.say(f"\nPASS: {machines} created and returned; {answers} of {answers} answers valid.")
    return 0


def describe_cloud(configured: Settings, environment: Environment, env: Mapping[str, str]) -> str:
    """Name the cloud in which the machines will be created. Sends nothing. Raises `ConfigError`."""
    region = open_access(configured, environment.confdir, env).region
    return f"cloud {region.name} at {region.config.get('auth', {}).get('auth_url', 'an endpoint of its own')}"
