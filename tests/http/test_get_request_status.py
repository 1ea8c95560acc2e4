"""The whole command against prepared HTTP answers: what is sent, how trouble is answered, and that secrets stay."""

from __future__ import annotations

import json
import urllib.parse
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests

from hfstack.cloud.client import PAUSES
from tests.http.conftest import KEYSTONE, NEUTRON, NOVA, NOW, PASSWORD, TOKEN, Answer, Ask, Cloud, Site, answer, html
from tests.unit.records import (
    CREATED_AT,
    REQUEST,
    RETURN,
    TAG,
    V4,
    building,
    deleted,
    down_cell,
    failed,
    server,
    server_id,
)

ASKED = {"asked": CREATED_AT, "names": ["hf-33e9ed03-1", "hf-33e9ed03-2"], "requestTimeout": 1800}
CREATED = {
    "machines": [
        {"name": "hf-33e9ed03-1", "machineId": server_id(1)},
        {"name": "hf-33e9ed03-2", "machineId": server_id(2)},
    ]
}
PLANNED = {"asked": ASKED, "created": CREATED}
LEAVING = {
    "asked": CREATED_AT,
    "returnTimeout": 1800,
    "machines": [
        {"machineId": server_id(1), "name": "hf-33e9ed03-1", "privateIpAddress": "10.0.0.7", "launchtime": 7},
        {"machineId": server_id(2), "name": "hf-33e9ed03-2", "privateIpAddress": "10.0.0.8", "launchtime": 8},
    ],
}

OURS = ["hostfactory", "hfp:bank", TAG]

# What is sent


def test_one_login_and_one_list_answer_a_request(ask: Ask, cloud: Cloud) -> None:
    cloud.servers = [server(1), server(2)]
    found = ask(REQUEST)
    assert (found["status"], len(found["machines"])) == ("complete", 2)
    assert len(cloud.logins) == 1
    assert cloud.paths() == ["/v2.1/servers/detail"]


def test_the_request_id_and_the_microversion_go_with_every_call(ask: Ask, site: Site, cloud: Cloud) -> None:
    site.record(REQUEST, **PLANNED)
    cloud.servers = [server(1)]
    ask(REQUEST)
    assert cloud.paths() == ["/v2.1/servers/detail", f"/v2.1/servers/{server_id(2)}"]
    for sent in cloud.asked:
        assert sent.headers["X-Openstack-Request-Id"] == REQUEST
        assert sent.headers["OpenStack-API-Version"] == "compute 2.79"
        assert sent.headers["X-OpenStack-Nova-API-Version"] == "2.79"
        assert sent.headers["X-Auth-Token"] == f"{TOKEN}1"
        assert sent.headers["User-Agent"].startswith("hfstack/")


def test_several_requests_share_a_login_and_each_has_its_own_id_in_headers_and_log(
    ask: Ask, site: Site, cloud: Cloud
) -> None:
    other = f"req-{uuid.uuid4()}"
    cloud.servers = [server(1), server(2, tags=[f"hf:{other}"])]
    assert [one["status"] for one in ask(REQUEST, other)] == ["complete", "complete"]
    assert len(cloud.logins) == 1
    assert [sent.headers["X-Openstack-Request-Id"] for sent in cloud.asked] == [REQUEST, other]
    lines = [line.split()[4:] for line in site.logged().splitlines() if ": 1 succeed" in line]
    assert lines == [[request_id, "complete:", "1", "succeed"] for request_id in (REQUEST, other)]


def test_an_id_that_openstack_would_not_take_is_not_sent_as_one(ask: Ask, cloud: Cloud) -> None:
    cloud.servers = [server(tags=["hf:grid-7"])]
    assert ask("grid-7")["status"] == "complete"
    assert "X-Openstack-Request-Id" not in cloud.asked[0].headers


def test_a_return_of_several_machines_asks_for_the_changes_first(ask: Ask, site: Site, cloud: Cloud) -> None:
    site.record(RETURN, asked=LEAVING)
    cloud.servers = [deleted(1), server(2, task="deleting", tags=OURS)]
    found = ask(RETURN)
    assert [one["result"] for one in found["machines"]] == ["succeed", "executing"]
    assert cloud.paths() == ["/v2.1/servers/detail"]
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(str(cloud.asked[0].url)).query)
    assert query["changes-since"] == ["2026-03-01T09:25:00Z"]
    assert query["name"] == ["^hf-33e9ed03-"]


def test_a_return_of_one_machine_shows_only_that_server(ask: Ask, site: Site, cloud: Cloud) -> None:
    site.record(RETURN, asked={**LEAVING, "machines": LEAVING["machines"][:1]})  # type: ignore[index]
    assert ask(RETURN)["status"] == "complete"
    assert cloud.paths() == [f"/v2.1/servers/{server_id(1)}"]


def test_of_all_changes_only_the_returns_own_machines_count(ask: Ask, site: Site, cloud: Cloud) -> None:
    site.record(RETURN, asked=LEAVING)
    cloud.servers = [deleted(3), deleted(1)]
    found = ask(RETURN)
    assert [one["machineId"] for one in found["machines"]] == [server_id(1), server_id(2)]
    assert found["status"] == "complete"
    assert cloud.paths() == ["/v2.1/servers/detail", f"/v2.1/servers/{server_id(2)}"]


# Requests and their facts


def test_an_unlisted_machine_that_nova_does_not_know_failed(ask: Ask, site: Site, cloud: Cloud) -> None:
    site.record(REQUEST, asked={**ASKED, "asked": NOW - 120}, created=CREATED)
    cloud.servers = [server(1)]
    found = ask(REQUEST)
    assert found["status"] == "complete_with_error"
    assert [one["result"] for one in found["machines"]] == ["succeed", "fail"]


def test_an_unlisted_machine_that_cannot_be_asked_for_is_executing(ask: Ask, site: Site, cloud: Cloud) -> None:
    site.record(REQUEST, **PLANNED)
    cloud.faults = [listed(server(1)), answer(500, {"computeFault": {"message": "Unexpected API Error."}})]
    found = ask(REQUEST)
    assert found["status"] == "running"
    assert [one["result"] for one in found["machines"]] == ["succeed", "executing"]
    assert found["message"] == "Nova failed: 500 Unexpected API Error. (req-of-the-service)"


def test_a_returned_machine_that_cannot_be_asked_for_is_executing(ask: Ask, site: Site, cloud: Cloud) -> None:
    site.record(RETURN, asked=LEAVING)
    cloud.faults = [listed(deleted(1)), answer(500, {"computeFault": {"message": "Unexpected API Error."}})]
    found = ask(RETURN)
    assert found["status"] == "running"
    assert [one["result"] for one in found["machines"]] == ["succeed", "executing"]
    assert found["message"] == "Nova failed: 500 Unexpected API Error. (req-of-the-service)"


def test_a_return_without_trouble_has_no_message(ask: Ask, site: Site, cloud: Cloud) -> None:
    site.record(RETURN, asked=LEAVING)
    cloud.servers = [deleted(1), server(2, tags=OURS)]
    found = ask(RETURN)
    assert (found["status"], found["message"]) == ("running", "")


def test_facts_that_cannot_be_read_conclude_nothing(ask: Ask, site: Site, cloud: Cloud) -> None:
    site.record(REQUEST, asked={})
    cloud.servers = [server(1)]
    found = ask(REQUEST)
    assert (found["status"], found["machines"]) == ("running", [])
    assert "are malformed (KeyError: 'names')" in found["message"]
    assert cloud.asked == []


def test_a_return_of_which_nothing_is_recorded_is_unknown(ask: Ask, cloud: Cloud) -> None:
    found = ask(RETURN)
    assert (found["status"], found["message"]) == ("complete_with_error", "there is no record of this return")
    assert cloud.logins == []


def test_an_id_without_servers_is_unknown_only_while_every_cell_is_up(ask: Ask, cloud: Cloud) -> None:
    cloud.servers = [server(3, tags=["hf:req-other"])]
    assert ask(REQUEST)["status"] == "complete_with_error"
    cloud.servers = [{**down_cell(3), "tags": []}]
    found = ask(REQUEST)
    assert (found["status"], found["machines"]) == ("running", [])
    assert found["message"] == "a cell of the cloud is down: its servers show no tags"


@pytest.mark.parametrize("request_id", ["x" * 58, "req/1", "räq", "req 1", "a,b"])
def test_an_id_that_no_tag_can_carry_is_unknown_without_asking(ask: Ask, cloud: Cloud, request_id: str) -> None:
    found = ask(request_id)
    assert (found["status"], found["message"]) == ("complete_with_error", "this is not the id of an hfstack request")
    assert cloud.logins == []


def test_no_request_is_no_question(ask: Ask, cloud: Cloud) -> None:
    assert ask() == []
    assert cloud.logins == []


def test_requests_are_answered_in_order_each_on_its_own(ask: Ask, site: Site, cloud: Cloud) -> None:
    site.record("req-broken", asked={})
    site.record(RETURN, asked=LEAVING)
    cloud.servers = [server(1, tags=OURS), building(3, tags=["hf:req-other"])]
    found = ask("räq", REQUEST, "req-broken", "req-nobody", "req-other", RETURN)
    assert [(one["requestId"], one["status"]) for one in found] == [
        ("räq", "complete_with_error"),
        (REQUEST, "complete"),
        ("req-broken", "running"),
        ("req-nobody", "complete_with_error"),
        ("req-other", "running"),
        (RETURN, "running"),
    ]
    assert len(cloud.logins) == 1


def test_one_request_in_trouble_does_not_spoil_the_others(ask: Ask, cloud: Cloud) -> None:
    cloud.servers = [server(1)]
    cloud.faults = [answer(500, {})]
    found = ask("req-first", REQUEST)
    assert [one["status"] for one in found] == ["running", "complete"]


# Addresses


def test_a_server_that_shows_no_address_for_long_is_looked_up_at_neutron(ask: Ask, cloud: Cloud) -> None:
    cloud.servers = [server(1, addresses={"grid": []}, launched="2026-03-01T09:29:00.000000")]
    fixed = {"ip_address": "10.0.0.9", "subnet_id": "s"}
    cloud.ports = answer(200, {"ports": [{"device_id": server_id(1), "network_id": "n", "fixed_ips": [fixed]}]})
    found = ask(REQUEST)
    assert (found["status"], found["machines"][0]["privateIpAddress"]) == ("complete", "10.0.0.9")
    assert cloud.paths() == ["/v2.1/servers/detail", "/v2.0/ports", "/v2.0/networks"]
    assert cloud.asked[1].headers["X-Openstack-Request-Id"] == REQUEST


@pytest.mark.parametrize("change", [{}, {"addresses": {}, "status": "ERROR"}], ids=["has-one", "needs-none"])
def test_neutron_is_asked_only_for_an_address_that_is_missed(ask: Ask, cloud: Cloud, change: dict[str, object]) -> None:
    cloud.servers = [server(1, launched="2026-03-01T09:29:00.000000", **change)]
    ask(REQUEST)
    assert cloud.paths() == ["/v2.1/servers/detail"]


def test_a_server_that_has_just_come_up_is_given_time(ask: Ask, cloud: Cloud) -> None:
    cloud.servers = [server(1, addresses={})]
    assert ask(REQUEST)["status"] == "running"
    assert cloud.paths() == ["/v2.1/servers/detail"]


@pytest.mark.parametrize("addresses", [{}, {"grid": "?"}, ["grid"], "grid", None])
def test_without_ports_the_machine_is_waited_for(ask: Ask, cloud: Cloud, addresses: object) -> None:
    cloud.servers = [server(1, addresses=addresses, launched="2026-03-01T09:29:00.000000")]
    found = ask(REQUEST)
    assert (found["status"], found["machines"][0]["message"]) == ("running", "it has no fixed address yet")


def test_neutron_in_trouble_is_a_line_in_the_log(ask: Ask, site: Site, cloud: Cloud) -> None:
    cloud.servers = [server(1, addresses={}, launched="2026-03-01T09:29:00.000000")]
    cloud.ports = answer(500, {"NeutronError": {"message": "no database"}})
    found = ask(REQUEST)
    assert (found["status"], found["message"]) == ("running", "")
    assert f"{server_id(1)} shows no address, and querying Neutron failed: " in site.logged()
    assert "Neutron failed: 500 no database" in site.logged()


def test_the_configured_networks_count(ask: Ask, site: Site, cloud: Cloud) -> None:
    site.configure(privateNetworks=["storage"])
    cloud.servers = [server(1, addresses={"grid": [V4], "storage": [{**V4, "addr": "192.0.2.9"}]})]
    assert ask(REQUEST)["machines"][0]["privateIpAddress"] == "192.0.2.9"


def test_the_configured_timeout_is_the_deadline_of_tagged_servers(ask: Ask, site: Site, cloud: Cloud) -> None:
    site.configure(requestTimeout=60)
    cloud.servers = [building(1)]
    assert ask(REQUEST)["machines"][0]["message"] == "not ready after 60 s: BUILD/spawning"
    assert NOW - CREATED_AT == 60


# When the cloud does not answer


def listed(*servers: dict[str, Any]) -> Answer:
    return answer(200, {"servers": servers}, OpenStack_API_Version="compute 2.79")


def assert_running_for(found: dict[str, Any], message: str) -> None:
    """Check that the recorded machines are executing, and why."""
    assert (found["status"], found["message"]) == ("running", message)
    assert [(one["machineId"], one["result"]) for one in found["machines"]] == [
        (server_id(1), "executing"),
        (server_id(2), "executing"),
    ]


QUOTED = " Something is wrong. (req-of-the-service)"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        pytest.param(403, "Nova does not allow this account to do this: 403" + QUOTED, id="403"),
        pytest.param(406, "Nova is too old for hfstack: 406" + QUOTED, id="406"),
        pytest.param(400, "Nova gave an unexpected answer: 400" + QUOTED, id="400"),
        pytest.param(404, "Nova gave an unexpected answer: 404" + QUOTED, id="404"),
        pytest.param(500, "Nova failed: 500" + QUOTED, id="500"),
    ],
)
def test_a_refusal_is_running_with_the_reason_at_once(
    ask: Ask, site: Site, cloud: Cloud, fault: int, message: str
) -> None:
    site.record(REQUEST, **PLANNED)
    cloud.faults = [answer(fault, {"fault": {"message": "Something is wrong."}})]
    assert_running_for(ask(REQUEST), message)
    assert (len(cloud.asked), site.clock.slept) == (1, [])


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        pytest.param(html(502), "Nova failed: 502", id="502-html"),
        pytest.param(html(504), "Nova failed: 504", id="504-html"),
        pytest.param(
            answer(429, {"overLimit": {"message": "Slow down."}}),
            "Nova reports too many requests: 429 Slow down. (req-of-the-service)",
            id="429",
        ),
        pytest.param(
            requests.ConnectTimeout("timed out"), f"cannot reach {NOVA}/servers/detail: no answer in time", id="timeout"
        ),
        pytest.param(
            requests.ReadTimeout("timed out"), f"cannot reach {NOVA}/servers/detail: no answer in time", id="hanging"
        ),
        pytest.param(
            requests.ConnectionError(ConnectionResetError(104, "Connection reset by peer")),
            f"cannot reach {NOVA}/servers/detail: Connection reset by peer",
            id="reset",
        ),
        pytest.param(
            requests.exceptions.ChunkedEncodingError("Connection broken"),
            f"cannot reach {NOVA}/servers/detail: Connection broken",
            id="cut-off",
        ),
    ],
)
def test_a_fault_that_lasts_is_running_with_the_reason_after_three_attempts(
    ask: Ask, site: Site, cloud: Cloud, fault: Answer | Exception, message: str
) -> None:
    site.record(REQUEST, **PLANNED)
    cloud.faults = [fault] * 3
    assert_running_for(ask(REQUEST), message)
    assert (len(cloud.asked), site.clock.slept) == (3, list(PAUSES))


@pytest.mark.parametrize("fault", [html(502), html(503), requests.ConnectionError("Connection aborted.")])
def test_a_fault_that_passes_is_not_noticed(ask: Ask, cloud: Cloud, fault: Answer | Exception) -> None:
    cloud.servers = [server(1)]
    cloud.faults = [fault]
    assert ask(REQUEST)["status"] == "complete"
    assert len(cloud.logins) == 1


def test_a_rate_limit_says_how_long_to_wait(ask: Ask, site: Site, cloud: Cloud) -> None:
    cloud.servers = [server(1)]
    cloud.faults = [answer(429, {}, Retry_After="17")]
    assert ask(REQUEST)["status"] == "complete"
    assert site.clock.slept == [17]


def test_a_rate_limit_beyond_the_time_budget_is_running_at_once(ask: Ask, site: Site, cloud: Cloud) -> None:
    site.env["HF_PROVIDER_ACTION_TIMEOUT"] = "20"
    cloud.faults = [answer(429, {}, Retry_After="17")]
    assert ask(REQUEST)["status"] == "running"
    assert site.clock.slept == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(html(200), "Nova answered 200 with a malformed body", id="html"),
        pytest.param(
            (200, {"Content-Type": "application/json"}, '{"servers": ['),
            "Nova answered 200 with a malformed body",
            id="cut-off",
        ),
        pytest.param(
            answer(200, {"flavors": []}, OpenStack_API_Version="compute 2.79"),
            "Nova's answer is not a list of servers (req-of-the-service)",
            id="another-document",
        ),
        pytest.param(
            answer(200, {"servers": []}),
            f"the compute endpoint {NOVA} ignores microversion 2.79, so its lists cannot be trusted: "
            "is it Nova's v2.1 endpoint? (req-of-the-service)",
            id="microversion-ignored",
        ),
    ],
)
def test_a_broken_answer_is_running_with_the_reason(
    ask: Ask, site: Site, cloud: Cloud, body: Answer, message: str
) -> None:
    site.record(REQUEST, **PLANNED)
    cloud.faults = [body]
    assert_running_for(ask(REQUEST), message)


def test_an_outage_shows_the_machines_of_a_return_too(ask: Ask, site: Site, cloud: Cloud) -> None:
    site.record(RETURN, asked=LEAVING)
    cloud.faults = [answer(500, {"fault": {"message": "Something is wrong."}})]
    found = ask(RETURN)
    assert_running_for(found, "Nova failed: 500" + QUOTED)
    assert [one["privateIpAddress"] for one in found["machines"]] == ["10.0.0.7", "10.0.0.8"]


def test_a_login_that_is_redirected_does_not_take_the_password_elsewhere(ask: Ask, cloud: Cloud) -> None:
    elsewhere: list[requests.PreparedRequest] = []

    def thief(request: requests.PreparedRequest) -> Answer:
        elsewhere.append(request)
        return answer(201, cloud.token(), X_Subject_Token=TOKEN)

    cloud.on("http://evil.test", thief)
    cloud.login_faults = [answer(302, None, Location="http://evil.test/v3/auth/tokens")]
    assert ask(REQUEST)["status"] == "running"
    assert elsewhere == []


def test_a_redirect_is_not_followed(ask: Ask, cloud: Cloud) -> None:
    elsewhere: list[requests.PreparedRequest] = []

    def thief(request: requests.PreparedRequest) -> Answer:
        elsewhere.append(request)
        return listed(server(1))

    cloud.on("http://evil.test", thief)
    cloud.faults = [answer(302, None, Location="http://evil.test/v2.1/servers/detail")]
    found = ask(REQUEST)
    assert found["status"] == "running"
    assert found["message"] == (
        f"Nova at {NOVA} redirects to http://evil.test/v2.1/servers/detail (302), which hfstack does not follow: "
        "correct the endpoint in the catalogue, or compute_endpoint_override in clouds.yaml (req-of-the-service)"
    )
    assert elsewhere == []


# Logins

UNAUTHORIZED = {"error": {"code": 401, "message": "The request you have made requires authentication."}}


def test_a_refused_login_is_running_with_the_reason(ask: Ask, site: Site, cloud: Cloud) -> None:
    site.record(REQUEST, **PLANNED)
    cloud.login_faults = [answer(401, UNAUTHORIZED)]
    assert_running_for(
        ask(REQUEST),
        f"the login at {KEYSTONE}/auth/tokens was refused: 401 The request you have made requires authentication. "
        "(req-of-the-service)",
    )
    assert (len(cloud.logins), cloud.asked) == (1, [])


def test_a_token_that_has_expired_is_replaced_once(ask: Ask, cloud: Cloud) -> None:
    cloud.servers = [server(1)]
    cloud.faults = [answer(401, UNAUTHORIZED)]
    assert ask(REQUEST)["status"] == "complete"
    assert len(cloud.logins) == 2
    assert [sent.headers["X-Auth-Token"] for sent in cloud.asked] == [f"{TOKEN}1", f"{TOKEN}2"]


def test_a_new_token_that_is_refused_too_is_running_without_a_third_login(ask: Ask, site: Site, cloud: Cloud) -> None:
    site.record(REQUEST, **PLANNED)
    cloud.faults = [answer(401, UNAUTHORIZED), answer(401, UNAUTHORIZED)]
    assert_running_for(
        ask(REQUEST),
        "Nova refuses the token, even after a new login: 401 The request you have made requires authentication. "
        "(req-of-the-service)",
    )
    assert len(cloud.logins) == 2


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(html(200), id="html"),
        pytest.param(html(503), id="html-503"),
        pytest.param(answer(201, {}, X_Subject_Token="x"), id="no-token"),
        pytest.param(answer(201, {"token": {}}, X_Subject_Token="x"), id="empty-token"),
        pytest.param(answer(201, {"token": {"expires_at": "2099-01-01T00:00:00Z"}}), id="no-token-header"),
        pytest.param(answer(201, [], X_Subject_Token="x"), id="list"),
        pytest.param(answer(201, {"token": {"expires_at": "soon"}}, X_Subject_Token="x"), id="strange-expiry"),
        pytest.param(answer(201, {"token": "x"}, X_Subject_Token="x"), id="strange-token"),
        pytest.param(requests.ConnectionError("Connection aborted."), id="no-answer"),
        pytest.param(answer(300, {"choices": []}), id="300"),
    ],
)
def test_a_login_that_makes_no_sense_is_running(ask: Ask, site: Site, cloud: Cloud, fault: Answer | Exception) -> None:
    site.record(REQUEST, **PLANNED)
    cloud.login_faults = [fault] * 3
    found = ask(REQUEST)
    assert found["message"]
    assert_running_for(found, found["message"])
    assert "keystone.test" in found["message"]


@pytest.mark.parametrize("catalog", [{}, {"network": NEUTRON}], ids=["empty", "no-compute"])
def test_a_catalogue_without_compute_is_running_with_the_reason(
    ask: Ask, site: Site, cloud: Cloud, catalog: dict[str, str]
) -> None:
    site.record(REQUEST, **PLANNED)
    cloud.catalog = catalog
    assert_running_for(
        ask(REQUEST),
        f"the catalogue of {KEYSTONE} has no compute endpoint for interface public, region_name RegionOne",
    )


@pytest.mark.parametrize("fault", [html(404), html(503), answer(200, {"versions": []}), html(200)])
def test_a_compute_endpoint_that_is_not_novas_is_running(ask: Ask, site: Site, cloud: Cloud, fault: Answer) -> None:
    site.record(REQUEST, **PLANNED)
    cloud.catalog["compute"] = "http://nowhere.test:8774"
    cloud.on("http://nowhere.test", lambda _: fault)
    found = ask(REQUEST)
    assert found["message"]
    assert_running_for(found, found["message"])


def test_logins_that_hang_use_no_more_than_the_budget(ask: Ask, site: Site, cloud: Cloud) -> None:
    began = site.clock.time

    def hang(request: requests.PreparedRequest) -> Answer:
        site.clock.time += request.req_kwargs["timeout"]  # type: ignore[attr-defined]
        raise requests.ConnectTimeout("timed out")

    cloud.mock.reset()
    cloud.on(KEYSTONE, hang)
    found = ask(*(f"req-{number}" for number in range(20)))
    assert {one["status"] for one in found} == {"running"}
    assert site.clock.time - began <= 240


# Secrets and the log


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param([], id="all-well"),
        pytest.param([answer(401, UNAUTHORIZED)] * 2, id="401"),
        pytest.param([answer(500, {"computeFault": {"message": "x"}})], id="500"),
        pytest.param([requests.ConnectionError("Connection aborted.")] * 3, id="no-answer"),
    ],
)
@pytest.mark.parametrize("login_fault", [[], [answer(401, UNAUTHORIZED)], [html(200)]], ids=["login", "401", "html"])
def test_neither_password_nor_token_is_logged_or_printed(
    ask: Ask, site: Site, cloud: Cloud, fault: list[Answer | Exception], login_fault: list[Answer]
) -> None:
    site.configure(unknownKey=PASSWORD)
    cloud.servers = [server(1, adminPass="Admin-Pass-7391", user_data="User-Data-7391")]
    cloud.faults, cloud.login_faults = list(fault), list(login_fault)
    text = json.dumps(ask(REQUEST)) + site.logged()
    assert cloud.logins[0]["auth"]["identity"]["password"]["user"]["password"] == PASSWORD
    for secret in (PASSWORD, TOKEN, "Admin-Pass-7391", "User-Data-7391"):
        assert secret not in text
    assert f" INFO {REQUEST} " in text


def test_the_log_tells_the_story_of_a_poll(ask: Ask, site: Site, cloud: Cloud) -> None:
    cloud.servers = [server(1), failed(2)]
    cloud.faults = [answer(503, {"fault": {"message": "Overloaded."}})]
    ask(REQUEST)
    log = site.logged()
    assert f"getRequestStatus WARNING {REQUEST} GET /servers/detail?" in log
    assert ": 503 Overloaded. req-of-the-service\n" in log
    assert (
        f"getRequestStatus INFO {REQUEST} complete_with_error: 1 succeed, 1 fail; 1 of 2 machines failed; "
        "hf-33e9ed03-2: the server is in ERROR: No valid host was found.\n"
    ) in log


# Configuration


def test_without_credentials_nothing_can_be_asked(refused: Callable[[str], str], site: Site) -> None:
    (site.conf / "clouds.yaml").unlink()
    assert refused(REQUEST) == "no credentials: found neither a clouds.yaml nor OS_* variables"


def test_broken_credentials_are_exit_1_and_quote_nothing(
    refused: Callable[[str], str], site: Site, cloud: Cloud
) -> None:
    (site.conf / "clouds.yaml").write_text(f"clouds:\n  bank:\n    password: !{PASSWORD}\n", "utf-8")
    message = refused(REQUEST)
    assert message.startswith(f"{site.conf / 'clouds.yaml'} is not YAML: ")
    assert PASSWORD not in message + site.logged()
    assert cloud.logins == []
