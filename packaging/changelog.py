"""CHANGELOG.md in the form that RPM wants: an entry per dated version, with one item per change."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from datetime import date

VERSION = re.compile(r"^## \[([\d.]+)\] - (\d{4}-\d\d-\d\d)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
CHANGE = re.compile(r"^- (.*(?:\n  .*)*)", re.MULTILINE)


def entries(text: str) -> Iterator[str]:
    """Yield the entries for an RPM's %changelog, the newest first, from the text of CHANGELOG.md."""
    for number, day, section in VERSION.findall(text):
        # %% stands for one %, which would begin a macro
        changes = [" ".join(change.split()).replace("%", "%%") for change in CHANGE.findall(section)]
        items = [textwrap.fill(f"- {change}", 78, subsequent_indent="  ") for change in changes]
        yield "\n".join([f"* {date.fromisoformat(day):%a %b %d %Y} hfstack - {number}-1", *items])
