"""What is cleaned up: our servers that nobody will use, and records that nobody needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from hfstack.rules import leftovers
from hfstack.rules.floating_ip import FloatingIP
from hfstack.rules.leftovers import DAY, Clocks, Leftover, Owner, Patience, Unpolled
from hfstack.rules.server_record import Server
from hfstack.store.facts import AcquireRequest, Failed, Planned, Returned, ReturnRequest
from hfstack.store.request_list import RecordedRequest
from tests.unit.records import (
    CREATED_AT,
    LAUNCHED_AT,
    REQUEST,
    RETURN,
    TAG,
    building,
    down_cell,
    failed,
    server,
    server_id,
)

OURS = ["hostfactory", "hfp:bank", TAG]
PATIENCE = Patience(unfinished=600, unpolled=3600, history=90 * DAY)
NAME = "hf-33e9ed03-1"
LATE = CREATED_AT + 4000
FAILURE = Failed(NAME, server_id(1), NAME, "", 0, "not ready in time")
UNHEARD = "HostFactory has not polled its request within 3600 s"
UNFINISHED = "the requestMachines call never finished, so HostFactory does not know this server"


def acquire(**changes: Any) -> AcquireRequest:
    """Return a request for one machine; its POST was answered."""
    known = AcquireRequest(
        CREATED_AT, 1800, (Planned(NAME, server_id(1)),), recorded_at=CREATED_AT, created_at=CREATED_AT
    )
    return known._replace(**changes)


def stored(asked: AcquireRequest | ReturnRequest | None, request_id: str = REQUEST, **changes: Any) -> RecordedRequest:
    return RecordedRequest(request_id, asked, last_recorded_at=CREATED_AT)._replace(**changes)


def returned(*numbers: int) -> ReturnRequest:
    return ReturnRequest(CREATED_AT, 1800, tuple(Returned(server_id(number), NAME, "", 0) for number in numbers))


def unpolled(*folders: RecordedRequest, listed: Sequence[Server] = (), clocks: Clocks) -> list[Unpolled]:
    """Return the requests that housekeeping closes, or would if nothing contradicted it."""
    return leftovers.unpolled(folders, listed, "bank", clocks, PATIENCE)


def reasons(*folders: RecordedRequest, listed: list[Server] | None = None) -> list[str]:
    servers = [server(tags=OURS)] if listed is None else listed
    return [one.reason for one in leftovers.leftovers(folders, servers, "bank")]


# Servers


@pytest.mark.parametrize(
    ("one", "age", "found"),
    [
        pytest.param(stored(acquire()), 3601, [UNHEARD], id="never polled"),
        pytest.param(stored(acquire()), 3600, [], id="not polled yet"),
        pytest.param(stored(acquire(created_at=CREATED_AT + 10)), 3610, [], id="counted from Nova's answers"),
        pytest.param(stored(acquire(polled=True)), 9999, [], id="polled"),
        pytest.param(stored(acquire(created_at=None)), 601, [UNFINISHED], id="unfinished"),
        pytest.param(stored(acquire(created_at=None)), 600, [], id="may be running"),
        pytest.param(stored(acquire(polled=True, created_at=None)), 9999, [], id="unfinished, but polled"),
        pytest.param(stored(acquire(ended=True)), 9999, [], id="ended"),
        pytest.param(stored(acquire(polled=True, reaped=UNHEARD)), 9999, [], id="closed before"),
        pytest.param(stored(acquire()), -9999, [], id="recorded in the future"),
        pytest.param(stored(None), 9999, [], id="nothing recorded"),
        pytest.param(stored(returned(1), RETURN), 9999, [], id="a return"),
    ],
)
def test_which_requests_hostfactory_never_learned_of(one: RecordedRequest, age: int, found: list[str]) -> None:
    closed = unpolled(one, clocks=Clocks(CREATED_AT + age, CREATED_AT))
    assert closed == [Unpolled(REQUEST, reason) for reason in found]


@pytest.mark.parametrize(
    ("changes", "age", "contradicts"),
    [
        pytest.param({}, 7200, "", id="as old as it may be"),
        pytest.param({}, 7201, "should have been deleted long ago, if HostFactory did not use it", id="too old"),
        pytest.param({"tags": [*OURS, "hf-ended"]}, 1, "carries the tag hf-ended: HostFactory uses it", id="ended"),
        pytest.param({"tags": ["hostfactory", "hfp:other", TAG]}, 9999, "", id="not our server"),
        pytest.param({"tags": ["hostfactory", "hfp:bank", "hf:req-other"]}, 9999, "", id="another request's"),
        pytest.param({"created": None}, 9999, "", id="no date"),
    ],
)
def test_a_server_shows_that_the_records_are_wrong(changes: dict[str, Any], age: int, contradicts: str) -> None:
    one = server(**{"tags": OURS, **changes})
    (found,) = unpolled(stored(acquire()), listed=[one], clocks=Clocks(LATE, CREATED_AT + age))
    assert found.contradiction == (f"{server_id(1)} {contradicts}" if contradicts else "")


@pytest.mark.parametrize(
    ("one", "found"),
    [
        pytest.param(stored(acquire(polled=True, reaped=UNHEARD)), [UNHEARD], id="closed"),
        pytest.param(stored(acquire(polled=True, reaped=UNHEARD, ended=True)), [UNHEARD], id="closed, and told so"),
        pytest.param(stored(acquire()), [], id="open"),
        pytest.param(stored(acquire(ended=True)), [], id="ended"),
        pytest.param(stored(acquire(ended=True, failed=(FAILURE,))), ["not ready in time"], id="failed"),
        pytest.param(stored(acquire(polled=True, failed=(FAILURE,))), [], id="failed, the polls delete it"),
        pytest.param(stored(None), [], id="nothing recorded"),
        pytest.param(stored(returned(1), RETURN), [], id="a return"),
    ],
)
def test_which_requests_leave_servers_behind(one: RecordedRequest, found: list[str]) -> None:
    assert reasons(one) == found


@pytest.mark.parametrize(
    ("told", "created", "back", "found"),
    [
        pytest.param(frozenset[str](), "", (), ["it appeared after its request ended"], id="nobody was told"),
        pytest.param(frozenset({server_id(1)}), "", (), [], id="told"),
        pytest.param(None, "", (), [], id="not on record who was told"),
        pytest.param(frozenset[str](), server_id(1), (), [], id="created"),
        pytest.param(frozenset[str](), "", (1,), [], id="returned"),
    ],
)
def test_a_server_that_appeared_after_the_end(
    told: frozenset[str] | None, created: str, back: tuple[int, ...], found: list[str]
) -> None:
    one = stored(acquire(machines=(Planned(NAME, created),), ended=True, answered_ids=told))
    assert reasons(one, stored(returned(*back), RETURN)) == found


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        pytest.param(
            {"ended": True, "answered_ids": frozenset({NAME})}, "it appeared after its request ended", id="over"
        ),
        pytest.param({"polled": True, "reaped": UNHEARD}, UNHEARD, id="closed by housekeeping"),
        pytest.param({"polled": True}, "", id="open, the polls delete it"),
    ],
)
def test_a_server_that_appears_after_its_machine_failed_without_an_id(changes: dict[str, Any], found: str) -> None:
    failure = Failed(NAME, NAME, NAME, "", CREATED_AT, "no server after 120 s")
    one = acquire(machines=(Planned(NAME, unclear="no answer in time"),), failed=(failure,), **changes)
    doomed = leftovers.leftovers([stored(one)], [server(tags=OURS)], "bank")
    assert [leftover.reason for leftover in doomed] == ([found] if found else [])
    assert {leftover.key for leftover in doomed} <= {"", NAME}, "no second failure is recorded for the machine"


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(server(), id="known only by its tag"),
        pytest.param(server(tags=["hostfactory", "hfp:bank"]), id="of no request"),
        pytest.param(server(tags=["hostfactory", "hfp:bank", "hf:req-other"]), id="of an unrecorded request"),
        pytest.param(server(tags=["hfp:bank", TAG]), id="without the owner's tag"),
        pytest.param(server(tags=["hostfactory", "hfp:other", TAG]), id="another provider's"),
        pytest.param(server(tags=[*OURS, "hf-ended"]), id="handed over"),
        pytest.param(server(tags=OURS, locked=True), id="locked"),
        pytest.param(server(tags=OURS, status="PAUSED"), id="paused"),
        pytest.param(server(tags=OURS, status="SHELVED_OFFLOADED"), id="shelved"),
        pytest.param(server(tags=OURS, task="deleting"), id="being deleted"),
        pytest.param(down_cell(), id="down cell"),
    ],
)
def test_servers_that_are_left_alone(one: Server) -> None:
    assert reasons(stored(acquire(failed=(FAILURE,), ended=True)), listed=[one]) == []
    assert reasons(stored(acquire(reaped=UNHEARD)), listed=[one]) == []


@pytest.mark.parametrize("one", [server(tags=OURS), building(tags=OURS), failed(tags=OURS)])
def test_servers_that_go(one: Server) -> None:
    assert reasons(stored(acquire(reaped=UNHEARD)), listed=[one]) == [UNHEARD]


def test_the_failure_is_on_record_by_the_planned_name_and_of_two_by_the_id() -> None:
    both = [server(1, tags=OURS, name=NAME), server(2, tags=OURS, name=NAME)]
    one = stored(acquire(machines=(Planned(NAME),), reaped=UNFINISHED))
    found = leftovers.leftovers([one], both, "bank")
    assert [leftover.key for leftover in found] == [NAME, server_id(2)]
    assert leftovers.failure(found[0], LATE) == Failed(NAME, server_id(1), NAME, "10.0.0.7", LAUNCHED_AT, UNFINISHED)
    bare = Leftover(REQUEST, {"id": "x"}, "", "")
    assert leftovers.failure(bare, LATE + 0.5).launch_time == LATE


# Floating IPs

ADDRESSED = acquire(floating_network="net-ext")
DESCRIPTION = f"hfstack bank {REQUEST} {NAME}"
IDLE = FloatingIP("f-1", "203.0.113.7", DESCRIPTION)


@pytest.mark.parametrize(
    ("one", "found"),
    [
        pytest.param(stored(ADDRESSED), {DESCRIPTION: Owner(REQUEST, ADDRESSED)}, id="one"),
        pytest.param(stored(ADDRESSED._replace(machines=())), {}, id="no machines"),
        pytest.param(stored(acquire()), {}, id="without floating IPs"),
        pytest.param(stored(returned(1), RETURN), {}, id="return"),
        pytest.param(stored(None), {}, id="nothing recorded"),
    ],
)
def test_whose_floating_ips_there_may_be(one: RecordedRequest, found: dict[str, Owner]) -> None:
    assert leftovers.owners([one], "bank") == found


@pytest.mark.parametrize(
    ("shown", "alive", "age", "goes"),
    [
        pytest.param(IDLE, [], 601, True, id="nobody's"),
        pytest.param(IDLE, [], 600, False, id="its call may be running"),
        pytest.param(IDLE._replace(port_id="p-1"), [], 9999, False, id="attached"),
        pytest.param(IDLE, [server(tags=OURS)], 9999, False, id="its server waits for it"),
        pytest.param(IDLE, [building(tags=OURS)], 9999, False, id="its server is being made"),
        pytest.param(IDLE, [server(tags=OURS, metadata={})], 9999, False, id="its server, whatever its metadata"),
        pytest.param(IDLE, [server(tags=OURS, name="hf-33e9ed03-2")], 9999, True, id="another server"),
        pytest.param(IDLE, [server(tags=["hf:req-other"])], 9999, True, id="another request's server"),
        pytest.param(IDLE._replace(description=DESCRIPTION + "0"), [], 9999, False, id="another machine's"),
        pytest.param(IDLE._replace(description="hfstack bank req-x hf-1"), [], 9999, False, id="not on record"),
        pytest.param(IDLE._replace(description=""), [], 9999, False, id="foreign"),
    ],
)
def test_which_floating_ips_are_abandoned(shown: FloatingIP, alive: list[Server], age: int, goes: bool) -> None:
    owned = leftovers.owners([stored(ADDRESSED)], "bank")
    found = leftovers.abandoned([shown], owned, alive, "bank", CREATED_AT + age, PATIENCE)
    assert found == ([shown] if goes else [])


# Records

OLD = CREATED_AT + 90 * DAY + 1
OVER = acquire(ended=True)
RETURNED = returned(1)._replace(ended=True)


@pytest.mark.parametrize(
    ("folders", "alive", "gone"),
    [
        pytest.param([stored(OVER)], [], [REQUEST], id="old"),
        pytest.param([stored(acquire())], [], [], id="open"),
        pytest.param([stored(acquire(reaped=UNHEARD))], [], [REQUEST], id="closed by housekeeping"),
        pytest.param([stored(OVER, last_recorded_at=CREATED_AT + 1)], [], [], id="not yet"),
        pytest.param([stored(None)], [], [REQUEST], id="empty"),
        pytest.param([stored(OVER)], [server(2)], [], id="a server carries its tag"),
        pytest.param([stored(OVER)], [down_cell()], [], id="a server is in a down cell"),
        pytest.param([stored(OVER)], [server(2, tags=[])], [REQUEST], id="another's server"),
        pytest.param([stored(RETURNED, RETURN)], [], [RETURN], id="return"),
        pytest.param([stored(returned(1), RETURN)], [], [], id="open return"),
        pytest.param([stored(RETURNED, RETURN)], [server(1)], [], id="return of a server that lives"),
        pytest.param([stored(OVER), stored(RETURNED, RETURN)], [], [REQUEST, RETURN], id="both"),
        pytest.param(
            [stored(OVER, last_recorded_at=OLD), stored(RETURNED, RETURN)],
            [],
            [],
            id="the return is still needed",
        ),
    ],
)
def test_which_records_are_history(folders: list[RecordedRequest], alive: list[Server], gone: list[str]) -> None:
    assert leftovers.history(folders, alive, OLD, PATIENCE) == gone
