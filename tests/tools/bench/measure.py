"""Whole processes, measured side by side: what each used, round by round, every answer checked."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.tools.bench.figures import Series, Usage


class BenchError(Exception):
    """Nothing can be said: a program did not do its job."""


class Program(NamedTuple):
    """One way to do the job, ready to be started."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    check: Callable[[str], bool]
    """Whether an output is the right answer."""
    before: Callable[[], None] = lambda: None
    """What is done before each start, unmeasured."""


class Spawner:
    """Starts programs through a small process of its own (`spawner`). Outputs go to files in `folder`."""

    def __init__(self, interpreter: str, folder: Path) -> None:
        self.folder = folder
        script = str(Path(__file__).with_name("spawner.py"))
        command = [interpreter, "-I", "-S", script]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # the end of its input ends it
        self._process.communicate()

    def run(self, program: Program) -> Usage:
        """Run a program once. Raises `BenchError` if its answer is not the right one."""
        return self.run_at_once(program, 1)

    def run_at_once(self, program: Program, count: int) -> Usage:
        """Run a program several times at once; CPU time is that of all together, memory that of the largest."""
        program.before()
        outputs = [self.folder / f"output-{number}" for number in range(count)]
        batch = [{"argv": list(program.argv), "env": dict(program.env), "output": str(path)} for path in outputs]
        answer = self._ask(batch)
        for path, one in zip(outputs, answer["ended"], strict=True):
            check(program, one["code"], path)
        cpu = sum(one["cpu"] for one in answer["ended"])
        return Usage(cpu, answer["wall"], max(one["memory"] for one in answer["ended"]) * 1024 / 1e6)

    def _ask(self, batch: object) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(batch) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise BenchError(f"the spawner ended; it was to start {batch}")
        found: dict[str, Any] = json.loads(line)
        return found


def check(program: Program, code: int, output: Path) -> None:
    """Raise `BenchError` unless a program ended well and printed the right answer."""
    text = output.read_text(encoding="utf-8")
    if code != 0 or not program.check(text):
        errors = output.with_name(output.name + ".err").read_text(encoding="utf-8")
        raise BenchError(f"{program.name} ended with {code} and printed\n{text[:1000]}\n{errors[-1000:]}")


def compete(spawner: Spawner, entries: Sequence[tuple[Program, int]], rounds: int) -> dict[str, Series]:
    """Run programs in turn, the order reversed in every second round.

    Each entry is a program and in which rounds it takes part: 3 means in every third. A round that warms file caches
    comes first and is not measured.
    """
    measured: dict[str, Series] = {program.name: {} for program, _ in entries}
    for program, _ in entries:
        spawner.run(program)
    for number in range(rounds):
        for program, every in entries if number % 2 else entries[::-1]:
            if number % every == 0:
                measured[program.name][number] = spawner.run(program)
    return measured
