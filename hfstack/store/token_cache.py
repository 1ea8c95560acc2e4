"""What one call learned of the way into the cloud, for the calls that come after it: one file, for this account alone.

`<workdir>/cache/access-<provider>-<host>-<account>.json`, mode 0600: the token and when it ends, the services'
endpoints, the file of trusted certificates, and the settings, which are thereby validated once. It is good only as long
as nothing has changed that could change any of that: the files it was made of (and those that were not there), the
variables of the environment, this program's version. It is the one file of hfstack that holds a secret.

A process that finds no good one logs in and writes one, in one step; of several at once the last wins.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping

from hfstack import __version__
from hfstack._typing import NamedTuple
from hfstack.environment import Environment

MARGIN = 300
"""Seconds before its end after which a token is not used any more: a call takes no longer."""

MAX_AGE = 3600
"""Seconds after which endpoints are looked up again, however long the token lasts."""

PLACES = ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "USERPROFILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""The variables that say where credentials and certificates are looked for."""

CHANGED = os.path.getmtime if os.name == "nt" else os.path.getctime
"""When a file last changed; what Windows calls ctime is when it was created."""


class CachedAccess(NamedTuple):
    """What is known of the way into the cloud."""

    token: str
    expires: float
    """Seconds since 1970."""
    endpoints: Mapping[str, str]
    """By service type (compute, network, image); those that the catalogue has."""
    cafile: str
    """The certificates that are trusted."""
    settings: Mapping[str, object]
    """The provider's configuration, validated, by its keys."""


def load(environment: Environment, env: Mapping[str, str], now: float) -> CachedAccess | None:
    """Return what is known, if it is good still. Never fails: without it everything is looked up."""
    path = place(environment)
    if not path:
        return None
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            private = is_private(os.fstat(handle))
            document = json.loads(file.read())
        known = CachedAccess(**document["known"])
        fresh = document["made"] <= now < document["made"] + MAX_AGE and now < known.expires - MARGIN
        same = document["key"] == key(environment, env, document["files"])
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    return known if private and fresh and same else None


def save(
    environment: Environment, env: Mapping[str, str], began: float, known: CachedAccess, files: Iterable[str]
) -> None:
    """Keep what a call that began then learned of `files`. Where that cannot be kept, the next call does without."""
    path = place(environment)
    if not path or began >= known.expires - MARGIN:
        return
    try:
        files = [os.path.abspath(one) for one in files]
        if any(CHANGED(one) > began for one in files if os.path.exists(one)):
            return  # this call may have read what was there before
        document = {"key": key(environment, env, files), "made": began, "files": files, "known": known._asdict()}
    except OSError:
        return
    write(path, document)


def write(path: str, document: object) -> None:
    """Write a file for this account alone, in one step, if that can be done."""
    from hfstack.store import files

    temporary = f"{path}.{os.getpid()}"
    try:
        # only this folder: a work directory that is not there may be one that is not mounted
        if not os.path.isdir(os.path.dirname(path)):
            files.make_folder(os.path.dirname(path))
        with os.fdopen(files.create(temporary), "wb") as file:
            file.write(json.dumps(document).encode())
        files.replace(temporary, path)
    except OSError:
        remove(temporary)


def drop(environment: Environment) -> None:
    """Forget what is known: the cloud does not take it any more."""
    remove(place(environment))


def remove(path: str) -> None:
    """Remove a file, if it is there and that can be done."""
    try:
        os.unlink(path)
    except OSError:
        return


def place(environment: Environment, what: str = "access") -> str:
    """Return the path of this account's file of a kind, "" where there is no place for it."""
    account = str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    name = f"{what}-{environment.provider}-{environment.host}-{account}.json"
    if not environment.workdir or "/" in name or "\\" in name:
        return ""
    return os.path.join(environment.workdir, "cache", name)


def is_private(status: os.stat_result) -> bool:
    """Tell whether a file is this account's and no other can read or write it. Windows says that in other ways."""
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o077)


def key(environment: Environment, env: Mapping[str, str], files: Iterable[str]) -> list[object]:
    """Return everything that could change what is known, as JSON would give it back."""
    states = [[one, *identity(one)] for one in files]
    where = [env.get(name) for name in PLACES]
    return [__version__, environment.provider, environment.confdir, os.getcwd(), where, digest(env), states]


def identity(path: str) -> tuple[int, ...]:
    """Return what changes whenever a file does; nothing for a file that is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def digest(env: Mapping[str, str]) -> str:
    """Return a digest of the variables that say who logs in and by what proxy, "" if there are none, as usual.

    Passwords may be among them.
    """
    found = sorted(f"{name}={env[name]}" for name in env if name.startswith("OS_") or name.lower().endswith("_proxy"))
    if not found:
        return ""
    import hashlib

    return hashlib.sha256("\0".join(found).encode("utf-8", "surrogateescape")).hexdigest()
