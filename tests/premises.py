"""The table of docs/reliability.md: each premise of hfstack, what happens when it is false, and the tests that show it.

A test names its premise with `@pytest.mark.premise("…")`, in the words of the first column. The last two columns
are written from what ran: `make reliability`. `make test` fails if a premise has no test that passed, or another count.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests import ROOT

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- premises -->\n", "<!-- /premises -->"

Counts = dict[str, Counter[str]]
"""By premise: the number of its tests in each file."""


def sentence_of(item: pytest.Item) -> str:
    """Return the premise of a test, "" if it has none. That of the test itself counts before that of its file."""
    mark = item.get_closest_marker("premise")
    return str(mark.args[0]) if mark else ""


def filled_in(text: str, counts: Counts) -> str:
    """Return the page with the tests of each premise. Raises `ValueError` if page and tests have other premises."""
    before, _, rest = text.partition(BEGIN)
    table, _, after = rest.partition(END)
    head, rule, *rows = table.splitlines()
    written = {row.split("|")[1].strip(): row for row in rows}
    for missing, where in (
        (counts.keys() - written.keys(), "row"),
        (written.keys() - counts.keys(), "test that passed"),
    ):
        if missing:
            raise ValueError(f"no {where} for the premise: {min(missing)}")
    lines = [row_of(row, counts[premise]) for premise, row in written.items()]
    return before + BEGIN + "\n".join([head, rule, *lines]) + "\n" + END + after


def row_of(row: str, files: Counter[str]) -> str:
    """Return a row with its files and their number of tests."""
    premise, meaning = row.split("|")[1:3]
    shown = ", ".join(f"`{file}` {count}" for file, count in sorted(files.items()))
    return f"|{premise}|{meaning}| {shown} | {files.total()} |"


class Premises:
    """Counts the tests of each premise, and compares them with the page, or writes it.

    A test that is skipped counts too, if another test of the premise passed, or if it needs root.
    """

    def __init__(self, *, write: bool) -> None:
        self.write = write
        self.counts: Counts = {}
        self.passed: set[str] = set()
        self.problem = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test that ran, or was skipped."""
        premise = str(dict(report.user_properties).get("premise", ""))
        if premise and (report.when == "call" or report.skipped):
            self.counts.setdefault(premise, Counter())[report.nodeid.partition("::")[0]] += 1
            if report.passed or "root" in str(report.longrepr):
                self.passed.add(premise)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Compare or write, unless something failed."""
        if session.exitstatus != 0:
            return
        text = PAGE.read_text("utf-8")
        try:
            new = filled_in(text, {premise: files for premise, files in self.counts.items() if premise in self.passed})
        except ValueError as error:
            self.problem = f"docs/reliability.md: {error}"
        else:
            if self.write:
                PAGE.write_bytes(new.encode())
            elif new != text:
                self.problem = "docs/reliability.md has other counts: run make reliability"
        if self.problem:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what is wrong."""
        if self.problem:
            terminalreporter.write_line(self.problem, red=True)
