"""Keep the token, so that later calls need no login: one file that only this account can read.

`<workdir>/cache/access-<provider>-<host>-<account>.json`, mode 0600, holds the token and its expiry, the endpoints of
the services, the path of the trusted certificates, the validated settings, and the project and region of the token and
the compute endpoint. No other file of hfstack holds a secret.
The file is valid while nothing changes that it depends on: the files that were read (or looked for in vain), the
environment variables, the version of hfstack.

A process that finds no valid file logs in, and writes one in one step when Nova has answered. If several do so at once,
the last one wins.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping

from hfstack import __version__, _files
from hfstack._typing import TYPE_CHECKING, NamedTuple
from hfstack.environment import Environment

if TYPE_CHECKING:
    from typing import Any

MARGIN = 300
"""A token that expires within so many seconds is not used: no call takes longer."""

MAX_AGE = 3600
"""The endpoints are looked up again after so many seconds, however long the token is valid."""

PLACES = ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "USERPROFILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""The variables that decide where credentials and certificates are looked for."""

CHANGED = os.path.getmtime if os.name == "nt" else os.path.getctime
"""When a file last changed. On Windows, ctime is the time of its creation."""


class CachedAccess(NamedTuple):
    """What a call needs to reach the cloud without a login."""

    token: str
    expires: float
    """Seconds since 1970."""
    endpoints: Mapping[str, str]
    """By service type (compute, network, image), as far as the catalog has them."""
    cafile: str
    """The path of the trusted certificates."""
    settings: Mapping[str, object]
    """The provider's validated settings, by their keys."""
    project: str
    """The id of the token's project."""
    region: str
    """The region of the compute endpoint; "" if neither clouds.yaml nor the catalog names one."""


def load(environment: Environment, env: Mapping[str, str], now: float) -> CachedAccess | None:
    """Return the cached access, `None` if there is none that is valid. Never fails."""
    try:
        document = read_dependent(place(environment), environment, env) or {}
        known = CachedAccess(**document["known"])
        fresh = document["made"] <= now < document["made"] + MAX_AGE and now < known.expires - MARGIN
    except (ValueError, TypeError, KeyError):
        return None
    return known if fresh else None


def save(
    environment: Environment, env: Mapping[str, str], began: float, known: CachedAccess, files: Iterable[str]
) -> None:
    """Cache the access that a call learned from `files`, which it began to read at `began`.

    If that fails, the next call logs in again.
    """
    if began < known.expires - MARGIN:
        write_dependent(place(environment), environment, env, began, files, made=began, known=known._asdict())


def read_dependent(path: str, environment: Environment, env: Mapping[str, str]) -> dict[str, Any] | None:
    """Return a file that `write_dependent` wrote, `None` if something changed that it depends on. Never fails."""
    if not path:
        return None
    try:
        document: dict[str, Any] = read(path)
        same = document["key"] == key(environment, env, document["files"])
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    return document if same else None


def write_dependent(
    path: str, environment: Environment, env: Mapping[str, str], began: float, files: Iterable[str], **content: object
) -> None:
    """Write what a call learned from `files`, which it began to read at `began`. Gives up silently if that fails."""
    if not path:
        return
    try:
        files = list(files)
        if any(CHANGED(file) > began for file in files if os.path.exists(file)):
            return  # this call may have read the file as it was before
        document = {"key": key(environment, env, files), "files": files, **content}
    except OSError:
        return
    write(path, document)


def read(path: str) -> Any:  # noqa: ANN401 - JSON
    """Return the document in a cache file. Raises `ValueError`, and `OSError` if others may read or write the file."""
    folder = os.path.dirname(path)
    workdir = os.path.dirname(folder)
    _files.check_folder(folder, workdir)
    return json.loads(_files.read_own(path, workdir, not_for=0o077))


def write(path: str, document: object) -> None:
    """Write a file that only this account can read, in one step. Gives up silently if that fails."""
    from hfstack.store import files

    folder, temporary = os.path.dirname(path), f"{path}.{os.getpid()}"
    try:
        try:
            _files.check_folder(folder, os.path.dirname(folder))
        except FileNotFoundError:
            # make only this folder: a missing work directory may be one that is not mounted
            files.make_folder(folder)
        with os.fdopen(files.create(temporary), "wb") as file:
            file.write(json.dumps(document).encode())
        files.replace(temporary, path)
    except _files.Untrusted:
        return
    except OSError:
        remove(temporary)


def drop(environment: Environment) -> None:
    """Remove the cached access: the cloud rejects it."""
    remove(place(environment))


def remove(path: str) -> None:
    """Remove a file, if that can be done."""
    folder = os.path.dirname(path)
    try:
        _files.check_folder(folder, os.path.dirname(folder))
        os.unlink(path)
    except OSError:
        return


def place(environment: Environment, what: str = "access") -> str:
    """Return the path of this account's cache file of one kind, "" if there is no work directory for it."""
    account = account_of(environment.workdir)
    name = f"{what}-{environment.provider}-{environment.host}-{account}.json"
    if not environment.workdir or "/" in name or "\\" in name:
        return ""
    return os.path.join(environment.workdir, "cache", name)


def account_of(workdir: str) -> str:
    """Return the account whose files these are: root works for the account that owns the work directory."""
    if not hasattr(os, "geteuid"):
        return os.environ.get("USERNAME", "")
    try:
        owner = _files.foreign_owner(workdir)
    except OSError:
        owner = None  # it is missing, so there will be no file
    return str(owner.st_uid if owner else os.geteuid())


def key(environment: Environment, env: Mapping[str, str], files: Iterable[str]) -> list[object]:
    """Return everything that the cached access depends on, as JSON returns it.

    It includes the working directory only if one of the files has a relative path.
    """
    files = list(files)
    states = [[path, *identity(path)] for path in files]
    where = [env.get(name) for name in PLACES]
    folder = "" if all(map(os.path.isabs, files)) else os.getcwd()
    return [__version__, environment.provider, environment.confdir, folder, where, digest(env), states]


def identity(path: str) -> tuple[int, ...]:
    """Return what changes whenever a file changes; nothing for a missing file."""
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def digest(env: Mapping[str, str]) -> str:
    """Return a digest of the variables for the login and the proxy, "" if none is set, which is usual.

    A digest, because they may hold passwords.
    """
    variables = sorted(
        f"{name}={env[name]}" for name in env if name.startswith("OS_") or name.lower().endswith("_proxy")
    )
    if not variables:
        return ""
    import hashlib

    return hashlib.sha256("\0".join(variables).encode("utf-8", "surrogateescape")).hexdigest()
