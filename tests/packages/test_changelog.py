"""The RPM's changelog comes from CHANGELOG.md."""

from __future__ import annotations

import changelog

TEXT = (
    """# Changelog

## [Unreleased]

- Not released.

## [0.2.0] - 2027-01-05

Words.

### Added

- The first change,
  on two lines.
- 100% done.

## [0.1.0] - 2026-11-26

### Fixed

- """
    + "word " * 20
    + "\n"
)


def test_each_dated_version_has_an_entry() -> None:
    newer, older = changelog.entries(TEXT)
    assert newer == "* Tue Jan 05 2027 hfstack - 0.2.0-1\n- The first change, on two lines.\n- 100%% done."
    assert older.splitlines()[0] == "* Thu Nov 26 2026 hfstack - 0.1.0-1"


def test_long_changes_are_folded() -> None:
    (_, older) = changelog.entries(TEXT)
    assert [line[:6] for line in older.splitlines()[1:]] == ["- word", "  word"]
