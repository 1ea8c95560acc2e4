"""What one call of a command has at hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from .budget import Budget
from .log import Log
from .surroundings import Surroundings

if TYPE_CHECKING:
    from .settings import Settings


class Call(NamedTuple):
    """One call: where it runs, what the site has set, how long it may take, and what time it is."""

    around: Surroundings
    settings: Settings
    env: Mapping[str, str]
    log: Log
    budget: Budget
    now: Callable[[], float] = time.time
    """Seconds since 1970."""
