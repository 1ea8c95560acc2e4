"""The time that one call has."""

from __future__ import annotations

import time
from collections.abc import Callable


class Budget:
    """Counts down from the start of the call. `monotonic` and `sleep` are the clock, in seconds."""

    def __init__(
        self,
        seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.monotonic = monotonic
        self.sleep = sleep
        self.end = monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left, 0 when it is used up."""
        return max(0.0, self.end - self.monotonic())
