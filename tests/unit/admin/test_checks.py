"""The rules that a schema cannot express, one by one."""

from __future__ import annotations

from typing import Any

import pytest

from hfstack.admin.rehearse import checks
from hfstack.schema import Machine, RequestStatus, ReturnRequestsDocument, TemplatesDocument

A, B = "7a4c7b3e-0001", "7a4c7b3e-0002"


def machine(number: int = 0, **changes: Any) -> Machine:
    made: Any = {
        "machineId": (A, B)[number],
        "name": f"hf-1-{number}",
        "result": "succeed",
        "status": "running",
        "privateIpAddress": f"10.0.0.{number}",
        "launchtime": 1772357420,
        "message": "",
        **changes,
    }
    found: Machine = made
    return found


def answer(*machines: Machine, status: Any = "complete", message: str = "", request_id: str = "req-1") -> RequestStatus:
    return {"requestId": request_id, "status": status, "message": message, "machines": list(machines)}


def offer(**changes: Any) -> TemplatesDocument:
    attributes = {"type": ["String", "X86_64"], "ncpus": ["Numeric", "1"], "nram": ["Numeric", "512"]}
    one: Any = {"templateId": "small", "maxNumber": 10, "attributes": attributes, **changes}
    return {"templates": [one], "message": ""}


WAITING = machine(result="executing", privateIpAddress="")
FAILED = machine(result="fail", message="no host")


# Templates


def test_good_templates_violate_no_rule() -> None:
    assert checks.templates(offer()) == []


@pytest.mark.parametrize(
    ("document", "violation"),
    [
        pytest.param({"templates": [], "message": ""}, "found no template, wanted at least one", id="none"),
        pytest.param(
            {"templates": [*offer()["templates"], *offer()["templates"]], "message": ""},
            "found the template small 2 times, wanted it once",
            id="twice",
        ),
        pytest.param(
            offer(attributes={"type": ["String", "X"], "ncpus": ["Numeric", "1"]}),
            "template small has no attribute nram",
            id="no-memory",
        ),
        pytest.param(
            offer(attributes={**offer()["templates"][0]["attributes"], "zone": ["String"]}),
            "template small: attribute zone has 1 string, wanted its type and its value",
            id="no-pair",
        ),
    ],
)
def test_a_template_that_hostfactory_cannot_use(document: TemplatesDocument, violation: str) -> None:
    (found,) = checks.templates(document)
    assert found.startswith(violation)


@pytest.mark.parametrize(
    ("most", "wanted", "reason"),
    [
        pytest.param(2, "small", "", id="just-enough"),
        pytest.param(-1, "small", "", id="any-number"),
        pytest.param(1, "small", "template small allows 1 machine, wanted at least 2", id="too-few"),
        pytest.param(0, "small", "template small allows 0 machines, wanted at least 2", id="none"),
        pytest.param(2, "big", "there is no template big, only small", id="not-there"),
    ],
)
def test_what_can_be_requested(most: int, wanted: str, reason: str) -> None:
    assert checks.not_offered(offer(maxNumber=most), wanted, 2) == reason


# Ids, whatever else is wrong


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        pytest.param({"requestId": "req-1", "message": 7}, "req-1", id="broken-otherwise"),
        pytest.param({"requestId": 1}, "", id="a-number"),
        pytest.param({"message": "refused"}, "", id="none"),
        pytest.param([], "", id="a-list"),
        pytest.param(None, "", id="nothing"),
    ],
)
def test_the_request_id_of_an_answer(found: object, wanted: str) -> None:
    assert checks.request_id(found) == wanted


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        pytest.param({"requests": [{"machines": [{"machineId": A}]}]}, {A: ""}, id="only-an-id"),
        pytest.param({"requests": {"machines": {"machineId": A, "name": "a"}}}, {A: "a"}, id="objects"),
        pytest.param({"requests": [{"machines": [{"name": "a"}, 1, {"machineId": 7}]}, "x"]}, {}, id="without-ids"),
        pytest.param({"requests": 3}, {}, id="nonsense"),
        pytest.param("nonsense", {}, id="a-string"),
    ],
)
def test_the_machines_of_an_answer(found: object, wanted: dict[str, str]) -> None:
    named = checks.machines_in(found)
    assert {key: one["name"] for key, one in named.items()} == wanted
    assert [one["machineId"] for one in named.values()] == list(wanted)


# One answer


@pytest.mark.parametrize("in_list", [False, True])
def test_the_answer_comes_in_the_container_of_the_question(in_list: bool) -> None:
    one = answer(machine())
    same, other = ({"requests": [one]}, {"requests": one}) if in_list else ({"requests": one}, {"requests": [one]})
    assert checks.only_request(same, "req-1", in_list) == (one, [])  # type: ignore[arg-type]
    found, (violation,) = checks.only_request(other, "req-1", in_list)  # type: ignore[arg-type]
    assert found == one
    assert violation.endswith("wanted a list as in the question" if in_list else "wanted an object as in the question")


def test_the_answer_is_to_the_question() -> None:
    other, one = answer(request_id="req-2"), answer()
    assert checks.only_request({"requests": [other]}, "req-1", in_list=True) == (
        None,
        ["found answers to the requests req-2, wanted one to req-1"],
    )
    assert checks.only_request({"requests": [other, one]}, "req-1", in_list=True) == (
        one,
        ["found answers to the requests req-2, req-1, wanted one to req-1"],
    )
    assert checks.only_request({"requests": []}, "req-1", in_list=True)[1] == [
        "found answers to the requests none, wanted one to req-1"
    ]


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(answer(machine(0), machine(1)), id="complete"),
        pytest.param(answer(WAITING, machine(1), status="running"), id="running"),
        pytest.param(answer(FAILED, machine(1), status="complete_with_error", message="1 failed"), id="failed"),
        pytest.param(answer(status="running"), id="nothing-yet"),
    ],
)
def test_answers_that_are_consistent(one: RequestStatus) -> None:
    assert checks.consistent(one, returning=False) == []


@pytest.mark.parametrize(
    ("one", "violation"),
    [
        pytest.param(
            answer(machine(0), machine(1, machineId=A)),
            f"2 machines have the machineId {A}, wanted a different one for each",
            id="ids",
        ),
        pytest.param(
            answer(machine(0), machine(1, name="hf-1-0")),
            "2 machines have the name hf-1-0, wanted a different one for each",
            id="names",
        ),
        pytest.param(
            answer(machine(1), WAITING),
            "found complete with machines that are executing, succeed, wanted succeed for all",
            id="complete-too-soon",
        ),
        pytest.param(
            answer(WAITING, status="complete_with_error", message="x"),
            "found complete_with_error with machines that are executing, wanted running",
            id="failed-too-soon",
        ),
        pytest.param(answer(status="complete_with_error"), "found complete_with_error without a message", id="mute"),
        pytest.param(
            answer(machine(privateIpAddress="")),
            "machine hf-1-0: found succeed without a private address, wanted executing until there is one",
            id="no-address",
        ),
        pytest.param(
            answer(machine(result="fail"), status="complete_with_error", message="x"),
            "machine hf-1-0: found fail without a message",
            id="mute-machine",
        ),
        pytest.param(answer(machine(name="")), f"machine {A}: its name is empty", id="no-name"),
        pytest.param(
            answer(machine(launchtime=0)),
            "machine hf-1-0: its launchtime is 0, wanted seconds since 1970",
            id="no-launchtime",
        ),
    ],
)
def test_an_answer_that_contradicts_itself(one: RequestStatus, violation: str) -> None:
    assert checks.consistent(one, returning=False) == [violation]


def test_a_deleted_machine_may_never_have_had_an_address() -> None:
    assert checks.consistent(answer(machine(privateIpAddress="")), returning=True) == []


# Answer after answer


@pytest.mark.parametrize(
    ("now", "violation"),
    [
        pytest.param([machine(0), machine(1)], "", id="another-one-appeared"),
        pytest.param([machine(0, message="rebooted", result="executing")], "", id="may-come-to-harm"),
        pytest.param([machine(1)], "machine hf-1-0 had succeeded, but is no longer reported", id="forgotten"),
        pytest.param(
            [machine(0, launchtime=1772357421)],
            "machine hf-1-0: its launchtime changed after succeed, from 1772357420 to 1772357421",
            id="launchtime",
        ),
        pytest.param(
            [machine(0, name="other")],
            "machine hf-1-0: its name changed after succeed, from hf-1-0 to other",
            id="name",
        ),
        pytest.param(
            [machine(0, privateIpAddress="10.0.0.9")],
            "machine hf-1-0: its privateIpAddress changed after succeed, from 10.0.0.0 to 10.0.0.9",
            id="address",
        ),
    ],
)
def test_a_machine_that_succeeded_does_not_change(now: list[Machine], violation: str) -> None:
    assert checks.unchanged({A: machine(0)}, answer(*now)) == ([violation] if violation else [])


def test_a_request_that_has_ended_keeps_its_status() -> None:
    assert checks.same_status(answer(), answer(message="other words")) == []
    assert checks.same_status(answer(), answer(status="running")) == [
        "the request had ended with complete, but at the next poll it is running"
    ]


# Last answers


@pytest.mark.parametrize(
    ("last", "violation"),
    [
        pytest.param(answer(machine(0), machine(1)), "", id="all"),
        pytest.param(answer(machine(0)), "found complete with 1 machine, wanted 2", id="few"),
        pytest.param(
            answer(FAILED, status="complete_with_error", message="no host"),
            "the machines were not created: complete_with_error, no host",
            id="failed",
        ),
    ],
)
def test_all_machines_were_created(last: RequestStatus, violation: str) -> None:
    assert checks.all_created(last, 2) == ([violation] if violation else [])


MACHINES = checks.machines_in({"requests": [{"machines": [machine(0), machine(1)]}]})


@pytest.mark.parametrize(
    ("second", "violation"),
    [
        pytest.param([machine(1, status="terminated")], "", id="all"),
        pytest.param([], "machine hf-1-1 was returned, but is not in the answer", id="forgotten"),
        pytest.param(
            [machine(1, result="fail", status="running", message="locked")],
            "machine hf-1-1 was returned, but is fail, running (locked), wanted succeed, terminated",
            id="kept",
        ),
        pytest.param(
            [machine(1, status="stopped")],
            "machine hf-1-1 was returned, but is succeed, stopped, wanted succeed, terminated",
            id="only-stopped",
        ),
    ],
)
def test_all_machines_were_returned(second: list[Machine], violation: str) -> None:
    last = answer(machine(0, status="terminated"), *second)
    assert checks.all_returned(last, MACHINES) == ([violation] if violation else [])


def test_deleted_is_what_a_return_reports_as_deleted() -> None:
    assert checks.deleted(answer(machine(0), machine(1, result="executing"), status="running")) == {A}


@pytest.mark.parametrize(
    ("reported", "second", "violations"),
    [
        pytest.param({"machine": "else", "machineId": "else", "gracePeriod": 0}, machine(1), 0, id="somebody-else's"),
        pytest.param({"machine": "", "machineId": B, "gracePeriod": 0}, machine(1), 1, id="by-id"),
        pytest.param({"machine": "hf-1-1", "machineId": "", "gracePeriod": 0}, machine(1), 1, id="by-name"),
        pytest.param({"machine": "", "machineId": B, "gracePeriod": 0}, machine(1, result="fail"), 0, id="failed"),
        pytest.param(
            {"machine": "hf-1-1", "machineId": "", "gracePeriod": 0}, machine(1, result="fail"), 0, id="failed-by-name"
        ),
    ],
)
def test_only_machines_that_failed_are_to_be_returned(reported: Any, second: Machine, violations: int) -> None:
    document: ReturnRequestsDocument = {"status": "complete", "message": "", "requests": [reported]}
    found = checks.return_requests(document, {A: machine(0), B: second})
    assert found == ["machine hf-1-1 is to be returned, but its result is still succeed"] * violations
