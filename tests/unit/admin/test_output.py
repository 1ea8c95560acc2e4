"""A script's output is read, and each violation of its form is one clear sentence."""

from __future__ import annotations

import copy
import importlib.util
import json
from collections.abc import Callable
from typing import Any

import pytest

from hfstack import cli, schema
from hfstack.admin.rehearse.output import ANSWERS, Answer, Call, read
from tests import ROOT
from tests.unit.records import server_id

MACHINE = {
    "machineId": server_id(),
    "name": "hf-33e9ed03-0",
    "result": "succeed",
    "status": "running",
    "privateIpAddress": "10.0.0.7",
    "launchtime": 1772357420,
    "message": "",
}
REQUEST = {"requestId": "req-1", "status": "complete", "message": "", "machines": [MACHINE]}
STATUS = json.dumps({"requests": [REQUEST]}).encode() + b"\n"


def call(stdout: bytes = STATUS, stderr: bytes = b"", exit_code: int | None = 0, trouble: str = "") -> Call:
    return Call("getRequestStatus", exit_code, stdout, stderr, 0.1, trouble)


def read_changed(change: Callable[[dict[str, Any]], object], *, in_list: bool) -> Answer:
    request: Any = copy.deepcopy(REQUEST)
    change(request)
    return read(call(json.dumps({"requests": [request] if in_list else request}).encode() + b"\n"))


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_answers_are_checked_against_the_published_schemas(command: str) -> None:
    spec = importlib.util.spec_from_file_location("schemas", ROOT / "build" / "schemas.py")
    assert spec
    assert spec.loader
    schemas = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(schemas)
    checked = ANSWERS[command].json_schema(schema_generator=schemas.Schema, mode="serialization")
    published = json.loads((ROOT / "docs" / "schemas" / f"{command}.json").read_text("utf-8"))
    assert without_words(checked) == without_words(published)


def without_words(schema: object) -> object:
    """Leave out what a schema only says to people."""
    if isinstance(schema, list):
        return [without_words(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    words = ("$schema", "title", "description")
    return {key: without_words(value) for key, value in schema.items() if key not in words or isinstance(value, dict)}


def test_each_command_has_the_answer_that_it_declares() -> None:
    declared = {
        command: importlib.import_module(module).run.__annotations__["return"]
        for command, module in cli.COMMANDS.items()
    }
    assert declared == {command: f"schema.{shape.__name__}" for command, shape in schema.ANSWERS.items()}


def test_a_good_answer_has_no_violation() -> None:
    assert read(call()) == Answer({"requests": [REQUEST]}, {"requests": [REQUEST]}, [])


def test_layout_and_more_keys_are_the_scripts_own_business() -> None:
    request = {**REQUEST, "machines": [{**MACHINE, "cloudHostId": None}]}
    text = json.dumps({"requests": request}, indent=4) + "\n"
    assert read(call(text.encode())).violations == []


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        pytest.param(call(b""), "found nothing on stdout, wanted one JSON document", id="nothing"),
        pytest.param(call(b"\n"), "found nothing on stdout, wanted one JSON document", id="an-empty-line"),
        pytest.param(
            call(b"Traceback:\n  boom\n"),
            'found "Traceback: boom" on stdout, wanted one JSON document in UTF-8',
            id="no-json",
        ),
        pytest.param(
            call('{"message": "grün"}\n'.encode("latin-1")),
            'found "{\\"message\\": \\"gr�n\\"}" on stdout, wanted one JSON document in UTF-8',
            id="no-utf-8",
        ),
        pytest.param(
            call(STATUS + b'{"requests": []}\n'),
            'found "{\\"requests\\": []}" on stdout after the JSON document, wanted nothing',
            id="two-documents",
        ),
        pytest.param(call(STATUS[:-1]), 'found "" after the JSON document, wanted one newline', id="no-newline"),
        pytest.param(
            call(STATUS + b"\n"), 'found "\\n\\n" after the JSON document, wanted one newline', id="two-newlines"
        ),
        pytest.param(
            call(STATUS[:-1] + b"\r\n"),
            'found "\\r\\n" after the JSON document, wanted one newline',
            id="a-windows-newline",
        ),
        pytest.param(
            call(stderr=b"a warning\n"), 'found "a warning" on stderr, wanted nothing', id="something-on-stderr"
        ),
        pytest.param(call(exit_code=2), "found exit code 2, wanted 0", id="exit-code"),
        pytest.param(
            call(b'{"message": "no such cloud"}\n', exit_code=1),
            "found exit code 1, wanted 0: no such cloud",
            id="refused",
        ),
        pytest.param(
            call(b"", exit_code=None, trouble="it did not end within 5 s and was killed"),
            "it did not end within 5 s and was killed",
            id="hangs",
        ),
        pytest.param(call(b"[]\n"), "the document is a list, wanted a valid dictionary", id="a-list"),
    ],
)
def test_a_violation_of_form_is_one_sentence(call: Call, sentence: str) -> None:
    assert read(call).violations == [sentence]


def test_all_violations_of_a_call_are_said() -> None:
    found = read(call(b"boom", b"boom\n", 3))
    assert len(found.violations) == 3
    assert found.document is None


@pytest.mark.parametrize("in_list", [False, True], ids=["object", "list"])
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(lambda one: one.pop("machines"), "machines is missing", id="missing"),
        pytest.param(
            lambda one: one["machines"][0].update(launchtime="0"),
            'machines[0].launchtime is the string "0", wanted a valid integer',
            id="type",
        ),
        pytest.param(
            lambda one: one["machines"][0].update(result="failed"),
            "machines[0].result is the string \"failed\", wanted 'executing', 'fail' or 'succeed'",
            id="word",
        ),
        pytest.param(lambda one: one.update(machines={}), "machines is an object, wanted a valid list", id="container"),
    ],
)
def test_a_violation_of_shape_names_the_place(
    change: Callable[[dict[str, Any]], object], sentence: str, in_list: bool
) -> None:
    found = read_changed(change, in_list=in_list)
    assert found.violations == [("requests[0]." if in_list else "requests.") + sentence]
    assert found.document is None
    assert found.found


def test_foreign_text_is_cut() -> None:
    (sentence,) = read(call(stderr=b"x" * 10_000)).violations
    assert len(sentence) < 200


@pytest.mark.parametrize(
    ("call", "violations"),
    [
        pytest.param(call(b'{"message": "no id"}\n', exit_code=1), [], id="as-wanted"),
        pytest.param(call(), ["found exit code 0, wanted 1"], id="exit-0"),
        pytest.param(call(b"{}\n", exit_code=1), ["found no message with exit code 1, wanted the reason"], id="mute"),
        pytest.param(
            call(b'{"message": 1}\n', exit_code=1),
            ["found no message with exit code 1, wanted the reason"],
            id="a-number",
        ),
    ],
)
def test_a_question_that_is_wrong_is_to_be_refused(call: Call, violations: list[str]) -> None:
    assert read(call, exit_code=1).violations == violations
