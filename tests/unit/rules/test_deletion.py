"""Which servers are deleted after a poll: ours, of a request on record that has not ended, and nobody else's."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfstack import states
from hfstack.rules import deletion, status
from hfstack.rules.server_record import Server
from hfstack.rules.status import Rules
from hfstack.store.facts import AcquireRequest, Failed, Planned, Returned, ReturnRequest
from tests.unit.records import (
    CREATED_AT,
    REQUEST,
    STATUSES,
    TAG,
    building,
    deleted,
    down_cell,
    failed,
    server,
    server_id,
)
from tests.unit.shapes import RECORDS

SOON = CREATED_AT + 60
LATE = CREATED_AT + 1800
OURS = ["hostfactory", "hfp:bank", TAG]
PLAN = (Planned("hf-33e9ed03-1", server_id(1)), Planned("hf-33e9ed03-2", server_id(2)))
ASKED = AcquireRequest(CREATED_AT, 1800, PLAN, recorded_at=CREATED_AT)

EVERY_TASK = sorted(states.DELETING or ()) + sorted(states.COMING_BACK or ()) + sorted(states.LEAVING or ())  # type: ignore[type-var]


def doomed(asked: AcquireRequest | None, *servers: Server, now: float = SOON) -> list[Failed]:
    """Answer for servers that are listed, and decide upon the answer."""
    found = status.acquire(REQUEST, asked, servers, {}, {}, Rules(), now)
    return list(deletion.of_acquire(REQUEST, "bank", asked, servers, found["machines"]).values())


def ids(found: Sequence[Failed]) -> list[str]:
    return [one.machine_id for one in found]


# Requests for machines


@pytest.mark.parametrize("task", [None, *EVERY_TASK])
@pytest.mark.parametrize("status", [*STATUSES, "ARCHIVED"])
@pytest.mark.parametrize("now", [SOON, LATE], ids=["in-time", "overdue"])
def test_in_every_state_exactly_what_is_dead_or_late_is_deleted(status: str, task: str | None, now: float) -> None:
    record = server(status=status, task=task, tags=OURS, addresses={})
    never = (
        status in {"PAUSED", "SUSPENDED", "RESCUE", "SHELVED", "SHELVED_OFFLOADED"}
        or status in {"DELETED", "SOFT_DELETED", "UNKNOWN", "ARCHIVED"}
        or task in {"deleting", "soft-deleting"}
        or (status in {"ACTIVE", "VERIFY_RESIZE"} and task in states.LEAVING and task != "powering-off")  # type: ignore[operator]
    )
    coming_back = status == "SHUTOFF" and task in states.COMING_BACK  # type: ignore[operator]
    dead = status in {"ERROR", "SHUTOFF"} and not coming_back
    assert ids(doomed(ASKED, record, now=now)) == ([server_id(1)] if not never and (dead or now == LATE) else [])


@pytest.mark.parametrize(
    ("record", "now", "reason"),
    [
        pytest.param(failed(tags=OURS), SOON, "the server is in ERROR: No valid host was found.", id="error"),
        pytest.param(server(status="SHUTOFF", tags=OURS), SOON, "the server is shut off", id="shut-off"),
        pytest.param(building(tags=OURS), LATE, "not ready after 1800 s: BUILD/spawning", id="never-built"),
        pytest.param(
            server(addresses={}, tags=OURS),
            LATE,
            "not ready after 1800 s: ACTIVE, it has no fixed address yet",
            id="no-address",
        ),
    ],
)
def test_the_reason_is_the_one_that_hostfactory_is_told(record: Server, now: float, reason: str) -> None:
    (found,) = doomed(ASKED, record, now=now)
    assert (found.key, found.machine_id, found.message) == (
        "hf-33e9ed03-1",
        server_id(1),
        reason,
    )


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(server(tags=OURS), id="up"),
        pytest.param(building(tags=OURS), id="building"),
        pytest.param(server(tags=OURS, addresses={}), id="without-address"),
        pytest.param(failed(tags=OURS, locked=True), id="locked"),
        pytest.param(failed(tags=[TAG]), id="tag-alone"),
        pytest.param(failed(tags=["hostfactory", TAG]), id="no-provider"),
        pytest.param(failed(tags=["hfp:bank", TAG]), id="no-owner"),
        pytest.param(failed(tags=["hostfactory", "hfp:bank2", TAG]), id="another-provider"),
        pytest.param(failed(tags=["hostfactory", "hfp:bank"]), id="no-request"),
        pytest.param(failed(tags=["hostfactory", "hfp:bank", TAG + "0"]), id="another-request"),
        pytest.param(failed(tags=[]), id="no-tags"),
        pytest.param(failed(tags=None), id="tags-null"),
        pytest.param(failed(tags=" ".join(OURS)), id="tags-text"),
        pytest.param(down_cell(), id="down-cell"),
        pytest.param(deleted(), id="deleted"),
    ],
)
def test_other_servers_are_left_alone(record: Server) -> None:
    assert doomed(ASKED, record) == []


def test_nothing_is_deleted_of_a_request_that_is_not_on_record() -> None:
    assert doomed(None, failed(tags=OURS)) == []


def test_nothing_is_deleted_of_a_request_that_has_ended() -> None:
    assert doomed(ASKED._replace(ended=True), failed(tags=OURS), now=10 * LATE) == []


def test_a_server_that_was_not_planned_but_is_ours_is_deleted_too() -> None:
    (found,) = doomed(ASKED, failed(3, tags=OURS))
    assert (found.key, ids([found])) == (server_id(3), [server_id(3)])


def test_a_server_of_an_unclear_post_is_called_by_its_planned_name() -> None:
    (found,) = doomed(
        AcquireRequest(CREATED_AT, 1800, (Planned("hf-33e9ed03-1"),), recorded_at=CREATED_AT), failed(1, tags=OURS)
    )
    assert found.key == "hf-33e9ed03-1"


def test_a_planned_name_that_cannot_name_a_file_is_replaced_by_the_id() -> None:
    (found,) = doomed(AcquireRequest(CREATED_AT, 1800, (Planned("../hf", server_id(1)),)), failed(1, tags=OURS))
    assert found.key == server_id(1)


def test_two_servers_of_one_name_are_distinguished() -> None:
    asked = AcquireRequest(CREATED_AT, 1800, (Planned("hf-1"),), recorded_at=CREATED_AT)
    found = doomed(asked, failed(1, name="hf-1", tags=OURS), failed(2, name="hf-1", tags=OURS))
    assert [(one.key, one.machine_id) for one in found] == [
        ("hf-1", server_id(1)),
        (server_id(2), server_id(2)),
    ]
    known = asked._replace(failed=(Failed("hf-1", server_id(1), "hf-1", "", CREATED_AT, "gone wrong"),))
    assert [one.key for one in doomed(known, failed(2, name="hf-1", tags=OURS))] == [server_id(2)]


def test_a_failure_on_record_is_deleted_again_whatever_became_of_the_server() -> None:
    known = ASKED._replace(failed=(Failed("hf-33e9ed03-1", server_id(1), "hf-33e9ed03-1", "", CREATED_AT, "late"),))
    (found,) = doomed(known, server(tags=OURS))
    assert (found.key, found.message) == ("hf-33e9ed03-1", "late")
    assert doomed(known, server(tags=OURS, status="PAUSED")) == []


UNCLEAR = AcquireRequest(
    CREATED_AT, 1800, (Planned("hf-33e9ed03-1", unclear="no answer in time"), PLAN[1]), recorded_at=CREATED_AT
)
NEVER_SEEN = Failed("hf-33e9ed03-1", "hf-33e9ed03-1", "hf-33e9ed03-1", "", CREATED_AT, "no server")


@pytest.mark.parametrize(
    ("request_", "looked_up", "now", "found"),
    [
        pytest.param(UNCLEAR, {"hf-33e9ed03-1": status.GONE}, SOON, ["hf-33e9ed03-1"], id="proof that it is absent"),
        pytest.param(UNCLEAR, {}, SOON, [], id="no proof"),
        pytest.param(UNCLEAR, {}, LATE, ["hf-33e9ed03-1"], id="no proof until the deadline"),
        pytest.param(UNCLEAR._replace(failed=(NEVER_SEEN,)), {}, LATE, [], id="on record"),
        pytest.param(UNCLEAR._replace(ended=True), {}, LATE, [], id="ended"),
        pytest.param(ASKED, {server_id(1): status.GONE}, SOON + 60, ["hf-33e9ed03-1"], id="gone"),
    ],
)
def test_a_machine_that_failed_without_a_server_is_recorded_under_its_name(
    request_: AcquireRequest, looked_up: status.LookedUp, now: float, found: list[str]
) -> None:
    answer = status.acquire(REQUEST, request_, [building(2)], looked_up, {}, Rules(), now)
    lost = deletion.lost(request_, looked_up, answer["machines"], ())
    assert [one.key for one in lost] == found
    assert all(one.message for one in lost)


@pytest.mark.parametrize(
    ("record", "goes"),
    [
        pytest.param(building(tags=OURS), True, id="building"),
        pytest.param(server(tags=OURS), True, id="up"),
        pytest.param(server(tags=[TAG]), False, id="not-ours"),
        pytest.param(server(tags=OURS, locked=True), False, id="locked"),
        pytest.param(server(tags=OURS, name="another"), False, id="another-name"),
    ],
)
def test_a_server_that_appears_after_its_machine_failed_is_deleted(record: Server, goes: bool) -> None:
    request = UNCLEAR._replace(failed=(NEVER_SEEN,))
    answer = status.acquire(REQUEST, request, [record, server(2, tags=OURS)], {}, {}, Rules(), SOON)
    found = deletion.of_acquire(REQUEST, "bank", request, [record, server(2, tags=OURS)], answer["machines"])
    assert found == ({server_id(1): NEVER_SEEN} if goes else {})


@given(
    st.lists(RECORDS.map(lambda record: {**record, "tags": OURS}), max_size=3),
    st.sampled_from([None, ASKED]),
    st.booleans(),
)
def test_whatever_nova_shows_only_what_failed_is_deleted(
    servers: list[Server], asked: AcquireRequest | None, overdue: bool
) -> None:
    now = LATE if overdue else SOON
    answer = status.acquire(REQUEST, asked, servers, {}, {}, Rules(), now)
    failures = {one["machineId"]: one["message"] for one in answer["machines"] if one["result"] == states.FAIL}
    for one in doomed(asked, *servers, now=now):
        assert one.message
        assert one.message == failures[one.machine_id]


@pytest.mark.parametrize(
    ("record", "asked", "goes"),
    [
        pytest.param(failed(tags=OURS), ASKED, True, id="ours"),
        pytest.param(failed(tags=[TAG]), ASKED, False, id="not-ours"),
        pytest.param(failed(tags=OURS[:2]), ASKED, False, id="of-another-request"),
        pytest.param(failed(2, tags=OURS), ASKED, False, id="not-replaced"),
        pytest.param(failed(tags=OURS, locked=True), ASKED, False, id="locked"),
        pytest.param(failed(tags=OURS), ASKED._replace(ended=True), False, id="ended"),
        pytest.param(failed(tags=OURS), None, False, id="nothing-on-record"),
    ],
)
def test_a_server_that_found_no_host_goes_and_is_no_machine(
    record: Server, asked: AcquireRequest | None, goes: bool
) -> None:
    replaced = asked._replace(replaced=frozenset({server_id(1)})) if asked else None
    assert deletion.replaced(REQUEST, "bank", replaced, [record]) == ([server_id(1)] if goes else [])
    if replaced and record["id"] == server_id(1):
        assert doomed(replaced, record) == []


# Returns


def returned(*records: Server | None, now: float = SOON, ended: bool = False) -> list[str]:
    machines = tuple(Returned(server_id(n), f"hf-{n}", "10.0.0.7", CREATED_AT) for n in range(1, len(records) + 1))
    seen = {one.machine_id: record for one, record in zip(machines, records, strict=True)}
    return deletion.of_return(
        "bank", ReturnRequest(CREATED_AT, 1800, machines, ended=ended, recorded_at=CREATED_AT), seen, now
    )


@pytest.mark.parametrize("task", [None, *EVERY_TASK])
@pytest.mark.parametrize("status", [*STATUSES, "ARCHIVED"])
def test_a_return_deletes_again_whatever_lives_and_is_not_being_deleted(status: str, task: str | None) -> None:
    leaving = status in {"DELETED", "SOFT_DELETED"} or (task in {"deleting", "soft-deleting"} and status != "UNKNOWN")
    found = returned(server(status=status, task=task, tags=OURS))
    assert found == ([] if leaving else [server_id(1)])


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(status.GONE, id="gone"),
        pytest.param(server(tags=OURS, locked=True), id="locked"),
        pytest.param(server(tags=[TAG]), id="tag-alone"),
        pytest.param(server(tags=["hostfactory", "hfp:bank2", TAG]), id="another-provider"),
        pytest.param(server(tags=[]), id="foreign"),
        pytest.param(down_cell(), id="down-cell"),
    ],
)
def test_a_return_leaves_other_servers_alone(record: Server | None) -> None:
    assert returned(record, failed(2, tags=OURS)) == [server_id(2)]


def test_a_return_gives_up_at_the_deadline() -> None:
    assert returned(failed(tags=OURS), now=LATE - 1) == [server_id(1)]
    assert returned(failed(tags=OURS), now=LATE) == []


def test_a_return_that_has_ended_deletes_nothing() -> None:
    assert returned(failed(tags=OURS), ended=True) == []


def test_of_a_machine_that_was_not_asked_for_nothing_is_decided() -> None:
    asked = ReturnRequest(CREATED_AT, 1800, (Returned(server_id(1), "hf-1", "", CREATED_AT),))
    assert deletion.of_return("bank", asked, {}, SOON) == []
    assert deletion.gone(asked, {}) == {}


def test_what_is_gone_is_said_once_with_its_proof() -> None:
    machines = tuple(Returned(server_id(n), f"hf-{n}", "", CREATED_AT) for n in range(1, 7))
    asked = ReturnRequest(CREATED_AT, 1800, machines, gone=frozenset({server_id(6)}))
    seen = {
        server_id(1): status.GONE,
        server_id(2): deleted(2),
        server_id(3): server(3, status="SOFT_DELETED"),
        server_id(4): server(4, task="deleting"),
        server_id(5): down_cell(5),
        server_id(6): status.GONE,
    }
    assert deletion.gone(asked, seen) == {
        server_id(1): "Nova answers 404 itemNotFound",
        server_id(2): "Nova shows it as DELETED",
        server_id(3): "Nova shows it as SOFT_DELETED",
    }
