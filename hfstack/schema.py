"""HostFactory's output documents as types: for type checkers, for tests and for the JSON Schemas in docs/schemas.

Shapes: IBM's HostFactory custom provider reference, `getRequestStatus`. `requests` and `machines` are objects on IBM's
page and lists in every running system. hfstack answers `requests` in the form of the input, and `machines` always as a
list. A poll builds plain dicts, which type checkers compare with these types.
"""

from __future__ import annotations

import sys
from typing import Literal, NotRequired

if sys.version_info >= (3, 12):
    from typing import TypedDict
else:
    # pydantic, which validates these types in tests, cannot read those of an older typing module
    from typing_extensions import TypedDict

Result = Literal["executing", "fail", "succeed"]
MachineStatus = Literal["running", "stopped", "terminated", "shutting-down", "stopping"]
Status = Literal["running", "complete", "complete_with_error"]


class Machine(TypedDict):
    """One machine of a request, as HostFactory reads it."""

    machineId: str
    name: str
    """The guest's host name. HostFactory uses it to find the machine among the hosts that join the cluster."""
    result: Result
    """How the creation of the machine went, or its deletion if the request is a return."""
    status: NotRequired[MachineStatus]
    """The state of its server; left out if it is unknown."""
    privateIpAddress: str
    publicIpAddress: NotRequired[str]
    launchtime: int
    """Seconds since 1970, UTC."""
    message: str


class RequestStatus(TypedDict):
    """The answer to one request id."""

    requestId: str
    status: Status
    """`running` until each machine has `succeed` or `fail`, then `complete` if all have `succeed`."""
    message: str
    machines: list[Machine]


class StatusDocument(TypedDict):
    """What getRequestStatus prints."""

    requests: RequestStatus | list[RequestStatus]


class RequestAnswer(TypedDict):
    """What requestMachines and requestReturnMachines print."""

    message: str
    requestId: str


class AvailableTemplate(TypedDict):
    """One template, as HostFactory reads it. Keys that hfstack does not know are passed on."""

    templateId: str
    maxNumber: int
    attributes: dict[str, list[str]]
    """By name: the type and the value, both strings."""


class TemplatesDocument(TypedDict):
    """What getAvailableTemplates prints."""

    templates: list[AvailableTemplate]
    message: str


class MachineToReturn(TypedDict):
    """One machine that HostFactory should return. Symphony reads `machine` and `gracePeriod`, LSF reads `machineId`."""

    machine: str
    """The guest's host name."""
    machineId: str
    gracePeriod: int
    """How long its workload may still run (seconds)."""


class ReturnRequestsDocument(TypedDict):
    """What getReturnRequests prints."""

    status: str
    message: str
    requests: list[MachineToReturn]


ANSWERS = {
    "getAvailableTemplates": TemplatesDocument,
    "getRequestStatus": StatusDocument,
    "getReturnRequests": ReturnRequestsDocument,
    "requestMachines": RequestAnswer,
    "requestReturnMachines": RequestAnswer,
}
"""The document that each command prints."""
