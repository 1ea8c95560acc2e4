"""What was measured, in words: the table on the screen, dist/bench.json, docs/performance.md and its plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.tools.bench.figures import Figure, Series, cpu_ratio, figure
from tests.tools.bench.plot import plot
from tests.tools.bench.programs import BARE, NAIVE, WARM
from tests.tools.bench.runs import MACHINES, NOVA_DELAY, Results
from tests.tools.bench.stage import HTTP
from tests.tools.bench.targets import Target, Verdict

BEGIN, END = "<!-- measured -->\n", "<!-- /measured -->"


def as_json(results: Results, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return everything that was measured, every round of it. CPU and wall times are in seconds, memory in MB."""
    held = [
        {"transport": transport, "servers": servers, "programs": rounds_of(measured)}
        for (transport, servers), measured in results.held.items()
    ]
    return {
        "machine": results.machine,
        "contests": held,
        "requests": results.requests,
        "atOnce": [
            {"polls": count, "runs": [one._asdict() for one in runs]} for count, runs in results.at_once.items()
        ],
        "requestMachines": [usage._asdict() for usage in results.making],
        "size": results.size,
        "leftOut": sorted(results.left_out),
        "targets": [
            {"target": str(one.target), "limit": limit(one.target), "found": one.found, "met": one.met}
            for one in verdicts
        ],
    }


def rounds_of(measured: Mapping[str, Series]) -> dict[str, Any]:
    """Return the rounds of each program, and its CPU time relative to the bare interpreter."""
    return {
        name: {
            "cpuRatio": cpu_ratio(series, measured[BARE])._asdict(),
            "rounds": {str(number): usage._asdict() for number, usage in series.items()},
        }
        for name, series in measured.items()
    }


def contest_table(transport: str, servers: int, measured: Mapping[str, Series]) -> list[str]:
    """Return one contest's rows: medians, with the ranges in brackets."""
    return [
        f"| {servers} | {transport} | {name} "
        f"| {ranged(figure(one.cpu * 1000 for one in series.values()))} "
        f"| {ranged(cpu_ratio(series, measured[BARE]))} "
        f"| {ranged(figure(one.wall * 1000 for one in series.values()))} "
        f"| {figure(one.memory for one in series.values()).median:.0f} | {len(series)} |"
        for name, series in measured.items()
    ]


CONTEST_HEAD = [
    "| servers | | program | CPU, ms | CPU / bare interpreter | wall, ms | memory, MB | rounds |",
    "|---|---|---|---|---|---|---|---|",
]


def other_table(results: Results) -> list[str]:
    """Return the figures that are no contest."""
    rows = [f"| HTTP requests of a poll: {name} | {count} |" for name, count in results.requests.items()]
    for count, runs in results.at_once.items():
        wall, cpu = figure(one.wall * 1000 for one in runs), figure(one.cpu * 1000 for one in runs)
        polls = f"{count} warm polls at once" if count > 1 else "1 warm poll"
        rows.append(f"| {polls}, 1 server each: wall, ms; CPU of all, ms | {ranged(wall)}; {ranged(cpu)} |")
    if results.making:
        wall = figure(one.wall for one in results.making)
        words = f"requestMachines, {MACHINES} machines, {1000 * NOVA_DELAY:.0f} ms per call of Nova: wall, s"
        rows.append(f"| {words} | {ranged(wall)} |")
    rows.append(f"| the frozen folder on disk, MB | {results.size:.1f} |")
    return ["| | |", "|---|---|", *rows]


def target_table(verdicts: Sequence[Verdict]) -> list[str]:
    """Return what came of each target."""
    rows = [f"| {one.target} | {limit(one.target)} | {shown(one)} |" for one in verdicts]
    return ["| | target | found |", "|---|---|---|", *rows]


def shown(verdict: Verdict) -> str:
    """Say what came of a target."""
    if verdict.found is None:
        return "not measured"
    return f"{short(verdict.found)}, {'met' if verdict.met else 'missed'}"


def limit(target: Target) -> str:
    """Say a target's limit."""
    return f"{target.kind} {target.limit:g}"


def ranged(found: Figure) -> str:
    """Say a median and its range."""
    return f"{short(found.median)} ({short(found.low)} to {short(found.high)})"


def short(value: float) -> str:
    """Say a number with three digits that count, and no exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def measured_section(results: Results, verdicts: Sequence[Verdict]) -> str:
    """Return what docs/performance.md holds between its markers."""
    found = results.machine
    about = (
        f"{found['when']}, {found['system']}, {found['processors']} processors, load before the run {found['load']}, "
        f"Python {found['python']}."
    )
    rows = [row for (transport, servers), one in results.held.items() for row in contest_table(transport, servers, one)]
    absent = [f"Left out, as this machine does not have it: {name}.\n" for name in sorted(results.left_out)]
    parts = [
        [about, ""],
        [*target_table(verdicts), ""],
        [*CONTEST_HEAD, *rows, ""],
        [*other_table(results), ""],
        absent,
    ]
    return "\n".join(line for part in parts for line in part)


def published(page: str, section: str) -> str:
    """Return a page with a new section between its markers. Raises `ValueError` if it has none."""
    start = page.index(BEGIN) + len(BEGIN)
    return page[:start] + section + page[page.index(END, start) :]


def growth(results: Results) -> str:
    """Return the plot of the CPU ratio to the bare interpreter over the number of servers."""
    lines: dict[str, list[tuple[float, float]]] = {WARM: [], NAIVE: []}
    for (transport, servers), measured in results.held.items():
        for name, points in lines.items():
            if transport == HTTP and name in measured:
                points.append((servers, cpu_ratio(measured[name], measured[BARE]).median))
    return plot(
        "CPU time of a poll",
        "servers of the request",
        "starts of the bare interpreter",
        {name: points for name, points in lines.items() if points},
    )
