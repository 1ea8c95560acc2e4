"""HostFactory's environment variables: which provider instance this is, and where its files are.

Sources: IBM's HostFactory custom provider page (`HF_*`); the LSF Resource Connector's README (`PRO_*`).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from hfstack._typing import NamedTuple
from hfstack.errors import ConfigError

DEFAULT_PROVIDER = "openstack"


class Environment(NamedTuple):
    """The values of the variables. A folder that no variable sets is ""."""

    provider: str
    confdir: str
    workdir: str
    logdir: str
    host: str
    log_level: str
    log_max_bytes: int
    log_max_rotate: int
    action_timeout: str
    """The text of `HF_PROVIDER_ACTION_TIMEOUT`, not yet validated."""


def read_environment(env: Mapping[str, str]) -> Environment:
    """Read the environment. HostFactory's variables take precedence over LSF's. Never fails."""
    provider = env.get("HF_PROVIDER_NAME") or env.get("PROVIDER_NAME") or DEFAULT_PROVIDER
    return Environment(
        provider=provider,
        confdir=provider_folder(env, "HF_PROVIDER_CONFDIR", "HF_CONFDIR", provider) or lsf_confdir(env),
        workdir=provider_folder(env, "HF_PROVIDER_WORKDIR", "HF_WORKDIR", provider) or env.get("PRO_DATA_DIR", ""),
        logdir=env.get("HF_PROVIDER_LOGDIR") or env.get("HF_LOGDIR") or env.get("PRO_LSF_LOGDIR", ""),
        host=env.get("EGOSC_INSTANCE_HOST") or socket.gethostname(),
        log_level=env.get("HF_LOGLEVEL", ""),
        log_max_bytes=positive_number(env.get("HF_LOG_MAX_FILE_SIZE"), 10) * 1024 * 1024,
        log_max_rotate=positive_number(env.get("HF_LOG_MAX_ROTATE"), 5),
        action_timeout=env.get("HF_PROVIDER_ACTION_TIMEOUT", ""),
    )


def is_lsf(env: Mapping[str, str]) -> bool:
    """Tell whether LSF calls: its variables are set, and none of HostFactory's is."""
    lsf = ("PRO_LSF_TOP", "PRO_CONF_DIR", "PRO_DATA_DIR", "PRO_LSF_LOGDIR")
    hostfactory = ("HF_PROVIDER_NAME", "HF_PROVIDER_CONFDIR", "HF_CONFDIR", "HF_TOP")
    return any(env.get(name) for name in lsf) and not any(env.get(name) for name in hostfactory)


def provider_folder(env: Mapping[str, str], own: str, common: str, provider: str) -> str:
    """Return the provider's own folder, else HostFactory's default inside the common folder, else ""."""
    if env.get(own):
        return env[own]
    return os.path.join(env[common], "providers", provider) if env.get(common) else ""


def lsf_confdir(env: Mapping[str, str]) -> str:
    """Return `$PRO_CONF_DIR/conf`, where LSF keeps a provider's files, or `$PRO_CONF_DIR`, as in older set-ups."""
    top = env.get("PRO_CONF_DIR", "")
    inner = os.path.join(top, "conf")
    return inner if top and os.path.isdir(inner) else top


def positive_number(value: str | None, default: int) -> int:
    """Return a whole number above 0, else the default: an invalid log setting must not prevent an answer."""
    return int(value) if value and value.isascii() and value.isdecimal() and int(value) > 0 else default


def time_budget(environment: Environment, configured: int | None) -> float:
    """Return how many seconds one call may take: 80 % of HostFactory's timeout, so that the answer arrives in time."""
    return 0.8 * full_timeout(environment, configured)


def full_timeout(environment: Environment, configured: int | None) -> float:
    """Return after how many seconds HostFactory ends a call. Raises `ConfigError`.

    It is `HF_PROVIDER_ACTION_TIMEOUT`, else the setting `actionTimeout`, else HostFactory's default of 300 seconds.
    """
    seconds = float(configured or 300)
    if environment.action_timeout:
        try:
            seconds = float(environment.action_timeout)
        except ValueError:
            seconds = -1.0
        if not 1 <= seconds <= 86400:
            found = repr(environment.action_timeout)
            raise ConfigError(f"HF_PROVIDER_ACTION_TIMEOUT is {found}, wanted a number of seconds from 1 to 86400")
    return seconds
