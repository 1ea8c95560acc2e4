"""Remember that all machines were missing at once: `requests/.vanished.json`, {"machineIds"}.

One look that shows none of several machines more likely looks at the wrong cloud. Only a second look counts, and the
time of the first one is that of the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Set as AbstractSet

from hfstack.errors import FactsUnreadable
from hfstack.store import files
from hfstack.store.facts import load_ids
from hfstack.store.folders import file_system_time, read_object, recorded_at

NAME = ".vanished.json"


def seconds_since_first(workdir: str, machine_ids: AbstractSet[str]) -> float | None:
    """Return how long ago these machines were first missing, `None` if only now, which is then recorded.

    Raises `FactsUnreadable`, also if it cannot be recorded: without a first look there is no second.
    """
    folder = os.path.join(workdir, "requests")
    try:
        missed = load_ids(read_object(os.path.join(folder, NAME), workdir) or {}, "machineIds") or frozenset()
    except TypeError:
        missed = frozenset()
    now = file_system_time(folder) if machine_ids <= missed else None
    if now is not None:
        return now - recorded_at(folder, NAME)
    try:
        forget(workdir)
        files.write_once(os.path.join(folder, NAME), json.dumps({"machineIds": sorted(machine_ids)}).encode())
    except OSError as error:
        raise FactsUnreadable(f"cannot record {os.path.join(folder, NAME)}: {error.strerror}") from None
    return None


def forget(workdir: str) -> None:
    """Forget an earlier look: the machines, or some of them, are there. Raises `FactsUnreadable` if it stays."""
    path = os.path.join(workdir, "requests", NAME)
    if not os.path.lexists(path):
        return
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise FactsUnreadable(f"cannot remove {path}: {error.strerror}") from None
