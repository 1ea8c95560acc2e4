"""docs/troubleshooting.md quotes messages as the program writes them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests import ROOT
from tests.docs.pages import read, rows

PAGE = read("docs/troubleshooting.md")
TABLES = re.findall(r"<!-- messages -->\n(.*?)<!-- /messages -->", PAGE, re.DOTALL)
QUOTED = [re.findall(r"`([^`]+)`", cells[0])[0] for table in TABLES for cells in rows(table)]


def written() -> Iterator[str]:
    """Yield every text of the program, with an ellipsis for each value that is filled in, and the scripts' own."""
    for path in (ROOT / "hfstack").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                yield "".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values)
    for path in (ROOT / "scripts").iterdir():
        yield path.read_text("utf-8")


TEXTS = list(written())


def test_there_are_messages_of_every_kind() -> None:
    assert len(TABLES) == 4
    assert len(QUOTED) > 40


@pytest.mark.parametrize("message", QUOTED)
def test_a_message_is_one_of_the_programs(message: str) -> None:
    parts = [re.escape(part.strip()) for part in message.split("…") if part.strip(" :()")]
    assert any(re.search(".*".join(parts), text) for text in TEXTS)
