"""One rehearsal: calls the scripts in HostFactory's order, and collects every violation of its rules.

Templates, a request, polls until it has ended, return requests, a return, polls until every machine is deleted.
Whatever happens on the way, the machines of this run, and no others, are returned.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from hfstack import states
from hfstack.admin.rehearse import checks
from hfstack.admin.rehearse.console import Console
from hfstack.admin.rehearse.output import Answer, Call, read
from hfstack.admin.rehearse.scripts import Scripts
from hfstack.errors import counted
from hfstack.schema import Machine, RequestStatus

MAX_PAUSE = 5.0
"""Seconds between two polls at most; the first ones follow each other faster."""

ATTEMPTS = 3
"""How many calls in a row may fail before a script is no longer called."""


class Stopped(Exception):
    """The request cannot be followed any further; the reason has been noted."""


class Rehearsal:
    """One rehearsal. Machines may take `timeout` seconds to be created, and again to be deleted."""

    def __init__(self, scripts: Scripts, console: Console, timeout: float) -> None:
        self.scripts = scripts
        self.console = console
        self.timeout = timeout
        self.calls: list[Call] = []
        self.violations: list[str] = []
        self.request_id = ""
        self.machines: checks.Machines = {}
        """The machines of this run."""
        self.polled: dict[str, Machine] = {}
        """The same machines as last reported, by their ids, as far as the answers were valid."""
        self.deleted: set[str] = set()
        self.outstanding = 0
        """How many machines were requested, until every one of them is accounted for."""
        self.returning = False
        self.interrupted = self.announced = False

    @property
    def leaked(self) -> list[str]:
        """The machines that were not returned, or of which nobody knows."""
        found = [f"{machine['name']} ({key})" for key, machine in self.machines.items() if key not in self.deleted]
        unknown = self.outstanding - len(self.machines)
        if unknown > 0 and self.request_id:
            found.append(f"{counted(unknown, 'machine')} of {self.request_id}, never reported")
        elif unknown > 0:
            found.append(f"{counted(unknown, 'machine')} of a requestMachines call that gave no requestId")
        return found

    def run(self, template_id: str, machines: int) -> None:
        """Run it all; a `template_id` of "" takes the first. Raises `KeyboardInterrupt` on the second Ctrl-C."""
        with self.interruptible():
            try:
                template_id = self.choose_template(template_id, machines)
                # HostFactory must get exit code 1 and the reason, whatever stands between it and the program
                self.call("getRequestStatus", {"requests": [{}]}, exit_code=1)
                self.request_machines(template_id, machines)
                self.check_return_requests()
            except Stopped:
                self.find_machines()
            except Exception:
                self.return_machines()
                raise
            self.return_machines()

    # The machines are created

    def choose_template(self, template_id: str, machines: int) -> str:
        """Get the templates, and return the id of the one to use."""
        document = self.call("getAvailableTemplates", {}).document
        if document is None:
            raise Stopped
        self.note("getAvailableTemplates", checks.templates(document))
        template_id = template_id or next((one["templateId"] for one in document["templates"]), "")
        reason = checks.not_offered(document, template_id, machines)
        if reason:
            self.note("getAvailableTemplates", [reason])
            raise Stopped
        requested = f"{counted(machines, 'machine')} of template {template_id}"
        self.console.say(f"Requesting {requested}; every machine is returned at the end.")
        return template_id

    def request_machines(self, template_id: str, machines: int) -> None:
        """Request machines, and poll until it is known what became of them."""
        self.check_interrupted()
        self.outstanding = machines
        answer = self.call("requestMachines", {"template": {"templateId": template_id, "machineCount": machines}})
        self.request_id = checks.request_id(answer.found)
        if not self.request_id:
            # refused means that nothing was created; any other failure leaves that open
            self.outstanding = 0 if self.calls[-1].exit_code == 1 else machines
            raise Stopped
        last = self.follow(self.request_id)
        self.outstanding = 0
        self.note(f"getRequestStatus of {self.request_id}", checks.all_created(last, machines))

    def check_return_requests(self) -> None:
        """Get the return requests: they must not name machines that still work."""
        document = self.call("getReturnRequests", {"machines": list(self.machines.values())}).document
        if document and checks.return_requests(document, self.polled):
            # the cloud may have taken a machine away since it was last polled
            self.poll(self.request_id)
            self.note("getReturnRequests", checks.return_requests(document, self.polled))

    # The machines are deleted

    def find_machines(self) -> None:
        """Learn which machines there are, if the rehearsal was stopped before all were reported."""
        self.returning = True
        attempts = ATTEMPTS if self.interrupted and self.request_id else 0
        for pause, _ in zip(pauses(), range(attempts), strict=False):
            if len(self.machines) >= self.outstanding:
                break
            self.poll(self.request_id)
            self.wait(pause)

    def return_machines(self) -> None:
        """Return every machine of this run, and wait until it is deleted."""
        self.returning = True
        return_id = self.request_return() if self.machines else ""
        if not return_id:
            return
        try:
            last = self.follow(return_id)
        except Stopped:
            return
        self.note(f"getRequestStatus of {return_id}", checks.all_returned(last, self.machines))

    def request_return(self) -> str:
        """Request the return of the machines; return its id, "" if no call gave one."""
        for pause, _ in zip(pauses(), range(ATTEMPTS), strict=False):
            answer = self.call("requestReturnMachines", {"machines": list(self.machines.values())})
            request_id = checks.request_id(answer.found)
            if request_id:
                return request_id
            self.wait(pause)
        return ""

    # Polls

    def follow(self, request_id: str) -> RequestStatus:
        """Poll until a request has ended, and once more; return the answer that ended it. Raises `Stopped`."""
        where = f"getRequestStatus of {request_id}"
        deadline = time.monotonic() + self.timeout
        succeeded: dict[str, Machine] = {}
        failures = 0
        pause = pauses()
        while True:
            request = self.poll(request_id)
            failures = failures + 1 if request is None else 0
            if request:
                self.note(where, checks.unchanged(succeeded, request))
                now = {one["machineId"]: one for one in request["machines"] if one["result"] == states.SUCCEED}
                succeeded = now | succeeded
            if request and request["status"] != "running":
                break
            if failures == ATTEMPTS:
                raise Stopped
            if time.monotonic() >= deadline:
                self.note(where, [f"still running after {self.timeout:g} s"])
                raise Stopped
            self.wait(next(pause))
        # asked without the list, a request that has ended must be what it was
        again = self.poll(request_id, in_list=False)
        if again:
            self.note(where, [*checks.unchanged(succeeded, again), *checks.same_status(request, again)])
        return request

    def poll(self, request_id: str, *, in_list: bool = True) -> RequestStatus | None:
        """Poll one request; return its answer, `None` if there is none that can be used."""
        question = {"requestId": request_id}
        answer = self.call("getRequestStatus", {"requests": [question] if in_list else question})
        returning = request_id != self.request_id
        if not returning:
            self.machines |= checks.machines_in(answer.found)
        if answer.document is None:
            return None
        request, violations = checks.only_request(answer.document, request_id, in_list)
        if request:
            violations += checks.consistent(request, returning)
            if returning:
                self.deleted |= checks.deleted(request)
            else:
                self.polled |= {machine["machineId"]: machine for machine in request["machines"]}
        self.note(f"getRequestStatus of {request_id}", violations)
        return request

    # Each call

    def call(self, command: str, document: Mapping[str, object], exit_code: int = 0) -> Answer:
        """Call a script, and note what is wrong with its answer. Raises `Stopped` if the rehearsal was interrupted."""
        self.check_interrupted()
        call = self.scripts.call(command, document)
        self.calls.append(call)
        answer = read(call, exit_code)
        self.console.show_answer(call, document, answer)
        self.note(command, answer.violations)
        return answer

    def check_interrupted(self) -> None:
        """Raise `Stopped` if somebody interrupted the rehearsal before its machines were to be returned."""
        if self.interrupted and not self.announced:
            self.announced = True
            self.console.say("Interrupted: returning the machines. Interrupt again to leave them where they are.")
        if self.interrupted and not self.returning:
            self.note("the rehearsal", ["it was interrupted"])
            raise Stopped

    def note(self, where: str, violations: Iterable[str]) -> None:
        """Keep each violation once: a broken script violates the same rule at every poll."""
        for violation in violations:
            sentence = f"{where}: {violation}"
            if sentence not in self.violations:
                self.violations.append(sentence)

    def wait(self, seconds: float) -> None:
        """Wait between two polls, but no longer than until somebody interrupts the rehearsal."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and (self.returning or not self.interrupted):
            time.sleep(min(left, 0.1))

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let the first Ctrl-C, or SIGTERM, go on with returning the machines, and the second end everything."""

        def interrupt(*_: object) -> None:
            # announced later: the signal may arrive while something is being printed
            if self.interrupted:
                raise KeyboardInterrupt
            self.interrupted = True

        before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def pauses() -> Iterator[float]:
    """Yield the pauses between polls in seconds: 0.25, 0.5, 1 … up to the longest, which then stays."""
    pause = 0.25
    while True:
        yield pause
        pause = min(2 * pause, MAX_PAUSE)
