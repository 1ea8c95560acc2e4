"""All that is recorded, request by request, for the housekeeping of getReturnRequests."""

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
    """The whole folder of a request."""

    request_id: str
    request: AcquireRequest | ReturnRequest | None
    """`None` if the folder holds no `asked.json`."""
    created: bool
    """Whether it is recorded what the POSTs answered."""
    answered_ids: frozenset[str] | None
    """Ids of the machines of which HostFactory was told when the request ended; `None` if that is not on record."""
    last_recorded_at: float
    """When the last of it was recorded, in seconds since 1970."""


def recorded_request_ids(workdir: str) -> list[str]:
    """Return the ids of all requests that have a folder, in order. Raises `FactsUnreadable`."""
    folder = os.path.join(workdir, "requests")
    try:
        return sorted(name for name in os.listdir(folder) if FOLDER_NAME.match(name) and name[:4] in {"req-", "ret-"})
    except FileNotFoundError:
        check_workdir(workdir)
        return []
    except OSError as error:
        raise FactsUnreadable(f"cannot read {folder}: {error.strerror}") from None


def load_recorded(workdir: str, request_id: str) -> RecordedRequest:
    """Load all that is recorded of a request that has a folder. Raises `FactsUnreadable`."""
    is_return = request_id.startswith("ret-")
    request = load_return(workdir, request_id) if is_return else load_acquire(workdir, request_id)
    folder = os.path.join(workdir, "requests", request_id)
    try:
        names = os.listdir(folder)
        newest = max(os.stat(os.path.join(folder, name)).st_mtime for name in names or ["."])
        told = (read(folder, "ended.json") or {}).get("machineIds")
        ids = None if told is None else frozenset(check(one, str) for one in check(told, list))
    except OSError as error:
        raise FactsUnreadable(f"cannot read {folder}: {error.strerror}") from None
    except TypeError as error:
        raise malformed(folder, error) from None
    return RecordedRequest(request_id, request, "created.json" in names, ids, newest)
