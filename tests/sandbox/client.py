"""A plain HTTP client of a sandbox whose clock the tests turn."""

from __future__ import annotations

import http.client
import json
import time
from email.message import Message
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from hfstack.sandbox import Sandbox
from hfstack.sandbox.inventory import FLAVORS, IMAGE_ID, PRIVATE

MICROVERSION = "2.79"


class Clock:
    """A clock that stands still until a test turns it."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Turn the clock on."""
        self.now += seconds


class Reply(NamedTuple):
    """An answer: its status, its headers, and its body as JSON or as text."""

    status: int
    headers: Message
    body: Any


class Client:
    """A sandbox with a clock of its own, and one kept connection to each of its services."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sandbox = Sandbox(clock=self.clock)
        self.connections: dict[str, http.client.HTTPConnection] = {}
        self.tokens: dict[str, str] = {}

    def __enter__(self) -> Self:
        self.sandbox.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self.connections.values():
            connection.close()
        self.sandbox.stop()

    def send(
        self, service: str, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Reply:
        """Send one request over the kept connection."""
        if service not in self.connections:
            url = self.sandbox.control_url if service == "control" else self.sandbox.url(service)
            parts = urlsplit(url)
            assert parts.hostname is not None
            self.connections[service] = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
        connection = self.connections[service]
        sent = body if isinstance(body, str) else json.dumps(body) if body is not None else None
        try:
            connection.request(method, path, sent, headers or {})
            response = connection.getresponse()
            content = response.read().decode()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        try:
            return Reply(response.status, response.headers, json.loads(content))
        except ValueError:
            return Reply(response.status, response.headers, content)

    def log_in(self, user: str = "demo", **changes: Any) -> Reply:
        """Log in by password; `changes` are to the user's part of the request."""
        given = {"name": user, "domain": {"id": "default"}, "password": user, **changes}
        identity = {"methods": ["password"], "password": {"user": given}}
        return self.send("keystone", "POST", "/v3/auth/tokens", {"auth": {"identity": identity}})

    def token(self, user: str = "demo") -> str:
        """A token, which is fetched once."""
        if user not in self.tokens:
            self.tokens[user] = self.log_in(user).headers["X-Subject-Token"]
        return self.tokens[user]

    def nova(
        self, method: str, path: str, body: object = None, version: str = MICROVERSION, user: str = "demo"
    ) -> Reply:
        """Send a request to Nova."""
        headers = {"X-Auth-Token": self.token(user), "OpenStack-API-Version": f"compute {version}"}
        return self.send("nova", method, f"/v2.1{path}", body, headers)

    def neutron(self, method: str, path: str, body: object = None, user: str = "demo") -> Reply:
        """Send a request to Neutron."""
        return self.send("neutron", method, f"/v2.0{path}", body, {"X-Auth-Token": self.token(user)})

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Use the control port; the answer's body."""
        reply = self.send("control", method, path, body)
        assert reply.status < 300, reply
        return reply.body

    def knobs(self, **knobs: Any) -> None:
        """Change knobs."""
        self.control("PUT", "/knobs", knobs)

    def post_server(self, version: str = MICROVERSION, user: str = "demo", **changes: Any) -> Reply:
        """POST a server; a change to None removes the key."""
        server = {
            "name": "one",
            "flavorRef": FLAVORS[0].id,
            "imageRef": IMAGE_ID,
            "networks": [{"uuid": PRIVATE.id}],
            **changes,
        }
        server = {key: value for key, value in server.items() if value is not None}
        return self.nova("POST", "/servers", {"server": server}, version, user)

    def create(self, **changes: Any) -> str:
        """Create a server; its id."""
        reply = self.post_server(**changes)
        assert reply.status == 202, reply
        identifier: str = reply.body["server"]["id"]
        return identifier

    def show(self, server_id: str, version: str = MICROVERSION, user: str = "demo") -> dict[str, Any]:
        """A server's record."""
        reply = self.nova("GET", f"/servers/{server_id}", version=version, user=user)
        assert reply.status == 200, reply
        record: dict[str, Any] = reply.body["server"]
        return record

    def names(self, query: str = "", version: str = MICROVERSION, user: str = "demo") -> list[str]:
        """The names of the servers in a list, sorted."""
        reply = self.nova("GET", f"/servers{query}", version=version, user=user)
        assert reply.status == 200, reply
        return sorted(server["name"] for server in reply.body["servers"])


def message(reply: Reply) -> str:
    """The sentence of Nova's error."""
    ((_, error),) = reply.body.items()
    assert error["code"] == reply.status
    return str(error["message"])
