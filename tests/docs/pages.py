"""The pages, as the tests of this folder read them: code blocks, tables, links and headings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from tests import ROOT

DOCS = ROOT / "docs"
INSTALLED = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])
"""What packages install to be read (`documents` in packaging/release.py)."""

PAGES = sorted({*ROOT.glob("*.md"), *INSTALLED})

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Block(NamedTuple):
    """A code block, without its indentation."""

    language: str
    text: str


def name(path: Path) -> str:
    """Call a page by its path in the project."""
    return path.relative_to(ROOT).as_posix()


def read(page: str) -> str:
    """Read a page by its path in the project."""
    return (ROOT / page).read_text("utf-8")


def blocks(text: str, language: str = "") -> list[Block]:
    """Return the code blocks of a page, or those in one language."""
    found = [
        Block(kind, re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)) for indent, kind, body in FENCE.findall(text)
    ]
    return [one for one in found if not language or one.language == language]


def between(text: str, marker: str) -> str:
    """Return what stands between a page's markers, `<!-- marker -->` and `<!-- /marker -->`."""
    return text.partition(f"<!-- {marker} -->\n")[2].partition(f"<!-- /{marker} -->")[0]


def rows(table: str) -> list[list[str]]:
    """Return the cells of a table's rows, without its head."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def prose(text: str) -> str:
    """Return a page without its code blocks."""
    return FENCE.sub("", text)


def anchors(path: Path) -> set[str]:
    """Return the names of a page's headings, as GitHub makes them."""
    headings = HEADING.findall(prose(path.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}
