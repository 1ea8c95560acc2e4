"""HostFactory's JSON: the shapes that are printed. For type checkers, for tests and for the published JSON Schemas.

Shapes: IBM's HostFactory custom provider reference, `getRequestStatus`. `requests` and `machines` are objects in IBM's
page and lists in every running system; both are read, `requests` is answered in the container it came in, `machines`
is always a list. What answers a poll builds plain dicts, which a type checker holds against these.
"""

from __future__ import annotations

import sys
from typing import Literal, NotRequired

if sys.version_info >= (3, 12):
    from typing import TypedDict
else:
    # pydantic, which validates these same shapes in tests, cannot read those of an older typing
    from typing_extensions import TypedDict

Result = Literal["executing", "fail", "succeed"]
MachineStatus = Literal["running", "stopped", "terminated", "shutting-down", "stopping"]
Status = Literal["running", "complete", "complete_with_error"]


class Machine(TypedDict):
    """One machine of a request, as HostFactory reads it."""

    machineId: str
    name: str
    """The guest's host name: HostFactory joins on it with the hosts that report to the cluster."""
    result: Result
    """How the coming of the machine went, or in a return its going."""
    status: NotRequired[MachineStatus]
    """What its server is doing; left out where that is not known."""
    privateIpAddress: str
    publicIpAddress: NotRequired[str]
    launchtime: int
    """Seconds since 1970, UTC."""
    message: str


class RequestStatus(TypedDict):
    """The answer to one request id."""

    requestId: str
    status: Status
    """`complete` when every machine has `succeed`."""
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
    """One template, as HostFactory reads it; it may have more keys, which are passed on."""

    templateId: str
    maxNumber: int
    attributes: dict[str, list[str]]
    """By name: type and value, two strings."""


class TemplatesDocument(TypedDict):
    """What getAvailableTemplates prints."""

    templates: list[AvailableTemplate]
    message: str


class MachineToReturn(TypedDict):
    """One machine that HostFactory is to give back: Symphony reads the host name and the grace, LSF the id."""

    machine: str
    """The guest's host name."""
    machineId: str
    gracePeriod: int
    """Seconds that its work may go on."""


class ReturnRequestsDocument(TypedDict):
    """What getReturnRequests prints."""

    status: str
    message: str
    requests: list[MachineToReturn]
