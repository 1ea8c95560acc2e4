"""What is recorded of each request: one folder, one small JSON file per fact, written once and never changed.

    <workdir>/requests/req-<uuid4>/asked.json      {"asked", "templateId", "names", "requestTimeout",
                                                    "floatingNetwork": id, where the machines get floating IPs}
                                   created.json    {"machines": [{"name", "machineId" or "", "message"}],
                                                    "replaced": [ids of servers that found no host]}
                                   polled.json     {"polled"}: HostFactory asked for the first time
                                   failed-<server name, or id>.json
                                                   {"machineId", "name", "privateIpAddress", "launchtime", "message"}:
                                                   what HostFactory is told of a machine that was to be deleted
                                   ended.json      {"ended", "status", "machineIds"}: the request was first answered
                                                   as over, with these machines
    <workdir>/requests/ret-<uuid4>/asked.json      {"asked", "returnTimeout", "machines":
                                                    [{"machineId", "name", "privateIpAddress", "launchtime"}]}
                                   gone-<machineId>.json   {"machineId", "gone", "how"}: proof that it is gone
                                   ended.json

`asked`, `polled`, `ended` and `gone` are in seconds since 1970, the timeouts in seconds. `names` are the planned server
names, one per machine. A missing folder means that nothing was recorded here; anything that is there and cannot be read
means that nothing may be concluded.
"""

from __future__ import annotations

import json
import os
import re

from hfstack._typing import TYPE_CHECKING, NamedTuple
from hfstack.errors import FactsUnreadable

if TYPE_CHECKING:
    from typing import Any

FACT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
FOLDER_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(?<!\.)\Z")
"""The ids of requests that may have a folder: as hfstack's own; Windows takes `REQ-1` and `req-1.` for `req-1`."""

END_OF_TIME = 3e10
"""Seconds since 1970; Windows' calendar ends in the year 3000."""


class Planned(NamedTuple):
    """One machine of an acquire request: what was planned, and what the POST for it answered."""

    name: str
    machine_id: str = ""
    message: str = ""
    """Why Nova refused to create it; "" if it did not."""


class Returned(NamedTuple):
    """One machine of a return request, as it stood when its return was asked for."""

    machine_id: str
    name: str
    private_address: str
    launch_time: int


class Failed(NamedTuple):
    """One machine of an acquire request that failed and was to be deleted, as HostFactory was told."""

    key: str
    """The planned server name, else the server's id: what the fact is called."""
    machine_id: str
    name: str
    private_address: str
    launch_time: int
    message: str


class AcquireRequest(NamedTuple):
    """What is recorded of a `req-…` request."""

    requested_at: float
    """Seconds since 1970."""
    timeout: int
    machines: tuple[Planned, ...]
    failed: tuple[Failed, ...] = ()
    polled: bool = False
    ended: bool = False
    replaced: frozenset[str] = frozenset()
    """Ids of servers that found no host, in place of which others were asked for."""
    floating_network: str = ""
    """Id of the network that the machines get floating IPs of; "" if they get none."""


class ReturnRequest(NamedTuple):
    """What is recorded of a `ret-…` request."""

    requested_at: float
    """Seconds since 1970."""
    timeout: int
    machines: tuple[Returned, ...]
    gone: frozenset[str] = frozenset()
    """Ids of machines that are proven gone."""
    ended: bool = False


def load_acquire(workdir: str, request_id: str) -> AcquireRequest | None:
    """Load an acquire request; `None` if nothing is recorded of it. Raises `FactsUnreadable`."""
    folder = find_folder(workdir, request_id)
    asked = read(folder, "asked.json") if folder else None
    if folder is None or asked is None:
        return None
    created = read(folder, "created.json")
    try:
        answers = {one.name: one for one in map(planned, () if created is None else created["machines"])}
        names = [check(name, str) for name in check(asked["names"], list)]
        machines = tuple([answers.get(name) or Planned(name) for name in names])
        recorded = list_facts(folder)
        failed = tuple(load_failed(folder, key) for key in keys(recorded, "failed-"))
        polled, ended = "polled.json" in recorded, "ended.json" in recorded
        replaced = frozenset(check(one, str) for one in check((created or {}).get("replaced", []), list))
        network = text(asked, "floatingNetwork")
        return AcquireRequest(
            moment(asked), int(asked["requestTimeout"]), machines, failed, polled, ended, replaced, network
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise malformed(folder, error) from None


def planned(entry: dict[str, Any]) -> Planned:
    """Take one machine of `created.json`. Raises `TypeError`."""
    found = entry.get("name") or "", entry.get("machineId") or "", entry.get("message") or ""
    for value in found:
        check(value, str)
    return Planned(*found)


def load_return(workdir: str, request_id: str) -> ReturnRequest | None:
    """Load a return request; `None` if nothing is recorded of it. Raises `FactsUnreadable`."""
    folder = find_folder(workdir, request_id)
    asked = read(folder, "asked.json") if folder else None
    if folder is None or asked is None:
        return None
    try:
        machines = tuple(
            Returned(
                machine_id(entry),
                text(entry, "name"),
                text(entry, "privateIpAddress"),
                int(entry.get("launchtime", asked["asked"])),
            )
            for entry in check(asked["machines"], list)
        )
        recorded = list_facts(folder)
        gone = frozenset(keys(recorded, "gone-"))
        return ReturnRequest(moment(asked), int(asked["returnTimeout"]), machines, gone, "ended.json" in recorded)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise malformed(folder, error) from None


def load_failed(folder: str, key: str) -> Failed:
    """Load what HostFactory was told of a machine that failed."""
    fact = read(folder, f"failed-{key}.json") or {}
    message = check(fact["message"], str)
    address = text(fact, "privateIpAddress")
    return Failed(key, machine_id(fact), text(fact, "name"), address, int(fact["launchtime"]), message)


def find_folder(workdir: str, request_id: str) -> str | None:
    """Return the folder of a request, `None` if there is none."""
    check_workdir(workdir)
    if not FOLDER_NAME.match(request_id):
        return None
    folder = os.path.join(workdir, "requests", request_id)
    try:
        os.stat(folder)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise FactsUnreadable(f"cannot read {folder}: {error.strerror}") from None
    return folder


def check_workdir(workdir: str) -> None:
    """Raise `FactsUnreadable` if there is no work directory.

    One that is not there at all is unreadable rather than empty: a network file system that is not mounted must not
    make a request unknown.
    """
    if not workdir:
        raise FactsUnreadable(
            "none of HF_PROVIDER_WORKDIR, HF_WORKDIR and PRO_DATA_DIR is set, so nothing can be said of this request"
        )
    if not os.path.isdir(workdir):
        raise FactsUnreadable(f"the work directory {workdir} is not there, so nothing can be said of this request")


def read(folder: str, name: str) -> dict[str, Any] | None:
    """Read one fact; `None` if it was never recorded."""
    path = os.path.join(folder, name)
    try:
        with open(path, "rb") as file:
            fact = json.loads(file.read())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FactsUnreadable(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise FactsUnreadable(f"{path} is not JSON") from None
    if not isinstance(fact, dict):
        raise FactsUnreadable(f"{path} is not a JSON object")
    return fact


def list_facts(folder: str) -> list[str]:
    """Return the names of a request's facts, in order."""
    try:
        return sorted(name for name in os.listdir(folder) if FACT_NAME.match(name) and name.endswith(".json"))
    except OSError as error:
        raise FactsUnreadable(f"cannot read {folder}: {error.strerror}") from None


def keys(recorded: list[str], kind: str) -> list[str]:
    """Return whose facts of a kind are recorded."""
    return [name.removeprefix(kind).removesuffix(".json") for name in recorded if name.startswith(kind)]


def malformed(folder: str, error: Exception) -> FactsUnreadable:
    """Say which folder holds a fact of the wrong shape."""
    return FactsUnreadable(f"the facts in {folder} are malformed ({type(error).__name__}: {error})")


def check(value: Any, wanted: type) -> Any:  # noqa: ANN401 - JSON
    """Pass a value of the wanted type on. Raises `TypeError`."""
    if not isinstance(value, wanted):
        raise TypeError(f"found {type(value).__name__}, wanted {wanted.__name__}")
    return value


def moment(fact: dict[str, Any]) -> float:
    """Return when something was asked. Raises `ValueError` for what is no time: JSON as Python reads it has NaN."""
    seconds = float(fact["asked"])
    if not 0 <= seconds < END_OF_TIME:
        raise ValueError(f"asked is {seconds}, wanted seconds since 1970")
    return seconds


def machine_id(entry: dict[str, Any]) -> str:
    """Return the id of an entry, which must have one. Raises `ValueError`."""
    found = str(check(entry["machineId"], str))
    if not found:
        raise ValueError("a machine has no machineId")
    return found


def text(entry: dict[str, Any], key: str) -> str:
    """Return an optional string of an entry, "" if it is absent or null. Raises `TypeError`."""
    return str(check(entry.get(key) or "", str))
