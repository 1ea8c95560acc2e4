"""What is run: contests of programs on one stage each, and the measurements that are no contest."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tests.tools.bench import programs
from tests.tools.bench.figures import Series, Usage
from tests.tools.bench.measure import BenchError, Spawner, compete
from tests.tools.bench.programs import BARE, CLIENT, COLD, CURL, NAIVE, SCRIPT, SOURCE, WARM
from tests.tools.bench.stage import HTTP, HTTPS, Stage

AT_ONCE = (1, 8, 50)
MACHINES = 100
NOVA_DELAY = 0.2
"""Seconds that Nova takes for each request while machines are made."""


class Contest(NamedTuple):
    """Programs that do the same on one stage."""

    transport: str
    servers: int
    rounds: int
    entries: Mapping[str, int]
    """Each program, and in which rounds it takes part: 3 means in every third. The numbers are odd, as with an even one
    a program would always run in the same order."""


BENCH = (
    Contest(HTTP, 1, 21, {BARE: 1, WARM: 1, COLD: 1, SCRIPT: 1, CURL: 1, SOURCE: 3, NAIVE: 3, CLIENT: 3}),
    Contest(HTTPS, 1, 21, {BARE: 1, WARM: 1, COLD: 1, CURL: 1, NAIVE: 3}),
    Contest(HTTP, 100, 11, {BARE: 1, WARM: 1, COLD: 1, CURL: 1, SOURCE: 3, NAIVE: 3, CLIENT: 3}),
    Contest(HTTPS, 100, 11, {BARE: 1, WARM: 1, COLD: 1, CURL: 1}),
    Contest(HTTP, 1000, 9, {BARE: 1, WARM: 1, COLD: 1, CURL: 1, SOURCE: 3, NAIVE: 3, CLIENT: 3}),
    Contest(HTTPS, 1000, 9, {BARE: 1, WARM: 1, COLD: 1, CURL: 1}),
    # not here: the naive program and the client, which are too slow, and curl, which does not turn pages
    Contest(HTTP, 5000, 7, {BARE: 1, WARM: 1, COLD: 1, SOURCE: 3}),
    Contest(HTTPS, 5000, 7, {BARE: 1, WARM: 1, COLD: 1}),
)

GATE = (
    Contest(HTTP, 1, 25, {BARE: 1, WARM: 1, COLD: 3, NAIVE: 3, CLIENT: 5}),
    Contest(HTTPS, 1, 25, {BARE: 1, WARM: 1}),
    Contest(HTTP, 1000, 9, {BARE: 1, WARM: 1, NAIVE: 3}),
    Contest(HTTP, 5000, 7, {BARE: 1, WARM: 1}),
)

Held = dict[tuple[str, int], dict[str, Series]]
"""What was measured, by transport and number of servers, and by program."""


@dataclass
class Results:
    """Everything that was measured in one run."""

    machine: dict[str, str | int | float]
    """What the figures depend on."""
    held: Held = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    """HTTP requests of one poll for one server, by program."""
    at_once: dict[int, list[Usage]] = field(default_factory=dict)
    """Warm polls that were started together, by their number."""
    making: list[Usage] = field(default_factory=list)
    """Calls of requestMachines."""
    size: float = 0.0
    """The frozen folder on disk, in MB."""
    left_out: set[str] = field(default_factory=set)
    """Programs that this machine does not have."""


def machine() -> dict[str, str | int | float]:
    """Return what the figures depend on; `load` is what others run now."""
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count() or 0,
        "load": round(os.getloadavg()[0], 1),
        "python": programs.version(),
    }


def hold(spawner: Spawner, folder: Path, contest: Contest, results: Results) -> None:
    """Hold one contest, and note its results."""
    with Stage(folder, contest.servers, contest.transport) as stage:
        entries = []
        for name, every in contest.entries.items():
            program = programs.on(stage, name)
            if program is None:
                results.left_out.add(name)
            else:
                entries.append((program, every))
        results.held[contest.transport, contest.servers] = compete(spawner, entries, contest.rounds)


def count_requests(spawner: Spawner, folder: Path, results: Results) -> None:
    """Count the HTTP requests of one poll, as the cloud sees them."""
    with Stage(folder, 1) as stage:
        spawner.run(programs.warm(stage))
        for name in (WARM, COLD, NAIVE, CLIENT):
            program = programs.on(stage, name)
            if program is not None:
                stage.requests()
                spawner.run(program)
                results.requests[name] = len(stage.requests())


def poll_at_once(spawner: Spawner, folder: Path, rounds: int, results: Results) -> None:
    """Start several warm polls for one server together."""
    with Stage(folder, 1) as stage:
        program = programs.warm(stage)
        spawner.run(program)
        for count in AT_ONCE:
            results.at_once[count] = [spawner.run_at_once(program, count) for _ in range(rounds)]


def make_machines(spawner: Spawner, folder: Path, rounds: int, results: Results) -> None:
    """Have many machines made by a Nova that takes its time. Raises `BenchError` unless each gets one POST."""
    with Stage(folder, 0) as stage:
        program = programs.make_machines(stage, MACHINES)
        stage.control("POST", "/faults", {"service": "nova", "delay": NOVA_DELAY, "times": -1})
        for _ in range(rounds):
            stage.requests()
            results.making.append(spawner.run(program))
            posts = [one for one in stage.requests() if one.startswith("nova POST")]
            if len(posts) != MACHINES:
                raise BenchError(f"{MACHINES} machines took {len(posts)} POSTs")


def folder_size() -> float:
    """Return the size of the frozen folder in MB, links not counted."""
    files = [path for path in programs.FROZEN.rglob("*") if path.is_file() and not path.is_symlink()]
    return sum(path.stat().st_size for path in files) / 1e6
