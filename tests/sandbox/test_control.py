"""What the sandbox's control port can do: faults, outages, forced states, many servers at once."""

from __future__ import annotations

import http.client
import threading
from typing import Any

import pytest

from tests.sandbox.client import Client

CUT = (http.client.RemoteDisconnected, ConnectionError)


def add_fault(client: Client, **fault: Any) -> None:
    client.control("POST", "/faults", fault)


@pytest.mark.parametrize("service", ["keystone", "nova", "neutron", "glance"])
def test_a_stopped_service_refuses_connections_and_comes_back_where_it_was(client: Client, service: str) -> None:
    port = client.sandbox.ports[service]
    assert client.send(service, "GET", "/").status < 400
    client.control("POST", f"/services/{service}/stop")
    assert client.control("GET", "/status")["services"][service]["running"] is False
    with pytest.raises(CUT):
        client.send(service, "GET", "/")
    with pytest.raises(ConnectionRefusedError):
        client.send(service, "GET", "/")
    client.control("POST", f"/services/{service}/start")
    assert client.send(service, "GET", "/").status < 400
    assert client.sandbox.ports[service] == port


def test_stopping_twice_and_starting_twice_does_no_harm(client: Client) -> None:
    for action in ("stop", "stop", "start", "start"):
        client.control("POST", f"/services/nova/{action}")
    assert client.nova("GET", "/servers").status == 200


def test_without_its_database_nova_answers_500(client: Client) -> None:
    client.token()
    client.control("POST", "/services/database/stop")
    reply = client.nova("GET", "/servers")
    assert reply.body["computeFault"] == {
        "code": 500,
        "message": "Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and attach the Nova"
        " API log if possible.\n<class 'oslo_db.exception.DBConnectionError'>",
    }
    assert client.neutron("GET", "/networks").status == 500
    client.control("POST", "/services/database/start")
    assert client.nova("GET", "/servers").status == 200


def test_without_neutron_nova_has_no_details(client: Client) -> None:
    server_id = client.create()
    client.control("POST", "/services/neutron/stop")
    for path in ("/servers/detail", f"/servers/{server_id}"):
        assert "ConnectFailure" in client.nova("GET", path).body["computeFault"]["message"]
    assert client.names() == ["one"]
    assert client.nova("GET", "/servers/detail?name=nobody").status == 200
    assert client.post_server().status == 500
    assert client.post_server(networks="none", name="bare").status == 202
    assert client.names() == ["bare", "one"]


def test_without_neutron_a_server_cannot_be_deleted(client: Client) -> None:
    server_id = client.create()
    client.control("POST", "/services/neutron/stop")
    assert client.nova("DELETE", f"/servers/{server_id}").status == 204
    client.control("POST", "/services/neutron/start")
    assert client.show(server_id)["status"] == "ERROR"


def test_without_glance_nothing_is_created(client: Client) -> None:
    client.control("POST", "/services/glance/stop")
    assert "GlanceConnectionFailed" in client.post_server().body["computeFault"]["message"]


def test_without_keystone_nova_goes_on_with_the_tokens_it_has_seen(client: Client) -> None:
    assert client.nova("GET", "/servers").status == 200
    unseen = client.log_in().headers["X-Subject-Token"]
    client.control("POST", "/services/keystone/stop")
    assert client.nova("GET", "/servers").status == 200
    reply = client.send("nova", "GET", "/v2.1/servers", headers={"X-Auth-Token": unseen})
    assert reply.status == 503
    assert "The Keystone service is temporarily unavailable." in reply.body
    assert reply.headers["Content-Type"].startswith("text/plain")


def test_a_fault_answers_instead_of_the_service_once(client: Client) -> None:
    add_fault(client, service="nova", method="POST", status=503, headers={"Retry-After": "7"}, body="busy")
    reply = client.post_server()
    assert (reply.status, reply.headers["Retry-After"], reply.body) == (503, "7", "busy")
    assert client.names() == []
    assert client.post_server().status == 202


def test_a_fault_matches_its_path_after_what_it_skips(client: Client) -> None:
    add_fault(client, service="nova", path=r"detail\?.*tags=x", skip=1, times=2, status=500)
    paths = ["/servers", "/servers/detail", *["/servers/detail?limit=5&tags=x"] * 4]
    assert [client.nova("GET", path).status for path in paths] == [200, 200, 200, 500, 500, 200]
    [left] = client.control("GET", "/faults")
    assert (left["skip"], left["times"]) == (0, 0)


def test_a_fault_without_end_lasts_until_it_is_removed(client: Client) -> None:
    add_fault(client, service="nova", status=429, times=-1)
    assert [client.nova("GET", "/servers").status for _ in range(3)] == [429] * 3
    client.control("DELETE", "/faults")
    assert client.nova("GET", "/servers").status == 200


@pytest.mark.parametrize(
    ("fault", "created"),
    [
        pytest.param({"drop": "before"}, [], id="before"),
        pytest.param({"drop": "after"}, ["one"], id="after"),
        pytest.param({"drop": "after", "act_first": True}, ["one"], id="after, acting first"),
    ],
)
def test_a_connection_is_dropped_before_or_after_the_request_is_carried_out(
    client: Client, fault: dict[str, Any], created: list[str]
) -> None:
    client.token()
    add_fault(client, service="nova", method="POST", **fault)
    with pytest.raises(CUT):
        client.post_server()
    assert client.names() == created


def test_a_connection_is_dropped_in_the_middle_of_the_body(client: Client) -> None:
    client.token()
    add_fault(client, service="nova", method="POST", drop="mid")
    with pytest.raises(http.client.IncompleteRead) as cut:
        client.post_server()
    assert len(cut.value.partial) > 0
    assert client.names() == ["one"]


def test_an_error_can_be_answered_to_what_was_carried_out(client: Client) -> None:
    add_fault(client, service="nova", method="POST", status=503, act_first=True)
    assert client.post_server().status == 503
    assert client.names() == ["one"]


def test_a_request_that_is_carried_out_first_is_done_while_its_answer_waits(client: Client) -> None:
    client.token()
    add_fault(client, service="nova", method="POST", delay=600, act_first=True)
    waiting = Client()
    waiting.sandbox, waiting.tokens = client.sandbox, client.tokens
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(waiting.post_server().status))
    thread.start()
    while not client.names():
        assert thread.is_alive()
    assert statuses == []
    client.control("DELETE", "/faults")
    thread.join(20)
    assert statuses == [202]
    for connection in waiting.connections.values():
        connection.close()


def test_the_error_says_what_is_wrong_with_a_fault(client: Client) -> None:
    for fault in ({"bogus": 1}, {"drop": "sometimes"}, {"path": "("}, {"service": "cinder"}):
        reply = client.send("control", "POST", "/faults", fault)
        assert reply.status in {400, 404}
        assert reply.body["error"]
    assert client.control("GET", "/faults") == []


def test_requests_are_recorded_without_their_tokens(client: Client) -> None:
    client.token()
    client.control("DELETE", "/requests")
    headers = {
        "X-Auth-Token": client.token(),
        "X-Openstack-Request-Id": "req-1",
        "OpenStack-API-Version": "compute 2.79",
    }
    client.send("nova", "GET", "/v2.1/servers?limit=5", headers=headers)
    [[service, method, target, status, sent]] = client.control("GET", "/requests")
    assert [service, method, target, status] == ["nova", "GET", "/v2.1/servers?limit=5", 200]
    assert (sent["X-Openstack-Request-Id"], sent["OpenStack-API-Version"]) == ("req-1", "compute 2.79")
    assert client.token() not in str(sent)


def test_requests_are_counted_by_method_template_and_query(client: Client) -> None:
    server_id = client.create()
    client.control("DELETE", "/requests")
    client.nova("GET", f"/servers/{server_id}")
    client.nova("GET", "/servers/nope")
    client.nova("GET", "/servers/detail?tags=x")
    assert client.control("GET", "/status")["services"]["nova"]["requests"] == {
        "GET /v2.1/servers/{server_id}": 2,
        "GET /v2.1/servers/detail?tags=x": 1,
    }


def test_a_request_that_got_no_answer_is_recorded_as_such(client: Client) -> None:
    client.token()
    add_fault(client, service="nova", drop="before")
    with pytest.raises(CUT):
        client.nova("GET", "/servers")
    assert client.control("GET", "/requests")[-1][3] is None


def test_the_status_counts_servers(client: Client) -> None:
    client.knobs(spawn_fail="bad")
    client.create()
    client.create(name="bad")
    status = client.control("GET", "/status")
    assert status["servers"] == {"ACTIVE": 1, "ERROR": 1}
    assert status["services"]["nova"]["port"] == client.sandbox.ports["nova"]
    assert status["database"] == {"running": True}


def test_a_knob_that_does_not_exist_is_refused(client: Client) -> None:
    before = client.control("GET", "/knobs")
    reply = client.send("control", "PUT", "/knobs", {"bogus": 1, "spawn_delay": 5})
    assert (reply.status, reply.body) == (400, {"error": "no such knob: bogus"})
    assert client.control("GET", "/knobs") == before


def test_a_crowd_of_servers_is_there_at_once(client: Client) -> None:
    wanted = {"count": 250, "name_prefix": "host", "tags": ["t"], "metadata": {"k": "v"}}
    ids = client.control("POST", "/servers", wanted)["ids"]
    servers = client.nova("GET", "/servers/detail?tags=t").body["servers"]
    assert sorted(server["id"] for server in servers) == sorted(ids)
    assert {server["status"] for server in servers} == {"ACTIVE"}
    assert len({server["name"] for server in servers}) == 250
    addresses = {entry["addr"] for server in servers for entry in server["addresses"]["private"]}
    assert len(addresses) == 500


def test_a_state_is_forced_and_stays(client: Client) -> None:
    client.knobs(spawn_delay=10)
    server_id = client.create()
    client.control("PUT", f"/servers/{server_id}", {"vm_state": "active", "task_state": "deleting", "power_state": 4})
    client.clock.advance(100)
    record = client.show(server_id)
    assert (record["status"], record["OS-EXT-STS:task_state"], record["OS-EXT-STS:power_state"]) == (
        *("ACTIVE", "deleting"),
        4,
    )
    assert list(record["addresses"]) == ["private"]


def test_a_record_is_forced(client: Client) -> None:
    server_id = client.create()
    changes = {
        "name": "forced",
        "tags": ["x"],
        "metadata": {"a": "b"},
        "locked": True,
        "addresses": {"net": []},
        "created": "2020-01-02T03:04:05Z",
        "launched_at": 1577934246,
        "vm_state": "error",
        "fault": {"message": "boom", "code": 404, "details": "why"},
    }
    client.control("PUT", f"/servers/{server_id}", changes)
    record = client.show(server_id)
    assert {key: record[key] for key in ("name", "tags", "metadata", "locked", "addresses")} == {
        key: changes[key] for key in ("name", "tags", "metadata", "locked", "addresses")
    }
    assert record["created"] == "2020-01-02T03:04:05Z"
    assert record["OS-SRV-USG:launched_at"] == "2020-01-02T03:04:06.000000"
    assert (record["fault"]["message"], record["fault"]["details"]) == ("boom", "why")


def test_a_server_is_forced_to_be_deleted_or_erased(client: Client) -> None:
    first, second = client.create(name="first"), client.create(name="second")
    client.control("PUT", f"/servers/{first}", {"vm_state": "deleted"})
    client.control("PUT", f"/servers/{second}", {"gone": True})
    assert [client.nova("GET", f"/servers/{one}").status for one in (first, second)] == [404, 404]
    assert client.names("?changes-since=2000-01-01T00:00:00Z") == ["first"]
    assert [server["status"] for server in client.control("GET", "/servers")["servers"]] == ["DELETED"]


def test_the_details_of_a_500_are_an_administrators(client: Client) -> None:
    server_id = client.create()
    fault = {"message": "boom", "details": "Traceback"}
    client.control("PUT", f"/servers/{server_id}", {"vm_state": "error", "fault": fault})
    assert "details" not in client.show(server_id)["fault"]
    assert client.show(server_id, user="admin")["fault"]["details"] == "Traceback"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nothing", None, 404),
        ("PUT", "/servers/nope", {}, 404),
        ("POST", "/services/cinder/stop", None, 404),
        ("POST", "/servers", {"project": "nope"}, 404),
        ("PUT", "/knobs", [], 400),
        ("PUT", "/knobs", "{bad", 400),
    ],
)
def test_what_the_control_port_does_not_understand_is_refused(
    client: Client, method: str, path: str, body: object, status: int
) -> None:
    reply = client.send("control", method, path, body)
    assert (reply.status, list(reply.body)) == (status, ["error"])


def test_a_key_that_a_server_does_not_have_is_refused(client: Client) -> None:
    reply = client.send("control", "PUT", f"/servers/{client.create()}", {"status": "ACTIVE"})
    assert (reply.status, reply.body) == (400, {"error": "a server has no status"})
