"""From what is recorded and what Nova shows to the answer: nothing is concluded without proof."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfstack.rules import return_status, server_record, status
from hfstack.rules.server_record import Server
from hfstack.rules.status import Rules
from hfstack.schema import Machine, RequestStatus
from hfstack.store.facts import AcquireRequest, Failed, Planned, Ready, Returned, ReturnRequest
from tests.unit.records import (
    CREATED_AT,
    FLOATING,
    FLOATING_V6,
    LAUNCHED_AT,
    REQUEST,
    RETURN,
    TAG,
    V4,
    V6,
    building,
    deleted,
    down_cell,
    failed,
    server,
    server_id,
)
from tests.unit.shapes import JSON, RECORDS, assert_is_answer

SOON = CREATED_AT + 60
LATE = CREATED_AT + 1800


def planned(number: int = 1, message: str = "") -> Planned:
    """Return a machine that Nova accepted, or refused with a message."""
    return Planned(f"hf-33e9ed03-{number}", "" if message else server_id(number), message)


def unclear(number: int = 1) -> Planned:
    """Return a machine whose POST gave no clear answer, or was never sent."""
    return Planned(f"hf-33e9ed03-{number}")


def doubtful(number: int = 1) -> Planned:
    """Return a machine whose POST gave no clear answer."""
    return Planned(f"hf-33e9ed03-{number}", unclear=WORDS)


WORDS = "Nova failed: 500 Unexpected API Error. (req-nova-1)"
NO_ANSWER = f"no clear answer from Nova: {WORDS}"
NO_SERVER = f"it was never created: no server after 120 s, and {NO_ANSWER}"


def asked(*machines: Planned) -> AcquireRequest:
    return AcquireRequest(CREATED_AT, 1800, machines, recorded_at=CREATED_AT, created_at=CREATED_AT - 120)


def acquire(
    facts: AcquireRequest | None,
    servers: Sequence[Server] = (),
    looked_up: status.LookedUp | None = None,
    now: float = SOON,
    rules: Rules | None = None,
    floating_ip_trouble: dict[str, str] | None = None,
) -> RequestStatus:
    return status.acquire(REQUEST, facts, servers, looked_up or {}, floating_ip_trouble or {}, rules or Rules(), now)


def only(found: RequestStatus) -> Machine:
    assert len(found["machines"]) == 1
    return found["machines"][0]


def results(found: RequestStatus) -> list[str]:
    return [one["result"] for one in found["machines"]]


# Acquire: the usual life


def test_a_building_server_is_executing() -> None:
    assert acquire(asked(planned()), [building()]) == {
        "requestId": REQUEST,
        "status": "running",
        "message": "",
        "machines": [
            {
                "machineId": server_id(1),
                "name": "hf-33e9ed03-1",
                "result": "executing",
                "status": "running",
                "privateIpAddress": "",
                "launchtime": CREATED_AT,
                "message": "",
            }
        ],
    }


def test_a_server_that_is_up_is_a_success() -> None:
    assert acquire(asked(planned()), [server(addresses={"grid": [V4, V6, FLOATING]})]) == {
        "requestId": REQUEST,
        "status": "complete",
        "message": "",
        "machines": [
            {
                "machineId": server_id(1),
                "name": "hf-33e9ed03-1",
                "result": "succeed",
                "status": "running",
                "privateIpAddress": "10.0.0.7",
                "publicIpAddress": "203.0.113.7",
                "launchtime": LAUNCHED_AT,
                "message": "",
            }
        ],
    }


def test_machines_stand_in_the_order_in_which_they_were_planned() -> None:
    found = acquire(asked(planned(1), planned(2), planned(3)), [server(3), server(1), server(2)])
    assert [one["machineId"] for one in found["machines"]] == [server_id(1), server_id(2), server_id(3)]


def test_an_active_server_without_an_address_is_waited_for() -> None:
    found = acquire(asked(planned()), [server(addresses={"grid": []})])
    assert found["status"] == "running"
    assert only(found)["message"] == "it has no fixed address yet"


def test_a_floating_address_alone_is_not_enough() -> None:
    assert acquire(asked(planned()), [server(addresses={"grid": [FLOATING]})])["status"] == "running"


WANTS_FLOATING = {"hf_floating_network": "net-ext"}
WHY = "Neutron failed: 503"


@pytest.mark.parametrize(
    ("shown", "result", "message"),
    [
        pytest.param({"addresses": {"grid": [V4]}}, "executing", "it has no floating IP yet", id="none"),
        pytest.param({"addresses": {"grid": []}}, "executing", "it has no fixed address yet", id="no address at all"),
        pytest.param({"addresses": {"grid": [FLOATING]}}, "executing", "it has no fixed address yet", id="no fixed"),
        pytest.param({"addresses": {"grid": [V4], "b": [FLOATING]}}, "succeed", "", id="both"),
        pytest.param({"addresses": {"grid": [V4, FLOATING_V6]}}, "succeed", "", id="a floating IPv6"),
        pytest.param({"status": "ERROR", "addresses": {}}, "fail", "the server is in ERROR", id="failed"),
        pytest.param({"status": "BUILD", "addresses": {}}, "executing", "", id="building"),
    ],
)
def test_a_machine_that_is_to_have_a_floating_ip_is_ready_with_it(
    shown: dict[str, Any], result: str, message: str
) -> None:
    found = only(acquire(asked(planned()), [server(metadata=WANTS_FLOATING, **shown)]))
    assert (found["result"], found["message"]) == (result, message)


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        pytest.param({server_id(1): WHY}, f"it has no floating IP yet: {WHY}", id="its own"),
        pytest.param({server_id(2): WHY}, "it has no floating IP yet", id="another server's"),
    ],
)
def test_the_answer_says_why_a_floating_ip_is_not_attached(trouble: dict[str, str], message: str) -> None:
    found = only(acquire(asked(planned()), [server(metadata=WANTS_FLOATING)], floating_ip_trouble=trouble))
    assert (found["result"], found["message"]) == ("executing", message)


def test_a_floating_ip_is_waited_for_until_the_deadline() -> None:
    record = server(metadata=WANTS_FLOATING)
    found = only(acquire(asked(planned()), [record], now=CREATED_AT + 1800, floating_ip_trouble={record["id"]: WHY}))
    assert (found["result"], found["message"]) == (
        "fail",
        f"not ready after 1800 s: ACTIVE, it has no floating IP yet: {WHY}",
    )


def test_the_configured_network_gives_the_address() -> None:
    record = server(addresses={"a": [V4], "b": [{**V4, "addr": "192.0.2.9"}]})
    found = acquire(asked(planned()), [record], rules=Rules(networks=("b",)))
    assert only(found)["privateIpAddress"] == "192.0.2.9"


def test_an_error_is_a_failure_with_novas_reason() -> None:
    found = acquire(asked(planned()), [failed()])
    assert found["status"] == "complete_with_error"
    assert only(found)["result"] == "fail"
    assert only(found)["message"] == "the server is in ERROR: No valid host was found."
    assert found["message"] == "1 of 1 machine failed; hf-33e9ed03-1: the server is in ERROR: No valid host was found."


@pytest.mark.parametrize(
    ("servers", "status", "expected"),
    [
        pytest.param([server(1), server(2)], "complete", ["succeed", "succeed"], id="all-up"),
        pytest.param([server(1), building(2)], "running", ["succeed", "executing"], id="one-building"),
        pytest.param([server(1), failed(2)], "complete_with_error", ["succeed", "fail"], id="one-failed"),
        pytest.param([building(1), failed(2)], "running", ["executing", "fail"], id="one-failed-one-building"),
        pytest.param([failed(1), failed(2)], "complete_with_error", ["fail", "fail"], id="all-failed"),
        pytest.param(
            [server(1), server(2, task="deleting")], "complete_with_error", ["succeed", "fail"], id="one-being-deleted"
        ),
    ],
)
def test_a_request_ends_when_no_machine_is_executing(servers: list[Server], status: str, expected: list[str]) -> None:
    found = acquire(asked(planned(1), planned(2)), servers)
    assert (found["status"], results(found)) == (status, expected)


@pytest.mark.parametrize(
    ("status", "result"),
    [("PAUSED", "fail"), ("RESCUE", "fail"), ("SHELVED", "fail"), ("SHUTOFF", "fail"), ("SUSPENDED", "fail")],
)
def test_a_stopped_server_fails_with_a_reason_and_keeps_its_address(status: str, result: str) -> None:
    entry = only(acquire(asked(planned()), [server(status=status)]))
    assert (entry["result"], entry.get("status"), entry["privateIpAddress"]) == (result, "stopped", "10.0.0.7")
    assert entry["message"]


# Acquire: machines that Nova does not show


def test_nothing_is_seen_yet_of_unclear_posts() -> None:
    found = acquire(asked(unclear(1), unclear(2)))
    assert (found["status"], found["machines"]) == ("running", [])


def test_a_machine_without_an_id_is_recognised_by_its_name() -> None:
    found = acquire(asked(unclear(1), unclear(2)), [server(2), server(1)])
    assert [one["machineId"] for one in found["machines"]] == [server_id(1), server_id(2)]
    assert found["status"] == "complete"


def test_a_refused_post_is_a_failure_under_the_planned_name() -> None:
    found = acquire(asked(planned(1), planned(2, message="Quota exceeded for instances")), [server(1)])
    assert found["status"] == "complete_with_error"
    assert found["machines"][1] == {
        "machineId": "hf-33e9ed03-2",
        "name": "hf-33e9ed03-2",
        "result": "fail",
        "privateIpAddress": "",
        "launchtime": CREATED_AT,
        "message": "Quota exceeded for instances",
    }


def test_a_server_that_exists_although_its_post_was_refused_is_reported_as_it_is() -> None:
    found = acquire(asked(planned(1, message="502 Bad Gateway")), [server(1)])
    assert (found["status"], only(found)["machineId"]) == ("complete", server_id(1))


def test_a_machine_that_was_never_created_is_waited_for_until_the_deadline() -> None:
    found = acquire(asked(planned(1), unclear(2)), [server(1)], now=LATE - 1)
    assert (found["status"], results(found)) == ("running", ["succeed"])


def test_a_machine_that_was_never_created_fails_at_the_deadline() -> None:
    found = acquire(asked(planned(1), unclear(2)), [server(1)], now=LATE)
    assert (found["status"], results(found)) == ("complete_with_error", ["succeed", "fail"])
    assert found["machines"][1]["machineId"] == found["machines"][1]["name"] == "hf-33e9ed03-2"
    assert found["machines"][1]["message"] == "no server of this name after 1800 s: it was never created"
    assert found["machines"][1]["launchtime"] == CREATED_AT


def test_an_unlisted_server_that_could_not_be_asked_for_is_executing_whatever_the_time() -> None:
    for now in (SOON, LATE, 10 * LATE):
        found = acquire(asked(planned(1), planned(2)), [server(1)], now=now)
        assert (found["status"], results(found)) == ("running", ["succeed", "executing"])


def test_a_server_that_nova_does_not_know_any_more_is_a_failure() -> None:
    entry = only(acquire(asked(planned()), looked_up={server_id(1): status.GONE}))
    assert (entry["result"], entry.get("status")) == ("fail", "terminated")
    assert entry["message"] == "the server is gone: Nova no longer knows its id"
    assert (entry["machineId"], entry["launchtime"]) == (server_id(1), CREATED_AT)


def test_a_server_that_lost_its_tag_is_a_failure() -> None:
    found = acquire(asked(planned()), looked_up={server_id(1): server(tags=["hostfactory"])})
    assert only(found)["result"] == "fail"
    assert only(found)["message"] == f"the server no longer carries the tag {TAG}"
    assert "status" not in only(found)


def test_an_unlisted_server_that_still_carries_its_tag_is_reported_as_it_is() -> None:
    assert acquire(asked(planned()), looked_up={server_id(1): server()})["status"] == "complete"


def test_a_soft_deleted_server_is_a_failure() -> None:
    entry = only(acquire(asked(planned()), looked_up={server_id(1): server(status="SOFT_DELETED")}))
    assert (entry["result"], entry.get("status")) == ("fail", "terminated")


def test_a_deleted_record_is_a_failure() -> None:
    entry = only(acquire(asked(planned()), looked_up={server_id(1): server(status="DELETED")}))
    assert (entry["result"], entry.get("status")) == ("fail", "terminated")


def test_a_server_in_a_down_cell_is_executing_under_its_planned_name() -> None:
    found = acquire(asked(planned()), looked_up={server_id(1): down_cell()})
    assert found["status"] == "running"
    assert only(found) == {
        "machineId": server_id(1),
        "name": "hf-33e9ed03-1",
        "result": "executing",
        "privateIpAddress": "",
        "launchtime": CREATED_AT,
        "message": "the server's cell is down",
    }


def test_an_executing_machine_fails_at_the_deadline_with_its_state() -> None:
    entry = only(acquire(asked(planned()), [building()], now=LATE))
    assert (entry["result"], entry["message"]) == ("fail", "not ready after 1800 s: BUILD/spawning")


def test_a_machine_that_is_up_does_not_fail_at_the_deadline() -> None:
    assert acquire(asked(planned()), [server()], now=LATE)["status"] == "complete"


# Acquire: failures on record


def on_record(number: int = 1, message: str = "the server is in ERROR: No valid host was found.") -> Failed:
    return Failed(f"hf-33e9ed03-{number}", server_id(number), f"node{number}.bank", "10.0.0.7", LAUNCHED_AT, message)


def test_a_failure_on_record_stays_after_the_server_is_gone() -> None:
    facts = asked(planned(1), planned(2))._replace(failed=(on_record(1),))
    found = acquire(facts, [server(2)])
    assert (found["status"], results(found)) == ("complete_with_error", ["fail", "succeed"])
    assert found["machines"][0] == {
        "machineId": server_id(1),
        "name": "node1.bank",
        "result": "fail",
        "privateIpAddress": "10.0.0.7",
        "launchtime": LAUNCHED_AT,
        "message": "the server is in ERROR: No valid host was found.",
    }


@pytest.mark.parametrize(
    ("record", "status"),
    [(failed(), "stopped"), (server(), "running"), (server(task="deleting"), "shutting-down"), (building(), "running")],
    ids=["error", "up", "being-deleted", "building"],
)
def test_a_failure_on_record_is_not_unsaid_by_the_server(record: Server, status: str) -> None:
    entry = only(acquire(asked(planned())._replace(failed=(on_record(message="late"),)), [record]))
    assert (entry["result"], entry["message"], entry["status"]) == ("fail", "late", status)


def test_a_failure_on_record_of_an_unclear_post_is_known_by_its_name() -> None:
    facts = asked(unclear(1), unclear(2))._replace(failed=(on_record(1),))
    found = acquire(facts)
    assert (found["status"], [one["machineId"] for one in found["machines"]]) == ("running", [server_id(1)])
    renamed = acquire(facts, [server(1, name="renamed"), server(2)])
    assert (renamed["status"], results(renamed)) == ("complete_with_error", ["fail", "succeed"])


def test_a_failure_on_record_of_a_server_that_was_not_planned_is_reported_too() -> None:
    facts = asked(planned(1))._replace(failed=(on_record(2),))
    for servers in ([server(1)], [server(1), failed(2)]):
        found = acquire(facts, servers)
        assert [one["machineId"] for one in found["machines"]] == [server_id(1), server_id(2)]
        assert results(found) == ["succeed", "fail"]


def test_a_failure_on_record_of_another_server_of_the_same_name_is_not_the_machines() -> None:
    other = on_record(1)._replace(machine_id=server_id(7))
    found = acquire(asked(planned(1))._replace(failed=(other,)), [server(1)])
    assert [(one["machineId"], one["result"]) for one in found["machines"]] == [
        (server_id(1), "succeed"),
        (server_id(7), "fail"),
    ]


# Acquire: known only by the tag


def test_without_facts_and_servers_the_id_is_unknown() -> None:
    found = acquire(None)
    assert (found["status"], found["machines"]) == ("complete_with_error", [])
    assert found["message"] == "no server carries this request's tag, and there is no record of the request"


def test_with_only_a_tag_what_is_seen_is_what_is_expected() -> None:
    assert acquire(None, [server(1), server(2)])["status"] == "complete"


def test_with_only_a_tag_the_servers_say_how_many_are_expected() -> None:
    seen = [server(1, metadata={"hf_count": "3"}), server(2, metadata={"hf_count": "3"})]
    assert acquire(None, seen)["status"] == "running"


def test_servers_that_never_appeared_are_counted_at_the_deadline() -> None:
    found = acquire(None, [server(1, metadata={"hf_count": "3"})], now=LATE)
    assert (found["status"], results(found)) == ("complete_with_error", ["succeed"])
    assert found["message"] == "2 of 3 machines did not appear within 1800 s"


def test_a_single_server_that_never_appeared_is_missed_too() -> None:
    found = acquire(None, [server(1, metadata={"hf_count": "2"})], now=LATE)
    assert (found["status"], found["message"]) == (
        "complete_with_error",
        "1 of 2 machines did not appear within 1800 s",
    )


def test_with_only_a_tag_the_deadline_counts_from_the_oldest_server() -> None:
    seen = [building(1, created="2026-03-01T10:00:00Z"), building(2)]
    rules = Rules(request_timeout=600)
    assert acquire(None, seen, now=CREATED_AT + 599, rules=rules)["status"] == "running"
    assert acquire(None, seen, now=CREATED_AT + 600, rules=rules)["status"] == "complete_with_error"


def test_with_only_a_tag_without_a_creation_time_there_is_no_deadline() -> None:
    assert acquire(None, [building(created=None)], now=10 * LATE)["status"] == "running"


def test_the_recorded_timeout_counts_and_not_the_configured_one() -> None:
    assert acquire(asked(planned()), [building()], now=LATE - 1, rules=Rules(request_timeout=1))["status"] == "running"


def test_a_server_that_was_not_planned_but_carries_the_tag_is_reported_too() -> None:
    found = acquire(asked(planned(1)), [server(1), server(2)])
    assert [one["machineId"] for one in found["machines"]] == [server_id(1), server_id(2)]


# Return

OURS = ["hostfactory", "hfp:bank", TAG]
FOREIGN = "the server does not carry the tags hostfactory and hfp:bank, so hfstack does not delete it"
ADDRESS = "10.0.0.99"


def ours(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a server that this provider instance has made."""
    return server(number, **{"tags": OURS, **changes})


def returned(*seen: Server | None, now: float = SOON, numbers: Sequence[int] = (1,)) -> RequestStatus:
    """Answer a return of numbered machines; `seen` is what Nova shows of the first ones."""
    machines = tuple(Returned(server_id(n), f"hf-33e9ed03-{n}", ADDRESS, LAUNCHED_AT) for n in numbers)
    known = {one.machine_id: record for one, record in zip(machines, seen, strict=False)}
    return return_status.returned(
        RETURN, ReturnRequest(CREATED_AT, 1800, machines, recorded_at=CREATED_AT), known, "bank", now
    )


def test_a_server_that_is_not_there_any_more_was_returned() -> None:
    assert returned(status.GONE) == {
        "requestId": RETURN,
        "status": "complete",
        "message": "",
        "machines": [
            {
                "machineId": server_id(1),
                "name": "hf-33e9ed03-1",
                "result": "succeed",
                "status": "terminated",
                "privateIpAddress": ADDRESS,
                "launchtime": LAUNCHED_AT,
                "message": "",
            }
        ],
    }


@pytest.mark.parametrize(
    ("record", "result", "status", "message"),
    [
        pytest.param(deleted(), "succeed", "terminated", "", id="deleted"),
        pytest.param(server(status="SOFT_DELETED"), "succeed", "terminated", "", id="soft-deleted"),
        pytest.param(
            ours(task="deleting"), "executing", "shutting-down", "the server is being deleted", id="being-deleted"
        ),
        pytest.param(ours(), "executing", "running", "", id="still-up"),
        pytest.param(
            failed(tags=OURS),
            "executing",
            "stopped",
            "the server is in ERROR: No valid host was found.",
            id="delete-failed",
        ),
        pytest.param(down_cell(), "executing", None, "the server's cell is down", id="down-cell"),
        pytest.param(
            ours(locked=True),
            "fail",
            "running",
            "the server is locked (openstack server lock), so it cannot be deleted",
            id="locked",
        ),
        pytest.param(
            ours(locked=True, task="deleting"),
            "executing",
            "shutting-down",
            "the server is being deleted",
            id="locked-too-late",
        ),
        pytest.param(
            server(tags=["team:web"]),
            "fail",
            "running",
            FOREIGN,
            id="foreign",
        ),
        pytest.param(server(tags=[TAG]), "fail", "running", FOREIGN, id="only-the-tag-of-a-request"),
        pytest.param(server(tags=["hostfactory", "hfp:other", TAG]), "fail", "running", FOREIGN, id="another-instance"),
        pytest.param(
            server(tags=[]),
            "fail",
            "running",
            FOREIGN,
            id="untagged",
        ),
    ],
)
def test_a_return_says_what_became_of_the_server(record: Server, result: str, status: str | None, message: str) -> None:
    entry = only(returned(record))
    assert (entry["result"], entry.get("status"), entry["message"]) == (result, status, message)


@pytest.mark.parametrize(
    ("seen", "status"),
    [
        pytest.param([None, deleted(2)], "complete", id="all-gone"),
        pytest.param([None, ours(2)], "running", id="one-still-there"),
        pytest.param([None, ours(2, locked=True)], "complete_with_error", id="one-locked"),
        pytest.param([ours(1), ours(2, locked=True)], "running", id="one-locked-one-still-there"),
        pytest.param([None], "running", id="one-could-not-be-asked-for"),
        pytest.param([], "running", id="none-could-be-asked-for"),
    ],
)
def test_a_return_ends_when_no_machine_is_executing(seen: list[Server | None], status: str) -> None:
    found = returned(*seen, numbers=(1, 2))
    assert found["status"] == status
    assert bool(found["message"]) == (status == "complete_with_error")


def test_a_return_that_lasts_too_long_fails_with_the_state() -> None:
    assert only(returned(ours(task="deleting"), now=LATE - 1))["result"] == "executing"
    entry = only(returned(ours(task="deleting"), now=LATE))
    assert entry["result"] == "fail"
    assert entry["message"] == "not deleted after 1800 s: ACTIVE/deleting, the server is being deleted"


@pytest.mark.parametrize("record", [down_cell(), ours(status="ARCHIVED")], ids=["down-cell", "unheard-of"])
def test_a_return_never_gives_up_on_a_server_that_nova_cannot_show(record: Server) -> None:
    assert only(returned(record, now=10 * LATE))["result"] == "executing"


def test_a_return_never_gives_up_on_a_server_that_could_not_be_asked_for() -> None:
    assert only(returned(now=10 * LATE))["result"] == "executing"


def test_a_server_that_went_away_late_was_returned_all_the_same() -> None:
    assert returned(status.GONE, now=10 * LATE)["status"] == "complete"


def test_the_recorded_address_is_kept_while_the_server_leaves() -> None:
    assert only(returned(server()))["privateIpAddress"] == ADDRESS
    assert only(returned(deleted()))["privateIpAddress"] == ADDRESS


def test_an_address_that_was_not_recorded_is_taken_from_the_server() -> None:
    one = Returned(server_id(1), "", "", 0)
    entry = return_status.returned_machine(one, {server_id(1): server()}, "bank", overdue=False, timeout=1800)
    assert (entry["privateIpAddress"], entry["name"]) == ("10.0.0.7", server_id(1))


def test_a_machine_that_is_recorded_as_gone_needs_no_other_proof() -> None:
    machines = (Returned(server_id(1), "hf-1", ADDRESS, LAUNCHED_AT), Returned(server_id(2), "hf-2", "", LAUNCHED_AT))
    facts = ReturnRequest(CREATED_AT, 1800, machines, gone=frozenset({server_id(1)}))
    found = return_status.returned(RETURN, facts, {}, "bank", 10 * LATE)
    assert (found["status"], results(found)) == ("running", ["succeed", "executing"])
    assert return_status.returned(RETURN, facts, {server_id(2): None}, "bank", SOON)["status"] == "complete"


def test_a_machine_that_must_not_be_touched_fails_at_once() -> None:
    problem = "the name b belongs to …"
    request = ReturnRequest(CREATED_AT, 1800, (Returned(server_id(1), "b", ADDRESS, LAUNCHED_AT, problem),))
    entry = only(return_status.returned(RETURN, request, {server_id(1): status.GONE}, "bank", SOON))
    assert (entry["result"], entry["message"], "status" in entry) == ("fail", problem, False)


def test_a_machine_that_is_known_only_by_its_name_is_waited_for() -> None:
    machines = (Returned("", "Node7.bank.test", "", LAUNCHED_AT),)
    request = ReturnRequest(CREATED_AT, 1800, machines, recorded_at=CREATED_AT)
    entry = only(return_status.returned(RETURN, request, {}, "bank", LATE - 1))
    assert (entry["result"], entry["machineId"], entry["name"]) == ("executing", "Node7.bank.test", "Node7.bank.test")
    assert "proves nothing" in entry["message"]
    entry = only(return_status.returned(RETURN, request, {}, "bank", LATE))
    assert (entry["result"], entry["message"].startswith("not deleted after 1800 s: ")) == ("fail", True)


# What HostFactory was told before


READY = Ready(server_id(1), "node7.bank.test", "10.0.0.77", LAUNCHED_AT - 7)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(server(), id="as-it-is"),
        pytest.param(server(addresses={}), id="no-address-shown"),
        pytest.param(server(name="renamed", metadata={"hf_hostname": "other"}), id="renamed"),
        pytest.param(server(launched="2026-03-02T00:00:00"), id="another-launch"),
    ],
)
def test_what_hostfactory_was_told_of_a_usable_machine_never_changes(record: Server) -> None:
    facts = asked(planned(1))._replace(ready=(READY,))
    for found in (acquire(facts, [record]), acquire(facts, looked_up={server_id(1): record})):
        entry = only(found)
        assert entry["result"] == "succeed"
        assert (entry["name"], entry["privateIpAddress"], entry["launchtime"]) == READY[1:]


@pytest.mark.parametrize("looked_up", [{}, {server_id(1): status.GONE}, {server_id(1): down_cell()}])
def test_nor_when_the_server_is_not_shown(looked_up: dict[str, Server | None]) -> None:
    facts = asked(planned(1))._replace(ready=(READY,))
    entry = only(acquire(facts, looked_up=looked_up))
    assert (entry["name"], entry["privateIpAddress"], entry["launchtime"]) == READY[1:]
    entry = only(status.unanswered(REQUEST, facts, "…"))
    assert (entry["name"], entry["privateIpAddress"], entry["launchtime"]) == READY[1:]


def test_an_operators_rename_does_not_change_the_name_while_the_server_is_built() -> None:
    facts = asked(planned(1), unclear(2))
    servers = status.as_planned(facts, [building(1, name="renamed"), building(2), building(3, name="other")])
    assert [one["name"] for one in servers] == ["hf-33e9ed03-1", "hf-33e9ed03-2", "other"]
    assert status.as_planned(None, servers) == servers


# A new server that Nova does not show yet


@pytest.mark.parametrize(
    ("age", "ready", "result"),
    [
        pytest.param(119, (), "executing", id="just requested"),
        pytest.param(120, (), "fail", id="long enough ago"),
        pytest.param(1, (READY,), "fail", id="shown before"),
        pytest.param(-1000, (), "executing", id="recorded in the future"),
    ],
)
def test_a_404_soon_after_the_post_proves_nothing(age: int, ready: tuple[Ready, ...], result: str) -> None:
    facts = asked(planned(1))._replace(created_at=CREATED_AT, ready=ready)
    entry = only(acquire(facts, looked_up={server_id(1): status.GONE}, now=CREATED_AT + age))
    assert entry["result"] == result
    assert entry["message"]


# A POST without a clear answer

NAME = "hf-33e9ed03-1"
ABSENT = {NAME: status.GONE}


@pytest.mark.parametrize(
    ("servers", "looked_up", "now", "machine_id", "result", "message"),
    [
        pytest.param([], {}, SOON, NAME, "executing", NO_ANSWER, id="not shown"),
        pytest.param([], {}, LATE - 1, NAME, "executing", NO_ANSWER, id="not shown, and no proof"),
        pytest.param([], ABSENT, SOON, NAME, "fail", NO_SERVER, id="proof that there is none"),
        pytest.param([], {}, LATE, NAME, "fail", NO_SERVER.replace("120", "1800"), id="not shown by the deadline"),
        pytest.param([building()], {}, SOON, server_id(), "executing", "", id="building"),
        pytest.param([server()], {}, SOON, server_id(), "succeed", "", id="up"),
        pytest.param([server(name="another")], {}, SOON, NAME, "executing", NO_ANSWER, id="only another server"),
    ],
)
def test_the_machine_of_an_unclear_post(
    servers: list[Server], looked_up: status.LookedUp, now: float, machine_id: str, result: str, message: str
) -> None:
    entry = acquire(asked(doubtful()), servers, looked_up, now)["machines"][0]
    assert (entry["machineId"], entry["result"], entry["message"]) == (machine_id, result, message)
    assert entry["name"] == NAME


@pytest.mark.parametrize(
    ("servers", "looked_up", "state", "message"),
    [
        pytest.param([], {}, "running", f"2 of 3 machines not confirmed; {NAME}: {NO_ANSWER}", id="none shown"),
        pytest.param(
            [server(1)], {}, "running", f"1 of 3 machines not confirmed; hf-33e9ed03-2: {NO_ANSWER}", id="one shown"
        ),
        pytest.param([server(1), server(2), building(3)], {}, "running", "", id="all shown"),
        pytest.param([server(1), server(2), server(3)], {}, "complete", "", id="all up"),
        pytest.param(
            [server(2), server(3)],
            ABSENT,
            "complete_with_error",
            f"1 of 3 machines failed; {NAME}: {NO_SERVER}",
            id="one failed",
        ),
    ],
)
def test_a_request_names_the_reason_while_a_machine_is_not_confirmed(
    servers: list[Server], looked_up: status.LookedUp, state: str, message: str
) -> None:
    found = acquire(asked(doubtful(1), doubtful(2), planned(3)), servers, looked_up)
    assert (found["status"], found["message"]) == (state, message)


def test_an_outage_shows_the_machine_of_an_unclear_post() -> None:
    found = status.unanswered(REQUEST, asked(doubtful()), "Nova failed: 503")
    assert (found["message"], only(found)["machineId"], only(found)["message"]) == ("Nova failed: 503", NAME, NO_ANSWER)


@pytest.mark.parametrize("shown", [[], [server()], [failed()], [server(1), server(2, name=NAME)]])
def test_the_server_of_a_machine_that_failed_before_it_appeared_does_not_unsay_that(shown: list[Server]) -> None:
    facts = asked(doubtful())._replace(failed=(Failed(NAME, NAME, NAME, "", CREATED_AT, NO_SERVER),))
    entry = only(acquire(facts, shown))
    assert (entry["machineId"], entry["name"], entry["result"], entry["message"]) == (NAME, NAME, "fail", NO_SERVER)
    assert ("status" in entry) == bool(shown)


# A request that housekeeping has closed


@pytest.mark.parametrize("looked_up", [{}, {server_id(2): status.GONE}, {server_id(2): server(2)}])
def test_hostfactory_gets_no_machine_of_a_request_that_housekeeping_has_closed(
    looked_up: dict[str, Server | None],
) -> None:
    facts = asked(planned(1), planned(2), unclear(3))._replace(reaped="not polled in time")
    found = acquire(facts, [server(1)], looked_up)
    assert (found["status"], results(found)) == ("complete_with_error", ["fail"] * 3)
    assert {one["message"] for one in found["machines"]} == {"not polled in time"}


# While the cloud does not answer


def test_an_outage_shows_every_known_machine_of_a_request_as_executing() -> None:
    found = status.unanswered(REQUEST, asked(planned(1), planned(2)), "Nova failed: 503")
    assert (found["status"], found["message"]) == ("running", "Nova failed: 503")
    assert [(one["machineId"], one["result"]) for one in found["machines"]] == [
        (server_id(1), "executing"),
        (server_id(2), "executing"),
    ]


def test_an_outage_leaves_out_the_machines_of_which_nothing_is_known() -> None:
    assert status.unanswered(REQUEST, asked(unclear(1)), "…")["machines"] == []


def test_an_outage_does_not_unsay_what_is_on_record() -> None:
    facts = asked(planned(1), planned(2))._replace(failed=(on_record(1),))
    assert results(status.unanswered(REQUEST, facts, "…")) == ["fail", "executing"]
    leaving = (Returned(server_id(1), "hf-1", ADDRESS, 0), Returned(server_id(2), "hf-2", ADDRESS, 0))
    found = status.unanswered(RETURN, ReturnRequest(CREATED_AT, 1, leaving, gone=frozenset({server_id(2)})), "…")
    assert (found["status"], results(found)) == ("running", ["executing", "succeed"])


def test_an_outage_lasts_beyond_any_deadline() -> None:
    found = status.unanswered(REQUEST, AcquireRequest(CREATED_AT, 0, (planned(1), unclear(2))), "…")
    assert results(found) == ["executing"]


def test_an_outage_does_not_unsay_a_refused_post() -> None:
    entry = only(status.unanswered(REQUEST, asked(planned(1, message="Quota exceeded")), "…"))
    assert (entry["result"], entry["message"]) == ("fail", "Quota exceeded")


def test_an_outage_shows_every_machine_of_a_return_as_executing() -> None:
    facts = ReturnRequest(CREATED_AT, 1800, (Returned(server_id(1), "hf-33e9ed03-1", ADDRESS, LAUNCHED_AT),))
    found = status.unanswered(RETURN, facts, "Nova failed: 503")
    assert found["status"] == "running"
    assert only(found) == {
        "machineId": server_id(1),
        "name": "hf-33e9ed03-1",
        "result": "executing",
        "privateIpAddress": ADDRESS,
        "launchtime": LAUNCHED_AT,
        "message": "",
    }


def test_an_outage_without_facts_is_running_without_machines() -> None:
    found = status.unanswered(REQUEST, None, "no route to host")
    assert (found["status"], found["message"], found["machines"]) == ("running", "no route to host", [])


# Whatever Nova shows

PLANS = st.lists(
    st.builds(
        Planned,
        st.integers(1, 9).map("hf-33e9ed03-{}".format),
        st.integers(1, 9).map(server_id) | st.just(""),
        st.sampled_from(["", "Quota exceeded"]),
        st.sampled_from(["", WORDS]),
    ),
    min_size=1,
    max_size=4,
)
TIMES = st.sampled_from([SOON, LATE])
SEEN = st.dictionaries(st.integers(1, 9).map(server_id), RECORDS | st.none(), max_size=4)
SOUND = st.sampled_from([server, building, failed, deleted]).flatmap(lambda make: st.integers(1, 9).map(make))


def of_one_id(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({record["id"]: record for record in records}.values())


@given(
    plans=PLANS | st.none(),
    servers=st.lists(RECORDS | SOUND, max_size=4).map(of_one_id),
    looked_up=SEEN,
    now=TIMES,
)
def test_a_request_is_complete_only_when_every_machine_is_up(
    plans: list[Planned] | None, servers: list[dict[str, Any]], looked_up: dict[str, Server | None], now: float
) -> None:
    found = acquire(asked(*plans) if plans else None, servers, looked_up, now)
    assert_is_answer(found)
    expected = len(plans) if plans else server_record.requested_count(servers)
    if found["status"] == "complete":
        assert set(results(found)) == {"succeed"}
        assert all(one["privateIpAddress"] for one in found["machines"])
        assert len(found["machines"]) >= expected
    else:
        assert found["status"] == "running" or found["message"]
    if found["status"] != "running":
        assert "executing" not in results(found)


@given(seen=SEEN, now=TIMES)
def test_a_return_is_complete_only_when_every_server_is_gone(seen: dict[str, Server | None], now: float) -> None:
    machines = tuple(Returned(server_id(number), f"hf-{number}", "", 0) for number in (1, 2, 3))
    found = return_status.returned(
        RETURN, ReturnRequest(CREATED_AT, 1800, machines, recorded_at=CREATED_AT), seen, "bank", now
    )
    assert_is_answer(found)
    assert [one["machineId"] for one in found["machines"]] == [one.machine_id for one in machines]
    if found["status"] == "complete":
        for one in machines:
            record = seen[one.machine_id]
            assert record is status.GONE or record["status"] in {"DELETED", "SOFT_DELETED"}
    if found["status"] != "running":
        assert set(results(found)) <= {"succeed", "fail"}


@given(reason=st.text(min_size=1), plans=PLANS)
def test_an_outage_never_ends_a_request(reason: str, plans: list[Planned]) -> None:
    found = status.unanswered(REQUEST, asked(*plans), reason)
    assert_is_answer(found)
    assert (found["status"], found["message"]) == ("running", reason)


@given(tags=JSON)
def test_only_a_list_of_tags_can_make_a_server_foreign(tags: object) -> None:
    assert not server_record.is_foreign({"id": "4711", "tags": tags}, "bank") or isinstance(tags, list)
