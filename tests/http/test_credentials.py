"""From credentials to endpoints, through the real openstacksdk: which file, which cloud, which login, which URL."""

from __future__ import annotations

import json
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from openstack.config import loader

from hfstack.cloud.connection import Connection
from hfstack.cloud.credentials import open_access
from hfstack.cloud.sdk import Access
from hfstack.cloud.transport import Unreachable
from hfstack.config.settings import Settings
from hfstack.context import Budget, Context
from hfstack.environment import read_environment
from hfstack.errors import CloudTrouble, ConfigError
from hfstack.log import Log
from tests.http.conftest import CLOUDS, KEYSTONE, NEUTRON, NOVA, PASSWORD, TOKEN, Cloud, versions

OTHER = CLOUDS.replace("username: grid", "username: other")
NO_PASSWORD = CLOUDS.replace(f"      password: {PASSWORD}\n", "")


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A configuration folder, still empty."""
    path = tmp_path / "conf"
    path.mkdir()
    return path


Open = Callable[..., Access]


@pytest.fixture
def access(conf: Path) -> Open:
    """Open the way into the cloud with the given settings; `clouds` is written to clouds.yaml first."""

    def access(clouds: str | None = CLOUDS, env: dict[str, str] | None = None, **settings: Any) -> Access:
        if clouds is not None:
            (conf / "clouds.yaml").write_text(clouds, "utf-8")
        return open_access(Settings(**settings), str(conf), env or {})

    return access


def user(cloud: Cloud) -> dict[str, Any]:
    """Return whom the only login was for."""
    assert len(cloud.logins) == 1
    found = cloud.logins[0]["auth"]["identity"]["password"]["user"]
    assert isinstance(found, dict)
    return found


def mistake(open_it: Callable[[], object]) -> str:
    with pytest.raises(ConfigError) as caught:
        open_it()
    return str(caught.value)


# Which file


def test_clouds_yaml_in_the_configuration_folder_gives_the_login(access: Open, cloud: Cloud) -> None:
    assert access().endpoint_of("compute") == NOVA
    assert user(cloud) == {"name": "grid", "domain": {"name": "Default"}, "password": PASSWORD}
    assert cloud.logins[0]["auth"]["scope"] == {"project": {"name": "risk", "domain": {"name": "Default"}}}


def test_opening_sends_nothing(access: Open, cloud: Cloud) -> None:
    access()
    assert list(cloud.mock.calls) == []


def test_secure_yaml_beside_it_holds_the_password(access: Open, conf: Path, cloud: Cloud) -> None:
    secure = f"clouds:\n  bank:\n    auth:\n      password: {PASSWORD}\n"
    (conf / "secure.yaml").write_text(secure, "utf-8")
    access(NO_PASSWORD).endpoint_of("compute")
    assert user(cloud)["password"] == PASSWORD


@pytest.mark.parametrize("absolute", [False, True], ids=["relative", "absolute"])
def test_clouds_file_names_another_file(access: Open, conf: Path, cloud: Cloud, absolute: bool) -> None:
    path = conf / "etc" / "prod.yaml"
    path.parent.mkdir()
    path.write_text(OTHER, "utf-8")
    access(cloudsFile=str(path) if absolute else "etc/prod.yaml").endpoint_of("compute")
    assert user(cloud)["name"] == "other"


def test_secure_yaml_is_looked_for_beside_the_named_file(access: Open, conf: Path, cloud: Cloud) -> None:
    (conf / "etc").mkdir()
    (conf / "etc" / "prod.yaml").write_text(NO_PASSWORD, "utf-8")
    (conf / "etc" / "secure.yaml").write_text("clouds: {bank: {auth: {password: beside}}}", "utf-8")
    (conf / "secure.yaml").write_text("clouds: {bank: {auth: {password: elsewhere}}}", "utf-8")
    access(cloudsFile="etc/prod.yaml").endpoint_of("compute")
    assert user(cloud)["password"] == "beside"


def test_a_clouds_file_that_is_not_there_is_named(access: Open, conf: Path) -> None:
    path = conf / "prod.yaml"
    assert mistake(lambda: access(cloudsFile="prod.yaml")) == f"cloudsFile is {path}, which does not exist"


def test_without_a_file_of_its_own_the_usual_places_count(
    access: Open, tmp_path: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text(OTHER, "utf-8")
    monkeypatch.setattr(loader, "CONFIG_FILES", [str(tmp_path / "gone.yaml"), str(path)])
    access(None).endpoint_of("compute")
    assert user(cloud)["name"] == "other"


def test_a_broken_file_in_the_usual_places_is_named_and_not_passed_over(
    access: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text(f"clouds: !{PASSWORD} x", "utf-8")
    monkeypatch.setattr(loader, "CONFIG_FILES", [str(path)])
    message = mistake(lambda: access(None))
    assert message == f"{path} is not YAML: could not determine a constructor for the tag … at line 1 column 9"


OS_VARIABLES = {
    "OS_AUTH_URL": KEYSTONE,
    "OS_USERNAME": "stray",
    "OS_PASSWORD": "stray-password",
    "OS_PROJECT_NAME": "stray-project",
    "OS_USER_DOMAIN_NAME": "Default",
    "OS_PROJECT_DOMAIN_NAME": "Default",
    "OS_REGION_NAME": "RegionOne",
}


def test_os_variables_are_a_login(access: Open, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OS_VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert access(None, env=OS_VARIABLES).endpoint_of("compute") == NOVA
    assert user(cloud)["name"] == "stray"


@pytest.mark.parametrize(
    "stray", [OS_VARIABLES, {"OS_CLOUD": "elsewhere"}, {"OS_REGION_NAME": "RegionTwo", "OS_INTERFACE": "internal"}]
)
def test_stray_os_variables_do_not_touch_a_file_of_its_own(
    access: Open, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, stray: dict[str, str]
) -> None:
    for name, value in stray.items():
        monkeypatch.setenv(name, value)
    assert access(env=stray).endpoint_of("compute") == NOVA
    assert user(cloud)["name"] == "grid"


def test_without_any_credentials_it_says_so(access: Open) -> None:
    assert mistake(lambda: access(None)) == ("no credentials: found neither a clouds.yaml nor OS_* variables")


# Which cloud

TWO = CLOUDS + OTHER.replace("clouds:\n  bank:", "  other:")


def test_the_settings_choose_the_cloud(access: Open, cloud: Cloud) -> None:
    access(TWO, cloud="other").endpoint_of("compute")
    assert user(cloud)["name"] == "other"


def test_of_several_clouds_one_must_be_chosen(access: Open, conf: Path) -> None:
    assert mistake(lambda: access(TWO)) == (
        f"{conf / 'clouds.yaml'} has the clouds bank, other: choose one in the setting cloud"
    )


def test_a_cloud_that_is_not_there_is_named_with_those_that_are(access: Open, conf: Path) -> None:
    assert mistake(lambda: access(TWO, cloud="bnak")) == (f"{conf / 'clouds.yaml'} has no cloud bnak, only bank, other")


def test_os_cloud_chooses_in_the_usual_places(
    access: Open, tmp_path: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text(TWO, "utf-8")
    monkeypatch.setattr(loader, "CONFIG_FILES", [str(path)])
    monkeypatch.setenv("OS_CLOUD", "other")
    access(None, env={"OS_CLOUD": "other"}).endpoint_of("compute")
    assert user(cloud)["name"] == "other"


# Logins


def test_an_application_credential_is_a_login(access: Open, cloud: Cloud) -> None:
    clouds = f"""\
clouds:
  bank:
    auth_type: v3applicationcredential
    auth:
      auth_url: {KEYSTONE}
      application_credential_id: app-1
      application_credential_secret: {PASSWORD}
    region_name: RegionOne
"""
    assert access(clouds).endpoint_of("compute") == NOVA
    assert cloud.logins[0]["auth"]["identity"] == {
        "methods": ["application_credential"],
        "application_credential": {"id": "app-1", "secret": PASSWORD},
    }
    assert "scope" not in cloud.logins[0]["auth"]


def test_an_auth_url_without_a_version_is_discovered(access: Open, cloud: Cloud) -> None:
    root = KEYSTONE.removesuffix("/v3")
    version = {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": KEYSTONE}]}
    cloud.mock.get(root + "/", json={"versions": {"values": [version]}}, status=300)
    cloud.mock.get(root, json={"versions": {"values": [version]}}, status=300)
    assert access(CLOUDS.replace(KEYSTONE, root)).endpoint_of("compute") == NOVA


def test_a_token_is_sent_with_every_request_and_fetched_once(access: Open, cloud: Cloud) -> None:
    opened = access()
    endpoint = opened.endpoint_of("compute")
    for _ in range(2):
        assert opened.transport.send("GET", endpoint + "/servers/x", {"X-Test": "1"}, 30).status == 404
    assert {request.headers["X-Auth-Token"] for request in cloud.asked} == {f"{TOKEN}1"}
    assert {request.headers["X-Test"] for request in cloud.asked} == {"1"}
    assert len(cloud.logins) == 1


# Endpoints


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("region_name: RegionOne", NOVA, id="region-one"),
        pytest.param("region_name: RegionTwo", "http://public.RegionTwo.test/v2.1", id="region-two"),
        pytest.param(
            "region_name: RegionOne\n    interface: internal", "http://internal.RegionOne.test/v2.1", id="internal"
        ),
        pytest.param(
            "region_name: RegionTwo\n    interface: internal", "http://internal.RegionTwo.test/v2.1", id="both"
        ),
    ],
)
def test_region_and_interface_choose_the_endpoint(access: Open, cloud: Cloud, line: str, expected: str) -> None:
    clouds = CLOUDS.replace("region_name: RegionOne", line)
    assert access(clouds).endpoint_of("compute").rstrip("/") == expected
    assert len(cloud.logins) == 1


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        pytest.param("region_name: Atlantis", "interface public, region_name Atlantis", id="region"),
        pytest.param("interface: admin", "interface admin", id="interface"),
    ],
)
def test_an_endpoint_that_the_catalogue_lacks_is_trouble_that_names_it(
    access: Open, cloud: Cloud, line: str, sentence: str
) -> None:
    opened = access(CLOUDS.replace("region_name: RegionOne", line))
    for service in ("compute", "network"):
        with pytest.raises(CloudTrouble) as caught:
            opened.endpoint_of(service)
        assert str(caught.value) == f"the catalogue of {KEYSTONE} has no {service} endpoint for {sentence}"
    assert len(cloud.logins) == 1


def test_an_endpoint_override_needs_no_login(access: Open, cloud: Cloud) -> None:
    opened = access(CLOUDS + "    compute_endpoint_override: http://nova.lab:8774/v2.1\n")
    assert opened.endpoint_of("compute") == "http://nova.lab:8774/v2.1"
    assert cloud.logins == []


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://nova.test:8774/v2.1", id="v2.1"),
        pytest.param("http://nova.test:8774/v2.1/", id="trailing-slash"),
        pytest.param("http://nova.test:8774/", id="unversioned"),
        pytest.param("http://nova.test:8774", id="unversioned-without-slash"),
        pytest.param("http://nova.test:8774/v2", id="legacy"),
    ],
)
def test_the_compute_endpoint_is_that_of_v2_1(access: Open, cloud: Cloud, url: str) -> None:
    cloud.mock.get("http://nova.test:8774/v2", json={"version": versions("http://nova.test:8774")["versions"][0]})
    cloud.catalog["compute"] = url
    assert access().endpoint_of("compute").rstrip("/") == "http://nova.test:8774/v2.1"


def test_an_endpoint_with_the_project_in_it_keeps_it(access: Open, cloud: Cloud) -> None:
    cloud.catalog["compute"] = f"{NOVA}/p"
    assert access().endpoint_of("compute") == f"{NOVA}/p"


@pytest.mark.parametrize("url", [NEUTRON, NEUTRON + "/", NEUTRON + "/v2.0", NEUTRON + "/v2.0/"])
def test_the_network_endpoint_is_that_of_v2_0(access: Open, cloud: Cloud, url: str) -> None:
    cloud.catalog["network"] = url
    assert access().endpoint_of("network") == NEUTRON + "/v2.0"


# Where that is


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("region_name: RegionTwo", ("p", "RegionTwo", "public.regiontwo.test:80"), id="region-two"),
        pytest.param("region_name: RegionOne", ("p", "RegionOne", "nova.test:8774"), id="region-one"),
    ],
)
def test_a_login_that_is_not_cached_tells_its_place(
    conf: Path, cloud: Cloud, line: str, expected: tuple[str, str, str]
) -> None:
    (conf / "clouds.yaml").write_text(CLOUDS.replace("region_name: RegionOne", line), "utf-8")
    env = {"HF_PROVIDER_CONFDIR": str(conf)}
    environment = read_environment(env)
    connection = Connection(Context(environment, Settings(), env, Log(environment, "test"), Budget(60)))
    assert connection.place() == expected
    assert len(cloud.logins) == 1


# TLS


@pytest.mark.parametrize(
    ("lines", "verify"),
    [
        pytest.param("", True, id="default"),
        pytest.param("    verify: false\n", False, id="not-verified"),
        pytest.param("    cacert: /etc/ssl/bank.pem\n", "/etc/ssl/bank.pem", id="cacert"),
    ],
)
def test_certificates_are_checked_as_the_file_says(access: Open, cloud: Cloud, lines: str, verify: bool | str) -> None:
    opened = access(CLOUDS + lines)
    opened.endpoint_of("compute")
    opened.transport.send("GET", NOVA + "/servers/x", {}, 30)
    assert cloud.used("verify") == {verify}


@pytest.mark.parametrize("value", ["", "null", "0", '"yes"', "maybe", "/no/such/bundle.pem"])
def test_verify_is_true_or_false_and_never_guessed(access: Open, value: str) -> None:
    message = mistake(lambda: access(CLOUDS + f"    verify: {value}\n"))
    assert "verify of cloud" in message
    assert message.endswith("wanted true or false")


def test_a_cacert_that_is_not_there_is_a_mistake_and_no_outage(access: Open) -> None:
    clouds = CLOUDS.replace(KEYSTONE, "https://127.0.0.1:1/v3") + "    cacert: gone.pem\n"
    message = mistake(lambda: access(clouds).endpoint_of("compute"))
    assert message.startswith("TLS settings of the cloud: Could not find a suitable TLS CA certificate bundle")
    assert message.endswith("invalid path: gone.pem")


# Timeouts


def test_every_request_of_the_login_has_the_configured_timeout(access: Open, cloud: Cloud) -> None:
    access(httpTimeout=7).endpoint_of("compute")
    assert cloud.used("timeout") == {7}


def test_no_request_of_the_login_has_more_than_the_budget(conf: Path, cloud: Cloud) -> None:
    (conf / "clouds.yaml").write_text(CLOUDS, "utf-8")
    budget = Budget(5, monotonic=lambda: 0.0)
    open_access(Settings(httpTimeout=30), str(conf), {}, budget).endpoint_of("compute")
    assert cloud.used("timeout") == {5}


def test_with_the_budget_used_up_no_login_is_tried(conf: Path, cloud: Cloud) -> None:
    (conf / "clouds.yaml").write_text(CLOUDS, "utf-8")
    with pytest.raises(Unreachable, match="this call ran out of time"):
        open_access(Settings(), str(conf), {}, Budget(0)).endpoint_of("compute")
    assert list(cloud.mock.calls) == []


# Nobody there


@pytest.fixture
def silent() -> Iterator[int]:
    """A port on which nobody answers what is sent."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def unreachable(opened: Access) -> str:
    with pytest.raises(Unreachable) as caught:
        opened.endpoint_of("compute")
    return str(caught.value)


def test_a_refused_connection_is_said_so(access: Open, closed: int) -> None:
    url = f"http://127.0.0.1:{closed}/v3"
    assert unreachable(access(CLOUDS.replace(KEYSTONE, url))) == (f"cannot reach {url}/auth/tokens: Connection refused")


def test_a_service_that_hangs_is_said_so(access: Open, silent: int) -> None:
    url = f"http://127.0.0.1:{silent}/v3"
    assert unreachable(access(CLOUDS.replace(KEYSTONE, url), httpTimeout=0.1)) == (
        f"cannot reach {url}/auth/tokens: no answer in time"
    )


def test_a_host_that_has_no_address_is_said_so(access: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    assert unreachable(access()) == f"cannot reach {KEYSTONE}/auth/tokens: Name or service not known"


def test_a_certificate_that_is_not_trusted_is_said_so(access: Open, cloud: Cloud) -> None:
    untrusted = ssl.SSLCertVerificationError(1, "certificate verify failed")
    untrusted.verify_message = "self-signed certificate"
    cloud.login_faults = [requests.exceptions.SSLError(untrusted)]
    assert unreachable(access()).endswith(": its certificate is not trusted: self-signed certificate")


# Mistakes

SHAPE = "{file} has an unexpected shape, wanted clouds: NAME: auth: …"
LOGIN = "{file}: the login of cloud bank cannot be made: "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            f"clouds: {{bank: {{auth: {{password: {PASSWORD},\n",
            "{file} is not YAML: expected the node content, but found … at line 2 column 1",
            id="not-closed",
        ),
        pytest.param(
            f"clouds:\n  bank:\n    password: @{PASSWORD}\n",
            "{file} is not YAML: found character … that cannot start any token at line 3 column 15",
            id="at-sign",
        ),
        pytest.param(
            f"clouds:\n  bank:\n    password: !{PASSWORD}\n",
            "{file} is not YAML: could not determine a constructor for the tag … at line 3 column 15",
            id="exclamation-mark",
        ),
        pytest.param(
            f"clouds:\n  bank:\n    password: *{PASSWORD}\n",
            "{file} is not YAML: found undefined alias … at line 3 column 15",
            id="asterisk",
        ),
        pytest.param(
            f"clouds:\n  bank:\n    password: {PASSWORD}: x\n",
            "{file} is not YAML: mapping values are not allowed here at line 3 column 33",
            id="colon",
        ),
        pytest.param(
            f"clouds:\n\tbank: {PASSWORD}\n",
            "{file} is not YAML: found character … that cannot start any token at line 2 column 1",
            id="tab",
        ),
        pytest.param(
            f"clouds:\n  bank: {PASSWORD}\0\n",
            "{file} cannot be read: it holds characters that YAML does not allow",
            id="nul",
        ),
        pytest.param(f"clouds: !!int {PASSWORD}", SHAPE, id="not-the-tagged-type"),
        pytest.param("", "{file} holds no clouds, wanted clouds: NAME: auth: …", id="empty"),
        pytest.param("{}", "{file} holds no clouds, wanted clouds: NAME: auth: …", id="empty-object"),
        pytest.param("- bank\n", "{file}: Configuration file {file} is empty or not a valid mapping", id="list"),
        pytest.param(PASSWORD, "{file}: Configuration file {file} is empty or not a valid mapping", id="string"),
        pytest.param("clouds: [bank]\n", SHAPE, id="clouds-list"),
        pytest.param("clouds:\n", SHAPE, id="clouds-null"),
        pytest.param(f"clouds: {{bank: {PASSWORD}}}\n", SHAPE, id="cloud-string"),
        pytest.param("clouds: {bank: }\n", SHAPE, id="cloud-null"),
        pytest.param(f"clouds: {{bank: {{auth: {PASSWORD}}}}}\n", SHAPE, id="auth-string"),
        pytest.param(f"clouds: {{bank: {{auth: [{PASSWORD}]}}}}\n", SHAPE, id="auth-list"),
        pytest.param(
            f"clouds: {{bank: {{auth: {{username: u, password: {PASSWORD}}}}}}}\n",
            LOGIN + "Auth plugin requires parameters which were not given: auth_url",
            id="no-auth-url",
        ),
        pytest.param(
            CLOUDS.replace("http://", ""),
            "{file}: auth_url of cloud bank is not a URL, wanted http://… or https://…",
            id="no-url",
        ),
        pytest.param(
            CLOUDS + "    auth_type: v9magic\n", LOGIN + "The plugin v9magic could not be found", id="auth-type"
        ),
        pytest.param(
            CLOUDS.replace("password:", "passwrod:"),
            LOGIN + "Password.__init__() got an unexpected keyword argument 'passwrod'",
            id="typing-error",
        ),
        pytest.param(
            CLOUDS + "    profile: https://clouds.example\n",
            "{file}: cloud bank takes its profile from https://clouds.example: hfstack downloads no configuration",
            id="profile-url",
        ),
    ],
)
def test_a_mistake_is_named_and_nothing_of_the_line_quoted(
    access: Open, conf: Path, cloud: Cloud, text: str, message: str
) -> None:
    found = mistake(lambda: access(text))
    assert found == message.format(file=conf / "clouds.yaml")
    assert PASSWORD not in found
    assert list(cloud.mock.calls) == []


def test_a_file_in_latin_1_is_refused(access: Open, conf: Path) -> None:
    (conf / "clouds.yaml").write_bytes(CLOUDS.replace(PASSWORD, "Pässword").encode("latin-1"))
    assert mistake(lambda: access(None)) == (
        f"{conf / 'clouds.yaml'} cannot be read: it holds characters that YAML does not allow"
    )


def test_a_mistake_in_secure_yaml_is_named_there(access: Open, conf: Path) -> None:
    (conf / "secure.yaml").write_text(f"clouds:\n  bank: {PASSWORD}: x\n", "utf-8")
    found = mistake(access)
    assert found == f"{conf / 'secure.yaml'} is not YAML: mapping values are not allowed here at line 2 column 27"


def test_a_file_that_the_system_does_not_give_out_is_named(access: Open, conf: Path) -> None:
    (conf / "secure.yaml").mkdir()
    assert mistake(access) == f"cannot read {conf / 'secure.yaml'}: found a folder, wanted a regular file"


@pytest.mark.parametrize("name", ["clouds.yaml", "secure.yaml"])
def test_a_file_that_never_ends_is_refused_at_once(access: Open, conf: Path, name: str) -> None:
    (conf / "clouds.yaml").write_text(CLOUDS, "utf-8")
    path = conf / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert mistake(lambda: access(None)) == f"cannot read {path}: found a named pipe, wanted a regular file"
    path.unlink()
    path.write_bytes(b"")
    os.truncate(path, 20 * 1024**3)
    assert mistake(lambda: access(None)) == f"cannot read {path}: found more than 16 MiB"


def test_a_login_without_a_password_is_a_mistake_and_no_outage(access: Open, cloud: Cloud) -> None:
    opened = access(NO_PASSWORD)
    found = mistake(lambda: opened.endpoint_of("compute"))
    assert found == f"the login at {KEYSTONE} cannot be made: password is a required attribute"
    assert json.dumps(cloud.logins) == "[]"
