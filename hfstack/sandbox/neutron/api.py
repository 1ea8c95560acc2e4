"""What all requests to Neutron share: the caller, errors, lists, the version documents."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

from hfstack.sandbox.identity import authenticate, request_id
from hfstack.sandbox.routing import Answer, HttpError, Request, Routes, answer_json
from hfstack.sandbox.state import Cloud

ROUTES = Routes()
VERSIONS = Routes()

Record = dict[str, Any]


def answer(cloud: Cloud, request: Request) -> Answer:
    """Answer one request to Neutron."""
    try:
        found = _answer(cloud, request)
    except HttpError as error:
        found = error.answer
    found.headers.append(("x-openstack-request-id", request_id()))
    return found


def _answer(cloud: Cloud, request: Request) -> Answer:
    versions = VERSIONS.find(request)
    if versions:
        return versions(request)
    token = authenticate(cloud, request, "neutron")
    handler = ROUTES.find(request)
    if handler is None:
        raise refused(404, "HTTPNotFound", "The resource could not be found.")
    if "database" in cloud.stopped:
        raise refused(
            500,
            "HTTPInternalServerError",
            "Request Failed: internal server error while processing your request.",
        )
    return handler(cloud, request, token)


def refused(status: int, kind: str, message: str) -> HttpError:
    """Neutron's error."""
    error = {"NeutronError": {"type": kind, "message": message, "detail": ""}}
    return HttpError(answer_json(status, error))


def missing(kind: str, name: str, identifier: str, end: str = ".") -> HttpError:
    """Neutron's 404 for a resource."""
    return refused(404, f"{kind}NotFound", f"{name} {identifier} could not be found{end}")


@VERSIONS.add("GET", "/")
def versions(request: Request) -> Answer:
    """The versions of the API."""
    link = {"rel": "self", "href": f"{request.base_url}/v2.0/"}
    return answer_json(200, {"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]})


@VERSIONS.add("GET", "/v2.0", "/v2.0/")
def resources(request: Request) -> Answer:
    """The version document, which in Neutron lists resources."""
    shown = [
        {
            "name": name,
            "collection": f"{name}s",
            "links": [{"rel": "self", "href": f"{request.base_url}/v2.0/{name}s"}],
        }
        for name in ("network", "subnet", "port")
    ]
    return answer_json(200, {"resources": shown})


def listed(request: Request, collection: str, records: Iterable[Record], known: Record) -> Answer:
    """A list: filtered by equality, cut to pages and to the requested fields."""
    args = request.args()
    special = {"fields", "limit", "marker", "sort_key", "sort_dir", "page_reverse"}
    wanted: dict[str, set[str]] = {}
    for key, value in args:
        if key not in special:
            wanted.setdefault(key, set()).add(value.lower())
    unknown = [key for key in wanted if key not in known]
    if unknown:
        raise refused(400, "HTTPBadRequest", f"{unknown} is invalid attribute for filtering")
    found = [record for record in records if all(_shown(record[key]) in values for key, values in wanted.items())]
    found.sort(key=lambda record: record["id"])
    marker, limit = request.arg("marker"), request.arg("limit")
    if marker is not None:
        found = [record for record in found if record["id"] > marker]
    document: dict[str, Any] = {}
    if limit and len(found) > int(limit):
        found = found[: int(limit)]
        query = [pair for pair in args if pair[0] != "marker"] + [("marker", found[-1]["id"])]
        next_page = f"{request.base_url}{request.path}?{urlencode(query)}"
        document[f"{collection}_links"] = [{"rel": "next", "href": next_page}]
    fields = [value for key, value in args if key == "fields"]
    if fields:
        found = [{key: record[key] for key in fields if key in record} for record in found]
    return answer_json(200, {collection: found, **document})


def _shown(value: object) -> str:
    """A value as a query writes it."""
    return "" if value is None else str(value).lower()


def one(records: Iterable[Record], identifier: str, absent: Callable[[str], HttpError]) -> Record:
    """The record with this id. Raises what `absent` returns for it."""
    for record in records:
        if record["id"] == identifier:
            return record
    raise absent(identifier)


def body(request: Request, key: str, *required: str) -> Record:
    """The value of the body's one key. Raises Neutron's 400."""
    try:
        wanted = request.json()[key]
    except (ValueError, KeyError, TypeError):
        raise refused(400, "HTTPBadRequest", f"Resource body required: {key}") from None
    for name in required:
        if name not in wanted:
            raise refused(400, "HTTPBadRequest", f"Failed to parse request. Required attribute '{name}' not specified")
    found: Record = wanted
    return found


def iso(at: float) -> str:
    """A time as Neutron writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
