"""What one call of a command works with: environment, settings, log, time budget and clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from hfstack._typing import TYPE_CHECKING, NamedTuple
from hfstack.environment import Environment
from hfstack.log import Log

if TYPE_CHECKING:
    from hfstack.config.settings import Settings
    from hfstack.store.token_cache import CachedAccess


class Budget:
    """Counts down from the start of the call. `monotonic` and `sleep` are the clock; tests pass their own."""

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
        """Return the remaining seconds, at least 0."""
        return max(0.0, self.end - self.monotonic())


class Context(NamedTuple):
    """One call of a command."""

    environment: Environment
    settings: Settings
    env: Mapping[str, str]
    log: Log
    budget: Budget
    cached_access: CachedAccess | None = None
    """The token and the endpoints that an earlier call cached; `None` if there are none."""
    started_at: float = 0
    """When the call started to read its files, in seconds since 1970."""
    now: Callable[[], float] = time.time
    """Returns the time, in seconds since 1970."""
    request_id: str = ""
    """The request that the call is about; "" if it is about none or several."""

    def for_request(self, request_id: str) -> Context:
        """Return the context of one request: its id appears in every log line and in every request to the cloud."""
        return self._replace(log=self.log.for_request(request_id), request_id=request_id)
