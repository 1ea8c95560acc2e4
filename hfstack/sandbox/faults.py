"""Faults that are injected into requests, and the journal of the requests that were served."""

from __future__ import annotations

import re
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from hfstack.sandbox.routing import Answer, Drop, Request

JOURNAL_LENGTH = 10_000


@dataclass
class Fault:
    """One fault. Its first fields say which requests it matches, the others what happens to them."""

    service: str | None = None
    """The service; None for any."""
    method: str | None = None
    """The method; None for any."""
    path: str = ""
    """A regular expression that is searched in path and query."""
    skip: int = 0
    """How many matching requests pass first."""
    times: int = 1
    """How many requests it affects; -1 for all."""
    delay: float = 0.0
    """How long the answer waits (seconds)."""
    act_first: bool = False
    """Whether the request is carried out before the delay and the rest."""
    status: int | None = None
    """The answer's status, with `headers` and `body`; the request is not carried out unless `act_first`."""
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    drop: str | None = None
    """`before`: cut, nothing carried out. `after`: carried out, then cut. `mid`: carried out, cut in the body."""

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Fault:
        """A fault from JSON. Raises `ValueError`."""
        unknown = set(document) - {known.name for known in fields(cls)}
        if unknown:
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
        fault = cls(**document)
        re.compile(fault.path)
        if fault.drop is not None:
            Drop(fault.drop)
        return fault

    def as_dict(self) -> dict[str, Any]:
        """The fault as JSON, with the remaining `skip` and `times`."""
        return asdict(self)

    def matches(self, service: str, request: Request) -> bool:
        """Whether the fault affects this request. Counts `skip` and `times` down."""
        if self.service not in {None, service} or self.method not in {None, request.method}:
            return False
        if self.times == 0 or not re.search(self.path, request.target):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= self.times > 0
        return True

    def replace(self, answer: Answer | None) -> Answer:
        """The answer that replaces the real one, which is None if the request was not carried out."""
        if self.status is not None:
            answer = Answer(self.status, self.body.encode(), list(self.headers.items()))
        answer = answer or Answer(204)
        answer.drop = Drop(self.drop) if self.drop else None
        return answer

    @property
    def acts(self) -> bool:
        """Whether the request is carried out at all."""
        return self.act_first or (self.status is None and self.drop != "before")


class Faults:
    """The faults in the order in which they were added; the first that matches a request applies."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._released = threading.Event()

    def add(self, fault: Fault) -> None:
        """Add a fault."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Remove all faults, and end the delays in progress."""
        with self._lock:
            self._faults.clear()
        self.release()

    def as_list(self) -> list[dict[str, Any]]:
        """All faults, including those that are used up."""
        with self._lock:
            return [fault.as_dict() for fault in self._faults]

    def release(self) -> None:
        """End the delays in progress."""
        with self._lock:
            released, self._released = self._released, threading.Event()
        released.set()

    def apply(self, service: str, request: Request, act: Callable[[], Answer]) -> Answer:
        """Carry a request out, as far as the faults let it."""
        with self._lock:
            fault = next((one for one in self._faults if one.matches(service, request)), None)
            released = self._released
        if fault is None:
            return act()
        answer = act() if fault.acts and fault.act_first else None
        released.wait(fault.delay)
        if fault.acts and answer is None:
            answer = act()
        return fault.replace(answer)


class Journal:
    """The requests that were served."""

    def __init__(self) -> None:
        self._entries: deque[list[Any]] = deque(maxlen=JOURNAL_LENGTH)
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def note(self, service: str, request: Request, answer: Answer) -> None:
        """Record one request, without its token."""
        unanswered = answer.drop in {Drop.BEFORE, Drop.AFTER}
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _SECRET}
        entry = [service, request.method, request.target, None if unanswered else answer.status, headers]
        kind = f"{request.method} {request.template or request.path}"
        with self._lock:
            self._entries.append(entry)
            self._counts[service, f"{kind}?{request.query}" if request.query else kind] += 1

    def clear(self) -> None:
        """Clear the journal."""
        with self._lock:
            self._entries.clear()
            self._counts.clear()

    def entries(self) -> list[list[Any]]:
        """`[service, method, path and query, status, headers]` of each, the newest last."""
        with self._lock:
            return list(self._entries)

    def counts(self, service: str) -> dict[str, int]:
        """How often each method, path template and query was served."""
        with self._lock:
            return {kind: count for (name, kind), count in self._counts.items() if name == service}


_SECRET = frozenset({"x-auth-token", "x-subject-token"})
