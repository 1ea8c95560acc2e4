"""What one of the five scripts printed, and whether HostFactory can read it. Pure.

HostFactory reads one JSON document and a newline on stdout, nothing on stderr, and exit code 0; or exit code 1 and a
`message`. The shapes are those of `hfstack.schema`, from which the published JSON Schemas are made: what passes here is
valid against them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from hfstack import errors, schema

ANSWERS: Mapping[str, TypeAdapter[Any]] = {command: TypeAdapter(shape) for command, shape in schema.ANSWERS.items()}
"""The answer of each command."""

MAX_QUOTE = 120
"""Characters of a script's output that are quoted in a sentence."""


class Call(NamedTuple):
    """One call of a script."""

    command: str
    exit_code: int | None
    """`None` if it did not end by itself."""
    stdout: bytes
    stderr: bytes
    seconds: float
    trouble: str = ""
    """Why it could not be run, or was killed; "" otherwise."""


class Answer(NamedTuple):
    """What a call printed, read."""

    document: Any
    """A value of the command's type in `hfstack.schema`; `None` if the answer does not have that shape."""
    found: object
    """The JSON, whatever its shape: even an invalid answer may name machines."""
    violations: list[str]


def read(call: Call, exit_code: int = 0) -> Answer:
    """Read the answer of a call that should end with `exit_code`, 0 or 1."""
    found, mistake = parse(call.stdout)
    violations = [call.trouble, mistake] if call.trouble and call.stdout else [call.trouble or mistake]
    if call.stderr:
        violations.append(f"found {quoted(call.stderr)} on stderr, wanted nothing")
    as_expected = call.exit_code == exit_code
    if not call.trouble and not as_expected:
        violations.append(f"found exit code {call.exit_code}, wanted {exit_code}{reason(found)}")
    document = None
    if found is not None and as_expected:
        document, mistake = validate(found, call.command) if exit_code == 0 else validate_refusal(found)
        violations.append(mistake)
    return Answer(document, found, [sentence for sentence in violations if sentence])


def parse(stdout: bytes) -> tuple[object, str]:
    """Return the first JSON document, `None` if there is none, and what is wrong with the output, else ""."""
    if not stdout.strip():
        return None, "found nothing on stdout, wanted one JSON document"
    try:
        text = stdout.decode("utf-8").lstrip()
        found, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None, f"found {quoted(stdout)} on stdout, wanted one JSON document in UTF-8"
    rest = text[end:]
    if rest.strip():
        return found, f"found {quoted(rest)} on stdout after the JSON document, wanted nothing"
    if rest != "\n":
        return found, f"found {json.dumps(rest)} after the JSON document, wanted one newline"
    return found, ""


def validate(found: object, command: str) -> tuple[Any, str]:
    """Return an answer that has its command's shape, else `None` and what is wrong with it."""
    try:
        return ANSWERS[command].validate_python(found, strict=True), ""
    except ValidationError as error:
        return None, describe(error)


def validate_refusal(found: object) -> tuple[Any, str]:
    """Return an answer that has a reason, as exit code 1 needs one, else `None` and what is wrong with it."""
    return (found, "") if reason(found) else (None, "found no message with exit code 1, wanted the reason")


def reason(found: object) -> str:
    """Return the message of a document, as the end of a sentence."""
    message = found.get("message") if isinstance(found, dict) else None
    return f": {message}" if isinstance(message, str) and message else ""


def describe(error: ValidationError) -> str:
    """Say in one sentence where a document does not have its shape.

    It takes the deepest mistake: of `requests`, which may be an object or a list, pydantic also says that it is not the
    other one.
    """
    mistake = max(error.errors(include_url=False), key=lambda one: len(one["loc"]))
    # pydantic puts the names of the two alternatives among the keys
    path = [part for part in mistake["loc"] if part not in {"RequestStatus", "list[RequestStatus]"}]
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
    if mistake["type"] == "missing":
        return f"{field} is missing"
    message = mistake["msg"].removeprefix("Input should be ")
    return f"{field or 'the document'} is {errors.describe(mistake['input'])}, wanted {message}"


def quoted(output: bytes | str) -> str:
    """Quote output in a sentence: on one line, and not too long."""
    text = output.decode("utf-8", "replace") if isinstance(output, bytes) else output
    folded = " ".join(text.split())
    return json.dumps(folded if len(folded) <= MAX_QUOTE else folded[: MAX_QUOTE - 1] + "…", ensure_ascii=False)
