"""Record a fact where a failure to do so must not end the call."""

from __future__ import annotations

from collections.abc import Callable

from hfstack.errors import FactsUnwritable
from hfstack.log import Log


def attempt(write: Callable[[], bool], log: Log) -> bool | None:
    """Record a fact. Return what the writer returns, or `None`, with a warning in the log, if it cannot write."""
    try:
        return write()
    except FactsUnwritable as error:
        log.warning(str(error))
        return None
