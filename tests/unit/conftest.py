"""What the pure tests share: a provider's surroundings below `tmp_path`, and its log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hfstack.log import Log
from hfstack.surroundings import Surroundings


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    """The surroundings of a provider `bank`, with its folders in place."""
    for name in ("conf", "work", "log"):
        (tmp_path / name).mkdir()
    return Surroundings(
        provider="bank",
        confdir=str(tmp_path / "conf"),
        workdir=str(tmp_path / "work"),
        logdir=str(tmp_path / "log"),
        host="master1",
        log_level="LOG_DEBUG",
        log_max_bytes=10 * 1024 * 1024,
        log_max_rotate=5,
        action_timeout="",
    )


@pytest.fixture
def log(around: Surroundings) -> Log:
    return Log(around, "getRequestStatus")


@pytest.fixture
def logged(log: Log) -> Callable[[], str]:
    """Read what the log holds so far."""

    def read() -> str:
        path = Path(log.path)
        return path.read_text("utf-8") if path.exists() else ""

    return read
