"""Writing a fact: once, whole, and by one process alone; and removing those of a request that is history.

A fact is written to a temporary file beside its place and then linked into it. A link is made or refused as a whole,
over NFS too, so of two processes one wins and no reader ever meets half a fact. A process that is killed leaves a
temporary file behind, which no reader takes for a fact: its name begins with a dot.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress

from .errors import FactsUnwritable
from .facts import FACT_NAME, FOLDER_NAME

RENAME_REFUSES = os.name == "nt"
"""Windows refuses to rename a file onto another; elsewhere only a link does."""


def record(workdir: str, request_id: str, name: str, content: Mapping[str, object]) -> bool:
    """Record the fact `name` of a request. `False` if it is recorded already; then it stays as it is.

    The work directory must be there; the folders below it are made. Raises `FactsUnwritable`.
    """
    path = os.path.join(workdir, "requests", request_id, name)
    if not workdir or not FOLDER_NAME.match(request_id) or not FACT_NAME.match(name):
        raise FactsUnwritable(f"cannot record {path}: it is no place for a fact")
    try:
        make_folders(workdir, request_id)
        return not os.path.lexists(path) and write_once(path, json.dumps(content).encode())
    except OSError as error:
        raise FactsUnwritable(f"cannot record {path}: {error.strerror}") from None


def forget(workdir: str, request_id: str) -> None:
    """Remove all that is recorded of a request, first of all that it was asked. Raises `FactsUnwritable`."""
    folder = os.path.join(workdir, "requests", request_id)
    try:
        for name in sorted(os.listdir(folder), key=lambda name: name != "asked.json"):
            os.unlink(os.path.join(folder, name))
        os.rmdir(folder)
    except OSError as error:
        raise FactsUnwritable(f"cannot remove {folder}: {error.strerror}") from None


def make_folders(workdir: str, request_id: str) -> None:
    """Make the folder of a request, and that of all requests, where they are missing."""
    from . import private

    requests = os.path.join(workdir, "requests")
    for folder, above in ((requests, workdir), (os.path.join(requests, request_id), requests)):
        if not os.path.isdir(folder):
            with suppress(FileExistsError):
                private.make_folder(folder)
            settle(above)


def write_once(path: str, content: bytes) -> bool:
    """Write a file in one step; `False` if another process was first."""
    from . import private

    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{os.urandom(16).hex()}")
    try:
        with os.fdopen(private.create(temporary), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        won = publish(temporary, path)
    finally:
        with suppress(OSError):
            os.unlink(temporary)
    settle(folder)
    return won


def publish(temporary: str, path: str) -> bool:
    """Give a finished file its name; `False` if that is taken."""
    try:
        if RENAME_REFUSES:
            from .windows import patiently

            patiently(os.rename, temporary, path)
        else:
            os.link(temporary, path)
    except FileExistsError:
        # an NFS client repeats a link whose answer was lost, and is told that the name exists: its own
        return os.stat(temporary).st_nlink == 2
    return True


def settle(folder: str) -> None:
    """Have the names in a folder on the disk, where the system can: Windows opens no folders."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
