"""What one call of a command has at hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from .budget import Budget
from .log import Log
from .named import TYPE_CHECKING, NamedTuple
from .surroundings import Surroundings

if TYPE_CHECKING:
    from .cloud.cache import Known
    from .settings import Settings


class Call(NamedTuple):
    """One call: where it runs, what the site has set, how long it may take, and what time it is."""

    around: Surroundings
    settings: Settings
    env: Mapping[str, str]
    log: Log
    budget: Budget
    known: Known | None = None
    """What an earlier call learned of the way into the cloud."""
    began: float = 0
    """When its files began to be read, in seconds since 1970."""
    now: Callable[[], float] = time.time
    """Seconds since 1970."""
