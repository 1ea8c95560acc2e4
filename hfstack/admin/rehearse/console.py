"""What an administrator gets to see of a rehearsal: a line for each answer that says something new, and the sum."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from hfstack.admin.rehearse.checks import as_list
from hfstack.admin.rehearse.output import Called, Read

MOST = 30
"""Violations that are listed; one broken script may cause many."""


class Patient(Console):
    """Goes on without a word when nobody reads any more: what was given is still to be given back."""

    def on_broken_pipe(self) -> None:
        """Take rich's way out, but for its end of the process."""
        with contextlib.suppress(SystemExit):
            super().on_broken_pipe()


class Screen:
    """Prints to a terminal, and to a file or pipe in the same way but for what moves. `whole` shows the JSON, too."""

    def __init__(self, *, whole: bool) -> None:
        self.console = console = Patient(highlight=False, soft_wrap=True)
        self.whole = whole
        self.subject: object = None
        self.line = ""
        self.status = console.status("")

    def say(self, text: str) -> None:
        """Print a text as it is."""
        self.console.print(text, markup=False)

    def answered(self, called: Called, document: Mapping[str, Any], answer: Read) -> None:
        """Show what came of a question: a line where it is not the last one again, the JSON of first and last."""
        subject = (called.command, as_list(document["requests"]) if "requests" in document else document)
        line = answer.breaches[0] if answer.breaches else summary(called, answer.document)
        new = subject != self.subject
        if new and self.whole:
            self.say(f"\nHostFactory asks: {called.command} {json.dumps(document)}")
        if new or line != self.line:
            style = "red" if answer.breaches else None
            self.console.print(f"{called.seconds:7.2f} s  {called.command:<22} {line}", markup=False, style=style)
            if self.whole and answer.document and (new or not is_running(answer.document)):
                self.console.print_json(json.dumps(answer.document))
        self.subject, self.line = subject, line
        self.status.update(f"{called.command}: {line[:60]}")

    def times(self, calls: Sequence[Called]) -> None:
        """Show how long the commands took."""
        table = Table(title="\nHow long the commands took", title_justify="left", title_style="", box=None)
        table.add_column("command")
        for name in ("calls", "median", "slowest"):
            table.add_column(name, justify="right")
        for command, number in Counter(one.command for one in calls).items():
            seconds = [one.seconds for one in calls if one.command == command]
            table.add_row(command, str(number), f"{median(seconds):.2f} s", f"{max(seconds):.2f} s")
        self.console.print(table)

    def findings(self, title: str, sentences: Sequence[str]) -> None:
        """List what is wrong, if anything is."""
        if sentences:
            self.say(f"\n{title}:")
        for sentence in sentences[:MOST]:
            self.console.print(f"  - {sentence}", markup=False, style="red")
        if len(sentences) > MOST:
            self.say(f"  - and {len(sentences) - MOST} more")


def summary(called: Called, document: Mapping[str, Any]) -> str:
    """Say in a line what a well-formed answer says."""
    if called.exit_code:
        return f"refused, as it should be: {document['message']}"
    match called.command:
        case "getAvailableTemplates":
            return "templates: " + ", ".join(one["templateId"] for one in document["templates"])
        case "getRequestStatus":
            return "; ".join(progress(one) for one in as_list(document["requests"]))
        case "getReturnRequests":
            return str(document["message"])
        case _:
            return f"{document['requestId']}: {document['message']}"


def progress(request: dict[str, Any]) -> str:
    """Say how far a request has come."""
    results = Counter(one["result"] for one in request["machines"])
    counts = ", ".join(f"{number} {result}" for result, number in sorted(results.items())) or "no machines"
    return f"{request['status']}, {counts}" + (f": {request['message']}" if request["message"] else "")


def is_running(document: Mapping[str, Any]) -> bool:
    """Tell an answer of getRequestStatus after which HostFactory goes on asking."""
    return any(one.get("status") == "running" for one in as_list(document.get("requests")))
