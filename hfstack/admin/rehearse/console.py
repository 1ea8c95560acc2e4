"""What an administrator sees of a rehearsal: a line for each answer that says something new, and the result."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import rich.console
from rich.table import Table

from hfstack.admin.rehearse.checks import objects
from hfstack.admin.rehearse.output import Answer, Call

MAX_FINDINGS = 30
"""How many violations are listed: one broken script may cause many."""


class Terminal(rich.console.Console):
    """Keeps quiet once nobody reads any more: the machines must still be returned."""

    def on_broken_pipe(self) -> None:
        """Do what rich does, but do not end the process."""
        with contextlib.suppress(SystemExit):
            super().on_broken_pipe()


class Console:
    """Prints to a terminal, and to a file or pipe without what moves. `show_json` shows the documents, too."""

    def __init__(self, *, show_json: bool) -> None:
        self.terminal = terminal = Terminal(highlight=False, soft_wrap=True)
        self.show_json = show_json
        self.question: object = None
        self.line = ""
        self.status = terminal.status("")

    def say(self, text: str) -> None:
        """Print a text as it is."""
        self.terminal.print(text, markup=False)

    def show_answer(self, call: Call, document: Mapping[str, Any], answer: Answer) -> None:
        """Show the answer to a document: a line unless it repeats the last one, and the JSON of the first and last."""
        question = (call.command, objects(document["requests"]) if "requests" in document else document)
        line = answer.violations[0] if answer.violations else describe(call, answer.document)
        new = question != self.question
        if new and self.show_json:
            self.say(f"\nHostFactory calls {call.command} with {json.dumps(document)}")
        if new or line != self.line:
            style = "red" if answer.violations else None
            self.terminal.print(f"{call.seconds:7.2f} s  {call.command:<22} {line}", markup=False, style=style)
            if self.show_json and answer.document and (new or not is_running(answer.document)):
                self.terminal.print_json(json.dumps(answer.document))
        self.question, self.line = question, line
        self.status.update(f"{call.command}: {line[:60]}")

    def show_times(self, calls: Sequence[Call]) -> None:
        """Show how long each command took."""
        table = Table(title="\nResponse times", title_justify="left", title_style="", box=None)
        table.add_column("command")
        for name in ("calls", "median", "slowest"):
            table.add_column(name, justify="right")
        for command, number in Counter(call.command for call in calls).items():
            seconds = [call.seconds for call in calls if call.command == command]
            table.add_row(command, str(number), f"{median(seconds):.2f} s", f"{max(seconds):.2f} s")
        self.terminal.print(table)

    def show_findings(self, title: str, sentences: Sequence[str]) -> None:
        """List what is wrong, if anything is."""
        if sentences:
            self.say(f"\n{title}:")
        for sentence in sentences[:MAX_FINDINGS]:
            self.terminal.print(f"  - {sentence}", markup=False, style="red")
        if len(sentences) > MAX_FINDINGS:
            self.say(f"  - and {len(sentences) - MAX_FINDINGS} more")


def describe(call: Call, document: Mapping[str, Any]) -> str:
    """Sum a valid answer up in a line."""
    if call.exit_code:
        return f"rejected, as expected: {document['message']}"
    match call.command:
        case "getAvailableTemplates":
            return "templates: " + ", ".join(template["templateId"] for template in document["templates"])
        case "getRequestStatus":
            return "; ".join(progress(request) for request in objects(document["requests"]))
        case "getReturnRequests":
            return str(document["message"])
        case _:
            return f"{document['requestId']}: {document['message']}"


def progress(request: dict[str, Any]) -> str:
    """Describe the state of a request."""
    results = Counter(machine["result"] for machine in request["machines"])
    counts = ", ".join(f"{number} {result}" for result, number in sorted(results.items())) or "no machines"
    return f"{request['status']}, {counts}" + (f": {request['message']}" if request["message"] else "")


def is_running(document: Mapping[str, Any]) -> bool:
    """Tell whether HostFactory polls again after this answer of getRequestStatus."""
    return any(request.get("status") == "running" for request in objects(document.get("requests")))
