"""Read the records of all requests, for getReturnRequests and its housekeeping."""

from __future__ import annotations

import os
from typing import NamedTuple

from hfstack.errors import FactsUnreadable
from hfstack.store.facts import (
    FOLDER_NAME,
    AcquireRequest,
    ReturnRequest,
    check,
    check_workdir,
    load_acquire,
    load_return,
    malformed,
    read,
)


class RecordedRequest(NamedTuple):
    """A request that has a folder, and the whole content of the folder."""

    request_id: str
    request: AcquireRequest | ReturnRequest | None
    """`None` if the folder holds no `asked.json`."""
    created: bool
    """Whether Nova's answers are on record."""
    answered_ids: frozenset[str] | None
    """Ids of the machines that HostFactory was told of when the request ended; `None` if no end is on record."""
    last_recorded_at: float
    """When the newest fact was recorded, in seconds since 1970."""


def recorded_request_ids(workdir: str) -> list[str]:
    """Return the ids of all requests that have a folder, sorted. Raises `FactsUnreadable`."""
    folder = os.path.join(workdir, "requests")
    try:
        return sorted(name for name in os.listdir(folder) if FOLDER_NAME.match(name) and name[:4] in {"req-", "ret-"})
    except FileNotFoundError:
        check_workdir(workdir)
        return []
    except OSError as error:
        raise FactsUnreadable(f"cannot read {folder}: {error.strerror}") from None


def load_recorded(workdir: str, request_id: str) -> RecordedRequest:
    """Return the content of a request's folder. Raises `FactsUnreadable`."""
    is_return = request_id.startswith("ret-")
    request = load_return(workdir, request_id) if is_return else load_acquire(workdir, request_id)
    folder = os.path.join(workdir, "requests", request_id)
    try:
        names = os.listdir(folder)
        newest = max(os.stat(os.path.join(folder, name)).st_mtime for name in names or ["."])
        answered = (read(folder, "ended.json") or {}).get("machineIds")
        ids = None if answered is None else frozenset(check(machine_id, str) for machine_id in check(answered, list))
    except OSError as error:
        raise FactsUnreadable(f"cannot read {folder}: {error.strerror}") from None
    except TypeError as error:
        raise malformed(folder, error) from None
    return RecordedRequest(request_id, request, "created.json" in names, ids, newest)
