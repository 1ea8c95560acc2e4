"""Keep for a minute that a login was refused, so that no call repeats it: many a Keystone locks an account after some.

`<workdir>/cache/refused-<provider>-all-<account>.json`, mode 0600, holds the words of the refusal and no secret. It
counts while nothing changes that a login depends on, as the cached access does: a corrected clouds.yaml is tried at
once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hfstack._typing import NamedTuple
from hfstack.environment import Environment
from hfstack.store import token_cache

PAUSE = 60
"""No call repeats a refused login within so many seconds."""


class RefusedLogin(NamedTuple):
    """A login that was refused less than a minute ago."""

    message: str
    request_ids: tuple[str, ...]
    """OpenStack's ids of the refused call."""
    wait: float
    """Seconds until the login may be tried again."""


def load(environment: Environment, env: Mapping[str, str], now: float) -> RefusedLogin | None:
    """Return the refusal that is still in force, `None` if there is none. Never fails.

    One from the future is not believed: the clock was wrong then, or is now.
    """
    try:
        document = token_cache.read_dependent(place(environment), environment, env) or {}
        age = now - float(document["made"])
        found = RefusedLogin(str(document["message"]), tuple(map(str, document["request_ids"])), PAUSE - age)
    except (TypeError, ValueError, KeyError):
        return None
    return found if 0 <= age < PAUSE else None


def save(
    environment: Environment,
    env: Mapping[str, str],
    began: float,
    now: float,
    error: tuple[str, tuple[str, ...]],
    files: Iterable[str],
) -> None:
    """Record the message and ids of a refusal of `now`, by the files that the call began to read at `began`.

    If that fails, the next call tries the login.
    """
    message, request_ids = error
    token_cache.write_dependent(
        place(environment), environment, env, began, files, made=now, message=message, request_ids=request_ids
    )


def forget(environment: Environment) -> None:
    """Remove the record of a refusal: a login succeeded."""
    token_cache.remove(place(environment))


def place(environment: Environment) -> str:
    """Return the path of this account's record, "" if there is no work directory for it."""
    # all management hosts share it: the account is the same
    return token_cache.place(environment._replace(host="all"), "refused")
