"""What names stand for, for a minute: HostFactory asks for machines again and again while a cluster grows.

`names-<provider>-<host>-<account>.json` beside the cached token, and good for the login that it came from alone. Within
the minute an image that was replaced under its name is still the old one; Nova refuses one that is gone, and then all
names are looked up anew. Without a cached token nothing is kept.
"""

from __future__ import annotations

import hashlib
import json

from hfstack.environment import Environment
from hfstack.store import token_cache

MAX_AGE = 60
"""Seconds."""


class Names:
    """Ids by kind and name, those of earlier calls with the same token included; `now` in seconds since 1970."""

    def __init__(self, environment: Environment, token: str, now: float) -> None:
        self.path = token_cache.place(environment, "names") if token else ""
        self.login = hashlib.sha256(token.encode()).hexdigest()
        self.now = now
        self.ids = self.load()

    def load(self) -> dict[tuple[str, str], tuple[str, float]]:
        """Return what is kept and good still: the id, and when it was looked up."""
        try:
            with open(self.path, "rb") as file:
                document = json.loads(file.read())
            if document["login"] != self.login:
                return {}
            found = {(kind, name): (found, float(when)) for kind, name, found, when in document["names"]}
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return {}
        return {key: value for key, value in found.items() if 0 <= self.now - value[1] < MAX_AGE}

    def get(self, kind: str, name: str) -> str | None:
        """Return the id, if it is known."""
        found = self.ids.get((kind, name))
        return found[0] if found else None

    def put(self, kind: str, name: str, found: str) -> None:
        """Remember an id that was looked up in this call."""
        self.ids[kind, name] = found, self.now

    def keep(self) -> None:
        """Keep what is known for other calls."""
        names = [[*key, *value] for key, value in self.ids.items()]
        if self.path:
            token_cache.write(self.path, {"login": self.login, "names": names})

    def drop(self) -> None:
        """Have the next call look everything up."""
        token_cache.remove(self.path)
