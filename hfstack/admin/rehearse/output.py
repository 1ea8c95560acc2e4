"""What a script of HostFactory's printed, and whether that is what HostFactory can read. Pure.

One JSON document and a newline on stdout, nothing on stderr, exit code 0; or exit code 1 and a `message`. The shapes
are those of `hfstack.schema`, of which the published JSON Schemas are made: what passes here is valid against them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from hfstack import errors, schema

ANSWERS: Mapping[str, TypeAdapter[Any]] = {command: TypeAdapter(shape) for command, shape in schema.ANSWERS.items()}
"""The answer of each command."""

LONGEST = 120
"""Characters of foreign text in a sentence."""


class Called(NamedTuple):
    """One call of a script."""

    command: str
    exit_code: int | None
    """`None` where it did not end by itself."""
    stdout: bytes
    stderr: bytes
    seconds: float
    trouble: str = ""
    """Why it could not be run, or had to be ended; "" otherwise."""


class Read(NamedTuple):
    """What is to be made of a call."""

    document: Any
    """The answer, a value of the command's type in `hfstack.schema`; `None` if it has not that shape."""
    found: object
    """What could be read as JSON, whatever its shape: even a broken answer may name machines."""
    breaches: list[str]


def read(called: Called, exit_code: int = 0) -> Read:
    """Read what was printed by a command that was to end with `exit_code`, 0 or 1."""
    found, mistake = one_document(called.stdout)
    breaches = [called.trouble, mistake] if called.trouble and called.stdout else [called.trouble or mistake]
    if called.stderr:
        breaches.append(f"found {shown(called.stderr)} on stderr, wanted nothing")
    ended_well = called.exit_code == exit_code
    if not called.trouble and not ended_well:
        breaches.append(f"found exit code {called.exit_code}, wanted {exit_code}{reason(found)}")
    document = None
    if found is not None and ended_well:
        document, mistake = shaped(found, called.command) if exit_code == 0 else refusal(found)
        breaches.append(mistake)
    return Read(document, found, [one for one in breaches if one])


def one_document(stdout: bytes) -> tuple[object, str]:
    """Return the first JSON document, `None` if there is none, and what is wrong with the output, else ""."""
    if not stdout.strip():
        return None, "found nothing on stdout, wanted one JSON document"
    try:
        text = stdout.decode("utf-8").lstrip()
        found, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None, f"found {shown(stdout)} on stdout, wanted one JSON document in UTF-8"
    rest = text[end:]
    if rest.strip():
        return found, f"found {shown(rest)} on stdout behind the JSON document, wanted nothing"
    if rest != "\n":
        return found, f"found {json.dumps(rest)} behind the JSON document, wanted one newline"
    return found, ""


def shaped(found: object, command: str) -> tuple[Any, str]:
    """Return an answer that has its command's shape, else `None` and what is wrong with it."""
    try:
        return ANSWERS[command].validate_python(found, strict=True), ""
    except ValidationError as error:
        return None, worst(error)


def refusal(found: object) -> tuple[Any, str]:
    """Return what a command printed that was to end with exit code 1, else `None` and what is wrong with it."""
    return (found, "") if reason(found) else (None, "found no message beside exit code 1, wanted the reason")


def reason(found: object) -> str:
    """Return the message of a document, as the end of a sentence."""
    message = found.get("message") if isinstance(found, dict) else None
    return f": {message}" if isinstance(message, str) and message else ""


def worst(error: ValidationError) -> str:
    """Say in one sentence where a document has not its shape.

    The deepest mistake: of `requests`, which may be an object or a list, pydantic also says that it is not the other.
    """
    mistake = max(error.errors(include_url=False), key=lambda one: len(one["loc"]))
    # the names of the two alternatives stand among the keys
    path = [part for part in mistake["loc"] if part not in {"RequestStatus", "list[RequestStatus]"}]
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
    if mistake["type"] == "missing":
        return f"{field} is missing"
    message = mistake["msg"].removeprefix("Input should be ")
    return f"{field or 'the document'} is {errors.describe(mistake['input'])}, wanted {message}"


def shown(text: bytes | str) -> str:
    """Quote foreign text for a sentence: one line, not too long."""
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    folded = " ".join(words.split())
    return json.dumps(folded if len(folded) <= LONGEST else folded[: LONGEST - 1] + "…", ensure_ascii=False)
