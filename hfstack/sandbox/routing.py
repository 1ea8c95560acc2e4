"""HTTP for the sandbox's services: a request, an answer, and a table of routes. It knows nothing about OpenStack."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from enum import Enum
from typing import Any
from urllib.parse import parse_qsl, unquote

JSON = "application/json"

Json = Any
"""Whatever a JSON document may hold."""


@dataclass
class Request:
    """A request as it arrived. `template` is its route, once that is known."""

    method: str
    path: str
    query: str
    headers: Message
    body: bytes
    base_url: str
    template: str = ""

    @property
    def target(self) -> str:
        """Path and query as they were sent."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def args(self) -> list[tuple[str, str]]:
        """The query's pairs in their order, repeated keys and empty values included."""
        return parse_qsl(self.query, keep_blank_values=True)

    def arg(self, key: str) -> str | None:
        """The last value of a query key."""
        return dict(self.args()).get(key)

    def json(self) -> Json:
        """The body as JSON. Raises `ValueError`."""
        return json.loads(self.body)


class Drop(Enum):
    """When a connection is cut: before the request is carried out, after it, or in the middle of the answer."""

    BEFORE = "before"
    AFTER = "after"
    MID = "mid"


@dataclass
class Answer:
    """An answer. `drop` cuts the connection: without a byte, or in the middle of the body."""

    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)
    drop: Drop | None = None

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class HttpError(Exception):
    """Ends a request with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def answer_json(status: int, document: object, *headers: tuple[str, str]) -> Answer:
    """Answer with a JSON document."""
    return Answer(status, json.dumps(document).encode(), [("Content-Type", JSON), *headers])


class Routes:
    """Handlers by method and path template, as in `/servers/{server_id}`."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, str, re.Pattern[str], Callable[..., Answer]]] = []

    def add(self, method: str, *templates: str) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
        """Register the decorated function; the template's names become its keyword arguments."""

        def register(handler: Callable[..., Answer]) -> Callable[..., Answer]:
            for template in templates:
                pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template))
                self._routes.append((method, template, pattern, handler))
            return handler

        return register

    def find(self, request: Request) -> Callable[..., Answer] | None:
        """The handler of this request with its path arguments bound, or None. Records the template in the request."""
        for method, template, pattern, handler in self._routes:
            found = pattern.fullmatch(request.path) if method == request.method else None
            if found:
                request.template = template
                arguments = {name: unquote(value) for name, value in found.groupdict().items()}
                return lambda *given: handler(*given, **arguments)
        return None
