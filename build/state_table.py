"""Write the state table into docs/states.md, from `hfstack/states.py`: `python build/state_table.py [PAGE]`."""

from __future__ import annotations

import sys
from pathlib import Path

from hfstack import states

PAGE = Path(__file__).resolve().parent.parent / "docs" / "states.md"
BEGIN, END = "<!-- states -->\n", "<!-- /states -->"


def main() -> None:
    """Put the table between the page's markers."""
    page = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    before, _, rest = page.read_text("utf-8").partition(BEGIN)
    page.write_bytes((before + BEGIN + table() + END + rest.partition(END)[2]).encode())


def table() -> str:
    """Return the state table as Markdown."""
    lines = ["| Nova's status | acquire | return | message |", "|---|---|---|---|"]
    lines += [
        f"| {matched(row)} | {outcome(row.acquire)} | {outcome(row.returned)} | {row.reason} |" for row in states.STATES
    ]
    return "\n".join(lines) + "\n"


def matched(row: states.Row) -> str:
    """Say what a row matches."""
    words = "any other" if row is states.UNKNOWN_STATUS else "any"
    status = words if row.statuses is states.ANY else ", ".join(sorted(map(str, row.statuses)))
    groups = {
        "task": row.task_states,
        "vm_state": row.vm_states,
        "power_state": row.power_states,
    }
    narrowed = [f"{name} {', '.join(sorted(map(str, values)))}" for name, values in groups.items() if values]
    return f"{status} ({'; '.join(narrowed)})" if narrowed else status


def outcome(pair: states.Outcome) -> str:
    """Say a result and a machine status."""
    result, status = pair
    return f"{result} / {status}" if status else result


if __name__ == "__main__":
    main()
