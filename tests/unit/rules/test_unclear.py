"""After a POST without a clear answer: when a list proves that there is no server, and which machines have one."""

from __future__ import annotations

import pytest

from hfstack.rules import status, unclear
from hfstack.rules.server_record import Server
from hfstack.rules.status import BEFORE_ANY_DEADLINE, Rules
from hfstack.store.facts import AcquireRequest, Failed, Planned, Ready
from tests.unit.records import CREATED_AT, REQUEST, building, server, server_id

WORDS = "no answer in time"
ONE, TWO = "hf-33e9ed03-1", "hf-33e9ed03-2"
ASKED = AcquireRequest(
    CREATED_AT,
    1800,
    (Planned(ONE, unclear=WORDS), Planned(TWO, server_id(2))),
    recorded_at=CREATED_AT,
    created_at=CREATED_AT + 10,
)
FAILURE = Failed(ONE, ONE, ONE, "", CREATED_AT, "no server")
READY = Ready(server_id(1), ONE, "10.0.0.7", CREATED_AT)


@pytest.mark.parametrize(
    ("request_", "servers", "now", "found"),
    [
        pytest.param(ASKED, [], CREATED_AT + 130, [ONE], id="long enough ago"),
        pytest.param(ASKED, [], CREATED_AT + 129, [], id="not long enough ago"),
        pytest.param(ASKED._replace(created_at=CREATED_AT + 9000), [], CREATED_AT + 130, [], id="from the future"),
        pytest.param(ASKED._replace(created_at=None), [], CREATED_AT + 130, [], id="requestMachines may be running"),
        pytest.param(ASKED, [], BEFORE_ANY_DEADLINE, [], id="the time is not known"),
        pytest.param(ASKED, [building(1)], CREATED_AT + 130, [], id="shown"),
        pytest.param(ASKED, [server(3)], CREATED_AT + 130, [ONE], id="only another one is shown"),
        pytest.param(ASKED._replace(failed=(FAILURE,)), [], CREATED_AT + 130, [], id="on record"),
        pytest.param(ASKED._replace(reaped="not polled"), [], CREATED_AT + 130, [], id="closed by housekeeping"),
        pytest.param(ASKED._replace(machines=(Planned(ONE),)), [], CREATED_AT + 130, [], id="of an older hfstack"),
    ],
)
def test_when_a_list_proves_that_there_is_no_server(
    request_: AcquireRequest, servers: list[Server], now: float, found: list[str]
) -> None:
    rules = Rules()
    answer = status.acquire(REQUEST, request_, servers, {}, {}, rules, now)
    assert unclear.absent(request_, answer, rules, now) == found


def test_the_setting_counts() -> None:
    rules = Rules(unseen_timeout=1)
    answer = status.acquire(REQUEST, ASKED, [], {}, {}, rules, CREATED_AT + 11)
    assert unclear.absent(ASKED, answer, rules, CREATED_AT + 11) == [ONE]


@pytest.mark.parametrize(
    ("planned", "changes", "found"),
    [
        pytest.param(Planned(ONE, unclear=WORDS), {"ready": (READY,)}, Planned(ONE, server_id(1)), id="told"),
        pytest.param(
            Planned("HF_1", unclear=WORDS),
            {"ready": (READY._replace(name="hf-1"),)},
            Planned("HF_1", server_id(1)),
            id="told by its host name",
        ),
        pytest.param(Planned(ONE, unclear=WORDS), {}, Planned(ONE, unclear=WORDS), id="not told"),
        pytest.param(
            Planned(TWO, unclear=WORDS), {"ready": (READY,)}, Planned(TWO, unclear=WORDS), id="told of another"
        ),
        pytest.param(
            Planned(ONE, unclear=WORDS),
            {"ready": (READY,), "failed": (FAILURE,)},
            Planned(ONE, unclear=WORDS),
            id="told, and failed",
        ),
        pytest.param(
            Planned(ONE, server_id(9)), {"ready": (READY,)}, Planned(ONE, server_id(9)), id="answered by Nova"
        ),
    ],
)
def test_a_machine_that_hostfactory_was_told_of_keeps_its_id(
    planned: Planned, changes: dict[str, tuple[Ready | Failed, ...]], found: Planned
) -> None:
    request = ASKED._replace(machines=(planned,), **changes)  # type: ignore[arg-type]
    assert unclear.with_told_ids(request).machines == (found,)
