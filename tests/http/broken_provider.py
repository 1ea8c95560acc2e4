"""A provider without a cloud that violates one rule: `python broken_provider.py FOLDER FAULT COMMAND -f FILE`.

It keeps its state in the folder. It uses only the standard library, since every call starts it anew.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Answer:
    """The answer that will be printed."""

    def __init__(self, state: dict[str, Any], request_id: str) -> None:
        self.state = state
        self.request_id = request_id
        self.document: dict[str, Any] = {}
        self.exit_code = 0
        self.stderr = ""
        self.end = "\n"

    @property
    def machines(self) -> list[dict[str, Any]]:
        """The machines of a status."""
        requests = self.document["requests"]
        found: list[dict[str, Any]] = (requests[0] if isinstance(requests, list) else requests)["machines"]
        return found

    @property
    def lost(self) -> list[int]:
        """The numbers of the machines that failed."""
        return list(self.state.get("lost", []))

    def ask(self, command: str, question: dict[str, Any]) -> None:
        """Answer as a good provider does; machines are ready, or deleted, at the second poll."""
        if command == "getAvailableTemplates":
            attributes = {"type": ["String", "X86_64"], "ncpus": ["Numeric", "1"], "nram": ["Numeric", "512"]}
            template = {"templateId": "only", "maxNumber": 5, "attributes": attributes}
            self.document = {"templates": [template], "message": ""}
        elif command == "requestMachines":
            self.state["count"] = question["template"]["machineCount"]
            self.document = {"requestId": "req-1", "message": "requested"}
        elif command == "getRequestStatus" and not self.request_id:
            self.document, self.exit_code = {"message": "requestId is missing"}, 1
        elif command == "getRequestStatus":
            answer = self.status()
            self.document = {"requests": [answer] if isinstance(question["requests"], list) else answer}
        elif command == "getReturnRequests":
            lost = [{"machine": f"host-{one}", "machineId": f"id-{one}", "gracePeriod": 0} for one in self.lost]
            self.document = {"status": "complete", "message": "", "requests": lost}
        else:
            self.state["returned"] = [one["machineId"] for one in question["machines"]]
            self.document = {"requestId": "ret-1", "message": "being deleted"}

    def status(self) -> dict[str, Any]:
        """Answer for one request."""
        polls = self.state.setdefault("polls", {})
        polls[self.request_id] = polls.get(self.request_id, 0) + 1
        over, returning = polls[self.request_id] > 1, self.request_id == "ret-1"
        lost = self.lost if over and not returning else []
        machines = [
            {
                "machineId": f"id-{number}",
                "name": f"host-{number}",
                "result": "fail" if number in lost else "succeed" if over else "executing",
                "status": "terminated" if (over and returning) or number in lost else "running",
                "privateIpAddress": f"10.0.0.{number}" if over or returning else "",
                "launchtime": 1772357420,
                "message": "no valid host" if number in lost else "",
            }
            for number in range(self.state["count"])
        ]
        status = "running" if not over else "complete_with_error" if lost else "complete"
        message = "no valid host" if lost else ""
        return {"requestId": self.request_id, "status": status, "message": message, "machines": machines}

    def print(self) -> None:
        """Print it."""
        sys.stderr.write(self.stderr)
        sys.stdout.write(json.dumps(self.document) + self.end)


def hang(_: Answer) -> None:
    """Never answer; neither does the child."""
    os.fork()
    signal.pause()


def interrupt(_: Answer) -> None:
    """Press Ctrl-C."""
    os.kill(os.getppid(), signal.SIGINT)


def twice(answer: Answer) -> None:
    answer.end = "\n" + json.dumps(answer.document) + "\n"


def warn(answer: Answer) -> None:
    answer.stderr = "warning: old\n"


def exit_2(answer: Answer) -> None:
    answer.exit_code = 2


def refuse(answer: Answer) -> None:
    answer.document, answer.exit_code = {"message": "the quota is used up"}, 1


def accept(answer: Answer) -> None:
    answer.document, answer.exit_code = {"requests": []}, 0


def one_less(answer: Answer) -> None:
    answer.machines.pop()


def no_address(answer: Answer) -> None:
    answer.machines[0]["privateIpAddress"] = ""


def launchtime_in_words(answer: Answer) -> None:
    answer.machines[0]["launchtime"] = "yesterday"


def later(answer: Answer) -> None:
    answer.machines[0]["launchtime"] += answer.state["polls"][answer.request_id]


def same_name(answer: Answer) -> None:
    answer.machines[0]["name"] = answer.machines[1]["name"]


def lists_only(answer: Answer) -> None:
    requests = answer.document["requests"]
    answer.document["requests"] = requests if isinstance(requests, list) else [requests]


def never_over(answer: Answer) -> None:
    lists_only(answer)
    answer.document["requests"][0]["status"] = "running"
    for one in answer.machines:
        one["result"] = "executing"


def lose(answer: Answer) -> None:
    answer.state["lost"] = [1]


def lose_and_report(answer: Answer) -> None:
    lose(answer)
    report(answer)


def report(answer: Answer) -> None:
    answer.document["requests"] = [{"machine": "host-1", "machineId": "id-1", "gracePeriod": 0}]


FAULTS: dict[str, tuple[str, Callable[[Answer], None]]] = {
    "none": ("", lambda _: None),
    "templates-exit-2": ("getAvailableTemplates", exit_2),
    "bad-question-accepted": ("getRequestStatus of ", accept),
    "request-refused": ("requestMachines", refuse),
    "request-hangs": ("requestMachines", hang),
    "request-warns": ("requestMachines", warn),
    "request-interrupted": ("requestMachines", interrupt),
    "two-documents": ("getRequestStatus of req-1", twice),
    "polls-hang": ("getRequestStatus of req-1", hang),
    "machine-forgotten": ("getRequestStatus of req-1", one_less),
    "address-missing": ("getRequestStatus of req-1", no_address),
    "launchtime-in-words": ("getRequestStatus of req-1", launchtime_in_words),
    "launchtime-moves": ("getRequestStatus of req-1", later),
    "names-alike": ("getRequestStatus of req-1", same_name),
    "lists-only": ("getRequestStatus of req-1", lists_only),
    "never-over": ("getRequestStatus of req-1", never_over),
    "machine-fails": ("requestMachines", lose),
    "machine-lost": ("getReturnRequests", lose_and_report),
    "working-one-reported": ("getReturnRequests", report),
    "return-refused": ("requestReturnMachines", refuse),
    "return-interrupted": ("getRequestStatus of ret-1", interrupt),
    "never-gone": ("getRequestStatus of ret-1", never_over),
}
"""Each fault: at which call, and what it does to the answer."""


def main() -> None:
    """Answer one call, wrongly if the fault is about it."""
    folder, fault, command, _, path = sys.argv[1:]
    file = Path(folder, "state.json")
    state = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    question = json.loads(Path(path).read_text(encoding="utf-8"))
    requests = question.get("requests", {})
    request_id = (requests[0] if isinstance(requests, list) else requests).get("requestId", "")
    answer = Answer(state, request_id)
    answer.ask(command, question)
    file.write_text(json.dumps(state), encoding="utf-8")
    where, spoil = FAULTS[fault]
    if where == (f"{command} of {request_id}" if command == "getRequestStatus" else command):
        spoil(answer)
        file.write_text(json.dumps(state), encoding="utf-8")
    answer.print()
    sys.exit(answer.exit_code)


if __name__ == "__main__":
    main()
