"""A login that failed is not repeated: not in the same call, and after a 401 not within a minute. See os-22."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.http.conftest import KEYSTONE, NOVA, Answer, Ask, Cloud, Site, answer
from tests.http.polled import COLD, LOGIN, Polled, polled
from tests.scenarios.site import parse

pytestmark = pytest.mark.premise("The login is right, and the catalogue leads to Nova.")

SECRET = "Wrong-Horse-2842"
UNAUTHORIZED = {"error": {"code": 401, "message": "The request you have made requires authentication."}}
TEN = [f"req-{number}" for number in range(10)]


@pytest.fixture
def request_(tmp_path: Path) -> Iterator[Polled]:
    """A request of a site whose password is wrong."""
    with polled(tmp_path) as one:
        good = one.member["auth"]["password"]
        one.member["auth"]["password"] = SECRET
        one.site.write_clouds()
        one.member["auth"]["password"] = good
        yield one


def record(one: Polled) -> Path:
    """Return the record of the refused login."""
    (found,) = (one.site.workdir / "cache").glob("refused-*")
    return found


def aged(one: Polled, seconds: float) -> None:
    """Make the record older."""
    document = json.loads(record(one).read_bytes())
    document["made"] -= seconds
    record(one).write_text(json.dumps(document), encoding="utf-8")


def test_ten_ids_and_a_wrong_password_are_one_login(request_: Polled) -> None:
    answers = request_.site.poll(*TEN)
    assert request_.served() == LOGIN
    (message,) = {str(one["message"]) for one in answers}
    assert "was refused: 401" in message


def test_the_next_call_repeats_the_words_and_not_the_login(request_: Polled) -> None:
    words = re.sub(r" \(req-.*", "", request_.trouble())
    assert request_.served() == LOGIN
    message = request_.trouble()
    assert message.startswith(f"{words} (hfstack tries this login again in ")
    assert re.search(r"again in \d+ s, or as soon as clouds.yaml changes\) \(req-", message)
    assert request_.served() == []


def test_every_command_keeps_away_from_the_login(request_: Polled) -> None:
    request_.trouble()
    request_.served()
    request_.site.write_templates({})
    machine = {"machineId": request_.ids[0], "name": "hf-polled-1"}
    for command, document in (
        ("requestMachines", {"template": {"templateId": "small", "machineCount": 1}}),
        ("requestReturnMachines", {"machines": [machine]}),
        ("getReturnRequests", {}),
    ):
        assert b"was refused: 401" in request_.site.run(document, command).stdout + request_.site.log().encode()
    assert request_.served() == []


def test_calls_at_once_that_find_the_record_do_not_log_in(request_: Polled) -> None:
    request_.trouble()
    request_.served()
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda _: request_.trouble(), range(10)))
    assert request_.served() == []


def test_only_the_account_reads_the_record_and_no_secret_is_in_it(request_: Polled) -> None:
    request_.trouble(OS_PASSWORD=SECRET)
    assert record(request_).stat().st_mode & 0o777 == 0o600
    assert SECRET not in record(request_).read_text(encoding="utf-8")


def test_a_corrected_file_is_tried_at_once(request_: Polled) -> None:
    request_.trouble()
    request_.served()
    request_.site.write_clouds()
    assert request_.poll() == COLD
    assert list((request_.site.workdir / "cache").glob("refused-*")) == []


def test_another_environment_is_tried_at_once(request_: Polled) -> None:
    request_.trouble()
    request_.served()
    request_.trouble(OS_PASSWORD="x")
    assert request_.served() == LOGIN


@pytest.mark.parametrize(
    ("seconds", "logins"),
    [pytest.param(61, LOGIN, id="over a minute"), pytest.param(-5, LOGIN, id="from the future"), (30, [])],
)
def test_a_record_counts_for_a_minute(request_: Polled, seconds: float, logins: list[str]) -> None:
    request_.trouble()
    request_.served()
    aged(request_, seconds)
    request_.trouble()
    assert request_.served() == logins


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"made": "x"}'])
def test_a_damaged_record_does_not_count(request_: Polled, content: str) -> None:
    request_.trouble()
    request_.served()
    record(request_).write_text(content, encoding="utf-8")
    request_.trouble()
    assert request_.served() == LOGIN


@pytest.mark.parametrize(
    "fault", [{"status": 503}, {"status": 403}, {"drop": "before"}, {"status": 301, "headers": {"Location": "/x"}}]
)
def test_a_login_that_failed_otherwise_is_tried_by_the_next_call(request_: Polled, fault: dict[str, Any]) -> None:
    request_.control("POST", "/faults", {"service": "keystone", "method": "POST", "times": -1, **fault})
    for _ in range(2):
        request_.site.poll(*TEN)
        assert request_.served() == LOGIN


def test_a_call_that_loses_its_token_logs_in_once_for_ten_ids(request_: Polled) -> None:
    request_.site.write_clouds()
    assert request_.poll() == COLD
    request_.control("POST", "/tokens/expire")
    request_.control("POST", "/faults", {"service": "keystone", "method": "POST", "times": -1, "status": 401})
    request_.site.poll(request_.request_id, *TEN)
    served = request_.served()
    assert [name for name in served if name.startswith("keystone")] == LOGIN
    assert "refused" in parse(request_.site.run({"requests": {"requestId": TEN[0]}}).stdout)["requests"]["message"]
    assert request_.served() == []


def test_a_session_that_loses_its_token_logs_in_once_for_ten_ids(ask: Ask, cloud: Cloud, site: Site) -> None:
    """Without a cache, the SDK's session logs in again by itself."""

    def refuse(_: object) -> Answer:
        cloud.login_faults = [answer(401, UNAUTHORIZED)] * 20
        return answer(401, UNAUTHORIZED)

    cloud.mock.reset()
    cloud.on(KEYSTONE, cloud.keystone)
    cloud.on(NOVA, refuse)
    found = ask(*TEN)
    assert {one["status"] for one in found} == {"running"}
    assert len(cloud.logins) == 2
    assert len(list(site.work.glob("cache/refused-*"))) == 1
