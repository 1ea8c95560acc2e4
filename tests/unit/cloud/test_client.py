"""GET with patience: what is tried again, how long is waited, and the message of the last failure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfstack.cloud.client import PAUSES, ServiceClient, error_message, openstack_ids, retry_after
from hfstack.cloud.transport import Reply, Unreachable
from hfstack.context import Budget
from hfstack.errors import CloudTrouble, ConfigError
from hfstack.log import Log
from tests.unit.records import Clock, FakeTransport, raw, reply

GOOD = reply(200, {"servers": []})
REFUSED = Unreachable("cannot reach http://nova/: Connection refused")
LONG_AGO = "Wed, 21 Oct 2015 07:28:00 GMT"
FAR_AHEAD = "Wed, 21 Oct 2115 07:28:00 GMT"


@pytest.fixture
def clock() -> Clock:
    return Clock()


Make = Callable[..., ServiceClient]


@pytest.fixture
def service(clock: Clock, log: Log) -> Make:
    """Make a service that a fake transport answers for, with 240 seconds of budget."""

    def make(transport: FakeTransport, seconds: float = 240, timeout: float = 30) -> ServiceClient:
        budget = Budget(seconds, clock.monotonic, clock.sleep)
        return ServiceClient("Nova", "http://nova/v2.1/", transport, budget, timeout, log, {"X-Test": "1"})

    return make


# One request


def test_a_get_goes_to_the_endpoint_with_its_headers(service: Make) -> None:
    transport = FakeTransport(GOOD)
    assert service(transport).get("/servers?a=b") == GOOD
    sent = transport.sent[0]
    assert (sent.method, sent.url) == ("GET", "http://nova/v2.1/servers?a=b")
    assert sent.headers == {"Accept": "application/json", "X-Test": "1"}


def test_a_request_has_its_own_timeout(service: Make) -> None:
    transport = FakeTransport(GOOD)
    service(transport, timeout=30).get("/")
    assert transport.sent[0].timeout == 30


def test_a_request_has_no_more_time_than_the_call_has_left(service: Make) -> None:
    transport = FakeTransport(GOOD)
    service(transport, seconds=12, timeout=30).get("/")
    assert transport.sent[0].timeout == 12


# What is tried again


@pytest.mark.parametrize("status", [413, 429, 502, 503, 504])
def test_a_passing_fault_is_tried_again(service: Make, clock: Clock, status: int) -> None:
    transport = FakeTransport(reply(status), reply(status), GOOD)
    assert service(transport).get("/") == GOOD
    assert clock.slept == list(PAUSES)


@pytest.mark.parametrize("status", [200, 204, 300, 302, 400, 401, 403, 404, 405, 406, 409, 500, 501])
def test_any_other_answer_is_the_answer(service: Make, clock: Clock, status: int) -> None:
    transport = FakeTransport(reply(status), GOOD)
    assert service(transport).get("/").status == status
    assert clock.slept == []


def test_no_answer_at_all_is_tried_again(service: Make, clock: Clock) -> None:
    transport = FakeTransport(REFUSED, REFUSED, GOOD)
    assert service(transport).get("/") == GOOD
    assert clock.slept == list(PAUSES)


def test_after_the_last_attempt_the_answer_is_the_answer(service: Make) -> None:
    transport = FakeTransport(reply(503))
    assert service(transport).get("/").status == 503
    assert len(transport.sent) == len(PAUSES) + 1 == 3


def test_after_the_last_attempt_no_answer_is_trouble(service: Make) -> None:
    transport = FakeTransport(REFUSED)
    with pytest.raises(Unreachable, match="Connection refused"):
        service(transport).get("/")
    assert len(transport.sent) == 3


@pytest.mark.parametrize("error", [CloudTrouble("the login was refused"), ConfigError("no cacert")])
def test_trouble_that_does_not_pass_is_not_tried_again(service: Make, error: Exception) -> None:
    transport = FakeTransport(error, GOOD)
    with pytest.raises(type(error)):
        service(transport).get("/")
    assert len(transport.sent) == 1


# Retry-After


@pytest.mark.parametrize("status", [413, 429, 503])
@pytest.mark.parametrize(
    ("value", "slept"),
    [
        pytest.param("7", 7, id="seconds"),
        pytest.param("0", 0, id="at-once"),
        pytest.param(" 7 ", 7, id="spaces"),
        pytest.param(LONG_AGO, 0, id="date-in-the-past"),
        pytest.param("soon", PAUSES[0], id="garbage"),
        pytest.param("-7", PAUSES[0], id="negative"),
        pytest.param("1.5", PAUSES[0], id="fraction"),
        pytest.param("", PAUSES[0], id="empty"),
        pytest.param("99999999999999999999 Jan 1:2 100", PAUSES[0], id="absurd-date"),
    ],
)
def test_retry_after_says_how_long_is_waited(
    service: Make, clock: Clock, status: int, value: str, slept: float
) -> None:
    transport = FakeTransport(reply(status, retry_after=value), GOOD)
    assert service(transport).get("/") == GOOD
    assert clock.slept == [slept]


@pytest.mark.parametrize("value", ["240", "3600", "9" * 400, FAR_AHEAD])
def test_a_retry_after_beyond_the_budget_is_not_waited_for(service: Make, clock: Clock, value: str) -> None:
    transport = FakeTransport(reply(503, retry_after=value), GOOD)
    assert service(transport).get("/").status == 503
    assert clock.slept == []


@given(value=st.text(max_size=40) | st.sampled_from(["99999999999999999999 Jan 1:2 100", "1 Jan 100 0:0"]))
def test_any_retry_after_is_a_time_to_wait(value: str) -> None:
    assert retry_after(reply(503, retry_after=value), 0.5) >= 0


# The budget


def test_when_the_time_is_used_up_nothing_is_sent(service: Make, clock: Clock) -> None:
    transport = FakeTransport(GOOD)
    made = service(transport, seconds=10)
    clock.time += 10
    with pytest.raises(CloudTrouble, match="Nova: this call ran out of time"):
        made.get("/")
    assert transport.sent == []


def test_the_last_second_is_used_too(service: Make) -> None:
    transport = FakeTransport(GOOD)
    service(transport, seconds=1).get("/")
    assert transport.sent[0].timeout == 1


def test_attempts_end_with_the_budget(service: Make, clock: Clock) -> None:
    transport = FakeTransport(REFUSED, clock=clock, takes=9.8)
    with pytest.raises(Unreachable):
        service(transport, seconds=10).get("/")
    assert len(transport.sent) == 1


def test_hanging_requests_never_use_more_than_the_budget(service: Make, clock: Clock) -> None:
    began = clock.time
    transport = FakeTransport(REFUSED, clock=clock, takes=30)
    with pytest.raises(Unreachable):
        service(transport, seconds=62, timeout=30).get("/")
    assert [sent.timeout for sent in transport.sent] == [30, 30]
    assert clock.time - began <= 62


def test_the_last_attempt_has_what_is_left(service: Make, clock: Clock) -> None:
    transport = FakeTransport(REFUSED, clock=clock, takes=20)
    with pytest.raises(Unreachable):
        service(transport, seconds=45, timeout=20).get("/")
    assert [sent.timeout for sent in transport.sent] == [20, 20, pytest.approx(3)]


# The message

QUOTED = {"forbidden": {"code": 403, "message": "Policy doesn't allow it to\n be performed."}}


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (400, "Nova gave an unexpected answer: 400"),
        (401, "Nova refuses the token, even after a new login: 401"),
        (403, "Nova does not allow this account to do this: 403"),
        (404, "Nova gave an unexpected answer: 404"),
        (406, "Nova is too old for hfstack: 406"),
        (413, "Nova reports too many requests: 413"),
        (429, "Nova reports too many requests: 429"),
        (500, "Nova failed: 500"),
        (503, "Nova failed: 503"),
    ],
)
def test_a_refusal_says_who_and_what_and_the_id_of_the_call(service: Make, status: int, sentence: str) -> None:
    with pytest.raises(CloudTrouble) as caught:
        service(FakeTransport(reply(status, QUOTED))).get_json("/")
    assert str(caught.value) == f"{sentence} Policy doesn't allow it to be performed."
    assert caught.value.request_ids == ("req-nova-1",)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(reply(403, QUOTED), "Policy doesn't allow it to be performed.", id="fault"),
        pytest.param(reply(404, {"NeutronError": {"type": "x", "message": "gone"}}), "gone", id="neutron"),
        pytest.param(reply(429, {"error": "slow down"}), "slow down", id="bare-string"),
        pytest.param(reply(500, {"a": 1, "b": {"message": 7}, "c": {"message": "x"}}), "x", id="first-message"),
        pytest.param(raw(503, b"down\nagain", content_type="text/plain; charset=utf-8"), "down again", id="text"),
        pytest.param(raw(503, b"\xff", content_type="text/plain"), "\ufffd", id="not-utf-8"),
        pytest.param(raw(502, b"<html>Bad Gateway</html>", content_type="text/html"), "", id="html"),
        pytest.param(raw(500, b"{", content_type="application/json"), "", id="broken"),
        pytest.param(reply(500, []), "", id="list"),
        pytest.param(raw(500, b"[" * 100_000), "", id="deep"),
        pytest.param(reply(500, {}), "", id="empty"),
    ],
)
def test_the_message_of_an_error_body_is_quoted(answer: Reply, expected: str) -> None:
    assert error_message(answer) == expected


def test_a_long_message_is_cut() -> None:
    assert len(error_message(reply(500, {"x": {"message": "y" * 10_000}}))) == 500


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"x-openstack-request-id": "req-1"}, ("req-1",), id="openstack"),
        pytest.param({"x-compute-request-id": "req-2"}, ("req-2",), id="compute"),
        pytest.param({}, (), id="none"),
    ],
)
def test_openstacks_own_id_of_a_call_is_kept(headers: dict[str, str], expected: tuple[str, ...]) -> None:
    assert openstack_ids(Reply(500, headers, b"")) == expected


@pytest.mark.parametrize(
    "body", [b"", b"<html></html>", b"{", b"[]", b"null", b'"x"', b"[" * 100_000, b'{"servers": [\xff]}']
)
def test_a_broken_body_is_trouble_with_the_id_of_the_call(service: Make, body: bytes) -> None:
    with pytest.raises(CloudTrouble, match="Nova answered 200 with a malformed body") as caught:
        service(FakeTransport(raw(200, body))).get_json("/")
    assert caught.value.request_ids == ("req-nova-1",)


# What is logged


def test_failed_attempts_stand_in_the_log_with_the_id_of_the_call(service: Make, logged: Callable[[], str]) -> None:
    service(FakeTransport(reply(503, {"x": {"message": "overloaded"}}), REFUSED, GOOD)).get("/servers")
    assert "WARNING - GET /servers: 503 overloaded req-nova-1\n" in logged()
    assert "WARNING - GET /servers: cannot reach http://nova/: Connection refused\n" in logged()
    assert f"DEBUG - GET /servers: 200, {len(GOOD.body)} bytes\n" in logged()


@pytest.mark.parametrize(("status", "warned"), [(200, False), (302, False), (404, False), (400, True), (405, True)])
def test_an_answer_that_was_to_be_expected_is_no_warning(
    service: Make, logged: Callable[[], str], status: int, warned: bool
) -> None:
    service(FakeTransport(reply(status))).get("/servers")
    assert ("WARNING" in logged()) == warned


def test_bodies_and_headers_stand_in_no_log(service: Make, logged: Callable[[], str], log: Log) -> None:
    service(FakeTransport(reply(200, {"adminPass": "hunter2"}, x_subject_token="hunter3"))).get_json("/servers")
    assert Path(log.path).exists()
    assert "hunter" not in logged()
