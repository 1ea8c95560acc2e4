"""Which endpoint is cached, and what drops it: real processes, and what a sandbox was asked. See os-09."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.polled import COLD, LIST, LOGIN, WARM, Polled

pytestmark = pytest.mark.premise("The login is right, and the catalogue leads to Nova.")

JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html"}

DISCOVERY = "nova GET /"


def fault(one: Polled, **what: Any) -> None:
    one.control("POST", "/faults", {"service": "nova", **what})


def test_a_guessed_endpoint_is_not_cached(request_: Polled) -> None:
    """Without the version document, keystoneauth takes the URL as it is."""
    request_.member["compute_endpoint_override"] = request_.sandbox.url("nova")
    request_.site.write_clouds()
    fault(request_, path="^/$", status=503, body="<html>", headers=HTML, times=-1)
    assert request_.trouble()
    served = request_.served()
    assert (set(served[2:-1]), served[-1]) == ({DISCOVERY}, "nova GET /servers/detail")
    assert request_.cached() is None
    request_.control("DELETE", "/faults")
    assert request_.poll() == [*LOGIN, DISCOVERY, LIST]
    assert request_.poll() == WARM


ELSEWHERE = [
    pytest.param({"status": 404, "body": "<html>", "headers": HTML}, id="404 html"),
    pytest.param({"status": 404, "body": "{}", "headers": JSON}, id="404 without a microversion"),
    pytest.param({"status": 301, "headers": {"Location": "https://nova.example/v2.1"}}, id="301"),
    pytest.param({"status": 410, "body": "{}", "headers": JSON}, id="410"),
    pytest.param({"status": 200, "body": '{"servers": []}', "headers": JSON}, id="200 without a microversion"),
    pytest.param({"status": 403, "body": "<html>", "headers": HTML}, id="403 html"),
    pytest.param({"status": 503, "body": "<html>", "headers": HTML, "times": 3}, id="503 html"),
]


@pytest.mark.parametrize("answer", ELSEWHERE)
def test_what_is_not_novas_answer_drops_the_endpoint(warm: Polled, answer: dict[str, Any]) -> None:
    fault(warm, **answer)
    assert warm.trouble()
    assert set(warm.served()) == {LIST}
    assert warm.cached() is None
    assert [warm.poll(), warm.poll()] == [COLD, WARM]


@pytest.mark.parametrize("answer", ELSEWHERE)
def test_what_is_not_novas_answer_caches_nothing(request_: Polled, answer: dict[str, Any]) -> None:
    fault(request_, **answer)
    assert request_.trouble()
    assert request_.cached() is None
    request_.served()
    assert [request_.poll(), request_.poll()] == [COLD, WARM]


def test_an_outage_that_passes_within_the_call_does_not_keep_it_from_being_cached(request_: Polled) -> None:
    fault(request_, status=503, body="<html>", headers=HTML)
    assert request_.poll() == [*COLD, LIST]
    assert request_.poll() == WARM


@pytest.mark.parametrize("status", [413, 429])
def test_a_limit_of_rates_is_no_reason_to_log_in(warm: Polled, status: int) -> None:
    fault(warm, status=status, times=3)
    assert warm.trouble()
    warm.served()
    assert warm.poll() == WARM


def test_novas_own_404_keeps_the_endpoint(warm: Polled) -> None:
    warm.site.record_return("ret-1", [{"id": "00000000-0000-4000-8000-000000000000", "name": "hf-gone"}])
    assert warm.site.poll_one("ret-1")["status"] == "complete"
    warm.served()
    assert warm.poll() == WARM


def test_novas_own_500_keeps_the_endpoint(warm: Polled) -> None:
    version = {"OpenStack-API-Version": "compute 2.79"}
    fault(warm, status=500, body='{"computeFault": {"code": 500, "message": "x"}}', headers={**JSON, **version})
    assert "Nova failed: 500 x" in warm.trouble()
    warm.served()
    assert warm.poll() == WARM


def test_templates_are_listed_without_a_look_at_the_cloud(warm: Polled) -> None:
    warm.site.write_templates({})
    warm.site.ask("getAvailableTemplates", {})
    assert warm.served() == []
    assert warm.poll() == WARM


@pytest.mark.parametrize(("service", "status"), [("glance", 410), ("neutron", 302), ("neutron", 404)])
def test_another_service_that_is_elsewhere_drops_its_endpoint_too(warm: Polled, service: str, status: int) -> None:
    warm.site.write_templates({})
    fault(warm, service=service, status=status, body="<html>", headers={**HTML, "Location": "http://other.example/"})
    done = warm.site.run({"template": {"templateId": "small", "machineCount": 1}}, "requestMachines")
    assert done.returncode == 1, done.stdout
    warm.served()
    assert [warm.poll(), warm.poll()] == [COLD, WARM]
