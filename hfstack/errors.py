"""What can go wrong, in the ways that lead to different answers.

Each error is raised where it is known, with one sentence an administrator can act on, and rendered once: `InputError`,
`ConfigError`, `FactsUnreadable` and `FactsUnwritable` name the file; `CloudTrouble` names the service and what it said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from hfstack._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Literal

    RefusalCode = Literal[
        "BadRequest",
        "FloatingIpRefused",
        "FloatingIpUnknown",
        "Forbidden",
        "MaxNumberReached",
        "NotAcceptable",
        "NotActive",
        "NotExternal",
        "NotFound",
        "NotUnique",
        "QuotaExceeded",
        "Timeout",
        "TooManyRequests",
        "Unauthorized",
        "ZoneUnavailable",
    ]

REFUSAL_CODES: Mapping[RefusalCode, str] = {
    "BadRequest": "Nova refuses the server as the template describes it",
    "FloatingIpRefused": "Neutron refuses a floating IP for a reason other than the quota",
    "FloatingIpUnknown": "Neutron gave no clear answer, and no floating IP of the machine can be found",
    "Forbidden": "the account may not create servers",
    "MaxNumberReached": "the template's `maxNumber` would be exceeded",
    "NotAcceptable": "Nova is too old for hfstack",
    "NotActive": "the image is not active",
    "NotExternal": "the floating network is not external",
    "NotFound": "the image, flavor, network, security group, server group or key pair does not exist",
    "NotUnique": "the name stands for more than one resource",
    "QuotaExceeded": "the project's quota is used up",
    "Timeout": "the call ran out of time before the server was requested",
    "TooManyRequests": "Nova limits the rate of requests",
    "Unauthorized": "Nova refuses the token, even after a new login",
    "ZoneUnavailable": "the availability zone does not exist or is not available",
}
"""Every code of a `Refusal`, with its meaning. LSF shows the code; docs/hostfactory-setup.md lists them."""


def one_line(text: str) -> str:
    """Fold white space and cut, so that a foreign text fits a message."""
    folded = " ".join(text.split())
    return folded if len(folded) <= MAX_MESSAGE else folded[: MAX_MESSAGE - 1] + "…"


MAX_MESSAGE = 500
"""Characters of a fault that go into a machine's message."""


def describe(value: object) -> str:
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
    """The request cannot be met, and a repeated call would not change that. Exit 1 with a message.

    `code` is one of `REFUSAL_CODES`; the message to LSF begins with it.
    """

    def __init__(self, reason: str, code: RefusalCode) -> None:
        super().__init__(reason)
        self.code = code


def explain(error: Exception) -> str:
    """Put trouble into the message, with OpenStack's own ids of the failed calls, for a search in its logs."""
    ids = " ".join(getattr(error, "request_ids", ()))
    return f"{error} ({ids})" if ids else str(error)
