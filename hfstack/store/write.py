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

from hfstack.errors import FactsUnwritable
from hfstack.store.facts import FACT_NAME, FOLDER_NAME


def record(workdir: str, request_id: str, name: str, content: Mapping[str, object]) -> bool:
    """Record the fact `name` of a request. `False` if it is recorded already; then it stays as it is.

    The work directory must be there; the folders below it are made. Raises `FactsUnwritable`.
    """
    path = os.path.join(workdir, "requests", request_id, name)
    if not workdir or not FOLDER_NAME.match(request_id) or not FACT_NAME.match(name):
        raise FactsUnwritable(f"cannot record {path}: it is no place for a fact")
    from hfstack.store import files

    try:
        make_folders(workdir, request_id)
        return not os.path.lexists(path) and files.write_once(path, json.dumps(content).encode())
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
    from hfstack.store import files

    requests = os.path.join(workdir, "requests")
    for folder, above in ((requests, workdir), (os.path.join(requests, request_id), requests)):
        if not os.path.isdir(folder):
            with suppress(FileExistsError):
                files.make_folder(folder)
            files.settle(above)
