"""Pauses a command at a chosen boundary, runs something else whole, and lets the command go on.

Boundaries are those of `killed.py`: before and after each fact and before and after each call to the cloud, counted
from 1. While a command is paused, it does nothing: what runs meanwhile runs at that very place of the command.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from hfstack.cloud import client
from hfstack.cloud.client import ServiceClient
from hfstack.store import write


class Pause:
    """Counts the boundaries of one command, in whichever thread they are met."""

    def __init__(self, boundary: int, meanwhile: Callable[[], object]) -> None:
        self.left = boundary
        self.meanwhile = meanwhile
        self.lock = threading.Lock()
        self.trouble: BaseException | None = None

    @property
    def reached(self) -> bool:
        """Whether the command got as far as this boundary."""
        return self.left <= 0

    def meet(self) -> None:
        """Meet one boundary, and pause at the chosen one. Those of what runs meanwhile do not count."""
        with self.lock:
            self.left -= 1
            chosen = self.left == 0
        if chosen:
            try:
                self.meanwhile()
            except BaseException as trouble:  # noqa: BLE001 - the command would answer it
                self.trouble = trouble

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Put a boundary before and behind a function."""

        def bounded(*args: Any, **kwargs: Any) -> Any:
            self.meet()
            try:
                return function(*args, **kwargs)
            finally:
                self.meet()

        return bounded


@contextmanager
def paused(boundary: int, meanwhile: Callable[[], object]) -> Iterator[Pause]:
    """Pause the command that runs in this context. It works on one server at a time, so that its order is the same."""
    pause = Pause(boundary, meanwhile)
    with (
        patch.object(write, "record", pause.around(write.record)),
        patch.object(ServiceClient, "once", pause.around(ServiceClient.once)),
        patch.object(client, "MAX_PARALLEL", 1),
    ):
        yield pause
    if pause.trouble:
        raise pause.trouble
