"""Write the facts of a request, each exactly once; remove the facts of an old request.

`facts.py` describes the files and reads them. Each writer takes what the reader returns.

A fact is written to a temporary file beside its place, which is then linked to its name. A link succeeds or fails as a
whole, over NFS too: of two processes one wins, and no reader ever sees half a fact. A process that is killed leaves its
temporary file behind. Readers ignore it, because its name begins with a dot. Nothing is written into a folder that is a
link, or that another account could have made.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from hfstack._files import Untrusted, check_file, check_folder
from hfstack._typing import TYPE_CHECKING
from hfstack.errors import FactsUnreadable, FactsUnwritable
from hfstack.store.folders import FACT_NAME, FOLDER_NAME, MARKER, find_folder, read

if TYPE_CHECKING:
    from hfstack.store.facts import AcquireRequest, Failed, Planned, Ready, Returned, ReturnRequest

FACT = r"(asked|created|polled|ended|(failed|gone|ready)-[A-Za-z0-9._-]+)\.json"
OWN_NAME = rf"({FACT}|\.({FACT}|now)\.[0-9a-f]{{32}})\Z"
"""The names that hfstack writes into the folder of a request: facts, and what a killed process leaves of one."""

MARKED = b"hfstack records its requests here. Keep this file: without it, the folder looks like an empty mount point.\n"


def write_acquire_asked(workdir: str, request_id: str, request: AcquireRequest, template_id: str) -> bool:
    """Record a request for machines, before the first server is created."""
    fact: dict[str, object] = {
        "asked": request.requested_at,
        "templateId": template_id,
        "names": [machine.name for machine in request.machines],
        "requestTimeout": request.timeout,
    }
    if request.place:
        fact["place"] = request.place._asdict()
    if request.floating_network:
        fact["floatingNetwork"] = request.floating_network
    return record(workdir, request_id, "asked.json", fact)


def write_return_asked(workdir: str, request_id: str, request: ReturnRequest) -> bool:
    """Record a return of machines, before the first server is deleted."""
    machines = [
        {**as_told(machine), "message": machine.message} if machine.message else as_told(machine)
        for machine in request.machines
    ]
    fact: dict[str, object] = {"asked": request.requested_at, "returnTimeout": request.timeout, "machines": machines}
    if request.place:
        fact["place"] = request.place._asdict()
    return record(workdir, request_id, "asked.json", fact)


def as_told(machine: Ready | Returned) -> dict[str, object]:
    """Return a machine as HostFactory knows it."""
    return {
        "machineId": machine.machine_id,
        "name": machine.name,
        "privateIpAddress": machine.private_address,
        "launchtime": machine.launch_time,
    }


def write_created(workdir: str, request_id: str, machines: Iterable[Planned], replaced: Iterable[str]) -> bool:
    """Record what Nova answered for each machine, and the ids of the servers that were replaced."""
    created = []
    for machine in machines:
        answer = {"name": machine.name, "machineId": machine.machine_id, "message": machine.message}
        created.append({**answer, "unclear": machine.unclear} if machine.unclear else answer)
    return record(workdir, request_id, "created.json", {"machines": created, "replaced": list(replaced)})


def write_polled(workdir: str, request_id: str, now: float) -> bool:
    """Record that HostFactory has polled a request for machines: it knows the request."""
    return record(workdir, request_id, "polled.json", {"polled": now})


def write_reaped(workdir: str, request_id: str, now: float, reason: str) -> bool:
    """Record that HostFactory did not poll in time: it must never be told that the machines are usable.

    It is the file that the first poll writes, so only one of the two can win.
    """
    return record(workdir, request_id, "polled.json", {"polled": now, "reaped": reason})


def write_ready(workdir: str, request_id: str, machines: Sequence[Ready]) -> bool:
    """Record what HostFactory is told of machines when they are usable for the first time."""
    fact = {"machines": [as_told(machine) for machine in machines]}
    return record(workdir, request_id, f"ready-{machines[0].machine_id}.json", fact)


def write_failed(workdir: str, request_id: str, failed: Failed) -> bool:
    """Record why a machine failed, before its server is deleted."""
    fact = {
        "machineId": failed.machine_id,
        "name": failed.name,
        "privateIpAddress": failed.private_address,
        "launchtime": failed.launch_time,
        "message": failed.message,
    }
    return record(workdir, request_id, f"failed-{failed.key}.json", fact)


def write_gone(workdir: str, request_id: str, machine_id: str, how: str, now: float) -> bool:
    """Record that a returned machine is gone; `how` is the proof."""
    return record(workdir, request_id, f"gone-{machine_id}.json", {"machineId": machine_id, "gone": now, "how": how})


def write_ended(
    workdir: str,
    request_id: str,
    status: str,
    machine_ids: Iterable[str],
    now: float,
    failed: Iterable[str] | None = None,
) -> bool:
    """Record that HostFactory was told that a request is complete, and with which machines.

    `failed` are the keys of the failures of a request for machines: one that is recorded later does not count.
    """
    fact: dict[str, object] = {"ended": now, "status": status, "machineIds": list(machine_ids)}
    if failed is not None:
        fact["failed"] = list(failed)
    return record(workdir, request_id, "ended.json", fact)


def record(workdir: str, request_id: str, name: str, content: Mapping[str, object]) -> bool:
    """Write the file `name` of a request. Returns `False`, and changes nothing, if the file exists.

    The work directory must exist; the folders below it are made. Raises `FactsUnwritable`, as each writer does.
    """
    path = os.path.join(workdir, "requests", request_id, name)
    if not workdir:
        raise FactsUnwritable(f"cannot record {path}: none of HF_PROVIDER_WORKDIR, HF_WORKDIR and PRO_DATA_DIR is set")
    if not FOLDER_NAME.match(request_id) or not FACT_NAME.match(name):
        raise FactsUnwritable(f"cannot record {path}: hfstack uses no such file name")
    from hfstack.store import files

    try:
        make_folders(workdir, request_id)
        return not os.path.lexists(path) and files.write_once(path, json.dumps(content).encode())
    except Untrusted as error:
        raise FactsUnwritable(f"cannot record {path}: {error.filename}: {error.strerror}") from None
    except OSError as error:
        raise FactsUnwritable(f"cannot record {path}: {error.strerror}") from None


def make_folders(workdir: str, request_id: str) -> None:
    """Make the folder of a request, the folder of all requests and its marker, if they do not exist.

    Raises `OSError`, also if a folder is not hfstack's own.
    """
    from hfstack.store import files

    requests = os.path.join(workdir, "requests")
    for folder, above in ((requests, workdir), (os.path.join(requests, request_id), requests)):
        try:
            check_folder(folder, workdir)
        except FileNotFoundError:
            with suppress(FileExistsError):
                files.make_folder(folder)
            files.settle(above)
    marker = os.path.join(requests, MARKER)
    if not os.path.lexists(marker):
        files.write_once(marker, MARKED)


def forget(workdir: str, request_id: str) -> None:
    """Remove the record of a request as a whole. Raises `FactsUnwritable`.

    If the folder is not hfstack's own, has no readable `asked.json`, or holds anything that hfstack does not write,
    nothing is removed. An empty folder has no record, and is removed.
    """
    folder = os.path.join(workdir, "requests", request_id)
    try:
        find_folder(workdir, request_id)
        names = os.listdir(folder)
        for name in names:
            if not re.match(OWN_NAME, name):
                raise FactsUnwritable(f"cannot remove {folder}: hfstack did not write {name}")
            check_file(os.path.join(folder, name), workdir)
        if names and read(folder, "asked.json") is None:
            raise FactsUnwritable(f"cannot remove {folder}: it has no asked.json")
        # the whole record goes at once: half of it would say something else
        removed = os.path.join(workdir, "requests", f".{request_id}.{os.urandom(16).hex()}")
        os.rename(folder, removed)
        for name in names:
            os.unlink(os.path.join(removed, name))
        os.rmdir(removed)
    except FactsUnreadable as error:
        raise FactsUnwritable(f"cannot remove {folder}: {error}") from None
    except OSError as error:
        raise FactsUnwritable(f"cannot remove {folder}: {error.strerror}") from None
