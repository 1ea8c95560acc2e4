"""Read the records of all requests, for getReturnRequests and its housekeeping."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple

from hfstack.errors import FactsUnreadable
from hfstack.log import Log
from hfstack.store.facts import AcquireRequest, ReturnRequest, load_acquire, load_return
from hfstack.store.folders import is_own_id, keys, list_facts, list_requests


class RecordedRequest(NamedTuple):
    """A request that has a folder, and the whole content of the folder."""

    request_id: str
    request: AcquireRequest | ReturnRequest | None
    """`None` if the folder holds no `asked.json`."""
    last_recorded_at: float
    """When the newest fact was recorded, by the clock of the file system (seconds since 1970)."""


def recorded_request_ids(workdir: str) -> list[str]:
    """Return the ids of all requests that have a folder, sorted; other entries are ignored.

    Raises `FactsUnreadable`.
    """
    return sorted(filter(is_own_id, list_requests(workdir)))


def load_recorded(workdir: str, request_id: str) -> RecordedRequest:
    """Return the content of a request's folder. Raises `FactsUnreadable`."""
    is_return = request_id.startswith("ret-")
    request = load_return(workdir, request_id) if is_return else load_acquire(workdir, request_id)
    folder = os.path.join(workdir, "requests", request_id)
    try:
        # temporary files come and go
        names = [name for name in os.listdir(folder) if not name.startswith(".")]
        newest = max(os.lstat(os.path.join(folder, name)).st_mtime for name in names or ["."])
    except OSError as error:
        raise FactsUnreadable(f"cannot read {folder}: {error.strerror}") from None
    return RecordedRequest(request_id, request, newest)


class Records(NamedTuple):
    """The records of all requests."""

    requests: list[RecordedRequest]
    unreadable: list[str]
    """Ids of the requests whose records cannot be read: nothing is known about their machines."""
    gone: frozenset[str]
    """Ids of the machines that returns among them have proven gone."""


def load_all(workdir: str, log: Log) -> Records:
    """Return the records of all requests.

    Another process may be removing old records. Raises `FactsUnreadable` if there is no list of them.
    """
    requests, unreadable, gone = [], [], set[str]()
    for request_id in recorded_request_ids(workdir):
        try:
            requests.append(load_recorded(workdir, request_id))
        except FactsUnreadable as error:
            if os.path.lexists(os.path.join(workdir, "requests", request_id)):
                log.warning(f"{request_id} is skipped: {error}")
                unreadable.append(request_id)
                with suppress(FactsUnreadable):
                    gone.update(keys(list_facts(os.path.join(workdir, "requests", request_id)), "gone-"))
    return Records(requests, unreadable, frozenset(gone))
