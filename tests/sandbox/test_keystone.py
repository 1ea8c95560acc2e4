"""Logging in to the sandbox, and what its services do with tokens."""

from __future__ import annotations

from typing import Any

import pytest

from hfstack.sandbox.inventory import DEMO, OTHER, USERS
from tests.sandbox.client import Client, Reply

REFUSED = {
    "error": {
        "code": 401,
        "message": "The request you have made requires authentication.",
        "title": "Unauthorized",
    }
}


def authenticate(client: Client, method: str, proof: dict[str, Any], scope: object = None) -> Reply:
    auth: dict[str, Any] = {"identity": {"methods": [method], method: proof}}
    if scope is not None:
        auth["scope"] = scope
    return client.send("keystone", "POST", "/v3/auth/tokens", {"auth": auth})


def make_credential(client: Client, name: str = "mine", token: str | None = None) -> Reply:
    path = f"/v3/users/{USERS[0].id}/application_credentials"
    headers = {"X-Auth-Token": token or client.token()}
    return client.send("keystone", "POST", path, {"application_credential": {"name": name}}, headers)


def test_a_login_answers_with_a_scoped_token_and_the_catalog(client: Client) -> None:
    reply = client.log_in()
    token = reply.body["token"]
    assert reply.status == 201
    assert token["project"]["id"] == DEMO.id
    assert [role["name"] for role in token["roles"]] == ["reader", "member"]
    public = {
        entry["type"]: endpoint["url"]
        for entry in token["catalog"]
        for endpoint in entry["endpoints"]
        if endpoint["interface"] == "public"
    }
    assert public == {
        "compute": client.sandbox.url("nova") + "/v2.1",
        "image": client.sandbox.url("glance"),
        "network": client.sandbox.url("neutron"),
        "identity": client.sandbox.url("keystone") + "/v3",
    }


def test_a_user_may_be_given_by_id(client: Client) -> None:
    proof = {"user": {"id": USERS[0].id, "password": "demo"}}
    assert authenticate(client, "password", proof, {"project": {"id": DEMO.id}}).status == 201


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"password": "wrong"}, id="password"),
        pytest.param({"name": "nobody"}, id="user"),
        pytest.param({"domain": {"id": "elsewhere"}}, id="domain"),
    ],
)
def test_a_wrong_login_is_401_whatever_is_wrong(client: Client, changes: dict[str, Any]) -> None:
    reply = client.log_in(**changes)
    assert (reply.status, reply.body) == (401, REFUSED)
    assert reply.headers["WWW-Authenticate"] == f'Keystone uri="{client.sandbox.url("keystone")}/v3"'


def test_nobody_gets_into_the_project_of_another(client: Client) -> None:
    proof = {"user": {"id": USERS[0].id, "password": "demo"}}
    assert authenticate(client, "password", proof, {"project": {"id": OTHER.id}}).status == 401


def test_a_body_that_is_not_json_is_400(client: Client) -> None:
    assert client.send("keystone", "POST", "/v3/auth/tokens", "{bad").status == 400


def test_a_token_buys_a_token_that_lives_no_longer(client: Client) -> None:
    first = client.log_in()
    client.clock.advance(100)
    second = authenticate(client, "token", {"id": first.headers["X-Subject-Token"]})
    assert second.body["token"]["methods"] == ["token", "password"]
    assert second.body["token"]["expires_at"] == first.body["token"]["expires_at"]


def test_an_application_credential_logs_in_by_id_or_by_name(client: Client) -> None:
    made = make_credential(client).body["application_credential"]
    by_id = authenticate(client, "application_credential", {"id": made["id"], "secret": made["secret"]})
    owner = {"name": "demo", "domain": {"id": "default"}}
    by_name = authenticate(client, "application_credential", {"name": "mine", "user": owner, "secret": made["secret"]})
    for reply in (by_id, by_name):
        assert reply.status == 201
        assert reply.body["token"]["application_credential"]["id"] == made["id"]


def test_an_application_credential_with_a_wrong_secret_is_401(client: Client) -> None:
    made = make_credential(client).body["application_credential"]
    reply = authenticate(client, "application_credential", {"id": made["id"], "secret": "wrong"})
    assert reply.body == REFUSED


def test_an_application_credential_may_not_make_another(client: Client) -> None:
    made = make_credential(client).body["application_credential"]
    reply = authenticate(client, "application_credential", {"id": made["id"], "secret": made["secret"]})
    assert make_credential(client, "second", reply.headers["X-Subject-Token"]).status == 403


def test_an_application_credential_needs_a_new_name(client: Client) -> None:
    make_credential(client)
    assert make_credential(client).status == 409


def test_the_secret_of_an_application_credential_is_shown_once(client: Client) -> None:
    make_credential(client)
    path = f"/v3/users/{USERS[0].id}/application_credentials"
    listed = client.send("keystone", "GET", path, headers={"X-Auth-Token": client.token()})
    assert "mine" in {known["name"] for known in listed.body["application_credentials"]}
    assert not any("secret" in known for known in listed.body["application_credentials"])


def test_a_token_is_validated_and_revoked(client: Client) -> None:
    subject = client.log_in().headers["X-Subject-Token"]
    headers = {"X-Auth-Token": client.token(), "X-Subject-Token": subject}
    assert client.send("keystone", "GET", "/v3/auth/tokens", headers=headers).status == 200
    assert client.send("keystone", "DELETE", "/v3/auth/tokens", headers=headers).status == 204
    assert client.send("keystone", "GET", "/v3/auth/tokens", headers=headers).status == 404
    assert client.send("nova", "GET", "/v2.1/servers", headers={"X-Auth-Token": subject}).status == 401


@pytest.mark.parametrize(("service", "path"), [("nova", "/v2.1/servers"), ("neutron", "/v2.0/networks")])
def test_a_service_refuses_an_unknown_token_as_keystonemiddleware_does(client: Client, service: str, path: str) -> None:
    for headers in ({}, {"X-Auth-Token": "unknown"}):
        reply = client.send(service, "GET", path, headers=headers)
        assert (reply.status, reply.body) == (401, REFUSED)
        assert reply.headers["WWW-Authenticate"].startswith("Keystone uri=")


def test_glance_refuses_in_its_own_words(client: Client) -> None:
    reply = client.send("glance", "GET", "/v2/images", headers={"Accept": "application/json"})
    assert (reply.status, reply.body["code"]) == (401, "401 Unauthorized")


def test_a_token_is_good_until_it_expires(client: Client) -> None:
    client.knobs(token_ttl=15)
    client.token()
    client.clock.advance(14)
    assert client.nova("GET", "/servers").status == 200
    client.clock.advance(2)
    assert client.nova("GET", "/servers").status == 401


def test_all_tokens_can_be_expired_at_once(client: Client) -> None:
    assert client.nova("GET", "/servers").status == 200
    client.control("POST", "/tokens/expire")
    assert client.nova("GET", "/servers").status == 401
    client.tokens.clear()
    assert client.nova("GET", "/servers").status == 200


def test_the_version_documents_lead_to_v3(client: Client) -> None:
    every = client.send("keystone", "GET", "/")
    one = client.send("keystone", "GET", "/v3")
    assert (every.status, one.status) == (300, 200)
    assert every.body["versions"]["values"] == [one.body["version"]]
