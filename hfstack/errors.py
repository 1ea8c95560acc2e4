"""What can go wrong, in the ways that lead to different answers.

Each error is raised where it is known, with one sentence an administrator can act on, and rendered once: `InputError`,
`ConfigError`, `FactsUnreadable` and `FactsUnwritable` name the file; `CloudTrouble` names the service and what it said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping


def one_line(text: str) -> str:
    """Fold white space and cut, so that a foreign text fits a message."""
    folded = " ".join(text.split())
    return folded if len(folded) <= MAX_MESSAGE else folded[: MAX_MESSAGE - 1] + "…"


MAX_MESSAGE = 500
"""Characters of a fault that go into a machine's message."""


def kind(value: object) -> str:
    """Name a JSON value's type for a message, with a short value itself."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value!r}"[:40]
    if isinstance(value, str):
        return f"the string {json.dumps(value[:40], ensure_ascii=False)}"
    return "a list" if isinstance(value, list) else "an object"


class InputError(Exception):
    """What HostFactory handed over cannot be understood; nothing was sent. Exit 1 with a message."""


class ConfigError(Exception):
    """The site's configuration is broken. Exit 1 with a message, so that HostFactory asks again."""


class FactsUnreadable(Exception):
    """The recorded facts of one request cannot be read, so nothing may be concluded about it."""


class FactsUnwritable(Exception):
    """A fact cannot be recorded, so nothing may be done that needs it on record."""


class CloudTrouble(Exception):
    """The cloud gave no usable answer. Says nothing about any server.

    `request_ids` are OpenStack's own ids of the failed calls (`req-…`), for a search in the cloud's logs.
    """

    def __init__(self, reason: str, request_ids: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.request_ids = request_ids


class NothingReported(Exception):
    """It cannot be told which machines were taken away, so none is reported. Exit 1 with a message, and no requests."""

    document: Mapping[str, object] = {"requests": []}
    """What stands beside the message."""


class Refusal(Exception):
    """What was asked for cannot be done, and asking again changes nothing. Exit 1 with a message.

    `code` says the kind of reason in one word, which LSF is told too.
    """

    def __init__(self, reason: str, code: str) -> None:
        super().__init__(reason)
        self.code = code


def explain(error: Exception) -> str:
    """Put trouble into the message, with OpenStack's own ids of the failed calls, for a search in its logs."""
    ids = " ".join(getattr(error, "request_ids", ()))
    return f"{error} ({ids})" if ids else str(error)
