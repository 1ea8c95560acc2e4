"""What the program is to cost at the most, and whether it does."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from tests.tools.bench.figures import Series, cpu_ratio, figure
from tests.tools.bench.programs import BARE, CLIENT, COLD, NAIVE, WARM
from tests.tools.bench.runs import Held
from tests.tools.bench.stage import HTTP, HTTPS


class Kind(StrEnum):
    """On which side of a limit it is good to be."""

    AT_MOST = "at most"
    AT_LEAST = "at least"


class Target(NamedTuple):
    """A limit for a ratio of CPU times or, with no program to compare with, for the peak memory in MB."""

    transport: str
    servers: int
    program: str
    to: str | None
    kind: Kind
    limit: float

    def __str__(self) -> str:
        subject = f"{self.program} / {self.to}, CPU" if self.to else f"{self.program}, peak memory in MB"
        return f"{subject}, {self.servers} server{'s'[: self.servers - 1]}, {self.transport}"


TARGETS = (
    Target(HTTP, 1, WARM, BARE, Kind.AT_MOST, 4),
    Target(HTTPS, 1, WARM, BARE, Kind.AT_MOST, 4.5),
    Target(HTTP, 1000, WARM, BARE, Kind.AT_MOST, 7),
    Target(HTTP, 5000, WARM, BARE, Kind.AT_MOST, 20),
    Target(HTTP, 1, NAIVE, WARM, Kind.AT_LEAST, 12),
    Target(HTTP, 1000, NAIVE, WARM, Kind.AT_LEAST, 55),
    Target(HTTP, 1, CLIENT, WARM, Kind.AT_LEAST, 20),
    Target(HTTP, 1, COLD, NAIVE, Kind.AT_MOST, 0.5),
    Target(HTTP, 1, WARM, None, Kind.AT_MOST, 25),
    Target(HTTP, 5000, WARM, None, Kind.AT_MOST, 80),
)


class Verdict(NamedTuple):
    """What came of a target; `found` is `None` if it was not measured."""

    target: Target
    found: float | None
    met: bool


def judge(held: Held, margin: float = 1.0) -> list[Verdict]:
    """Judge every target. With a margin of 1.5, a limit may be missed by half of it."""
    return [verdict(target, held.get((target.transport, target.servers), {}), margin) for target in TARGETS]


def verdict(target: Target, measured: dict[str, Series], margin: float) -> Verdict:
    """Judge one target by what was measured on its stage."""
    wanted = [target.program] if target.to is None else [target.program, target.to]
    if any(name not in measured for name in wanted):
        return Verdict(target, None, met=False)
    if target.to is None:
        found = figure(usage.memory for usage in measured[target.program].values()).median
    else:
        found = cpu_ratio(measured[target.program], measured[target.to]).median
    if target.kind is Kind.AT_MOST:
        return Verdict(target, found, found <= target.limit * margin)
    return Verdict(target, found, found >= target.limit / margin)


def passed(verdicts: Sequence[Verdict]) -> bool:
    """Whether no target that was measured was missed, and some were measured."""
    measured = [one for one in verdicts if one.found is not None]
    return bool(measured) and all(one.met for one in measured)


def summary(verdicts: Sequence[Verdict]) -> str:
    """Sum verdicts up in one line."""
    missed = sum(one.found is not None and not one.met for one in verdicts)
    absent = sum(one.found is None for one in verdicts)
    words = f"{len(verdicts) - missed - absent} of {len(verdicts)} targets met, {missed} missed"
    words += f", {absent} not measured" if absent else ""
    return f"{'PASSED' if passed(verdicts) else 'FAILED'}: {words}"
