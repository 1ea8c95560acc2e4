"""docs/schemas/ is what the program's own types say, and its documents keep to it."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from hfstack import cli, schema
from hfstack.actions.create import Created
from hfstack.commands import get_available_templates, request_machines
from hfstack.config.settings import Settings
from hfstack.context import Budget, Context
from hfstack.environment import Environment
from hfstack.log import Log
from hfstack.rules import return_status, status
from hfstack.rules.status import Rules
from hfstack.store.facts import AcquireRequest, Planned, Returned, ReturnRequest
from tests import ROOT
from tests.unit.records import CREATED_AT, FLOATING, REQUEST, RETURN, V4, building, failed, server, server_id
from tests.unit.small import small

SCHEMAS = ROOT / "docs" / "schemas"

STATUS = TypeAdapter(schema.StatusDocument)
TEMPLATES = TypeAdapter(schema.TemplatesDocument)
REQUESTED = TypeAdapter(schema.RequestAnswer)
RECLAIMED = TypeAdapter(schema.ReturnRequestsDocument)

SOON = CREATED_AT + 60


# The files


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the generator as `make schemas` does, into a folder of its own."""
    folder = tmp_path_factory.mktemp("schemas")
    subprocess.run([sys.executable, "build/schemas.py", str(folder)], cwd=ROOT, check=True)
    return folder


def test_there_is_one_file_per_command_and_no_other(generated: Path) -> None:
    wanted = sorted(f"{command}.json" for command in cli.COMMANDS)
    assert sorted(path.name for path in generated.iterdir()) == wanted
    assert sorted(path.name for path in SCHEMAS.iterdir()) == wanted, "run make schemas"


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_a_file_is_what_the_generator_gives(generated: Path, command: str) -> None:
    assert (SCHEMAS / f"{command}.json").read_bytes() == (generated / f"{command}.json").read_bytes(), (
        "run make schemas"
    )


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_a_file_is_stable_and_stands_for_itself(command: str) -> None:
    text = (SCHEMAS / f"{command}.json").read_text("utf-8")
    schema = json.loads(text)
    assert text == json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert schema["title"] == f"Answer of {command}"
    assert "$id" not in schema


def test_a_key_says_what_it_means_and_which_words_there_are() -> None:
    schema = json.loads((SCHEMAS / "getRequestStatus.json").read_text("utf-8"))
    machine = schema["$defs"]["Machine"]["properties"]
    assert machine["launchtime"] == {"description": "Seconds since 1970, UTC.", "type": "integer"}
    assert machine["result"]["enum"] == ["executing", "fail", "succeed"]


# The program's documents


def acquired(*servers: dict[str, Any], facts: AcquireRequest | None = None) -> schema.RequestStatus:
    return status.acquire(REQUEST, facts, servers, {}, {}, Rules(), SOON)


def return_request() -> ReturnRequest:
    return ReturnRequest(CREATED_AT, 1800, (Returned(server_id(), "hf-33e9ed03-1", "10.0.0.7", CREATED_AT),))


ANSWERS = {
    "running": acquired(server(1), building(2)),
    "complete": acquired(server(1, addresses={"grid": [V4, FLOATING]})),
    "failed": acquired(server(1), failed(2)),
    "refused-by-nova": acquired(facts=AcquireRequest(CREATED_AT, 1800, (Planned("hf-33e9ed03-0", "", "quota"),))),
    "nothing-known": acquired(),
    "gone": return_status.returned(RETURN, return_request(), {server_id(): status.GONE}, "bank", SOON),
    "going": return_status.returned(RETURN, return_request(), {server_id(): server()}, "bank", SOON),
    "cloud-silent": status.unanswered(RETURN, return_request(), "no route to host"),
    "unknown": status.unknown("req-1", "no such request"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_about_a_request_keep_to_the_schema(name: str) -> None:
    for requests in (ANSWERS[name], [ANSWERS[name]], list(ANSWERS.values())):
        text = cli.as_json({"requests": requests})
        STATUS.validate_json(text, strict=True, extra="forbid")
        assert_keys_are_in_schema("getRequestStatus", "RequestStatus", ANSWERS[name])
    for machine in ANSWERS[name]["machines"]:
        assert_keys_are_in_schema("getRequestStatus", "Machine", machine)


def test_templates_keep_to_the_schema(environment: Environment, log: Log) -> None:
    rows = [small(priority=7), small(templateId="big", maxNumber=-1), {"templateId": "broken"}]
    (Path(environment.confdir) / "bankprov_templates.json").write_text(json.dumps({"templates": rows}), "utf-8")
    context = Context(environment, Settings(), {}, log, Budget(60))
    document = get_available_templates.run({}, "in.json", context)
    TEMPLATES.validate_json(cli.as_json(document), strict=True, extra="allow")
    assert [one["templateId"] for one in document["templates"]] == ["small", "big"]


def test_the_answer_to_a_request_keeps_to_the_schema(environment: Environment, log: Log) -> None:
    context = Context(environment, Settings(), {}, log, Budget(60))
    made = [Created("a", server_id()), Created("b", message="quota", code="QuotaExceeded")]
    document = request_machines.summed_up(made, (), context.for_request(REQUEST))
    REQUESTED.validate_json(cli.as_json(document), strict=True, extra="forbid")
    assert_keys_are_in_schema("requestMachines", "", document)


def assert_keys_are_in_schema(command: str, part: str, found: Any) -> None:
    """Check keys against the file itself: those required are there, and no others than it knows."""
    schema = json.loads((SCHEMAS / f"{command}.json").read_text("utf-8"))
    schema = schema["$defs"][part] if part else schema
    assert set(schema["required"]) <= set(found) <= set(schema["properties"])


# Broken documents

Break = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda one: one.pop("status"), id="no-status"),
        pytest.param(lambda one: one.pop("requestId"), id="no-request-id"),
        pytest.param(lambda one: one.pop("machines"), id="no-machines"),
        pytest.param(lambda one: one.update(message=None), id="message-null"),
        pytest.param(lambda one: one.update(machines=one["machines"][0]), id="machines-an-object"),
        pytest.param(lambda one: one["machines"][0].update(launchtime="1772357420"), id="launchtime-a-string"),
        pytest.param(lambda one: one["machines"][0].update(launchtime=1772357420.5), id="launchtime-a-fraction"),
        pytest.param(lambda one: one["machines"][0].pop("launchtime"), id="no-launchtime"),
        pytest.param(lambda one: one["machines"][0].pop("privateIpAddress"), id="no-private-address"),
        pytest.param(lambda one: one["machines"][0].update(status=None), id="machine-status-null"),
        pytest.param(lambda one: one.update(status="completed"), id="a-status-of-no-request"),
        pytest.param(lambda one: one["machines"][0].update(result="failed"), id="a-result-of-no-machine"),
        pytest.param(lambda one: one["machines"][0].update(status="RUNNING"), id="a-status-of-no-machine"),
    ],
)
def test_a_broken_answer_about_a_request_is_refused(spoil: Break) -> None:
    request: Any = copy.deepcopy(ANSWERS["complete"])
    spoil(request)
    for requests in (request, [request]):
        with pytest.raises(ValidationError):
            STATUS.validate_json(cli.as_json({"requests": requests}), strict=True)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda one: one.pop("maxNumber"), id="no-max-number"),
        pytest.param(lambda one: one.update(maxNumber="10"), id="max-number-a-string"),
        pytest.param(lambda one: one["attributes"].update(ncpus=["Numeric", 4]), id="attribute-a-number"),
        pytest.param(lambda one: one["attributes"].update(ncpus="4"), id="attribute-no-pair"),
    ],
)
def test_a_broken_template_is_refused(spoil: Break) -> None:
    template = {"templateId": "small", "maxNumber": 10, "attributes": {"ncpus": ["Numeric", "4"]}}
    TEMPLATES.validate_json(cli.as_json({"templates": [template], "message": ""}), strict=True)
    spoil(template)
    with pytest.raises(ValidationError):
        TEMPLATES.validate_json(cli.as_json({"templates": [template], "message": ""}), strict=True)


@pytest.mark.parametrize("document", [{"message": "x"}, {"requestId": "req-1"}, {"requestId": 1, "message": "x"}, []])
def test_a_broken_answer_to_a_request_is_refused(document: object) -> None:
    with pytest.raises(ValidationError):
        REQUESTED.validate_json(cli.as_json(document), strict=True)


@pytest.mark.parametrize("grace", ["0", None, 0.5])
def test_a_broken_answer_about_returns_is_refused(grace: object) -> None:
    one: dict[str, object] = {"machine": "hf-33e9ed03-1", "machineId": server_id(), "gracePeriod": 0}
    document: dict[str, object] = {"status": "complete", "message": "", "requests": [one]}
    RECLAIMED.validate_json(cli.as_json(document), strict=True, extra="forbid")
    one["gracePeriod"] = grace
    with pytest.raises(ValidationError):
        RECLAIMED.validate_json(cli.as_json(document), strict=True)
