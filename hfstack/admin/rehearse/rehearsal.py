"""Plays HostFactory: asks the scripts, in HostFactory's order, and collects every breach of the rules.

Templates, request, polls until it has ended, return requests, return, polls until everything is gone. Whatever happens
on the way, the machines that were given in this run, and no others, are given back.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from hfstack import states
from hfstack.admin.rehearse import checks
from hfstack.admin.rehearse.console import Screen
from hfstack.admin.rehearse.output import Called, Read, read
from hfstack.admin.rehearse.scripts import Scripts
from hfstack.schema import Machine, RequestStatus

LONGEST_PAUSE = 5.0
"""Seconds between two polls, at the most; the first ones come quicker."""

ATTEMPTS = 3
"""How often in a row a script may fail to answer before it is not asked any more."""


class Cut(Exception):
    """The machines' coming cannot be followed any further; why has been noted."""


class Player:
    """One rehearsal. Machines may take `patience` seconds to come, and as long to go."""

    def __init__(self, scripts: Scripts, screen: Screen, patience: float) -> None:
        self.scripts = scripts
        self.screen = screen
        self.patience = patience
        self.calls: list[Called] = []
        self.breaches: list[str] = []
        self.request_id = ""
        self.given: checks.Named = {}
        """The machines of this run, as requestReturnMachines takes them, by their ids."""
        self.polled: dict[str, Machine] = {}
        """The machines of this run as the latest answer had them, by their ids."""
        self.gone: set[str] = set()
        self.awaited = 0
        """How many machines were asked for, until it is known what became of each."""
        self.giving_back = False
        self.stopped = self.heard = False

    @property
    def left(self) -> list[str]:
        """What was not given back, or not to anybody's knowledge."""
        found = [f"{one['name']} ({key})" for key, one in self.given.items() if key not in self.gone]
        unknown = self.awaited - len(self.given)
        if unknown > 0 and self.request_id:
            found.append(f"{checks.counted(unknown, 'machine')} of {self.request_id}, never reported")
        elif unknown > 0:
            found.append(f"{checks.counted(unknown, 'machine')} of a requestMachines call that gave no requestId")
        return found

    def play(self, template_id: str, machines: int) -> None:
        """Play it all; a `template_id` of "" takes the first. Raises `KeyboardInterrupt` on the second Ctrl-C."""
        with self.stoppable():
            try:
                template_id = self.choose(template_id, machines)
                # HostFactory is to get exit code 1 and the reason, whatever stands between it and the program
                self.ask("getRequestStatus", {"requests": [{}]}, exit_code=1)
                self.acquire(template_id, machines)
                self.check_reclaimed()
            except Cut:
                self.find_out()
            except Exception:
                self.give_back()
                raise
            self.give_back()

    # The machines come

    def choose(self, template_id: str, machines: int) -> str:
        """Ask for the templates, and return the id of the one to use."""
        document = self.ask("getAvailableTemplates", {}).document
        if document is None:
            raise Cut
        self.note("getAvailableTemplates", checks.templates(document))
        template_id = template_id or next((one["templateId"] for one in document["templates"]), "")
        reason = checks.unfit(document, template_id, machines)
        if reason:
            self.note("getAvailableTemplates", [reason])
            raise Cut
        self.screen.say(
            f"Requesting {checks.counted(machines, 'machine')} of template {template_id}; "
            "every machine is returned at the end."
        )
        return template_id

    def acquire(self, template_id: str, machines: int) -> None:
        """Ask for machines, and poll until it is known what became of them."""
        self.go_on()
        self.awaited = machines
        answer = self.ask("requestMachines", {"template": {"templateId": template_id, "machineCount": machines}})
        self.request_id = checks.request_id(answer.found)
        if not self.request_id:
            # refused, nothing was made; any other end leaves that open
            self.awaited = 0 if self.calls[-1].exit_code == 1 else machines
            raise Cut
        last = self.follow(self.request_id)
        self.awaited = 0
        self.note(f"getRequestStatus of {self.request_id}", checks.came(last, machines))

    def check_reclaimed(self) -> None:
        """Ask which machines are to be given back: none of those that have just come."""
        document = self.ask("getReturnRequests", {"machines": list(self.given.values())}).document
        if document and checks.reclaimed(document, self.polled):
            # the cloud may have taken a machine away since it was last polled
            self.poll(self.request_id)
            self.note("getReturnRequests", checks.reclaimed(document, self.polled))

    # The machines go

    def find_out(self) -> None:
        """Learn which machines there are, where somebody stopped the play before all were known."""
        self.giving_back = True
        attempts = ATTEMPTS if self.stopped and self.request_id else 0
        for pause, _ in zip(growing(), range(attempts), strict=False):
            if len(self.given) >= self.awaited:
                break
            self.poll(self.request_id)
            self.wait(pause)

    def give_back(self) -> None:
        """Return every machine that was given, and see that it goes."""
        self.giving_back = True
        return_id = self.return_id() if self.given else ""
        if not return_id:
            return
        try:
            last = self.follow(return_id)
        except Cut:
            return
        self.note(f"getRequestStatus of {return_id}", checks.went(last, self.given))

    def return_id(self) -> str:
        """Have the machines returned, and return the id to ask for; "" if there is none to be had."""
        for pause, _ in zip(growing(), range(ATTEMPTS), strict=False):
            answer = self.ask("requestReturnMachines", {"machines": list(self.given.values())})
            request_id = checks.request_id(answer.found)
            if request_id:
                return request_id
            self.wait(pause)
        return ""

    # Polls

    def follow(self, request_id: str) -> RequestStatus:
        """Poll until a request has ended, and once more; return the answer that ended it. Raises `Cut`."""
        where = f"getRequestStatus of {request_id}"
        deadline = time.monotonic() + self.patience
        ready: dict[str, Machine] = {}
        misses = 0
        pauses = growing()
        while True:
            answer = self.poll(request_id)
            misses = misses + 1 if answer is None else 0
            if answer:
                self.note(where, checks.steady(ready, answer))
                ready = {one["machineId"]: one for one in answer["machines"] if one["result"] == states.SUCCEED} | ready
            if answer and answer["status"] != "running":
                break
            if misses == ATTEMPTS:
                raise Cut
            if time.monotonic() >= deadline:
                self.note(where, [f"found running after {self.patience:g} s"])
                raise Cut
            self.wait(next(pauses))
        # in the other container, a request that has ended is what it was
        again = self.poll(request_id, in_list=False)
        if again:
            self.note(where, [*checks.steady(ready, again), *checks.settled(answer, again)])
        return answer

    def poll(self, request_id: str, *, in_list: bool = True) -> RequestStatus | None:
        """Ask for one request; return the answer, `None` if there is none that can be used."""
        question = {"requestId": request_id}
        answer = self.ask("getRequestStatus", {"requests": [question] if in_list else question})
        if request_id == self.request_id:
            self.given |= checks.machines_in(answer.found)
        if answer.document is None:
            return None
        found, breaches = checks.the_one(answer.document, request_id, in_list)
        self.note(f"getRequestStatus of {request_id}", breaches)
        if found:
            going = request_id != self.request_id
            self.note(f"getRequestStatus of {request_id}", checks.coherent(found, going))
            if going:
                self.gone |= checks.gone(found)
            else:
                self.polled |= {one["machineId"]: one for one in found["machines"]}
        return found

    # Each question

    def ask(self, command: str, document: Mapping[str, object], exit_code: int = 0) -> Read:
        """Ask one question, and note what is wrong with the answer. Raises `Cut` if the play was stopped before."""
        self.go_on()
        called = self.scripts.call(command, document)
        self.calls.append(called)
        answer = read(called, exit_code)
        self.screen.answered(called, document, answer)
        self.note(command, answer.breaches)
        return answer

    def go_on(self) -> None:
        """Raise `Cut` if somebody stopped the machines' coming."""
        if self.stopped and not self.heard:
            self.heard = True
            self.screen.say("Stopping: what was given is given back. Stopped again, it is left where it is.")
        if self.stopped and not self.giving_back:
            self.note("the rehearsal", ["it was stopped half-way"])
            raise Cut

    def note(self, where: str, breaches: Iterable[str]) -> None:
        """Keep each breach once: a broken script breaks the same rule at every poll."""
        for breach in breaches:
            sentence = f"{where}: {breach}"
            if sentence not in self.breaches:
                self.breaches.append(sentence)

    def wait(self, seconds: float) -> None:
        """Wait between two polls, not longer than until somebody stops the machines' coming."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and (self.giving_back or not self.stopped):
            time.sleep(min(left, 0.1))

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Have Ctrl-C, and SIGTERM, end the machines' coming, and only the second one end everything."""

        def stop(*_: object) -> None:
            # said later: it may have come in the middle of something being printed
            if self.stopped:
                raise KeyboardInterrupt
            self.stopped = True

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def growing() -> Iterator[float]:
    """Yield the pauses between polls in seconds: 0.25, 0.5, 1 … up to the longest, which then stays."""
    pause = 0.25
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE)
