"""The error tree, the codes of refusals, and helpers for messages.

Each error means a different answer. Whoever detects an error raises it with one sentence that an administrator can act
on, and `hfstack/cli.py` prints that sentence. `InputError`, `ConfigError`, `FactsUnreadable` and `FactsUnwritable` name
the file; `CloudTrouble` names the service and quotes its answer.
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
    """Fold white space and cut to `MAX_MESSAGE` characters, so that a text from the cloud fits a message."""
    folded = " ".join(text.split())
    return folded if len(folded) <= MAX_MESSAGE else folded[: MAX_MESSAGE - 1] + "…"


MAX_MESSAGE = 500
"""The most characters of a text from the cloud that go into a message."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def describe(value: object) -> str:
    """Describe a JSON value in a message: its type, and the value itself if it is a short one."""
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
    """HostFactory's input is invalid. hfstack sent nothing to the cloud. Exit 1 with a message."""


class ConfigError(Exception):
    """The site's configuration is invalid. Exit 1 with a message, so that HostFactory calls again."""


class FactsUnreadable(Exception):
    """The record of a request cannot be read, so hfstack must not conclude anything about the request."""


class FactsUnwritable(Exception):
    """A fact cannot be recorded, so hfstack must not take the step that relies on the record."""


class CloudTrouble(Exception):
    """The cloud gave no usable answer, which says nothing about any server.

    `request_ids` are OpenStack's ids of the failed calls (`req-…`), to search for in the cloud's logs.
    """

    def __init__(self, reason: str, request_ids: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.request_ids = request_ids


class NothingReported(Exception):
    """hfstack cannot tell which machines the cloud took away, and reports none. Exit 1 with a message, no requests."""

    document: Mapping[str, object] = {"requests": []}
    """Keys that are printed beside the message."""


class Refusal(Exception):
    """The request cannot be met, and a repeated call would not change that. Exit 1 with a message.

    `code` is one of `REFUSAL_CODES`; the message to LSF begins with it.
    """

    def __init__(self, reason: str, code: RefusalCode) -> None:
        super().__init__(reason)
        self.code = code


def explain(error: Exception) -> str:
    """Return an error's message with OpenStack's ids of the failed calls, to search for in the cloud's logs."""
    ids = " ".join(getattr(error, "request_ids", ()))
    return f"{error} ({ids})" if ids else str(error)
