"""The check of tokens in front of Nova, Neutron and Glance, as keystonemiddleware does it."""

from __future__ import annotations

import uuid

from hfstack.sandbox.routing import JSON, Answer, HttpError, Request, answer_json
from hfstack.sandbox.state import Cloud, Token

UNAUTHORIZED = "The request you have made requires authentication."
_PROSE = {
    401: (
        "Unauthorized",
        (
            "This server could not verify that you are authorized to access the document you requested. Either you"
            " supplied the wrong credentials (e.g., bad password), or your browser does not understand how to supply"
            " the credentials required."
        ),
    ),
    404: ("Not Found", "The resource could not be found."),
    503: ("Service Unavailable", "The server is currently unavailable. Please try again at a later time."),
}


def request_id() -> str:
    """A new request id."""
    return f"req-{uuid.uuid4()}"


def challenge(cloud: Cloud) -> tuple[str, str]:
    """The header that says where to log in."""
    return "WWW-Authenticate", f'Keystone uri="{cloud.urls["keystone"]}/v3"'


def plain_error(request: Request, status: int, detail: str = "", *headers: tuple[str, str]) -> Answer:
    """An error as WebOb writes it, before a request reaches a service's own code."""
    title, prose = _PROSE[status]
    if JSON in request.headers.get("Accept", ""):
        message = f"{prose}<br /><br />\n{detail}\n\n"
        return answer_json(status, {"message": message, "code": f"{status} {title}", "title": title}, *headers)
    text = f"{status} {title}\n\n{prose}\n\n {detail}  "
    return Answer(status, text.encode(), [("Content-Type", "text/plain; charset=UTF-8"), *headers])


def authenticate(cloud: Cloud, request: Request, service: str) -> Token:
    """The valid token of the request. Raises `HttpError`: a 401, or a 503 if Keystone is stopped.

    A service validates each token once, so it still accepts those it has seen when Keystone is stopped.
    """
    token = cloud.valid_token(request.headers.get("X-Auth-Token"))
    seen = cloud.seen_tokens.setdefault(service, set())
    if "keystone" in cloud.stopped and (token is None or token.id not in seen):
        raise HttpError(plain_error(request, 503, "The Keystone service is temporarily unavailable."))
    if token is None:
        if service == "glance":
            raise HttpError(plain_error(request, 401, "", challenge(cloud)))
        error = {"error": {"code": 401, "title": "Unauthorized", "message": UNAUTHORIZED}}
        raise HttpError(answer_json(401, error, challenge(cloud)))
    seen.add(token.id)
    return token
