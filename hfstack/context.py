"""What one call of a command has at hand."""

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


class Context(NamedTuple):
    """One call: where it runs, what the site has set, how long it may take, and what time it is."""

    environment: Environment
    settings: Settings
    env: Mapping[str, str]
    log: Log
    budget: Budget
    cached_access: CachedAccess | None = None
    """What an earlier call learned of the way into the cloud."""
    started_at: float = 0
    """When its files began to be read, in seconds since 1970."""
    now: Callable[[], float] = time.time
    """Seconds since 1970."""
    request_id: str = ""
    """The request that the call is about; "" where it is about none, or about many."""

    def of(self, request_id: str) -> Context:
        """Return the context of one request: its id goes into every log line and with every request to the cloud."""
        return self._replace(log=self.log.of(request_id), request_id=request_id)
