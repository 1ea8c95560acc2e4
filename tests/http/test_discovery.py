"""Where the services are: regions, projects, overrides, version documents, redirects. With the real openstacksdk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from hfstack.cloud.connection import Connection
from hfstack.config.settings import Settings
from hfstack.context import Budget, Context
from hfstack.environment import read_environment
from hfstack.errors import CloudTrouble, ConfigError
from hfstack.log import Log
from tests.http.conftest import CLOUDS, KEYSTONE, NEUTRON, NOVA, TOKEN, Answer, Cloud, answer, html

pytestmark = pytest.mark.premise("The login is right, and the catalogue leads to Nova.")

ANY_REGION = CLOUDS.replace("    region_name: RegionOne\n", "")

Connect = Callable[..., Connection]


@pytest.fixture
def connect(tmp_path: Path) -> Connect:
    """Open the connection of a call, with the given clouds.yaml."""

    def connect(clouds: str = CLOUDS) -> Connection:
        (tmp_path / "clouds.yaml").write_text(clouds, "utf-8")
        env = {"HF_PROVIDER_CONFDIR": str(tmp_path)}
        environment = read_environment(env)
        return Connection(Context(environment, Settings(), env, Log(environment, "test"), Budget(60)))

    return connect


def overridden(url: str, service: str = "compute") -> str:
    return f"{CLOUDS}    {service}_endpoint_override: {url}\n"


def trouble(connection: Connection, service: str = "compute") -> str:
    with pytest.raises(CloudTrouble) as caught:
        connection.endpoint(service)
    return str(caught.value)


def mistake(connection: Connection, service: str = "compute") -> str:
    with pytest.raises(ConfigError) as caught:
        connection.endpoint(service)
    return str(caught.value)


# Regions


def offer(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, **regions: list[str]) -> None:
    """Offer each service in the given regions, in this order."""
    good = cloud.token()

    def token() -> dict[str, Any]:
        good["token"]["catalog"] = [
            {"type": service, "name": service, "id": service, "endpoints": [endpoint(name) for name in names]}
            for service, names in regions.items()
        ]
        return good

    def endpoint(region: str) -> dict[str, Any]:
        ids = {"id": region, "region": region or None, "region_id": region or None}
        return {**ids, "interface": "public", "url": f"http://{region or 'nowhere'}.test/v2.1"}

    monkeypatch.setattr(cloud, "token", token)


@pytest.mark.parametrize("order", [["Paris", "Berlin"], ["Berlin", "Paris"], ["Paris", "Berlin", "Paris"]])
def test_of_several_regions_none_is_guessed(
    connect: Connect, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, order: list[str]
) -> None:
    """The catalogue's order changes: see os-04."""
    offer(cloud, monkeypatch, compute=order)
    assert mistake(connect(ANY_REGION)) == (
        f"{tmp_path}/clouds.yaml: region_name of cloud bank is missing, "
        "wanted one of the catalogue's regions: Berlin, Paris"
    )


def test_the_only_region_needs_no_name(connect: Connect, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(cloud, monkeypatch, compute=["Paris"])
    assert connect(ANY_REGION).place() == ("p", "Paris", "paris.test:80")


def test_a_catalogue_without_regions_needs_no_name(
    connect: Connect, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(cloud, monkeypatch, compute=[""])
    assert connect(ANY_REGION).place() == ("p", "", "nowhere.test:80")


def test_only_the_wanted_interface_counts(connect: Connect, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(cloud, monkeypatch, compute=["Paris", "Berlin"])
    token = cloud.token()
    token["token"]["catalog"][0]["endpoints"][1]["interface"] = "internal"
    monkeypatch.setattr(cloud, "token", lambda: token)
    assert connect(ANY_REGION).place().region == "Paris"


@pytest.mark.parametrize("others", [["Berlin", "Paris"], ["Paris", "Berlin"], ["Paris"]])
def test_a_service_of_several_regions_is_used_in_novas(
    connect: Connect, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, others: list[str]
) -> None:
    offer(cloud, monkeypatch, compute=["Paris"], network=others)
    assert connect(ANY_REGION).endpoint("network").startswith("http://Paris.test/")


def test_a_region_that_has_no_such_service_is_named(
    connect: Connect, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(cloud, monkeypatch, compute=["Paris"], network=["Berlin", "Rome"])
    assert trouble(connect(ANY_REGION), "network").endswith(
        "no network endpoint for interface public, region_name Paris"
    )


def test_with_an_override_several_regions_are_no_question_for_nova(
    connect: Connect, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(cloud, monkeypatch, compute=["Paris", "Berlin"], network=["Paris", "Berlin"])
    connection = connect(ANY_REGION + f"    compute_endpoint_override: {NOVA}\n")
    assert connection.place() == ("p", "", "nova.test:8774")
    assert "region_name of cloud bank is missing" in mistake(connection, "network")


# Projects


@pytest.mark.parametrize("scope", [{}, {"domain": {"id": "default", "name": "Default"}}, {"system": {"all": True}}])
def test_a_token_without_a_project_is_refused(
    connect: Connect, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scope: dict[str, Any]
) -> None:
    token = cloud.token()
    del token["token"]["project"]
    token["token"].update(scope)
    monkeypatch.setattr(cloud, "token", lambda: token)
    assert mistake(connect()) == (
        f"{tmp_path}/clouds.yaml: the login of cloud bank gives a token without a project: "
        "set project_name and project_domain_name"
    )


# Overrides


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://nova.test:8774", f"{NOVA}/"),
        ("HTTP://nova.test:8774/", f"{NOVA}/"),
        ("http://nova.test:8774/v2", f"{NOVA}/"),
        ("http://nova.test:8774/v2/%(project_id)s", f"{NOVA}/p"),
        ("http://nova.test:8774/v2.1/%(tenant_id)s", f"{NOVA}/p"),
        ("http://nova.test:8774/v2.1/$(project_id)s", f"{NOVA}/p"),
        ("http://nova.test:8774/v2.1/$(tenant_id)s/", f"{NOVA}/p/"),
        (NOVA, NOVA),
    ],
)
def test_an_override_is_discovered_as_the_catalogues_endpoint_is(
    connect: Connect, cloud: Cloud, url: str, expected: str
) -> None:
    assert connect(overridden(url)).endpoint("compute") == expected
    cloud.catalog["compute"] = url.replace("%", "$").replace("$(project_id)s", "p").replace("$(tenant_id)s", "p")
    assert connect().endpoint("compute") == expected


@pytest.mark.parametrize(
    ("service", "url", "expected"),
    [
        ("network", f"{NEUTRON}/%(project_id)s", f"{NEUTRON}/p/v2.0"),
        ("network", f"{NEUTRON}/v2.0/", f"{NEUTRON}/v2.0"),
        ("image", "http://glance.test/$(tenant_id)s", "http://glance.test/p/v2"),
    ],
)
def test_an_override_of_another_service_may_hold_the_project(
    connect: Connect, cloud: Cloud, service: str, url: str, expected: str
) -> None:
    assert connect(overridden(url, service)).endpoint(service) == expected
    assert len(cloud.logins) == 1


def test_an_override_that_wants_a_project_that_the_login_lacks_is_a_mistake(connect: Connect, cloud: Cloud) -> None:
    clouds = f"clouds: {{bank: {{auth_type: admin_token, auth: {{token: t, endpoint: {NOVA}/%(project_id)s}}}}}}\n"
    assert mistake(connect(clouds)).endswith(
        "compute_endpoint_override of cloud bank contains the project's id, which this login does not tell"
    )
    assert cloud.asked == []


def test_a_service_without_v2_1_is_not_nova(connect: Connect, cloud: Cloud) -> None:
    cloud.mock.get("http://old.test/", json={"versions": [{"id": "v2.0", "status": "CURRENT", "links": []}]})
    assert trouble(connect(overridden("http://old.test/"))).startswith(
        "the compute endpoint http://old.test/ is not Nova's v2.1: "
    )


@pytest.mark.parametrize("scheme", ["HTTP", "Http"])
def test_schemes_have_no_case(connect: Connect, cloud: Cloud, scheme: str) -> None:
    cloud.catalog["compute"] = NOVA.replace("http", scheme)
    connection = connect(CLOUDS.replace("http", scheme))
    assert connection.place() == ("p", "RegionOne", "nova.test:8774")
    assert connection.send("GET", connection.endpoint("compute") + "/servers", {}, 30).status == 200


# Redirects

Moved = Callable[..., list[requests.PreparedRequest]]


@pytest.fixture
def moved(cloud: Cloud) -> Moved:
    """Have Keystone or Nova redirect to an address, and return the requests that arrive there."""

    def moved(service: str, method: str, location: str, status: int = 301) -> list[requests.PreparedRequest]:
        usual = getattr(cloud, service)
        arrived: list[requests.PreparedRequest] = []

        def redirect(request: requests.PreparedRequest) -> Answer:
            if method in ("any", request.method):
                return answer(status, None, **({"Location": location} if location else {}))
            found: Answer = usual(request)
            return found

        def there(request: requests.PreparedRequest) -> Answer:
            arrived.append(request)
            found: Answer = usual(request)
            return found

        cloud.mock.reset()
        for name in ("keystone", "nova", "neutron"):
            base = {"keystone": KEYSTONE, "nova": "http://nova.test:8774", "neutron": NEUTRON}[name]
            cloud.on(base, redirect if name == service else getattr(cloud, name))
        for elsewhere in ("https://", "http://evil.test"):
            cloud.on(elsewhere, there)
        return arrived

    return moved


@pytest.mark.parametrize("method", ["any", "POST"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://keystone.test:5000/v3", "https://keystone.test:5000/v3"),
        ("http://user:secret@evil.test/v3?token=secret#secret", "http://evil.test/v3"),
        ("//evil.test/v3", "http://evil.test/v3"),
    ],
)
def test_a_redirected_login_says_where_it_leads_and_goes_nowhere(
    connect: Connect, cloud: Cloud, moved: Moved, method: str, status: int, location: str, target: str
) -> None:
    """See os-16."""
    arrived = moved("keystone", method, location, status)
    url = KEYSTONE if method == "any" else f"{KEYSTONE}/auth/tokens"
    assert trouble(connect()) == (
        f"the login at {url} redirects to {target} ({status}), which hfstack does not follow: correct auth_url"
    )
    assert arrived == []
    assert cloud.logins == []


def test_a_login_is_not_redirected_within_its_host_either(connect: Connect, cloud: Cloud, moved: Moved) -> None:
    moved("keystone", "POST", "/v3/elsewhere")
    assert trouble(connect()).startswith(
        f"the login at {KEYSTONE}/auth/tokens redirects to http://keystone.test:5000/v3/els"
    )
    assert cloud.logins == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_that_leads_nowhere_is_trouble(connect: Connect, moved: Moved, method: str) -> None:
    moved("keystone", method, "")
    assert "redirects to an unknown address (301)" in trouble(connect())


def test_a_redirect_that_goes_round_ends(connect: Connect, cloud: Cloud, moved: Moved) -> None:
    moved("keystone", "GET", f"{KEYSTONE}/")
    assert f"redirects to {KEYSTONE}/ (301)" in trouble(connect())
    assert len(cloud.mock.calls) < 10


@pytest.mark.parametrize("override", [True, False])
def test_a_redirected_version_document_of_nova_is_not_followed_elsewhere(
    connect: Connect, cloud: Cloud, moved: Moved, *, override: bool
) -> None:
    arrived = moved("nova", "any", "https://nova.test/")
    cloud.catalog["compute"] = "http://nova.test:8774/"
    connection = connect(overridden("http://nova.test:8774/") if override else CLOUDS)
    assert trouble(connection) == (
        "the compute endpoint http://nova.test:8774 redirects to https://nova.test/ (301), which hfstack does not "
        "follow: correct the endpoint in the catalogue, or compute_endpoint_override in clouds.yaml"
    )
    assert arrived == []


def test_a_version_document_is_found_within_the_same_origin(connect: Connect, cloud: Cloud) -> None:
    """Nova redirects /v2.1 to /v2.1/, and many a web server adds a slash."""
    cloud.mock.get("http://front.test/compute", status=302, headers={"Location": "/compute/"})
    cloud.mock.get("http://front.test/compute/", json=json.loads(cloud.nova(root())[2]))
    cloud.catalog["compute"] = "http://front.test/compute"
    assert connect().endpoint("compute").rstrip("/") == "http://front.test/compute/v2.1"


def root() -> requests.PreparedRequest:
    return requests.Request("GET", "http://nova.test:8774/").prepare()


def test_a_token_is_not_shown_to_where_a_version_document_is_said_to_be(connect: Connect, cloud: Cloud) -> None:
    seen: list[str | None] = []

    def guarded(request: requests.PreparedRequest) -> Answer:
        seen.append(request.headers.get("X-Auth-Token"))
        return answer(302, None, Location="http://evil.test/") if seen[-1] else html(401)

    cloud.on("http://guarded.test", guarded)
    cloud.on("http://evil.test", guarded)
    cloud.catalog["compute"] = "http://guarded.test/"
    assert "redirects to http://evil.test/" in trouble(connect())
    assert seen == [None, f"{TOKEN}1"]
