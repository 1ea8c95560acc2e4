"""Which machine HostFactory means: name and id are two keys of one machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hfstack.inputs import MachineReference
from hfstack.rules import reference
from hfstack.rules.reference import Names, Resolution
from hfstack.store.facts import AcquireRequest, Failed, Planned, Ready, Returned, ReturnRequest
from hfstack.store.request_list import RecordedRequest
from tests.unit.records import CREATED_AT, REQUEST, RETURN, down_cell, server, server_id

A, B, C = server_id(1), server_id(2), server_id(3)
PLAN = (Planned("HF.1", A), Planned("hf-2", B), Planned("hf-3", "", "Quota"), Planned("hf-4", server_id(4)))
LATE = Failed("hf-4", server_id(4), "hf-4", "", 0, "late")
TOLD = Ready(B, "node7.bank.test", "10.0.0.7", CREATED_AT)


def stored(request: AcquireRequest | ReturnRequest | None, request_id: str = REQUEST) -> RecordedRequest:
    return RecordedRequest(request_id, request, last_recorded_at=CREATED_AT)


REQUESTS = [
    stored(AcquireRequest(CREATED_AT, 1800, PLAN, (LATE,), ready=(TOLD,))),
    stored(ReturnRequest(CREATED_AT, 1800, (Returned(C, "hf-9", "", 0), Returned(B, "x", "", 0, "left"))), RETURN),
    stored(None),
]
RECORDED = reference.recorded_machines(REQUESTS)
BY_ID = {machine.machine_id: machine for machine in RECORDED}
LISTED = [
    server(7, name="w7", metadata={"hf_hostname": "w7.bank.test"}),
    server(8, name="twin.a"),
    server(9, name="twin.b"),
]


def levels() -> Iterator[Names]:
    yield reference.names_of(RECORDED)
    yield reference.shown_names(LISTED)


def found(machine_id: str = "", name: str = "", shown: Any = None) -> Resolution:
    return reference.resolve(reference.normalized(MachineReference(machine_id, name)), shown, BY_ID, levels())


def test_what_is_on_record() -> None:
    assert [(one.machine_id, one.name, one.failed) for one in RECORDED] == [
        (A, "hf-1", False),
        (B, "node7.bank.test", False),
        (server_id(4), "hf-4", True),
    ]
    assert reference.returned_ids(REQUESTS) == {C}, "what is left alone stays with HostFactory"
    assert reference.released_ids(REQUESTS) == {C, server_id(4)}


@pytest.mark.parametrize(
    ("machine_id", "name", "told"),
    [
        pytest.param(A, "hf-1", "hf-1", id="both"),
        pytest.param(A, "", "hf-1", id="the id"),
        pytest.param(A.upper(), "", "hf-1", id="the id in capitals"),
        pytest.param("", "hf-1", "hf-1", id="the name"),
        pytest.param("", "HF.1", "hf-1", id="the server's name"),
        pytest.param("", "Hf-1", "hf-1", id="another case"),
        pytest.param("", "hf-1.bank.test", "hf-1", id="with a domain"),
        pytest.param(A, "HF-1.bank.test", "hf-1", id="both, with a domain"),
        pytest.param("hf-1", "", "hf-1", id="the name as the id"),
        pytest.param("hf-1", "hf-1", "hf-1", id="the name as both"),
        pytest.param(A, "out-of-date", "hf-1", id="a name that nothing has"),
    ],
)
def test_ways_to_name_a_recorded_machine(machine_id: str, name: str, told: str) -> None:
    resolution = found(machine_id, name)
    assert (resolution.machine_id, resolution.name, resolution.problem) == (A, told, "")
    assert resolution.recorded == RECORDED[0]


@pytest.mark.parametrize("name", ["node7", "NODE7.bank.test", "hf-2"])
def test_a_machine_is_known_by_what_hostfactory_was_told_and_by_its_plan(name: str) -> None:
    assert found("", name).machine_id == B
    assert found(B, name).name == "node7.bank.test"


@pytest.mark.parametrize(
    ("machine_id", "name", "meant"),
    [
        pytest.param("", "w7", server_id(7), id="the server's name"),
        pytest.param("", "w7.bank.test", server_id(7), id="its host name"),
        pytest.param("", "W7.other.test", server_id(7), id="its short name with another domain"),
        pytest.param("", "twin.a", server_id(8), id="one of two with the same short name"),
        pytest.param("", "nobody", "", id="nothing has it"),
        pytest.param("not-an-id", "", "not-an-id", id="no id of Nova's"),
        pytest.param("not-an-id", "nobody", "not-an-id", id="no id of Nova's, and nothing has the name"),
        pytest.param(C, "nobody", C, id="an id that is not on record"),
    ],
)
def test_ways_to_name_a_machine_that_is_not_on_record(machine_id: str, name: str, meant: str) -> None:
    resolution = found(machine_id, name)
    assert (resolution.machine_id, resolution.problem, resolution.recorded) == (meant, "", None)
    assert resolution.name == (name or machine_id)


@pytest.mark.parametrize(
    ("machine_id", "name", "named"),
    [
        pytest.param(A, "hf-2", B, id="of another recorded machine"),
        pytest.param(A, "NODE7", B, id="of another, in another way"),
        pytest.param(A, "w7", server_id(7), id="of a server that is not on record"),
        pytest.param(C, "hf-1", A, id="of a machine whose id is another"),
        pytest.param("not-an-id", "hf-1", A, id="of a machine, with no id of Nova's"),
    ],
)
def test_a_name_and_an_id_that_contradict_each_other(machine_id: str, name: str, named: str) -> None:
    resolution = found(machine_id, name)
    assert named in resolution.problem
    assert machine_id in resolution.problem
    assert resolution.machine_id == machine_id


def test_a_name_that_several_machines_have() -> None:
    resolution = found("", "twin")
    assert resolution.problem == f"2 machines have the name twin ({server_id(8)}, {server_id(9)})"


def test_a_server_that_was_renamed_still_belongs_to_its_name() -> None:
    assert found(A, "hf-1", server(1, name="renamed")).problem == ""
    assert found(A, "renamed", server(1, name="renamed")) == Resolution(A, "hf-1", recorded=RECORDED[0])
    assert B in found(A, "hf-2", server(1, name="hf-2")).problem, "even if it now has the name of another"
    assert found(A, "hf-1", down_cell(1)).problem == ""


def test_a_server_that_is_not_on_record_has_the_name_that_it_shows() -> None:
    shown = server(3, metadata={"hf_hostname": "node9.grid.test"})
    assert found(C, "node9", shown) == Resolution(C, "node9.grid.test")
    assert found(C, "", shown).name == "node9.grid.test"
    assert found(C, "hf-33E9ED03-1", server(3, name="hf-33e9ed03-1")).name == "hf-33e9ed03-1"


def test_what_a_contradiction_leaves_in_doubt_is_not_touched_by_another_reference() -> None:
    mixed, sound = found(A, "hf-2"), found(B)
    for order in ([mixed, sound, found(A)], [found(A), sound, mixed]):
        resolved = reference.without_doubtful(order)
        assert sorted(one.machine_id for one in resolved) == [A, B]
        assert {one.problem for one in resolved} == {mixed.problem}


def test_just_the_name_counts_before_the_name_without_its_domain() -> None:
    named = [Names([(A, "node7")]), Names([(B, "node7.b.test")])]
    assert reference.found("node7.b.test", named) == [B]
    assert reference.found("node7.c.test", named) == [A]
    assert reference.found("node7", named) == [A]


def test_a_level_is_not_used_if_one_before_it_knows_the_name() -> None:
    def until_known() -> Iterator[Names]:
        yield reference.names_of(RECORDED)
        pytest.fail("the records know it")

    assert reference.resolve(MachineReference("", "hf-1"), None, BY_ID, until_known()).machine_id == A
    assert reference.resolve(MachineReference(A, "hf-1"), None, BY_ID, until_known()).machine_id == A
