"""Which machines HostFactory should return: only on proof, only our own, and each once."""

from __future__ import annotations

from typing import Any

import pytest

from hfstack import states
from hfstack.config.settings import Settings
from hfstack.inputs import MachineReference
from hfstack.rules import reclaim
from hfstack.rules.reclaim import HeldMachine
from hfstack.rules.status import GONE
from hfstack.store.facts import AcquireRequest, Failed, Planned, Returned, ReturnRequest
from hfstack.store.request_list import RecordedRequest
from tests.unit.records import CREATED_AT, REQUEST, RETURN, STATUSES, TAG, deleted, down_cell, server, server_id

OURS = ["hostfactory", "hfp:bank", TAG]
ONE = HeldMachine(server_id(1), "hf-33e9ed03-1")
DEFAULT = Settings().reclaimedStates


def stored(asked: AcquireRequest | ReturnRequest | None, request_id: str = REQUEST) -> RecordedRequest:
    return RecordedRequest(request_id, asked, created=True, answered_ids=None, last_recorded_at=CREATED_AT)


def reported(record: Any, *, provider: str = "bank", reclaimed_states: tuple[str, ...] = DEFAULT) -> int | None:
    """Return the grace of the one machine that is known, `None` if it is not reported."""
    found = reclaim.to_return([ONE], {server_id(1): record}, provider, reclaimed_states)
    return found[0]["gracePeriod"] if found else None


# What is held


def test_what_is_held_is_what_was_created_and_did_not_fail() -> None:
    machines = (Planned("HF.1", server_id(1)), Planned("hf-2", "", "Quota"), Planned("hf-3", server_id(3)))
    failed = Failed("hf-3", server_id(3), "hf-3", "", 0, "late")
    returned = ReturnRequest(CREATED_AT, 1800, (Returned(server_id(9), "hf-9", "", 0),))
    folders = [stored(AcquireRequest(CREATED_AT, 1800, machines, (failed,))), stored(returned, RETURN), stored(None)]
    assert reclaim.held(folders) == [HeldMachine(server_id(1), "hf-1")]
    assert reclaim.returned_ids(folders) == {server_id(9)}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param(MachineReference("any-id", "host"), [HeldMachine("any-id", "host")], id="by id"),
        pytest.param(MachineReference("any-id", ""), [HeldMachine("any-id", "")], id="only an id"),
        pytest.param(MachineReference("", "hf-1"), [HeldMachine(server_id(1), "hf-1")], id="planned name"),
        pytest.param(
            MachineReference("", "hf-1.bank.test"), [HeldMachine(server_id(1), "hf-1.bank.test")], id="full name"
        ),
        pytest.param(MachineReference("", "w7"), [HeldMachine(server_id(7), "w7")], id="short name of a listed server"),
        pytest.param(
            MachineReference("", "w7.bank.test"), [HeldMachine(server_id(7), "w7.bank.test")], id="its full name"
        ),
        pytest.param(MachineReference("", "nobody"), [], id="unheard of"),
    ],
)
def test_a_machine_is_known_by_id_else_by_name(wanted: MachineReference, found: list[HeldMachine]) -> None:
    folders = [stored(AcquireRequest(CREATED_AT, 1800, (Planned("hf-1", server_id(1)),)))]
    listed = [server(7, metadata={"hf_hostname": "w7.bank.test"})]
    assert reclaim.named([wanted], folders, listed) == found


# What is reported


@pytest.mark.parametrize("status", [*STATUSES, "ARCHIVED"])
def test_each_status(status: str) -> None:
    gone = status in {"DELETED", "SOFT_DELETED", "ERROR", "SHUTOFF", "SHELVED", "SHELVED_OFFLOADED"}
    assert reported(server(status=status, tags=OURS)) == (0 if gone else None)


@pytest.mark.parametrize("status", sorted(map(str, states.UNUSABLE)))
def test_which_statuses_count_can_be_set(status: str) -> None:
    record = server(status=status, tags=OURS)
    assert reported(record, reclaimed_states=(status,)) == 0
    assert reported(record, reclaimed_states=()) is None


@pytest.mark.parametrize(
    ("record", "found"),
    [
        pytest.param(GONE, 0, id="404"),
        pytest.param(deleted(), 0, id="deleted, which shows no tags"),
        pytest.param(down_cell(), None, id="down cell"),
        pytest.param({}, None, id="not looked at"),
        pytest.param(server(task="deleting", tags=OURS), 0, id="being deleted"),
        pytest.param(server(task="soft-deleting", tags=OURS), 0, id="being soft-deleted"),
        pytest.param(server(status="SHUTOFF", task="powering-on", tags=OURS), None, id="coming back"),
        pytest.param(server(status="SHELVED_OFFLOADED", task="unshelving", tags=OURS), None, id="unshelving"),
        pytest.param(server(power=4, tags=OURS), None, id="powered off, says the hypervisor alone"),
        pytest.param(server(status="SHUTOFF"), None, id="known only by its tag"),
        pytest.param(server(status="SHUTOFF", tags=["hostfactory", "hfp:other", TAG]), None, id="another provider's"),
        pytest.param(server(status="ERROR", tags=[]), None, id="foreign"),
    ],
)
def test_proof_and_ownership(record: Any, found: int | None) -> None:
    assert reported(record) == found


def test_a_server_being_deleted_counts_as_deleted() -> None:
    record = server(status="ERROR", task="deleting", tags=OURS)
    assert reported(record, reclaimed_states=("ERROR",)) is None
    assert reported(record, reclaimed_states=("DELETED",)) == 0


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        (["hf-drain"], 0),
        (["hf-drain:120"], 120),
        (["hf-drain:0"], 0),
        (["hf-drain:300", "hf-drain:20"], 20),
        (["hf-drain:300", "hf-drain"], 0),
        (["hf-drain:soon", "hf-drain:300"], 300),
        (["hf-drain:soon"], None),
        (["hf-drain:"], None),
        (["hf-drain:-5"], None),
        (["hf-drain:²"], None),
        (["hf-drain:9999999999"], None),
        (["hf-drained"], None),
        ([], None),
    ],
)
def test_an_operators_mark(tags: list[str], found: int | None) -> None:
    assert reported(server(tags=[*OURS, *tags])) == found
    assert reported(server(tags=[TAG, *tags])) is None
    assert reported(server(status="SHUTOFF", tags=[*OURS, *tags])) == 0, "its work has ended"


def test_all_three_keys_and_the_name_that_hostfactory_knows() -> None:
    off = server(2, status="SHUTOFF", tags=OURS)
    known = [HeldMachine("x", ""), HeldMachine(server_id(1), "w1.bank.test"), ONE, HeldMachine(server_id(2), "")]
    assert reclaim.to_return(known, {"x": GONE, server_id(1): GONE, server_id(2): off}, "bank", DEFAULT) == [
        {"machine": "x", "machineId": "x", "gracePeriod": 0},
        {"machine": "hf-33e9ed03-1", "machineId": server_id(1), "gracePeriod": 0},
        {"machine": "hf-33e9ed03-2", "machineId": server_id(2), "gracePeriod": 0},
    ]
