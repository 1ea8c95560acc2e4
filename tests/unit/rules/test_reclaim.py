"""Which machines HostFactory should return: only on proof, only our own, and each once."""

from __future__ import annotations

from typing import Any

import pytest

from hfstack import states
from hfstack.config.settings import Settings
from hfstack.rules import reclaim
from hfstack.rules.reclaim import HeldMachine
from hfstack.rules.status import GONE
from tests.unit.records import STATUSES, TAG, deleted, down_cell, server, server_id

OURS = ["hostfactory", "hfp:bank", TAG]
A, B = server_id(1), server_id(2)
ONE = HeldMachine(server_id(1), "hf-33e9ed03-1")
DEFAULT = Settings().reclaimedStates


def reported(record: Any, *, provider: str = "bank", reclaimed_states: tuple[str, ...] = DEFAULT) -> int | None:
    """Return the grace of the one machine that is known, `None` if it is not reported."""
    found = reclaim.to_return([ONE], {server_id(1): record}, provider, reclaimed_states)
    return found[0]["gracePeriod"] if found else None


# When all are missing


@pytest.mark.parametrize(
    ("held", "known", "seen", "found"),
    [
        pytest.param({A, B}, {A, B}, {A: GONE, B: GONE}, True, id="all gone"),
        pytest.param({A}, {A, B}, {A: GONE}, True, id="the one that was looked up, and no other is listed"),
        pytest.param({A}, {A}, {A: GONE}, False, id="one of one"),
        pytest.param({A, B}, set(), {A: GONE, B: GONE}, True, id="two that are not on record"),
        pytest.param({A, B}, {A, B}, {A: GONE, B: server(2, tags=OURS)}, False, id="one is left"),
        pytest.param({A}, {A, B}, {A: GONE, B: server(2, tags=OURS)}, False, id="another one is listed"),
        pytest.param({A, B}, {A, B}, {A: GONE, B: deleted(2)}, False, id="Nova shows the deleted one"),
        pytest.param({A, B}, {A, B}, {A: GONE}, False, id="one was not looked up"),
        pytest.param(set(), {A, B}, {}, False, id="none held"),
    ],
)
def test_several_machines_that_are_missing_at_once(
    held: set[str], known: set[str], seen: dict[str, Any], found: bool
) -> None:
    assert reclaim.all_vanished(held, known, seen) is found


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
    known = [HeldMachine("x", "x"), HeldMachine(server_id(1), "w1.bank.test"), ONE, HeldMachine(server_id(2), "w2")]
    assert reclaim.to_return(known, {"x": GONE, server_id(1): GONE, server_id(2): off}, "bank", DEFAULT) == [
        {"machine": "x", "machineId": "x", "gracePeriod": 0},
        {"machine": "hf-33e9ed03-1", "machineId": server_id(1), "gracePeriod": 0},
        {"machine": "w2", "machineId": server_id(2), "gracePeriod": 0},
    ]
