"""Keep the ids of names for a minute: HostFactory requests machines again and again while a cluster grows.

`names-<provider>-<host>-<account>.json` is beside the cached token and valid only with that token. If an image is
replaced by another of the same name, requests use the old one for up to a minute. If the old one is deleted, Nova
refuses the request, and all names are looked up again. Without a cached token nothing is kept.
"""

from __future__ import annotations

import hashlib

from hfstack.environment import Environment
from hfstack.store import token_cache

MAX_AGE = 60
"""Seconds."""


class Names:
    """Ids by kind and name, also those of earlier calls with the same token. `now` is in seconds since 1970."""

    def __init__(self, environment: Environment, token: str, now: float) -> None:
        self.path = token_cache.place(environment, "names") if token else ""
        self.login = hashlib.sha256(token.encode()).hexdigest()
        self.now = now
        self.ids = self.load()

    def load(self) -> dict[tuple[str, str], tuple[str, float]]:
        """Return the ids that are still valid, each with the time of its look-up."""
        if not self.path:
            return {}
        try:
            document = token_cache.read(self.path)
            if document["login"] != self.login:
                return {}
            ids = {(kind, name): (known_id, float(when)) for kind, name, known_id, when in document["names"]}
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return {}
        return {key: value for key, value in ids.items() if 0 <= self.now - value[1] < MAX_AGE}

    def get(self, kind: str, name: str) -> str | None:
        """Return the id, `None` if it is not known."""
        known = self.ids.get((kind, name))
        return known[0] if known else None

    def put(self, kind: str, name: str, known_id: str) -> None:
        """Remember an id that this call looked up."""
        self.ids[kind, name] = known_id, self.now

    def keep(self) -> None:
        """Write the ids for later calls."""
        names = [[*key, *value] for key, value in self.ids.items()]
        if self.path:
            token_cache.write(self.path, {"login": self.login, "names": names})

    def drop(self) -> None:
        """Make the next call look all names up."""
        token_cache.remove(self.path)
