"""The state table against the facts: `states.csv` has every vm_state and task_state of Nova with its status.

In the facts `succeed+` needs a fixed address, and `executing*` sends the DELETE again.
"""

from __future__ import annotations

import csv
import itertools
from pathlib import Path
from typing import NamedTuple

import pytest

from hfstack import states
from hfstack.rules import return_status, status
from hfstack.rules.status import Terms
from hfstack.store import facts
from tests.unit.records import RETURN, STATUSES, TAG, server

NOW = 0.0
OURS = ["hostfactory", "hfp:bank", TAG]
TERMS = Terms((), requested_at=0, timeout=1800, overdue=False, floating_ip_trouble={})


class Fact(NamedTuple):
    """One line of the facts."""

    vm_state: str
    task_state: str | None
    status: str
    req_result: str
    req_machine_status: str
    ret_result: str
    ret_machine_status: str


def read_facts() -> list[Fact]:
    with (Path(__file__).parent / "states.csv").open(encoding="utf-8", newline="") as file:
        lines = [Fact._make(line) for line in csv.reader(file)]
        return [fact._replace(task_state=None) if fact.task_state == "None" else fact for fact in lines[1:]]


FACTS = read_facts()
TASK_STATES = sorted({fact.task_state for fact in FACTS}, key=str)
VM_STATES = sorted({fact.vm_state for fact in FACTS})
POWER_STATES = (None, 0, 1, 3, 4, 6, 7)
EACH_FACT = pytest.mark.parametrize(
    "fact", [pytest.param(fact, id=f"{fact.vm_state}-{fact.task_state}") for fact in FACTS]
)


def test_the_facts_are_complete() -> None:
    assert len(FACTS) == 516
    assert len({(fact.vm_state, fact.task_state) for fact in FACTS}) == 516
    assert {fact.status for fact in FACTS} == set(STATUSES) - {"UNKNOWN"}


@EACH_FACT
def test_acquire_follows_the_facts(fact: Fact) -> None:
    record = server(status=fact.status, vm=fact.vm_state, task=fact.task_state, tags=OURS)
    machine = status.acquired(record, TERMS)
    assert (machine["result"], machine.get("status")) == (fact.req_result.removesuffix("+"), fact.req_machine_status)


@EACH_FACT
def test_acquire_succeeds_only_with_an_address(fact: Fact) -> None:
    record = server(status=fact.status, vm=fact.vm_state, task=fact.task_state, addresses={"grid": []})
    machine = status.acquired(record, TERMS)
    assert machine["result"] == fact.req_result.replace("succeed+", "executing")


@EACH_FACT
def test_return_follows_the_facts(fact: Fact) -> None:
    record = server(status=fact.status, vm=fact.vm_state, task=fact.task_state, tags=OURS)
    planned = facts.Returned(record["id"], record["name"], "", 0)
    machine = return_status.returned_machine(planned, {record["id"]: record}, "bank", overdue=False, timeout=1800)
    assert (machine["result"], machine.get("status")) == (fact.ret_result.removesuffix("*"), fact.ret_machine_status)


@EACH_FACT
def test_whatever_is_executing_fails_at_the_deadline(fact: Fact) -> None:
    record = server(status=fact.status, vm=fact.vm_state, task=fact.task_state, tags=OURS)
    acquired = status.acquired(record, TERMS._replace(overdue=True))
    request = facts.ReturnRequest(0, 1, (facts.Returned(record["id"], record["name"], "", 0),))
    returned = return_status.returned(RETURN, request, {record["id"]: record}, "bank", now=1)["machines"][0]
    assert acquired["result"] == fact.req_result.removesuffix("+").replace("executing", "fail")
    assert returned["result"] == fact.ret_result.removesuffix("*").replace("executing", "fail")
    assert all(machine["message"] for machine in (acquired, returned) if machine["result"] == "fail")


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_and_task_matches_a_row_before_the_last(status: str) -> None:
    unmapped = [
        (task, vm, power)
        for task, vm, power in itertools.product(TASK_STATES, [*VM_STATES, None], POWER_STATES)
        if states.find(status, task, vm, power) is states.UNKNOWN_STATUS
    ]
    assert unmapped == []


@pytest.mark.parametrize("power", POWER_STATES)
def test_power_state_matters_only_to_active_servers(power: int | None) -> None:
    changed = {
        status
        for status, task in itertools.product(STATUSES, TASK_STATES)
        if states.find(status, task, None, power) is not states.find(status, task, None, 1)
    }
    assert changed == ({"ACTIVE"} if power in {3, 4, 6, 7} else set())


@pytest.mark.parametrize(
    ("power", "result", "status"),
    [
        pytest.param(None, "succeed", "running", id="missing"),
        pytest.param(0, "succeed", "running", id="nostate"),
        pytest.param(1, "succeed", "running", id="running"),
        pytest.param(3, "executing", "stopped", id="paused"),
        pytest.param(4, "executing", "stopped", id="shutdown"),
        pytest.param(6, "executing", "stopped", id="crashed"),
        pytest.param(7, "executing", "stopped", id="suspended"),
        pytest.param(99, "succeed", "running", id="unknown"),
    ],
)
def test_an_active_server_whose_guest_is_off_is_executing(power: int | None, result: str, status: str) -> None:
    assert states.find("ACTIVE", None, "active", power).acquire == (result, status)


@pytest.mark.parametrize("status", ["ARCHIVED", "active", "", None, 4])
@pytest.mark.parametrize("task", [None, "spawning", "contemplating"])
def test_a_status_that_nova_does_not_have_concludes_nothing(status: object, task: object) -> None:
    row = states.find(status, task, None, None)
    assert row is states.UNKNOWN_STATUS
    assert row.acquire == row.returned == ("executing", None)
    assert not states.has_deadline(row)


def test_a_cell_that_is_down_concludes_nothing() -> None:
    row = states.find("UNKNOWN", None, None, None)
    assert row.acquire == row.returned == ("executing", None)
    assert not states.has_deadline(row)


@pytest.mark.parametrize("status", [status for status in STATUSES if status not in {"DELETED", "SOFT_DELETED"}])
@pytest.mark.parametrize("task", TASK_STATES)
def test_a_return_succeeds_only_when_the_server_is_gone(status: str, task: str | None) -> None:
    assert states.find(status, task, None, None).returned[0] == "executing"


def test_every_row_can_be_reached() -> None:
    product = itertools.product([*STATUSES, "ARCHIVED"], TASK_STATES, VM_STATES, POWER_STATES)
    reached = {id(states.find(*values)) for values in product}
    assert [row for row in states.STATES if id(row) not in reached] == []


def test_no_row_names_a_state_that_nova_does_not_have() -> None:
    for row in states.STATES:
        assert (row.statuses or set()) <= set(STATUSES)
        assert (row.task_states or set()) <= set(TASK_STATES)
        assert (row.vm_states or set()) <= set(VM_STATES)
        assert (row.power_states or set()) <= set(POWER_STATES)


@pytest.mark.parametrize("row", [pytest.param(row, id=str(number)) for number, row in enumerate(states.STATES)])
def test_a_row_has_a_reason_exactly_if_something_is_wrong(row: states.Row) -> None:
    result, status = row.acquire
    on_its_way = status == "running" and result in {"succeed", "executing"}
    assert bool(row.reason) == (not on_its_way)


@pytest.mark.parametrize("row", [pytest.param(row, id=str(number)) for number, row in enumerate(states.STATES)])
def test_a_row_uses_hostfactorys_words(row: states.Row) -> None:
    for result, shown in (row.acquire, row.returned):
        assert result in {"executing", "succeed", "fail"}
        assert shown in {"running", "stopped", "stopping", "shutting-down", "terminated", None}
