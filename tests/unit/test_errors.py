"""The codes of refusals: one list, and each of them is used. The helpers that word a message."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path
from typing import get_args

import pytest

import hfstack
from hfstack import _typing, errors

HOUSE = Path(hfstack.__file__).parent


def test_every_refusal_code_has_a_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_typing, "TYPE_CHECKING", True)
    codes = get_args(runpy.run_path(errors.__file__)["RefusalCode"])
    assert sorted(codes) == sorted(errors.REFUSAL_CODES)
    assert all(errors.REFUSAL_CODES.values())


def test_every_refusal_code_is_used() -> None:
    # mypy refuses any other code
    used = {
        node.value
        for path in HOUSE.rglob("*.py")
        if path.relative_to(HOUSE).parts[0] not in {"errors.py", "sandbox"}
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant)
    }
    assert set(errors.REFUSAL_CODES) <= used


@pytest.mark.parametrize(("number", "words"), [(0, "0 machines"), (1, "1 machine"), (2, "2 machines")])
def test_a_number_with_its_noun(number: int, words: str) -> None:
    assert errors.counted(number, "machine") == words
