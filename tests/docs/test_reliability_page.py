"""docs/reliability.md has a row for each premise that tests name, and the counts can be filled in."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.docs.pages import between, read, rows
from tests.premises import BEGIN, END, filled_in

PAGE = f"before\n{BEGIN}| a | b | c | d |\n|---|---|---|---|\n| One. | Nothing. | old | 7 |\n{END}\nafter\n"


def test_each_row_says_what_happens_and_which_tests_show_it() -> None:
    table = rows(between(read("docs/reliability.md"), "premises"))
    assert len(table) > 4
    for premise, meaning, shown, cases in table:
        assert premise.endswith(".")
        assert meaning.endswith(".")
        assert sum(int(word) for word in shown.replace(",", " ").split() if word.isdecimal()) == int(cases) > 0


def test_the_counts_are_filled_in() -> None:
    page = filled_in(PAGE, {"One.": Counter({"tests/b.py": 2, "tests/a.py": 1})})
    assert page == PAGE.replace("| old | 7 |", "| `tests/a.py` 1, `tests/b.py` 2 | 3 |")
    assert filled_in(page, {"One.": Counter({"tests/b.py": 2, "tests/a.py": 1})}) == page


def test_page_and_tests_name_the_same_premises() -> None:
    with pytest.raises(ValueError, match="no test that passed for the premise: One"):
        filled_in(PAGE, {})
    with pytest.raises(ValueError, match="no row for the premise: Two"):
        filled_in(PAGE, {"One.": Counter("a"), "Two.": Counter("a")})
