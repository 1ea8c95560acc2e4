"""Read the record of a request: one folder, with one small JSON file per fact, written once and never changed.

    <workdir>/requests/.hfstack                    written before the first fact: this is no empty mount point
    <workdir>/requests/req-<uuid4>/asked.json      {"asked", "templateId", "names", "requestTimeout",
                                                    "place": {"project", "region", "compute"},
                                                    "floatingNetwork": id, if the machines get floating IPs}
                                   created.json    {"machines": [{"name", "machineId" or "", "message",
                                                    "unclear": why it is unknown whether the server exists, if it is}],
                                                    "replaced": [ids of servers that found no host]}
                                   polled.json     {"polled"}: HostFactory polled for the first time; with "reaped",
                                                   housekeeping was first, and deletes the machines
                                   ready-<machineId>.json
                                                   {"machines": [{"machineId", "name", "privateIpAddress",
                                                    "launchtime"}]}: what HostFactory was told of usable machines
                                   failed-<server name, or id>.json
                                                   {"machineId", "name", "privateIpAddress", "launchtime", "message"}:
                                                   what HostFactory is told of a failed machine
                                   ended.json      {"ended", "status", "machineIds", "failed": [keys]}: HostFactory was
                                                   told that the request is complete, with these machines
    <workdir>/requests/ret-<uuid4>/asked.json      {"asked", "returnTimeout", "place", "machines":
                                                    [{"machineId" or "", "name", "privateIpAddress", "launchtime",
                                                    "message": why it is not deleted, if it is not}]}
                                   gone-<machineId>.json   {"machineId", "gone", "how"}: proof that it is gone
                                   ended.json

`asked`, `polled`, `ended` and `gone` are seconds since 1970 by the clock of the host that wrote them, for people to
read; deadlines count from the files' own times, by the clock of the file system. Timeouts are seconds. `names` are the
planned server names, one per machine. A missing folder means that nothing was recorded. What exists and cannot be read,
or is a link, or could have been written by another account, proves nothing: the caller must not conclude anything from
it. `write.py` writes the files.
"""

from __future__ import annotations

from hfstack._typing import TYPE_CHECKING, NamedTuple
from hfstack.errors import FactsUnreadable
from hfstack.store.folders import find_folder, keys, list_facts, read, recorded_at

if TYPE_CHECKING:
    from typing import Any

END_OF_TIME = 3e10
"""Seconds since 1970; the calendar of Windows ends in the year 3000."""


class Place(NamedTuple):
    """Where a request was made: a 404 proves nothing anywhere else."""

    project: str
    """The project's id, "" if the login does not name one."""
    region: str
    """"" if neither clouds.yaml nor the catalog names one."""
    compute: str
    """host:port of the compute endpoint: the host in lower case, the port always there."""


class Planned(NamedTuple):
    """One machine of a request for machines: the planned name, and what Nova answered."""

    name: str
    machine_id: str = ""
    message: str = ""
    """Why Nova refused to create the server; "" if it did not."""
    unclear: str = ""
    """What came instead of a clear answer, if it is unknown whether the server exists; else ""."""


class Ready(NamedTuple):
    """A usable machine, as HostFactory was told of it for the first time."""

    machine_id: str
    name: str
    private_address: str
    launch_time: int


class Returned(NamedTuple):
    """One machine of a return, as it was when HostFactory returned it."""

    machine_id: str
    """"" if HostFactory gave only the name, and no server could be found by it."""
    name: str
    private_address: str
    launch_time: int
    message: str = ""
    """Why hfstack does not delete the machine; "" if it does."""


class Failed(NamedTuple):
    """One machine of a request for machines that failed, as HostFactory is told."""

    key: str
    """The planned server name, else the server's id: it names the file."""
    machine_id: str
    """The server's id; the planned name of a machine whose POST had no clear answer and whose server did not appear."""
    name: str
    private_address: str
    launch_time: int
    message: str


class AcquireRequest(NamedTuple):
    """The record of a request for machines (`req-…`)."""

    requested_at: float
    """Seconds since 1970."""
    timeout: int
    machines: tuple[Planned, ...]
    failed: tuple[Failed, ...] = ()
    polled: bool = False
    ended: bool = False
    replaced: frozenset[str] = frozenset()
    """Ids of servers that found no host and were replaced by others."""
    floating_network: str = ""
    """Id of the network that the floating IPs come from; "" if the machines get none."""
    place: Place | None = None
    """`None` if another tool, or an older hfstack, recorded the request."""
    ready: tuple[Ready, ...] = ()
    reaped: str = ""
    """Why housekeeping deletes the machines: HostFactory did not poll in time. "" if it does not."""
    answered_ids: frozenset[str] | None = None
    """Ids of the machines that HostFactory was told of when the request ended; `None` if no end is on record."""
    recorded_at: float = 0
    """When the request was recorded, by the clock of the file system (seconds since 1970)."""
    created_at: float | None = None
    """When Nova's answers were recorded, by the same clock; `None` if they are not on record."""


class ReturnRequest(NamedTuple):
    """The record of a return of machines (`ret-…`)."""

    requested_at: float
    """Seconds since 1970."""
    timeout: int
    machines: tuple[Returned, ...]
    gone: frozenset[str] = frozenset()
    """Ids of the machines that are proven to be gone."""
    ended: bool = False
    place: Place | None = None
    """`None` if an older hfstack recorded the return."""
    recorded_at: float = 0
    """When the return was recorded, by the clock of the file system (seconds since 1970)."""


def load_acquire(workdir: str, request_id: str) -> AcquireRequest | None:
    """Return the record of a request for machines, `None` if there is none. Raises `FactsUnreadable`."""
    folder, asked = load_asked(workdir, request_id)
    if asked is None:
        return None
    created = read(folder, "created.json")
    created = {"machines": []} if created is None else created
    try:
        answers = {machine.name: machine for machine in map(planned, created["machines"])}
        names = [check(name, str) for name in check(asked["names"], list)]
        recorded = list_facts(folder)
        polled = (read(folder, "polled.json") or {}) if "polled.json" in recorded else {}
        ended = (read(folder, "ended.json") or {}) if "ended.json" in recorded else {}
        # a failure that was recorded after the end came too late: HostFactory was told otherwise
        failures = check(ended.get("failed", keys(recorded, "failed-")), list)
        return AcquireRequest(
            moment(asked),
            int(moment(asked, "requestTimeout")),
            tuple(answers.get(name) or Planned(name) for name in names),
            tuple(load_failed(folder, key) for key in keys(recorded, "failed-") if key in failures),
            polled="polled.json" in recorded,
            ended="ended.json" in recorded,
            replaced=load_ids(created, "replaced") or frozenset(),
            floating_network=text(asked, "floatingNetwork"),
            place=load_place(asked),
            ready=tuple(machine for key in keys(recorded, "ready-") for machine in load_ready(folder, key)),
            reaped=text(polled, "reaped"),
            answered_ids=load_ids(ended, "machineIds"),
            recorded_at=recorded_at(folder, "asked.json"),
            created_at=recorded_at(folder, "created.json") if "created.json" in recorded else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise malformed(folder, error) from None


def load_asked(workdir: str, request_id: str) -> tuple[str, dict[str, Any] | None]:
    """Return the folder of a request, and its first fact, `None` if there is none. Raises `FactsUnreadable`."""
    folder = find_folder(workdir, request_id) or ""
    return folder, read(folder, "asked.json") if folder else None


def planned(entry: dict[str, Any]) -> Planned:
    """Return one machine of `created.json`. Raises `TypeError`."""
    return Planned(text(entry, "name"), text(entry, "machineId"), text(entry, "message"), text(entry, "unclear"))


def load_return(workdir: str, request_id: str) -> ReturnRequest | None:
    """Return the record of a return, `None` if there is none. Raises `FactsUnreadable`."""
    folder, asked = load_asked(workdir, request_id)
    if asked is None:
        return None
    try:
        machines = tuple(
            Returned(
                "" if entry.get("machineId") == "" and text(entry, "name") else machine_id(entry),
                text(entry, "name"),
                text(entry, "privateIpAddress"),
                int(entry.get("launchtime", asked["asked"])),
                text(entry, "message"),
            )
            for entry in check(asked["machines"], list)
        )
        recorded = list_facts(folder)
        return ReturnRequest(
            moment(asked),
            int(moment(asked, "returnTimeout")),
            machines,
            frozenset(keys(recorded, "gone-")),
            "ended.json" in recorded,
            load_place(asked),
            recorded_at(folder, "asked.json"),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise malformed(folder, error) from None


def is_ended(workdir: str, request_id: str) -> bool:
    """Tell whether the end of a request is on record now. Raises `FactsUnreadable`."""
    folder = find_folder(workdir, request_id)
    return folder is not None and "ended.json" in list_facts(folder)


def recorded_end(workdir: str, request_id: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the ids of the machines at the end of a request, and the keys of all failures. Raises `FactsUnreadable`.

    A failure that the end does not know may have been recorded at the same time.
    """
    folder = find_folder(workdir, request_id) or ""
    ended = read(folder, "ended.json") or {}
    try:
        failed = keys(list_facts(folder), "failed-") + check(ended.get("failed", []), list)
        return load_ids(ended, "machineIds") or frozenset(), frozenset(failed)
    except TypeError as error:
        raise malformed(folder, error) from None


def load_failed(folder: str, key: str) -> Failed:
    """Return the record of a machine that failed."""
    fact = read(folder, f"failed-{key}.json") or {}
    message = check(fact["message"], str)
    address = text(fact, "privateIpAddress")
    return Failed(key, machine_id(fact), text(fact, "name"), address, int(fact["launchtime"]), message)


def load_ready(folder: str, key: str) -> list[Ready]:
    """Return the usable machines of one fact."""
    fact = read(folder, f"ready-{key}.json") or {}
    return [
        Ready(machine_id(entry), text(entry, "name"), text(entry, "privateIpAddress"), int(entry["launchtime"]))
        for entry in check(fact["machines"], list)
    ]


def load_place(asked: dict[str, Any]) -> Place | None:
    """Return the place in `asked.json`. Raises `TypeError`."""
    place = asked.get("place")
    if place is None:
        return None
    return Place(text(check(place, dict), "project"), text(place, "region"), text(place, "compute"))


def load_ids(fact: dict[str, Any], key: str) -> frozenset[str] | None:
    """Return a list of ids, `None` if the fact has none. Raises `TypeError`."""
    ids = fact.get(key)
    return None if ids is None else frozenset(check(server_id, str) for server_id in check(ids, list))


def malformed(folder: str, error: Exception) -> FactsUnreadable:
    """Return the error that names the folder of a malformed fact."""
    return FactsUnreadable(f"the facts in {folder} are malformed ({type(error).__name__}: {error})")


def check(value: Any, wanted: type) -> Any:  # noqa: ANN401 - JSON
    """Return the value if it has the wanted type. Raises `TypeError`."""
    if not isinstance(value, wanted):
        raise TypeError(f"found {type(value).__name__}, wanted {wanted.__name__}")
    return value


def moment(fact: dict[str, Any], key: str = "asked") -> float:
    """Return a time in seconds. Raises `ValueError` for an impossible one; Python's JSON allows NaN."""
    seconds = float(fact[key])
    if not 0 <= seconds < END_OF_TIME:
        raise ValueError(f"{key} is {seconds}, wanted seconds, less than {END_OF_TIME:.0f}")
    return seconds


def machine_id(entry: dict[str, Any]) -> str:
    """Return the id of a machine. Raises `KeyError`, `TypeError`, `ValueError` if it has none."""
    value = str(check(entry["machineId"], str))
    if not value:
        raise ValueError("a machine has no machineId")
    return value


def text(entry: dict[str, Any], key: str) -> str:
    """Return an optional string, "" if it is absent or null. Raises `TypeError`."""
    return str(check(entry.get(key) or "", str))
