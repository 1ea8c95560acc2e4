"""`hfstack rehearse`: plays HostFactory against a site's own set-up, before HostFactory does."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hfstack.admin.rehearse.checks import counted
from hfstack.admin.rehearse.console import Screen
from hfstack.admin.rehearse.rehearsal import Player
from hfstack.admin.rehearse.sandbox_site import sandbox_site
from hfstack.admin.rehearse.scripts import Scripts, commands_in, environment, own_commands
from hfstack.cloud.credentials import open_access
from hfstack.config import settings
from hfstack.config.settings import Settings
from hfstack.environment import Environment, full_timeout, read_environment
from hfstack.errors import ConfigError
from hfstack.log import Log

PATIENCE = 1900
"""Seconds: hfstack's own deadline is 1800 as it is delivered, and is to come first."""


FOLDERS = (
    ("provider", "HF_PROVIDER_NAME", "the provider instance's name"),
    ("confdir", "HF_PROVIDER_CONFDIR", "its configuration folder"),
    ("workdir", "HF_PROVIDER_WORKDIR", "its work folder"),
    ("logdir", "HF_PROVIDER_LOGDIR", "its log folder"),
)


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(
        prog="hfstack rehearse",
        description="Plays HostFactory: asks for machines, watches them come, returns them, and checks every answer. "
        "Run it as HostFactory's account. Folders and name default to HostFactory's own environment variables.",
    )
    made.add_argument("--sandbox", action="store_true", help="against a sandbox cloud and a site of its own")
    for option, variable, what in FOLDERS:
        made.add_argument(f"--{option}", dest=variable, metavar=option.upper(), help=f"{what} ({variable})")
    made.add_argument("--scripts", type=Path, metavar="DIR", help="where the five scripts are; default: hfstack's own")
    made.add_argument("--template", default="", metavar="ID", help="default: the first that is offered")
    made.add_argument("--machines", type=int, default=2, metavar="N", help="how many to ask for; default: 2")
    made.add_argument(
        "--timeout",
        type=int,
        default=PATIENCE,
        metavar="S",
        help=f"seconds that the machines may take to come, and to go; default: {PATIENCE}",
    )
    return made


def rehearse(arguments: Sequence[str]) -> int:
    """Run a rehearsal; return 0 if every answer kept to the rules and everything was given back."""
    made = parser()
    args = made.parse_args(arguments)
    if args.machines < 1 or args.timeout < 1:
        made.error("--machines and --timeout are at least 1")
    chosen = {variable: value for _, variable, _ in FOLDERS if (value := getattr(args, variable))}
    if args.sandbox and chosen:
        made.error("--sandbox has a site of its own: no folders and no name")
    screen = Screen(whole=args.sandbox)
    try:
        if not args.sandbox:
            return summed_up(play(screen, args, environment(os.environ, chosen)), screen)
        with sandbox_site() as site:
            player = play(screen, args, environment(os.environ, site.environment))
            screen.say(f"\nWhat was logged:\n{site.log().rstrip()}")
            return summed_up(player, screen)
    except (ConfigError, OSError) as error:
        print(f"hfstack rehearse: {error}", file=sys.stderr)
        return 1


def play(screen: Screen, args: argparse.Namespace, env: Mapping[str, str]) -> Player:
    """Announce and play. Raises `ConfigError`, and `OSError` for scripts that are not there."""
    environment = read_environment(env)
    # the scripts log what is strange about the configuration, once is enough
    configured = settings.load(environment, Log(environment._replace(logdir=""), "rehearse"))
    commands = commands_in(args.scripts) if args.scripts else own_commands()
    cloud = cloud_of(configured, environment, env)
    screen.say(f"Provider {environment.provider}, configuration {environment.confdir}, {cloud}.")
    screen.say(f"The log is in {environment.logdir or 'no folder: HF_PROVIDER_LOGDIR is not set'}.")
    screen.say(f"Scripts: {' '.join(commands['getRequestStatus'])} and its four siblings.")
    player = Player(Scripts(commands, env, full_timeout(environment, configured.actionTimeout)), screen, args.timeout)
    try:
        with screen.status:
            player.play(args.template, args.machines)
    except KeyboardInterrupt:
        player.note("the rehearsal", ["it was stopped before everything was given back"])
    return player


def summed_up(player: Player, screen: Screen) -> int:
    """Show how it went; return the exit code."""
    screen.times(player.calls)
    screen.findings("Violations", player.breaches)
    screen.findings("Possibly leaked servers (check with `openstack server list`)", player.left)
    if player.breaches or player.left:
        leaked = " and possibly leaked servers" if player.left else ""
        screen.say(f"\nFAIL: {counted(len(player.breaches), 'violation')}{leaked}; see above.")
        return 1
    machines, answers = counted(len(player.given), "machine"), len(player.calls)
    screen.say(f"\nPASS: {machines} created and returned; {answers} of {answers} answers valid.")
    return 0


def cloud_of(configured: Settings, environment: Environment, env: Mapping[str, str]) -> str:
    """Name the cloud that the machines will be made in. Nothing is sent. Raises `ConfigError`."""
    region = open_access(configured, environment.confdir, env).region
    return f"cloud {region.name} at {region.config.get('auth', {}).get('auth_url', 'an endpoint of its own')}"
