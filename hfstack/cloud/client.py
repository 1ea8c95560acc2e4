"""Requests to one service of the cloud: retried within the time budget, with clear errors."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from hfstack._typing import TYPE_CHECKING
from hfstack.cloud.transport import Reply, Unreachable, leads_to
from hfstack.context import Budget
from hfstack.errors import CloudTrouble, one_line
from hfstack.log import Log

if TYPE_CHECKING:
    from typing import Any, Protocol, TypeVar

    T = TypeVar("T")

    class Transport(Protocol):
        """Sends one request."""

        def send(
            self, method: str, url: str, headers: Mapping[str, str], timeout: float, body: bytes | None = None
        ) -> Reply:
            """Return the reply, whatever its status. Raises `CloudTrouble`, `ConfigError`."""


MAX_PARALLEL = 8
"""How many servers a call queries or changes at the same time, with one request each."""

PAUSES = (0.5, 1.5)
"""Seconds before the second and third attempts of a GET or DELETE, unless Retry-After says otherwise.

HostFactory polls again in half a minute, so more attempts would only delay it.
"""

SERVICES = {"Nova": "compute", "Neutron": "network", "Glance": "image"}
"""The type of each service, by its name in messages."""

RETRIED = frozenset({413, 429, 502, 503, 504})


class ServiceClient:
    """One service's endpoint. Messages call it `name`; every request carries `headers`."""

    def __init__(
        self,
        name: str,
        endpoint: str,
        transport: Transport,
        budget: Budget,
        timeout: float,
        log: Log,
        headers: Mapping[str, str],
    ) -> None:
        self.name = name
        self.endpoint = endpoint.rstrip("/")
        self.transport = transport
        self.budget = budget
        self.timeout = timeout
        self.log = log
        self.headers = {"Accept": "application/json", **headers}
        self.date = ""
        """The service's own time, in the last reply that gave it."""

    def get(self, path: str) -> Reply:
        """GET `path`, with retries. Raises `CloudTrouble` without a reply."""
        return self.with_retries("GET", path)

    def with_retries(self, method: str, path: str, document: object = None) -> Reply:
        """Send a request that may be repeated, retry it after a transient fault, and return the last reply.

        Raises `CloudTrouble` without a reply.
        """
        for pause in PAUSES:
            try:
                reply = self.once(method, path, document)
            except Unreachable:
                if not self.waited(pause):
                    raise
                continue
            if reply.status not in RETRIED or not self.waited(retry_after(reply, pause)):
                return reply
        return self.once(method, path, document)

    def once(self, method: str, path: str, document: object = None) -> Reply:
        """Send one request without retries, with a JSON document if there is one. Raises `CloudTrouble`."""
        left = self.budget.left()
        if left <= 0:
            raise CloudTrouble(f"{self.name}: this call ran out of time")
        body = None if document is None else json.dumps(document).encode()
        headers = self.headers if body is None else {**self.headers, "Content-Type": "application/json"}
        try:
            reply = self.transport.send(method, self.endpoint + path, headers, min(self.timeout, left), body)
        except Unreachable as trouble:
            self.log.warning(f"{method} {path}: {trouble}")
            raise
        self.date = reply.headers.get("date", self.date)
        if reply.status < 400 or reply.status == 404:
            self.log.debug(f"{method} {path}: {reply.status}, {len(reply.body)} bytes")
        else:
            self.log.warning(
                f"{method} {path}: {reply.status} {error_message(reply)} {' '.join(openstack_ids(reply))}".rstrip()
            )
        return reply

    def get_json(self, path: str) -> tuple[dict[str, Any], Reply]:
        """GET `path` and return its JSON object. Raises `CloudTrouble` for everything but a 200 that holds one."""
        reply = self.get(path)
        if reply.status != 200:
            raise self.refusal(reply)
        return self.parsed(reply), reply

    def parsed(self, reply: Reply) -> dict[str, Any]:
        """Return the JSON object in a reply. Raises `CloudTrouble`."""
        try:
            document = json.loads(reply.body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise CloudTrouble(f"{self.name} answered {reply.status} with a malformed body", openstack_ids(reply))
        return document

    def refusal(self, reply: Reply) -> CloudTrouble:
        """Return an error that says why a reply cannot be used."""
        if 300 <= reply.status < 400:
            target = leads_to(self.endpoint, reply.headers.get("location", ""))
            return CloudTrouble(
                f"{self.name} at {self.endpoint} redirects to {target} ({reply.status}), which hfstack does not "
                f"follow: {correct(SERVICES[self.name])}",
                openstack_ids(reply),
            )
        meaning = {
            401: "refuses the token, even after a new login",
            403: "does not allow this account to do this",
            406: "is too old for hfstack",
            413: "reports too many requests",
            429: "reports too many requests",
        }.get(reply.status, "failed" if reply.status >= 500 else "gave an unexpected answer")
        return CloudTrouble(
            f"{self.name} {meaning}: {reply.status} {error_message(reply)}".rstrip(), openstack_ids(reply)
        )

    def waited(self, seconds: float) -> bool:
        """Wait before the next attempt; return `False` immediately if the budget does not allow it."""
        if seconds >= self.budget.left():
            return False
        self.budget.sleep(seconds)
        return True


def correct(service: str) -> str:
    """Return what to do about a wrong endpoint, for the end of a message."""
    return f"correct the endpoint in the catalogue, or {service}_endpoint_override in clouds.yaml"


def is_elsewhere(reply: Reply) -> bool:
    """Tell whether a reply shows that the service is not, or no longer, at this address: OpenStack's 404 is JSON."""
    return (
        300 <= reply.status < 400
        or reply.status == 410
        or (reply.status == 404 and "json" not in reply.headers.get("content-type", ""))
    )


def error_message(reply: Reply) -> str:
    """Return the message of an OpenStack error body in one line; else the start of plain text, never of HTML."""
    try:
        document = json.loads(reply.body)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        for fault in document.values():
            message = fault.get("message") if isinstance(fault, dict) else fault
            if isinstance(message, str):
                return one_line(message)
    if reply.headers.get("content-type", "").startswith("text/plain"):
        return one_line(reply.body.decode("utf-8", "replace"))
    return ""


def openstack_ids(reply: Reply) -> tuple[str, ...]:
    """Return OpenStack's own id of the request, for a search in its logs."""
    request_id = reply.headers.get("x-openstack-request-id") or reply.headers.get("x-compute-request-id")
    return (request_id,) if request_id else ()


def retry_after(reply: Reply, default: float) -> float:
    """Return the seconds that Retry-After gives (as a number or a date), else the default."""
    value = reply.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value)
    import email.utils

    try:
        moment = email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return default
    return max(0.0, moment - time.time())


def rows(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the objects of a list; none if the document has another shape."""
    values = document.get(key)
    return [row for row in values if isinstance(row, dict)] if isinstance(values, list) else []


def in_parallel(
    verb: Callable[[str], T], ids: Iterable[str], stop_at: type[CloudTrouble]
) -> tuple[dict[str, T], CloudTrouble | None]:
    """Do something with each id, a few at a time, and stop after trouble of the kind `stop_at`.

    Returns the results by id, and the first trouble, if any.
    """
    wanted = list(dict.fromkeys(ids))
    done: dict[str, T] = {}
    troubles: list[CloudTrouble] = []

    def attempt(server_id: str) -> None:
        if not any(isinstance(trouble, stop_at) for trouble in troubles):
            try:
                done[server_id] = verb(server_id)
            except CloudTrouble as trouble:
                troubles.append(trouble)

    in_threads(attempt, wanted, MAX_PARALLEL)
    return done, troubles[0] if troubles else None


def in_threads(verb: Callable[[str], object], items: Iterable[str], threads: int) -> str:
    """Do something with each item, exactly once, in at most so many threads, of which this is one.

    Returns why no more threads could be started, "" if all were: then the started ones do all the work. Raises the
    first error after all are done.
    """
    waiting = deque(items)
    errors: list[BaseException] = []

    def work() -> None:
        while waiting:
            try:
                item = waiting.popleft()
            except IndexError:
                return  # another thread has taken the last one
            try:
                verb(item)
            except BaseException as error:  # noqa: BLE001 - it is raised by the caller's thread
                errors.append(error)

    helpers = []
    problem = ""
    for _ in range(min(threads, len(waiting)) - 1):
        # most polls have none or one item, and should not load this
        from threading import Thread

        helper = Thread(target=work)
        try:
            helper.start()
        except RuntimeError as error:
            problem = str(error)
            break
        helpers.append(helper)
    work()
    for helper in helpers:
        helper.join()
    if errors:
        raise errors[0]
    return problem
