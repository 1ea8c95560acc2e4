"""From measured rounds to figures: medians with their ranges, and ratios of what ran in the same round."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Usage(NamedTuple):
    """What one run of a program used."""

    cpu: float
    """Seconds, user and system, children included."""
    wall: float
    """Seconds."""
    memory: float
    """Peak of the resident memory, in MB (1e6 bytes)."""


Series = dict[int, Usage]
"""What a program used, by the number of the round."""


class Figure(NamedTuple):
    """A median and the range that it comes from."""

    median: float
    low: float
    high: float


def figure(values: Iterable[float]) -> Figure:
    """Sum values up. Raises `ValueError` if there are none."""
    found = sorted(values)
    if not found:
        raise ValueError("there is nothing to sum up")
    return Figure(statistics.median(found), found[0], found[-1])


def cpu_ratio(of: Mapping[int, Usage], to: Mapping[int, Usage]) -> Figure:
    """Compare CPU times round by round: a machine that is busy is busy for both.

    Raises `ValueError` if the two have no round in common.
    """
    return figure(of[number].cpu / to[number].cpu for number in of if number in to)
