"""The cached way into the cloud, and every reason to take the long one: real processes, and what a sandbox was asked.

A site answers the same whichever way is taken.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from keystoneauth1.identity.base import BaseIdentityPlugin
from keystoneauth1.session import Session

import hfstack.cloud.sdk
from hfstack.cli import as_settings
from hfstack.cloud.connection import Connection
from hfstack.cloud.nova import HEADERS
from hfstack.cloud.transport import Reply, TokenTransport
from hfstack.context import Budget, Context
from hfstack.environment import read_environment
from hfstack.log import Log
from hfstack.store import token_cache
from tests.certificate import DAY, certificate
from tests.http.conftest import Ask, Cloud, Site
from tests.http.polled import COLD, LIST, LOGIN, WARM, Polled, polled
from tests.scenarios.clouds import until
from tests.scenarios.proxy import proxy_before
from tests.scenarios.site import parse

CACHEABLE = hfstack.cloud.sdk.Access.cacheable


@pytest.fixture(autouse=True)
def something_is_cached(nothing_is_cached: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - it comes first
    """Have calls in this process keep what they learn, too."""
    monkeypatch.setattr(hfstack.cloud.sdk.Access, "cacheable", CACHEABLE)


def test_the_first_call_logs_in_and_the_others_do_not(warm: Polled) -> None:
    path = warm.cached()
    assert path
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    assert [warm.poll() for _ in range(2)] == [WARM, WARM]
    assert path.read_bytes() == before


def test_what_is_kept_is_what_the_login_said(warm: Polled) -> None:
    path = warm.cached()
    assert path
    known = json.loads(path.read_bytes())["known"]
    issued = warm.sandbox.cloud.tokens[known["token"]]
    assert known["expires"] == int(issued.expires_at)
    assert known["endpoints"] == {
        "compute": f"{warm.sandbox.url('nova')}/v2.1",
        "network": f"{warm.sandbox.url('neutron')}/v2.0",
        "image": f"{warm.sandbox.url('glance')}/v2",
    }
    assert (known["project"], known["region"]) == (issued.project.id, "RegionOne")


# A token that is no longer accepted


def revoke(warm: Polled) -> None:
    parts = urllib.parse.urlsplit(warm.sandbox.url("keystone"))
    connection = HTTPConnection(parts.netloc)
    token = warm.token()
    connection.request("DELETE", "/v3/auth/tokens", headers={"X-Auth-Token": token, "X-Subject-Token": token})
    assert connection.getresponse().status == 204
    connection.close()
    assert warm.served() == ["keystone DELETE /v3/auth/tokens"]


def expire(warm: Polled) -> None:
    warm.control("POST", "/tokens/expire")


@pytest.mark.parametrize("spoil", [revoke, expire])
def test_a_token_that_is_not_taken_any_more_leads_to_one_login(warm: Polled, spoil: Callable[[Polled], None]) -> None:
    token = warm.token()
    spoil(warm)
    assert warm.poll() == [LIST, *LOGIN, LIST]
    assert warm.token() != token
    assert warm.poll() == WARM
    assert "the token is no longer accepted" in warm.site.log()


def test_a_token_near_its_end_is_renewed(request_: Polled) -> None:
    # far from the margin: between the start of a call and its login, seconds may pass on a busy machine
    request_.control("PUT", "/knobs", {"token_ttl": token_cache.MARGIN / 2})
    assert [request_.poll(), request_.poll()] == [COLD, COLD]
    assert request_.cached() is None, "it would not have been used"
    request_.control("PUT", "/knobs", {"token_ttl": token_cache.MARGIN * 2})
    assert [request_.poll(), request_.poll()] == [COLD, WARM]


def test_nova_refuses_new_tokens_too(warm: Polled) -> None:
    warm.control("POST", "/faults", {"service": "nova", "status": 401, "times": -1})
    assert "refuses the token, even after a new login: 401" in warm.trouble()
    assert warm.served() == [LIST, *LOGIN, LIST]
    warm.control("DELETE", "/faults")
    assert warm.poll() in (WARM, COLD)


def test_keystone_is_down_when_the_token_is_not_taken_any_more(warm: Polled) -> None:
    warm.control("POST", "/faults", {"service": "nova", "status": 401, "times": -1})
    warm.control("POST", "/services/keystone/stop")
    assert warm.trouble() == f"cannot reach {warm.sandbox.url('keystone')}/v3/auth/tokens: Connection refused"
    assert warm.served() == [LIST]
    assert warm.cached() is None
    warm.control("DELETE", "/faults")
    warm.control("POST", "/services/keystone/start")
    assert warm.poll() == COLD


def test_keystone_is_not_missed_while_the_token_is_good(warm: Polled) -> None:
    warm.control("POST", "/services/keystone/stop")
    assert warm.poll() == WARM


@pytest.mark.parametrize(("times", "made"), [pytest.param(1, 1, id="once"), pytest.param(2, 0, id="twice")])
def test_a_post_that_met_401_is_sent_once_more_and_only_once(warm: Polled, times: int, made: int) -> None:
    warm.site.write_templates({})
    warm.control("POST", "/faults", {"service": "nova", "method": "POST", "status": 401, "times": times})
    done = warm.site.run({"template": {"templateId": "small", "machineCount": 1}}, "requestMachines")
    assert (done.returncode, done.stderr) == (0 if made else 1, b""), done.stdout
    served = warm.served()
    assert served.count("nova POST /v2.1/servers") == 2
    assert served.count("keystone POST /v3/auth/tokens") == 1
    assert len(warm.control("GET", "/servers")["servers"]) == 1 + made


def test_a_post_of_a_call_that_has_just_logged_in_is_sent_once_more_and_only_once(request_: Polled) -> None:
    request_.site.write_templates({})
    request_.control("POST", "/faults", {"service": "nova", "method": "POST", "status": 401, "times": -1})
    done = request_.site.run({"template": {"templateId": "small", "machineCount": 1}}, "requestMachines")
    assert (done.returncode, done.stderr) == (1, b"")
    assert "refuses the token, even after a new login" in parse(done.stdout)["message"]
    assert request_.served().count("nova POST /v2.1/servers") == 2


def in_this_process(warm: Polled) -> Connection:
    """Open the cached way in this process."""
    env = warm.site.environment()
    environment = read_environment(env)
    known = token_cache.load(environment, env, now := dt.datetime.now().timestamp())  # noqa: DTZ005 - seconds since 1970
    assert known
    settings = as_settings(known.settings)
    return Connection(Context(environment, settings, env, Log(environment, "test"), Budget(60), known, started_at=now))


def test_a_warm_call_knows_where_it_is_without_a_request(warm: Polled) -> None:
    project = warm.sandbox.cloud.tokens[warm.token()].project.id
    host = urllib.parse.urlsplit(warm.sandbox.url("nova")).netloc
    assert in_this_process(warm).place() == (project, "RegionOne", host)
    assert warm.served() == []


def test_threads_that_meet_401_at_once_log_in_once(warm: Polled, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = in_this_process(warm)
    direct = connection.direct
    assert direct
    expire(warm)
    refused = threading.Barrier(8)
    send = TokenTransport.send

    def all_are_refused(self: TokenTransport, *request: Any) -> Reply:
        reply = send(self, *request)
        refused.wait(30)
        return reply

    monkeypatch.setattr(TokenTransport, "send", all_are_refused)
    url = connection.endpoint("compute") + "/servers"
    with ThreadPoolExecutor(8) as pool:
        replies = [pool.submit(connection.send, "GET", url, HEADERS, 30) for _ in range(8)]
        assert [reply.result().status for reply in replies] == [200] * 8
    served = warm.served()
    assert served.count("keystone POST /v3/auth/tokens") == 1
    assert served.count("nova GET /v2.1/servers") == 16
    assert connection.access
    assert connection.access.session.get_token() == warm.token(), "what is kept is what they all use"
    for _, kept in direct.idle:
        kept.close()
    connection.access.session.session.close()


# The way has changed


def test_an_endpoint_that_cannot_be_reached_is_looked_up_anew(warm: Polled) -> None:
    warm.control("POST", "/services/nova/stop")
    assert "Connection refused" in warm.trouble()
    assert warm.cached() is None
    warm.control("POST", "/services/nova/start")
    warm.served()
    assert [warm.poll(), warm.poll()] == [COLD, WARM]


def test_the_next_call_sees_other_credentials(warm: Polled) -> None:
    warm.site.clouds["clouds"]["member"] = warm.site.clouds["clouds"]["other"]
    warm.site.write_clouds()
    answer = warm.site.poll_one(warm.request_id)
    assert answer["status"] == "complete_with_error", "another project has no such servers"
    assert warm.served()[:2] == LOGIN


def test_the_next_call_sees_a_secure_yaml(warm: Polled) -> None:
    secure = warm.site.confdir / "secure.yaml"
    secure.write_text("clouds: {member: {auth: {password: wrong}}}\n", encoding="utf-8")
    assert "was refused: 401" in warm.trouble()
    secure.unlink()
    warm.served()
    assert warm.poll() in (WARM, COLD)


def test_the_next_call_sees_another_configuration(warm: Polled) -> None:
    warm.site.configure(cloud="member", logLevel="LOG_ERROR")
    before = warm.site.log()
    assert warm.poll() == COLD
    assert warm.poll() == WARM
    assert warm.site.log() == before, "settings that were kept count as much as those that were read"
    warm.site.configure(cloud="nobody")
    done = warm.site.run({"requests": {"requestId": warm.request_id}})
    assert done.returncode == 1
    assert "has no cloud nobody" in parse(done.stdout)["message"]


def test_a_file_that_others_may_read_is_not_used_but_replaced(warm: Polled) -> None:
    path = warm.cached()
    assert path
    path.chmod(0o644)
    assert warm.poll() == COLD
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_change_during_a_login_is_not_covered_up(request_: Polled) -> None:
    request_.control("POST", "/faults", {"service": "keystone", "method": "POST", "delay": 100})
    path = request_.site.confdir.parent / "input"
    path.write_text(json.dumps({"requests": {"requestId": request_.request_id}}), encoding="utf-8")
    command = request_.site.command("getRequestStatus", path)
    with subprocess.Popen(command, env=request_.site.environment(), stdout=subprocess.PIPE) as call:
        until(lambda: request_.control("GET", "/faults")[0]["times"] == 0, "the login")
        request_.site.configure(cloud="nobody")
        request_.control("DELETE", "/faults")
        assert call.stdout
        assert parse(call.stdout.read())["requests"]["status"] == "complete", "it had read what was there before"
    assert request_.cached() is None
    done = request_.site.run({"requests": {"requestId": request_.request_id}})
    assert "has no cloud nobody" in parse(done.stdout)["message"]


def test_calls_that_renew_at_once_all_answer(request_: Polled) -> None:
    with ThreadPoolExecutor(5) as pool:
        polls = [pool.submit(request_.site.poll_one, request_.request_id) for _ in range(5)]
        assert {poll.result()["status"] for poll in polls} == {"complete"}
    request_.served()
    assert request_.poll() == WARM


def test_two_providers_keep_two_files(warm: Polled) -> None:
    other = {"HF_PROVIDER_NAME": "other"}
    assert [warm.poll(**other), warm.poll(**other), warm.poll()] == [COLD, WARM, WARM]
    assert len(list((warm.site.workdir / "cache").iterdir())) == 2


def test_with_a_clouds_yaml_of_its_own_one_login_serves_every_working_directory(
    warm: Polled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("clouds.yaml", "secure.yaml", "clouds-public.yaml"):
        (tmp_path / name).write_text("not for this provider", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert warm.poll() == WARM
    warm.site.forget_login()
    assert warm.poll() == COLD
    monkeypatch.chdir(tmp_path.parent)
    assert warm.poll() == WARM


def test_without_one_each_working_directory_has_a_login_of_its_own(
    request_: Polled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clouds = request_.site.confdir / "clouds.yaml"
    content = clouds.read_bytes()
    clouds.unlink()
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "clouds.yaml").write_bytes(content)
        monkeypatch.chdir(folder)
        assert [request_.poll(), request_.poll()] == [COLD, WARM]


# Logins and ways that a token alone does not stand for


def twice(one: Polled, **env: str) -> bool:
    """Poll twice, expect the same answer, and tell whether the second had no need to log in."""
    first, second = one.poll(**env), one.poll(**env)
    assert first[-1] == second[-1] == LIST
    assert LOGIN[1] in first
    assert (one.cached() is not None) == (second == WARM)
    return second == WARM


def test_an_application_credential_is_kept(request_: Polled) -> None:
    request_.site.clouds["clouds"]["member"] = request_.site.clouds["clouds"]["appcred"]
    request_.site.write_clouds()
    assert twice(request_)


def test_a_token_as_a_login_is_kept(request_: Polled) -> None:
    cloud = request_.sandbox.cloud
    token = cloud.issue_token(next(user for user in users() if user.name == "demo"), ["password"], []).id
    auth = {key: request_.member["auth"][key] for key in ("auth_url", "project_name", "project_domain_id")}
    request_.member.update(auth_type="v3token", auth={**auth, "token": token})
    request_.site.write_clouds()
    assert twice(request_)


def users() -> Any:
    from hfstack.sandbox import inventory

    return inventory.USERS


@pytest.mark.parametrize(
    ("plugin", "reason"),
    [
        pytest.param({"auth_type": "none", "auth": {}}, "refuses the token", id="none"),
        pytest.param(
            {"auth_type": "http_basic", "auth": {"username": "demo", "password": "a-password"}},
            "refuses the token",
            id="http_basic",
        ),
        pytest.param({"auth_type": "admin_token", "auth": {"token": "not-a-token"}}, "refuses the token", id="admin"),
    ],
)
def test_a_login_without_keystone_is_not_kept(request_: Polled, plugin: dict[str, Any], reason: str) -> None:
    endpoint = f"{request_.sandbox.url('nova')}/v2.1"
    plugin["auth"]["endpoint"] = endpoint
    request_.site.clouds["clouds"]["member"] = {**plugin, "compute_endpoint_override": endpoint}
    request_.site.write_clouds()
    for _ in range(2):
        assert reason in request_.trouble()
        assert request_.served()[-1] == LIST
        assert request_.cached() is None


def test_an_admins_token_that_nova_takes_is_not_kept(request_: Polled) -> None:
    endpoint = f"{request_.sandbox.url('nova')}/v2.1"
    token = request_.sandbox.cloud.issue_token(next(user for user in users() if user.name == "demo"), ["password"], [])
    auth = {"endpoint": endpoint, "token": token.id}
    login = {"auth_type": "admin_token", "auth": auth, "compute_endpoint_override": endpoint}
    request_.site.clouds["clouds"]["member"] = login
    request_.site.write_clouds()
    assert [request_.poll(), request_.poll()] == [WARM, WARM], "there is nothing to log in to"
    assert request_.cached() is None


def test_an_endpoint_of_clouds_yaml_is_kept(request_: Polled) -> None:
    with proxy_before(f"{request_.sandbox.url('nova')}/v2.1") as proxy:
        request_.member["compute_endpoint_override"] = proxy.url
        request_.site.write_clouds()
        assert twice(request_)
        assert len(proxy.seen) == 2


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        pytest.param("htps://127.0.0.1:9/v2.1", "No connection adapters were found", id="no such scheme"),
        pytest.param("127.0.0.1:9/v2.1", "no login for 127.0.0.1:9/v2.1", id="no scheme"),
        pytest.param("http://127.0.0.1:99999/v2.1", "cannot reach http://127.0.0.1:99999", id="no such port"),
    ],
)
def test_an_endpoint_that_is_none_is_asked_by_nobody(request_: Polled, endpoint: str, reason: str) -> None:
    request_.member["compute_endpoint_override"] = endpoint
    request_.site.write_clouds()
    assert reason in request_.trouble()
    assert LIST not in request_.served()


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("http://nova:8774/v2.1", True),
        ("HTTPS://Nova.bank.example/compute/v2.1/0a1b", True),
        ("http://[::1]:8774/v2.1/", True),
        ("http://10.0.0.1", True),
        ("htps://nova", False),
        ("nova:8774", False),
        ("http://user:secret@nova", False),
        ("http://nova/v2.1?region=1", False),
        ("http://nova/a b", False),
        ("http://nova/a%20b", False),
        ("http://növa", False),
        ("http://nova.", False),
        ("http://nova/\n", False),
        ("http:///v2.1", False),
    ],
)
def test_endpoints_that_mean_the_same_to_everybody(url: str, *, plain: bool) -> None:
    assert bool(hfstack.cloud.sdk.PLAIN_URL.match(url)) is plain


# TLS and proxies


@pytest.fixture
def behind_tls(tmp_path: Path) -> Iterator[Polled]:
    with polled(tmp_path, tls=certificate(tmp_path, dt.datetime.now(dt.UTC) + DAY)) as one:
        yield one


def test_the_sites_own_authority_is_kept(behind_tls: Polled) -> None:
    assert twice(behind_tls)


def test_the_authority_of_the_environment_is_kept(behind_tls: Polled) -> None:
    authority = behind_tls.member.pop("cacert")
    behind_tls.site.write_clouds()
    assert twice(behind_tls, REQUESTS_CA_BUNDLE=authority)
    assert "its certificate is not trusted" in behind_tls.trouble(), "without it there is none"


def test_an_authority_that_has_changed_is_not_trusted_any_more(behind_tls: Polled, tmp_path: Path) -> None:
    assert twice(behind_tls)
    (tmp_path / "other").mkdir()
    other, _ = certificate(tmp_path / "other", dt.datetime.now(dt.UTC) + DAY, common_name="another authority")
    Path(behind_tls.member["cacert"]).write_bytes(Path(other).read_bytes())
    assert "its certificate is not trusted: self-signed certificate" in behind_tls.trouble()


def test_an_authority_that_is_gone_is_a_mistake_in_the_configuration(behind_tls: Polled) -> None:
    assert twice(behind_tls)
    Path(behind_tls.member["cacert"]).unlink()
    done = behind_tls.site.run({"requests": {"requestId": behind_tls.request_id}})
    assert (done.returncode, done.stderr) == (1, b"")
    assert parse(done.stdout)["message"].startswith("TLS settings of the cloud: ")


def test_a_server_that_is_not_verified_is_never_asked_by_the_short_way(behind_tls: Polled) -> None:
    behind_tls.member.update(verify=False, cacert=None)
    behind_tls.site.write_clouds()
    assert not twice(behind_tls)


def test_a_client_certificate_is_shown_each_time(behind_tls: Polled) -> None:
    certificate_file = behind_tls.member["cacert"]
    behind_tls.member.update(cert=certificate_file, key=certificate_file.replace("cert.pem", "key.pem"))
    behind_tls.site.write_clouds()
    assert not twice(behind_tls)


class Forward(BaseHTTPRequestHandler):
    """A proxy as sites have them between networks."""

    forwarded: list[str]

    def do_GET(self) -> None:
        self.forwarded.append(f"{self.command} {self.path}")
        parts = urllib.parse.urlsplit(self.path)
        connection = HTTPConnection(parts.netloc, timeout=60)
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        connection.request(self.command, f"{parts.path}?{parts.query}", content, headers)
        reply = connection.getresponse()
        body = reply.read()
        connection.close()
        self.send_response_only(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name is http.server's

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        pass


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """The URL of a proxy, and what was forwarded by it."""
    forwarded: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Forward,), {"forwarded": forwarded}))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", forwarded
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_proxy_is_used_each_time(request_: Polled, proxy: tuple[str, list[str]]) -> None:
    url, forwarded = proxy
    assert not twice(request_, http_proxy=url)
    assert [one.split()[0] for one in forwarded] == ["GET", "POST", "GET"] * 2, "and everything went through it"


def test_a_proxy_that_comes_up_is_not_passed_by(warm: Polled, proxy: tuple[str, list[str]]) -> None:
    url, forwarded = proxy
    assert warm.poll(http_proxy=url) == COLD
    assert len(forwarded) == 3


def test_a_proxy_for_other_hosts_is_none(request_: Polled, proxy: tuple[str, list[str]]) -> None:
    url, forwarded = proxy
    assert twice(request_, http_proxy=url, no_proxy="127.0.0.1")
    assert forwarded == []


# Odd answers of a login


@pytest.mark.parametrize("headers", [{}, {"X-Test": "1"}], ids=["a token alone", "more than a token"])
def test_a_login_that_sends_more_than_a_token_is_not_kept(
    cloud: Cloud, ask: Ask, site: Site, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    sent = BaseIdentityPlugin.get_headers

    def more(self: BaseIdentityPlugin, session: Session) -> dict[str, str | bytes]:
        return {**(sent(self, session) or {}), **headers}

    monkeypatch.setattr(BaseIdentityPlugin, "get_headers", more)
    # nobody prepares answers for the short way: only what was kept is looked at
    monkeypatch.setattr(TokenTransport, "send", refuse)
    ask("req-1")
    assert len(cloud.logins) == 1
    assert len(list(site.work.glob("cache/access-*"))) == (0 if headers else 1)


def refuse(*_: object) -> Reply:
    return Reply(403, {"openstack-api-version": "compute 2.79"}, b"")


def test_a_login_that_does_not_say_when_it_ends_is_trouble(
    cloud: Cloud, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = cloud.token()
    del token["token"]["expires_at"]
    monkeypatch.setattr(cloud, "token", lambda: token)
    found = ask("req-1")
    assert (found["status"], "is malformed (KeyError)" in found["message"]) == ("running", True)
