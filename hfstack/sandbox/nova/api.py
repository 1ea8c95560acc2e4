"""What all calls to Nova share: the caller, the microversion, Nova's errors and headers."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hfstack.sandbox.identity import authenticate, plain_error, request_id
from hfstack.sandbox.lifecycle import Phase
from hfstack.sandbox.routing import Answer, HttpError, Json, Request, Routes, answer_json
from hfstack.sandbox.state import Cloud, Server, Token

ROUTES = Routes()
"""Everything that needs a token. The modules of this package add to it."""

VERSIONS = Routes()
"""The version documents, which anyone may read."""

Handler = Callable[..., Answer]

_FAULTS = {
    400: "badRequest",
    403: "forbidden",
    404: "itemNotFound",
    409: "conflictingRequest",
}
_UNEXPECTED = (
    "Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and attach the Nova API log if"
    " possible.\n<class '{}'>"
)
_FAULT_TYPE = ("Content-Type", "application/json; charset=UTF-8")


@dataclass
class Call:
    """One call: the cloud, its request id, the caller's token, the microversion 2.`minor`, and the time."""

    cloud: Cloud
    request: Request
    request_id: str
    token: Token
    minor: int
    now: float

    def body(self, key: str) -> Json:
        """The value of the body's one key. Raises Nova's 400."""
        try:
            document = self.request.json()
        except ValueError:
            raise bad_request("Malformed request body") from None
        if not isinstance(document, dict) or key not in document:
            raise bad_request(f"'{key}' is a required property")
        return document[key]

    def server(self, server_id: str) -> tuple[Server, Phase]:
        """A server of the caller's project and its phase. Raises Nova's 404, and the 500 of a cell that is down."""
        server = self.any_server(server_id)
        phase = server.at(self.now)
        if phase.deleted:
            raise no_instance(server_id)
        if server.down:
            raise unexpected("nova.exception.NovaException")
        return server, phase

    def any_server(self, server_id: str) -> Server:
        """The same, even if it is deleted or its cell is down."""
        server = self.cloud.servers.get(server_id)
        if server is None or not (self.token.is_admin or server.project_id == self.token.project.id):
            raise no_instance(server_id)
        return server

    def needs(self, minor: int) -> None:
        """Raise Nova's 404 if this microversion does not have the API."""
        if self.minor < minor:
            raise not_found("The resource could not be found.")


def fault(status: int, message: str) -> HttpError:
    """Nova's error."""
    name = _FAULTS.get(status, "computeFault")
    found = answer_json(status, {name: {"code": status, "message": message}})
    found.headers = [_FAULT_TYPE]
    return HttpError(found)


def bad_request(message: str) -> HttpError:
    """Nova's 400."""
    return fault(400, message)


def forbidden(message: str) -> HttpError:
    """Nova's 403."""
    return fault(403, message)


def not_found(message: str) -> HttpError:
    """Nova's 404."""
    return fault(404, message)


def conflict(message: str) -> HttpError:
    """Nova's 409."""
    return fault(409, message)


def no_instance(server_id: str) -> HttpError:
    """Nova's 404 for a server."""
    return not_found(f"Instance {server_id} could not be found.")


def policy(rule: str) -> HttpError:
    """Nova's 403 for what only an administrator is allowed to do."""
    return forbidden(f"Policy doesn't allow os_compute_api:{rule} to be performed.")


def unexpected(exception: str) -> HttpError:
    """Nova's 500 for an exception that its API did not expect, by its class."""
    return fault(500, _UNEXPECTED.format(exception))


def invalid(field: str, value: object, why: str) -> HttpError:
    """Nova's 400 for a body that its schema refuses."""
    return bad_request(f"Invalid input for field/attribute {field}. Value: {value}. {why}")


def iso(at: float) -> str:
    """A time as in `created` and `updated`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def naive(at: float | None) -> str | None:
    """A time as in `OS-SRV-USG:launched_at`: UTC, without a zone."""
    return None if at is None else time.strftime("%Y-%m-%dT%H:%M:%S.000000", time.gmtime(at))


def maximum(cloud: Cloud) -> int:
    """The minor number of the highest microversion."""
    return int(cloud.knobs.max_microversion.partition(".")[2])


def answer(cloud: Cloud, request: Request) -> Answer:
    """Answer one request to Nova."""
    identifier = request_id()
    versions = VERSIONS.find(request)
    minor = None
    try:
        token = None if versions else authenticate(cloud, request, "nova")
        handler = versions or ROUTES.find(request)
        if handler is None:
            raise HttpError(plain_error(request, 404))
        minor = _negotiated(cloud, request)
        if token is None:
            found = handler(cloud, request)
        elif "database" in cloud.stopped:
            raise unexpected("oslo_db.exception.DBConnectionError")
        else:
            found = handler(Call(cloud, request, identifier, token, minor, cloud.now()))
    except HttpError as error:
        found = error.answer
    if minor is not None and request.path != "/":
        found.headers += _version_headers(f"2.{minor}")
    found.headers += [("x-openstack-request-id", identifier), ("x-compute-request-id", identifier)]
    return found


def _negotiated(cloud: Cloud, request: Request) -> int:
    """The minor number of the requested microversion. Raises Nova's 400 and 406."""
    wanted = request.headers.get("X-OpenStack-Nova-API-Version", "2.1")
    service, _, version = request.headers.get("OpenStack-API-Version", "").partition(" ")
    if service == "compute":
        wanted = version.strip()
    highest = maximum(cloud)
    if wanted == "latest":
        return highest
    found = re.fullmatch(r"([1-9]\d*)\.([1-9]\d*|0)", wanted)
    if not found:
        raise bad_request(f"API Version String {wanted} is of invalid format. Must be of format MajorNum.MinorNum.")
    major, minor = int(found[1]), int(found[2])
    if major != 2 or not 1 <= minor <= highest:
        error = fault(
            406,
            f"Version {wanted} is not supported by the API. Minimum is 2.1 and maximum is 2.{highest}.",
        )
        error.answer.headers += _version_headers(wanted)
        raise error
    return minor


def _version_headers(version: str) -> list[tuple[str, str]]:
    return [
        ("OpenStack-API-Version", f"compute {version}"),
        ("X-OpenStack-Nova-API-Version", version),
        ("Vary", "OpenStack-API-Version"),
        ("Vary", "X-OpenStack-Nova-API-Version"),
    ]


@VERSIONS.add("GET", "/")
def versions(cloud: Cloud, request: Request) -> Answer:
    """The versions of the API. The old `/v2` is neither shown nor served."""
    return answer_json(200, {"versions": [_version(cloud, request)]})


@VERSIONS.add("GET", "/v2.1", "/v2.1/")
def version(cloud: Cloud, request: Request) -> Answer:
    """The version document."""
    document = _version(cloud, request)
    document["links"].append({"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"})
    document["media-types"] = [
        {"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}
    ]
    return answer_json(200, {"version": document})


def _version(cloud: Cloud, request: Request) -> dict[str, Any]:
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": f"2.{maximum(cloud)}",
        "min_version": "2.1",
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{request.base_url}/v2.1/"}],
    }
