"""hfstack retries what Windows refuses for a moment."""

from __future__ import annotations

import time

import pytest

from hfstack import _windows


class Refusing:
    """An action that is refused several times."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.done: list[tuple[str, str]] = []

    def __call__(self, source: str, target: str) -> None:
        if self.left:
            self.left -= 1
            raise PermissionError(13, "The process cannot access the file", source)
        self.done.append((source, target))


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, recorded without waiting."""
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


@pytest.mark.parametrize("times", [0, 1, len(_windows.PAUSES)])
def test_an_action_is_retried_until_it_succeeds(pauses: list[float], times: int) -> None:
    action = Refusing(times)
    _windows.with_retries(action, "new", "old")
    assert action.done == [("new", "old")]
    assert pauses == list(_windows.PAUSES[:times])


def test_retries_end(pauses: list[float]) -> None:
    action = Refusing(99)
    with pytest.raises(PermissionError):
        _windows.with_retries(action, "new", "old")
    assert len(pauses) == len(_windows.PAUSES)
    assert action.left == 99 - len(_windows.PAUSES) - 1


def test_any_other_refusal_is_final(pauses: list[float]) -> None:
    def refused(source: str, target: str) -> None:
        raise FileExistsError(17, "File exists", source, None, target)

    with pytest.raises(FileExistsError):
        _windows.with_retries(refused, "new", "old")
    assert pauses == []
