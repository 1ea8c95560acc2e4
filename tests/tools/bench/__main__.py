"""The bench: measure, print, and write dist/bench.json.

HFSTACK_FREEZER names the Python that hfstack was frozen with; make bench sets it.

usage: python -m tests.tools.bench                     all programs, some minutes
       python -m tests.tools.bench --publish           the same, then docs/performance.md and its plot anew
       python -m tests.tools.bench --gate [--margin M] what has a target; exit 1 if one is missed by more than M times
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests import ROOT
from tests.tools.bench import programs, report, runs, targets
from tests.tools.bench.measure import BenchError, Spawner

RESULT = ROOT / "dist" / "bench.json"
PAGE, PLOT = ROOT / "docs" / "performance.md", ROOT / "docs" / "performance.svg"


def main() -> int:
    """Run the bench; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.bench")
    parser.add_argument("--publish", action="store_true", help="write docs/performance.md and its plot anew")
    parser.add_argument("--gate", action="store_true", help="measure what has a target; exit 1 if one is missed")
    parser.add_argument("--margin", type=float, default=1.0, help="by how many times a target may be missed")
    args = parser.parse_args()
    if args.gate and args.publish:
        parser.error("the gate measures too little to publish")
    if args.margin < 1 or (args.margin > 1 and not args.gate):
        parser.error("--margin is 1 or more, and belongs to --gate")
    try:
        results = measure(gate=args.gate)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    verdicts = targets.judge(results.held, args.margin)
    document = report.as_json(results, targets.judge(results.held))
    RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if not args.gate:
        say(*report.other_table(results))
    if args.publish:
        section = report.measured_section(results, verdicts)
        PAGE.write_text(report.published(PAGE.read_text(encoding="utf-8"), section), encoding="utf-8")
        PLOT.write_text(report.growth(results), encoding="utf-8")
    for name in sorted(results.left_out):
        say(f"Left out, as this machine does not have it: {name}.")
    if args.margin != 1:
        say(f"With the margin, a target is met up to {args.margin:g} times beside its limit.")
    say(*report.target_table(verdicts), targets.summary(verdicts))
    return 1 if args.gate and not targets.passed(verdicts) else 0


def measure(*, gate: bool) -> runs.Results:
    """Measure everything, or what the gate needs, and print it as it comes. Raises `BenchError`."""
    results = runs.Results(runs.machine(), size=runs.folder_size())
    with (
        tempfile.TemporaryDirectory(prefix="hfstack-bench-") as name,
        Spawner(programs.interpreter(), Path(name)) as spawner,
    ):
        folder = Path(name)
        say(*report.CONTEST_HEAD)
        for number, contest in enumerate(runs.GATE if gate else runs.BENCH):
            runs.hold(spawner, folder / f"contest-{number}", contest, results)
            place = contest.transport, contest.servers
            say(*report.contest_table(*place, results.held[place]))
        if not gate:
            runs.count_requests(spawner, folder / "requests", results)
            runs.poll_at_once(spawner, folder / "at-once", 3, results)
            runs.make_machines(spawner, folder / "making", 3, results)
    return results


def say(*lines: str) -> None:
    """Print lines at once."""
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    sys.exit(main())
