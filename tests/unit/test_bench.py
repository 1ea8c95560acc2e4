"""The benchmark's arithmetic: what it calculates from rounds, when its gate fails, and what it writes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests import ROOT
from tests.tools.bench import plot, report, runs, targets
from tests.tools.bench.figures import Figure, Series, Usage, cpu_ratio, figure
from tests.tools.bench.measure import BenchError, Program, Spawner, compete
from tests.tools.bench.programs import BARE, NAIVE, WARM
from tests.tools.bench.stage import HTTP
from tests.tools.bench.targets import Kind, Target

PAGE = ROOT / "docs" / "performance.md"
MACHINE: dict[str, str | int | float] = {"when": "now", "system": "x", "processors": 2, "load": 0.5, "python": "3.11"}


def series(*cpu: float, memory: float = 20) -> Series:
    return {number: Usage(one, 2 * one, memory) for number, one in enumerate(cpu)}


def program(name: str, *command: str) -> Program:
    return Program(name, [sys.executable, "-I", "-S", *command], {}, lambda text: text == "yes\n")


class Recorder(Spawner):
    """Records the commands, and runs none."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def run(self, program: Program) -> Usage:
        self.ran.append(program.name)
        return Usage(len(self.ran), 0, 0)


def test_a_figure_is_the_median_with_its_range() -> None:
    assert figure([5, 1, 2]) == Figure(2, 1, 5)
    with pytest.raises(ValueError, match="nothing"):
        figure([])


def test_a_ratio_is_calculated_from_the_rounds_and_not_from_the_medians() -> None:
    slow, quick = series(2, 40, 90), series(1, 10, 30)
    assert cpu_ratio(slow, quick) == Figure(3, 2, 4)
    assert cpu_ratio({1: slow[1], 7: slow[2]}, quick) == Figure(4, 4, 4)
    with pytest.raises(ValueError, match="nothing"):
        cpu_ratio({7: slow[2]}, quick)


def test_the_order_rotates_and_slow_programs_skip_rounds() -> None:
    recorder = Recorder()
    entries = [(program(name), every) for name, every in {"a": 1, "b": 3, "c": 1}.items()]
    measured = compete(recorder, entries, 4)
    assert "".join(recorder.ran) == "abc" + "cba" + "ac" + "ca" + "abc"
    assert {name: list(found) for name, found in measured.items()} == {
        "a": [0, 1, 2, 3],
        "b": [0, 3],
        "c": [0, 1, 2, 3],
    }


def test_whole_processes_are_measured_and_their_answers_checked(tmp_path: Path) -> None:
    spend = "import time\nwhile time.process_time() < 0.05: pass\nprint('yes')"
    with Spawner(sys.executable, tmp_path) as spawner:
        used = spawner.run_at_once(program("busy", "-c", spend), 2)
        assert used.cpu >= 0.1
        assert used.memory > 1
        for command in ("print('no')", "print('yes'); raise SystemExit(3)"):
            with pytest.raises(BenchError, match="wrong ended with"):
                spawner.run(program("wrong", "-c", command))


@pytest.mark.parametrize("contests", [pytest.param(runs.BENCH, id="bench"), pytest.param(runs.GATE, id="gate")])
def test_every_target_is_measured_on_its_stage(contests: tuple[runs.Contest, ...]) -> None:
    stages = {(one.transport, one.servers): one.entries for one in contests}
    assert len(stages) == len(contests)
    for target in targets.TARGETS:
        assert {target.program, target.to or target.program} <= set(stages[target.transport, target.servers])
    for entries in stages.values():
        assert entries[BARE] == 1
        assert all(every % 2 for every in entries.values())


@pytest.mark.parametrize(
    ("kind", "limit", "margin", "met"),
    [
        pytest.param(Kind.AT_MOST, 4, 1, True, id="just at the limit"),
        pytest.param(Kind.AT_MOST, 3.9, 1, False, id="above it"),
        pytest.param(Kind.AT_MOST, 2.7, 1.5, True, id="above it, within the margin"),
        pytest.param(Kind.AT_MOST, 2.6, 1.5, False, id="beyond the margin"),
        pytest.param(Kind.AT_LEAST, 4, 1, True, id="just enough"),
        pytest.param(Kind.AT_LEAST, 4.1, 1, False, id="not enough"),
        pytest.param(Kind.AT_LEAST, 5.9, 1.5, True, id="enough with the margin"),
        pytest.param(Kind.AT_LEAST, 6.1, 1.5, False, id="not enough with it"),
    ],
)
def test_a_verdict(kind: Kind, limit: float, margin: float, met: bool) -> None:
    measured = {WARM: series(4, 8, memory=4), BARE: series(1, 2)}
    for to in (BARE, None):
        verdict = targets.verdict(Target(HTTP, 1, WARM, to, kind, limit), measured, margin)
        assert (verdict.found, verdict.met) == (4, met)


def test_the_gate_passes_only_good_figures() -> None:
    good: dict[str, float] = {"bare interpreter": 1, WARM: 2, "hfstack cold": 30, NAIVE: 200, "openstack client": 300}
    held = {(one.transport, one.servers): {name: series(good[name]) for name in one.entries} for one in runs.GATE}
    verdicts = targets.judge(held)
    assert (targets.passed(verdicts), targets.summary(verdicts)) == (True, "PASSED: 10 of 10 targets met, 0 missed")
    del held[HTTP, 1]["openstack client"]
    verdicts = targets.judge(held)
    assert targets.summary(verdicts) == "PASSED: 9 of 10 targets met, 0 missed, 1 not measured"
    held[HTTP, 1000][WARM] = series(8)
    verdicts = targets.judge(held)
    assert targets.summary(verdicts) == "FAILED: 7 of 10 targets met, 2 missed, 1 not measured"
    assert not targets.passed(targets.judge({}))


def test_tables_show_medians_and_ranges() -> None:
    rows = report.contest_table(HTTP, 100, {BARE: series(0.01, 0.01), WARM: series(0.02, 0.04)})
    assert rows[1] == "| 100 | HTTP | hfstack warm | 30 (20 to 40) | 3 (2 to 4) | 60 (40 to 80) | 20 | 2 |"
    verdicts = [
        targets.Verdict(Target(HTTP, 1000, NAIVE, WARM, Kind.AT_LEAST, 55), 123.4, met=True),
        targets.Verdict(Target(HTTP, 1, WARM, None, Kind.AT_MOST, 25), 25.61, met=False),
        targets.Verdict(Target(HTTP, 1, WARM, BARE, Kind.AT_MOST, 4), None, met=False),
    ]
    assert report.target_table(verdicts)[2:] == [
        "| naive frozen / hfstack warm, CPU, 1000 servers, HTTP | at least 55 | 123, met |",
        "| hfstack warm, peak memory in MB, 1 server, HTTP | at most 25 | 25.6, missed |",
        "| hfstack warm / bare interpreter, CPU, 1 server, HTTP | at most 4 | not measured |",
    ]


def test_the_page_changes_only_between_its_markers() -> None:
    page = PAGE.read_text(encoding="utf-8")
    results = runs.Results(MACHINE, {(HTTP, 1): {BARE: series(0.01), WARM: series(0.03)}}, left_out={"curl"})
    section = report.measured_section(results, targets.judge(results.held))
    changed = report.published(page, section)
    before, _, rest = page.partition(report.BEGIN)
    assert changed.startswith(before + report.BEGIN + "now, x, 2 processors")
    assert changed.endswith("does not have it: curl.\n" + rest[rest.index(report.END) :])
    assert "| 1 | HTTP | hfstack warm | 30 " in section
    assert report.published(changed, section) == changed
    with pytest.raises(ValueError, match="substring not found"):
        report.published("no markers", section)


def test_the_json_document_contains_every_round() -> None:
    results = runs.Results(MACHINE, {(HTTP, 1): {BARE: series(1, 1), WARM: series(2, 4)}})
    document = report.as_json(results, targets.judge(results.held))
    (contest,) = document["contests"]
    found = contest["programs"][WARM]
    assert found["cpuRatio"] == {"median": 3, "low": 2, "high": 4}
    assert found["rounds"]["1"] == {"cpu": 4, "wall": 8, "memory": 20}
    assert document["targets"][0]["met"] is True


def test_the_plot_has_its_points_in_the_right_places() -> None:
    picture = drawn({"a & b": [(1, 2), (100, 20)], "c": [(10, 200)]})
    (line,) = [one.get("points", "") for one in picture.iter() if one.get("points", "").count(" ")]
    first, last = [tuple(map(float, place.split(","))) for place in line.split(" ")]
    x_axis, y_axis = plot.Axis([1, 100], plot.LEFT, plot.WIDTH - plot.RIGHT), plot.Axis([2, 200], 360, 50)
    assert first == pytest.approx((plot.LEFT, y_axis.at(2)), abs=0.1)
    assert last == pytest.approx((plot.WIDTH - plot.RIGHT, y_axis.at(20)), abs=0.1)
    assert x_axis.at(10) == (plot.LEFT + plot.WIDTH - plot.RIGHT) / 2
    assert y_axis.ticks() == [1, 10, 100, 1000]
    words = {one.text for one in picture.iter() if one.text and one.tag.endswith("text")}
    assert words >= {"a & b", "c", "over < there", "200", "1000"}


def test_a_plot_of_one_point_also_has_axes() -> None:
    assert plot.Axis([10], 0, 100).ticks() == [10, 100]
    drawn({"a": [(10, 10)]})


def drawn(lines: Mapping[str, plot.Points]) -> ET.Element:
    """Draw a plot and parse it."""
    return ET.fromstring(plot.plot("title", "over < there", "up", lines))
