"""What all requests to Keystone share: errors, headers, the version documents."""

from __future__ import annotations

from typing import Any

from hfstack.sandbox.identity import UNAUTHORIZED, challenge, request_id
from hfstack.sandbox.routing import Answer, HttpError, Request, Routes, answer_json
from hfstack.sandbox.state import Cloud, Token

ROUTES = Routes()

_TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}
MALFORMED = (
    "Expecting to find valid JSON in request body. The server could not comply with the request since it is either"
    " malformed or otherwise incorrect. The client is assumed to be in error."
)
_NOT_FOUND = (
    "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>The requested URL was not"
    " found on the server. If you entered the URL manually please check your spelling and try again.</p>\n"
)


def answer(cloud: Cloud, request: Request) -> Answer:
    """Answer one request to Keystone."""
    handler = ROUTES.find(request)
    try:
        if handler is None:
            found = Answer(404, _NOT_FOUND.encode(), [("Content-Type", "text/html; charset=utf-8")])
        else:
            found = handler(cloud, request)
    except HttpError as error:
        found = error.answer
    found.headers += [("Vary", "X-Auth-Token"), ("x-openstack-request-id", request_id())]
    return found


def refused(status: int, message: str, *headers: tuple[str, str]) -> HttpError:
    """Keystone's error."""
    error = {"error": {"code": status, "message": message, "title": _TITLES[status]}}
    return HttpError(answer_json(status, error, *headers))


def unauthorized(cloud: Cloud) -> HttpError:
    """Keystone's one answer to every login that is wrong."""
    return refused(401, UNAUTHORIZED, challenge(cloud))


def caller(cloud: Cloud, request: Request) -> Token:
    """The token of whoever makes the request. Raises Keystone's 401."""
    token = cloud.valid_token(request.headers.get("X-Auth-Token"))
    if token is None:
        raise unauthorized(cloud)
    return token


def _version(request: Request) -> dict[str, Any]:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{request.base_url}/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


@ROUTES.add("GET", "/")
def versions(_: Cloud, request: Request) -> Answer:
    """The versions of the API."""
    location = ("Location", f"{request.base_url}/v3/")
    return answer_json(300, {"versions": {"values": [_version(request)]}}, location)


@ROUTES.add("GET", "/v3", "/v3/")
def version(_: Cloud, request: Request) -> Answer:
    """The version document."""
    return answer_json(200, {"version": _version(request)})
