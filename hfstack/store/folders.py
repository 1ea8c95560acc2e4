"""Find and read the files of the work directory, as far as they can only be hfstack's own; the file system's time.

    <workdir>/requests/<request id>/<fact>.json
              requests/.hfstack      the marker of a work directory that has held a record

What a file contains is `facts.py`'s concern. A missing file is `None`; one that is there and cannot be read, or that
another account could have written, is `FactsUnreadable`.
"""

from __future__ import annotations

import json
import os
import re

from hfstack import _files
from hfstack._typing import TYPE_CHECKING
from hfstack.errors import FactsUnreadable

if TYPE_CHECKING:
    from typing import Any

FACT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")

FOLDER_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(?<!\.)\Z")
"""Request ids that may have a folder. Windows opens `req-1` for `REQ-1` and for `req-1.`, so these may not."""

MARKER = ".hfstack"
"""The file in `requests/` that distinguishes an empty work directory from an empty mount point."""


def recorded_at(folder: str, name: str) -> float:
    """Return when a fact was recorded, by the clock of the file system. Raises `FactsUnreadable`."""
    path = os.path.join(folder, name)
    try:
        return os.stat(path).st_mtime
    except OSError as error:
        raise FactsUnreadable(f"cannot read {path}: {error.strerror}") from None


def file_system_time(folder: str) -> float | None:
    """Return the present time by the clock that `recorded_at` uses, `None` if no file can be created in the folder.

    Management hosts may share the folder while their clocks differ, so a deadline must not depend on this host's clock.
    """
    path = os.path.join(folder, f".now.{os.urandom(16).hex()}")
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            return os.fstat(handle).st_mtime
        finally:
            os.close(handle)
            os.unlink(path)
    except OSError:
        return None


def find_folder(workdir: str, request_id: str) -> str | None:
    """Return the path of a request's folder, `None` if there is none. Raises `FactsUnreadable`."""
    check_workdir(workdir)
    if not FOLDER_NAME.match(request_id):
        return None
    requests = os.path.join(workdir, "requests")
    folder = os.path.join(requests, request_id)
    try:
        for path in (requests, folder):
            _files.check_folder(path, workdir)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FactsUnreadable(f"cannot read {error.filename}: {error.strerror}") from None
    return folder


def is_unused(workdir: str) -> bool:
    """Tell whether a work directory has never held a record: it has neither the marker nor a request's folder.

    The first record of a work directory writes the marker. Without it, the directory may be a mount point whose file
    system is not mounted. Raises `FactsUnreadable`.
    """
    names = list_requests(workdir)
    return MARKER not in names and not any(map(is_own_id, names))


def list_requests(workdir: str) -> list[str]:
    """Return the names of everything in `requests/`; none if it does not exist. Raises `FactsUnreadable`."""
    check_workdir(workdir)
    requests = os.path.join(workdir, "requests")
    try:
        _files.check_folder(requests, workdir)
        return os.listdir(requests)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise FactsUnreadable(f"cannot read {requests}: {error.strerror}") from None


def check_never_recorded(workdir: str, request_id: str) -> None:
    """Raise `FactsUnreadable` if a request without a record may have had one: its folder is there, or no other is."""
    folder = find_folder(workdir, request_id)
    if folder:
        raise FactsUnreadable(f"{folder} holds no asked.json: it is lost, or another call removes the record")
    if is_own_id(request_id) and is_unused(workdir):
        raise FactsUnreadable(
            f"the work directory {workdir} holds no records of hfstack at all: is its file system mounted? "
            "If it is a new directory, there is nothing to do: the next requestMachines call makes it usable"
        )


def is_own_id(text: str) -> bool:
    """Tell whether hfstack could have made this request id."""
    return bool(re.match(r"(req|ret)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", text))


def check_workdir(workdir: str) -> None:
    """Raise `FactsUnreadable` if there is no work directory.

    A missing work directory is unreadable, not empty: a request must not become unknown because a network file system
    is not mounted.
    """
    if not workdir:
        raise FactsUnreadable(
            "none of HF_PROVIDER_WORKDIR, HF_WORKDIR and PRO_DATA_DIR is set, so this request cannot be looked up"
        )
    if not os.path.isdir(workdir):
        raise FactsUnreadable(f"the work directory {workdir} does not exist, so this request cannot be looked up")


def read(folder: str, name: str) -> dict[str, Any] | None:
    """Return the content of one fact, `None` if it was never recorded. Raises `FactsUnreadable`."""
    return read_object(os.path.join(folder, name), workdir_of(folder))


def read_object(path: str, workdir: str) -> dict[str, Any] | None:
    """Return the object in a file of the work directory, `None` if there is no file. Raises `FactsUnreadable`."""
    try:
        found = json.loads(_files.read_own(path, workdir))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FactsUnreadable(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise FactsUnreadable(f"{path} is not JSON") from None
    if not isinstance(found, dict):
        raise FactsUnreadable(f"{path} is not a JSON object")
    return found


def list_facts(folder: str) -> list[str]:
    """Return the file names of a request's facts, sorted. Raises `FactsUnreadable`.

    The name of a fact can be the whole of what it says, so each is checked here, too.
    """
    try:
        names = sorted(name for name in os.listdir(folder) if FACT_NAME.match(name) and name.endswith(".json"))
        for name in names:
            _files.check_file(os.path.join(folder, name), workdir_of(folder))
    except OSError as error:
        raise FactsUnreadable(f"cannot read {error.filename or folder}: {error.strerror}") from None
    return names


def keys(recorded: list[str], kind: str) -> list[str]:
    """Return the keys of the recorded facts of one kind: for `gone-`, the ids of the machines that are gone."""
    return [name.removeprefix(kind).removesuffix(".json") for name in recorded if name.startswith(kind)]


def workdir_of(folder: str) -> str:
    """Return the work directory in which the folder of a request is."""
    return os.path.dirname(os.path.dirname(folder))
