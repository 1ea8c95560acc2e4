"""When the cloud does not answer: `running`, with the reason, and nothing is concluded."""

from __future__ import annotations

import pytest
import yaml

from tests.provider import mark_as_used
from tests.scenarios.clouds import Cloud, new_id, until
from tests.scenarios.conftest import SiteMaker
from tests.scenarios.site import Site, parse

pytestmark = pytest.mark.premise("OpenStack answers, and its answer is whole.")


def prepared(cloud: Cloud, site: Site) -> tuple[str, str, str]:
    """Return an acquire and a return request of one server each, recorded, and the server's id."""
    request_id, return_id = new_id(), new_id("ret")
    ids = cloud.create(request_id)
    (record,) = cloud.wait(ids)
    site.record_acquire(request_id, [record["name"]], ids)
    site.record_return(return_id, [record])
    return request_id, return_id, ids[0]


def check_nothing_is_concluded(site: Site, request_id: str, return_id: str, server_id: str, reason: str) -> None:
    """Poll a known acquire and a known return."""
    for answer in site.poll(request_id, return_id):
        assert answer["status"] == "running"
        assert [(one["machineId"], one["result"]) for one in answer["machines"]] == [(server_id, "executing")]
        assert reason in answer["message"]


@pytest.mark.disruptive
def test_an_unknown_id_is_unknown_only_to_nova_itself(cloud: Cloud, site: Site) -> None:
    with cloud.down("nova"):
        answer = site.poll_one(new_id())
    assert (answer["status"], answer["machines"]) == ("running", [])


@pytest.mark.disruptive
@pytest.mark.parametrize(
    ("service", "reason"),
    [
        pytest.param("nova", "Connection refused", id="nova refuses"),
        pytest.param("keystone", "Connection refused", id="keystone refuses"),
        pytest.param("neutron", "Nova failed: 500", id="neutron is down behind nova"),
        pytest.param("database", "500", id="the database is down"),
    ],
)
def test_a_service_is_down(cloud: Cloud, site: Site, service: str, reason: str) -> None:
    prepared_ids = prepared(cloud, site)
    with cloud.down(service):
        check_nothing_is_concluded(site, *prepared_ids, reason)
    assert site.poll_one(prepared_ids[0])["status"] == "complete", "and all is well when the cloud is back"


@pytest.mark.disruptive
@pytest.mark.parametrize("service", ["nova", "keystone"])
def test_a_service_hangs(cloud: Cloud, new_site: SiteMaker, service: str) -> None:
    site = new_site(httpTimeout=0.5)
    request_id, return_id, server_id = prepared(cloud, site)
    with cloud.hang(service):
        answers = site.poll(request_id, return_id, HF_PROVIDER_ACTION_TIMEOUT="20")
    assert [answer["status"] for answer in answers] == ["running", "running"]
    assert [answer["machines"][0]["machineId"] for answer in answers] == [server_id, server_id]
    assert "no answer in time" in answers[0]["message"]


@pytest.mark.disruptive
def test_the_time_of_a_call_is_bounded(cloud: Cloud, new_site: SiteMaker) -> None:
    site = new_site(httpTimeout=30)
    request_id, return_id, _ = prepared(cloud, site)
    with cloud.hang("nova"):
        answers = site.poll(request_id, return_id, HF_PROVIDER_ACTION_TIMEOUT="3")
    assert "this call ran out of time" in answers[1]["message"]


def test_a_host_name_that_does_not_resolve(cloud: Cloud, site: Site) -> None:
    prepared_ids = prepared(cloud, site)
    site.clouds["clouds"]["member"]["auth"]["auth_url"] = "http://keystone.invalid:5000/v3"
    site.write_clouds()
    check_nothing_is_concluded(site, *prepared_ids, "cannot reach http://keystone.invalid:5000")


def test_tls_where_there_is_none(cloud: Cloud, site: Site) -> None:
    prepared_ids = prepared(cloud, site)
    auth = site.clouds["clouds"]["member"]["auth"]
    auth["auth_url"] = auth["auth_url"].replace("http://", "https://")
    site.write_clouds()
    check_nothing_is_concluded(site, *prepared_ids, "cannot reach https://127.0.0.1")


def test_a_wrong_password(cloud: Cloud, site: Site) -> None:
    prepared_ids = prepared(cloud, site)
    site.clouds["clouds"]["member"]["auth"]["password"] = "Wr0ng-and-secret"
    site.write_clouds()
    check_nothing_is_concluded(site, *prepared_ids, "was refused: 401")


def test_credentials_may_have_any_characters(cloud: Cloud, site: Site) -> None:
    """Whatever the system's own encoding is, and whether or not Windows' editor has marked the file as UTF-8."""
    mark_as_used(site.workdir)
    auth = cloud.make_credential("Größe Łódź Ελλάδα 日本")
    site.clouds["clouds"]["member"] = {"auth_type": "v3applicationcredential", "auth": auth}
    for mark in ("", "\ufeff"):
        text = f"{mark}# Überlauf\r\n" + yaml.safe_dump(site.clouds, allow_unicode=True).replace("\n", "\r\n")
        (site.confdir / "clouds.yaml").write_bytes(text.encode())
        assert site.poll_one(new_id())["message"].startswith("no server carries this request's tag")


def log_in_with(site: Site, token: str) -> None:
    """Have the site log in with a token instead of a password."""
    member = site.clouds["clouds"]["member"]
    auth = {key: member["auth"][key] for key in ("auth_url", "project_name", "project_domain_id")}
    site.clouds["clouds"]["member"] = {**member, "auth_type": "v3token", "auth": {**auth, "token": token}}
    site.write_clouds()


def test_a_revoked_token_is_not_a_verdict_on_machines(cloud: Cloud, site: Site) -> None:
    prepared_ids = prepared(cloud, site)
    token = cloud.issue_token()
    log_in_with(site, token)
    assert site.poll_one(prepared_ids[0])["status"] == "complete", "a token is a way to log in"
    cloud.revoke_token(token)
    site.forget_login()
    check_nothing_is_concluded(site, *prepared_ids, "was refused: 40")


@pytest.mark.disruptive
def test_an_expired_token_is_not_a_verdict_on_machines(cloud: Cloud, site: Site) -> None:
    prepared_ids = prepared(cloud, site)
    log_in_with(site, cloud.token_for(1))
    until(lambda: site.poll_one(prepared_ids[0])["status"] == "running", "the token to expire")
    check_nothing_is_concluded(site, *prepared_ids, "was refused: 40")


def test_a_token_revoked_between_two_calls_leads_to_one_new_login(cloud: Cloud, site: Site) -> None:
    from hfstack.cloud.credentials import open_access
    from hfstack.config.settings import Settings

    request_id, _, server_id = prepared(cloud, site)
    access = open_access(Settings(cloud="member"), str(site.confdir), {})
    url = f"{access.endpoint_of('compute')}/servers/detail?tags=hf:{request_id}"
    headers = {"OpenStack-API-Version": "compute 2.79"}
    assert access.transport.send("GET", url, headers, 10).status == 200
    first = str(access.session.get_token())
    cloud.revoke_token(first)
    cloud.forget_tokens()
    reply = access.transport.send("GET", url, headers, 10)
    assert (reply.status, server_id.encode() in reply.body) == (200, True)
    assert access.session.get_token() != first


@pytest.mark.disruptive
def test_an_older_cloud_than_the_pin(cloud: Cloud, site: Site) -> None:
    prepared_ids = prepared(cloud, site)
    with cloud.older("2.72"):
        check_nothing_is_concluded(site, *prepared_ids, "Nova is too old for hfstack: 406")


def test_a_record_that_cannot_be_read_keeps_the_request_running(cloud: Cloud, site: Site) -> None:
    request_id, _, _ = prepared(cloud, site)
    (site.workdir / "requests" / request_id / "asked.json").write_text("{", encoding="utf-8")
    answer = site.poll_one(request_id)
    assert answer["status"] == "running"
    assert "asked.json is not JSON" in answer["message"]


@pytest.mark.usefixtures("cloud")
def test_a_work_directory_that_is_not_there_makes_no_request_unknown(site: Site) -> None:
    site.workdir.rename(site.workdir.with_name("unmounted"))
    done = site.run({"requests": {"requestId": new_id("ret")}})
    answer = parse(done.stdout)["requests"]
    assert answer["status"] == "running"
    assert site.path(site.workdir) in answer["message"]
