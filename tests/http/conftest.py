"""A cloud made of prepared HTTP answers, with the real openstacksdk in between, and a site that is set up for it."""

from __future__ import annotations

import functools
import json
import os
import re
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
import responses
from openstack.config import loader

import hfstack.cloud.sdk
from hfstack import cli
from hfstack.context import Budget, Context
from tests.http.polled import COLD, Polled, polled
from tests.provider import mark_as_used, provider_variables
from tests.unit.records import CREATED_AT, Clock

KEYSTONE = "http://keystone.test:5000/v3"
NOVA = "http://nova.test:8774/v2.1"
NEUTRON = "http://neutron.test:9696"

NOW = CREATED_AT + 60
PASSWORD = "Correct-Horse-7391"
TOKEN = "gAAAAA-token-of-login-"

CLOUDS = f"""\
clouds:
  bank:
    auth:
      auth_url: {KEYSTONE}
      username: grid
      password: {PASSWORD}
      project_name: risk
      user_domain_name: Default
      project_domain_name: Default
    region_name: RegionOne
"""

Answer = tuple[int, Mapping[str, str], str | bytes]
Handler = Callable[[requests.PreparedRequest], Answer]


def answer(status: int, document: object = None, /, **headers: str) -> Answer:
    """Return an answer of a service; header names with _ for -."""
    usual = {"Content-Type": "application/json", "X-Openstack-Request-Id": "req-of-the-service"}
    return status, usual | {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(document)


def html(status: int, text: str = "<html><title>Proxy</title>Bad day</html>") -> Answer:
    """Return what a proxy in between answers."""
    return status, {"Content-Type": "text/html"}, text


def versions(base: str) -> dict[str, Any]:
    """Return the document at the root of Nova."""
    old = {"id": "v2.0", "status": "SUPPORTED", "version": "", "min_version": ""}
    new = {"id": "v2.1", "status": "CURRENT", "version": "2.104", "min_version": "2.1"}
    return {
        "versions": [
            old | {"links": [{"rel": "self", "href": f"{base}/v2/"}]},
            new | {"links": [{"rel": "self", "href": f"{base}/v2.1/"}]},
        ]
    }


class Cloud:
    """Keystone, Nova and Neutron. What a test does not prepare is answered as a healthy cloud does."""

    def __init__(self, mock: responses.RequestsMock) -> None:
        self.mock = mock
        self.servers: list[dict[str, Any]] = []
        self.faults: list[Answer | Exception] = []
        """What Nova answers before it is healthy, in order."""
        self.delete_faults: list[Answer | Exception] = []
        """What Nova answers to a DELETE before it is healthy."""
        self.login_faults: list[Answer | Exception] = []
        self.ports: Answer = answer(200, {"ports": []})
        self.catalog: dict[str, str] = {"compute": NOVA, "network": NEUTRON}
        self.logins: list[dict[str, Any]] = []
        self.asked: list[requests.PreparedRequest] = []
        """Every request that reached Nova or Neutron."""
        self.on(KEYSTONE, self.keystone)
        self.on("http://nova.test:8774", self.nova)
        self.on(NEUTRON, self.neutron)

    def on(self, base: str, handler: Handler) -> None:
        """Let a handler answer for everything below a URL."""
        for method in ("GET", "POST", "DELETE"):
            self.mock.add_callback(method, re.compile(re.escape(base)), callback=handler)

    def keystone(self, request: requests.PreparedRequest) -> Answer:
        if request.method == "GET":
            return answer(200, {"version": {"id": "v3.14", "status": "stable", "links": [self.link(KEYSTONE)]}})
        self.logins.append(json.loads(request.body or b"{}"))
        if self.login_faults:
            return self.play(self.login_faults.pop(0))
        return answer(201, self.token(), X_Subject_Token=f"{TOKEN}{len(self.logins)}")

    def token(self) -> dict[str, Any]:
        """Return the body of a token with the catalogue."""
        catalog = [
            {"type": service, "name": service, "id": service, "endpoints": self.endpoints(url)}
            for service, url in self.catalog.items()
        ]
        user = {"id": "u", "name": "grid", "domain": {"id": "default", "name": "Default"}}
        return {
            "token": {
                "methods": ["password"],
                "user": user,
                "issued_at": "2026-03-01T09:00:00.000000Z",
                "expires_at": "2099-01-01T00:00:00.000000Z",
                "project": {"id": "p", "name": "risk", "domain": user["domain"]},
                "roles": [{"id": "r", "name": "member"}],
                "catalog": catalog,
            }
        }

    def endpoints(self, url: str) -> list[dict[str, str]]:
        """Return a service's endpoints in two regions, each public and internal."""
        return [
            {
                "id": f"{region}-{interface}",
                "region": region,
                "region_id": region,
                "interface": interface,
                "url": url
                if (region, interface) == ("RegionOne", "public")
                else f"http://{interface}.{region}.test/v2.1",
            }
            for region in ("RegionOne", "RegionTwo")
            for interface in ("public", "internal")
        ]

    def nova(self, request: requests.PreparedRequest) -> Answer:
        url = urllib.parse.urlsplit(str(request.url))
        if url.path in {"", "/"}:
            return answer(200, versions("http://nova.test:8774"))
        if url.path == "/v2.1/":
            return answer(200, {"version": versions("http://nova.test:8774")["versions"][1]})
        self.asked.append(request)
        if self.faults:
            return self.play(self.faults.pop(0))
        if request.method == "DELETE" and self.delete_faults:
            return self.play(self.delete_faults.pop(0))
        good = functools.partial(answer, OpenStack_API_Version="compute 2.79", X_OpenStack_Nova_API_Version="2.79")
        if url.path == "/v2.1/servers/detail":
            tag = urllib.parse.parse_qs(url.query).get("tags", [""])[0]
            return good(200, {"servers": [record for record in self.servers if not tag or tag in record["tags"]]})
        if url.path == "/v2.1/servers":
            brief = [{key: record.get(key) for key in ("id", "name", "status")} for record in self.servers]
            return good(200, {"servers": brief})
        for record in self.servers:
            if url.path == f"/v2.1/servers/{record['id']}":
                return (204, {}, "") if request.method == "DELETE" else good(200, {"server": record})
        return good(404, {"itemNotFound": {"code": 404, "message": "Instance could not be found."}})

    def neutron(self, request: requests.PreparedRequest) -> Answer:
        self.asked.append(request)
        if urllib.parse.urlsplit(str(request.url)).path == "/v2.0/networks":
            return answer(200, {"networks": [{"id": "n", "name": "grid"}]})
        return self.ports

    @staticmethod
    def link(url: str) -> dict[str, str]:
        return {"rel": "self", "href": url}

    @staticmethod
    def play(fault: Answer | Exception) -> Answer:
        if isinstance(fault, Exception):
            raise fault
        return fault

    def used(self, option: str) -> set[object]:
        """Return the values of an option of the requests library over all that was sent."""
        return {sent.request.req_kwargs[option] for sent in self.mock.calls}  # type: ignore[attr-defined]

    def paths(self) -> list[str]:
        """Return the paths of all requests to Nova and Neutron, in order."""
        return [urllib.parse.urlsplit(str(request.url)).path for request in self.asked]

    def deletes(self) -> list[str]:
        """Return the ids of the servers that were to be deleted, in order; each DELETE counts."""
        return [str(request.url).rpartition("/")[2] for request in self.asked if request.method == "DELETE"]


class Site(NamedTuple):
    """A provider's folders, its environment, and a clock that only sleeping moves."""

    conf: Path
    work: Path
    env: dict[str, str]
    clock: Clock
    log: Path

    def configure(self, **settings: object) -> None:
        """Write the provider's configuration file."""
        (self.conf / "bankprov_config.json").write_text(json.dumps(settings), "utf-8")

    def record(self, request_id: str, **facts: object) -> None:
        """Record facts of a request, in files as old as `asked` says."""
        folder = self.work / "requests" / request_id
        folder.mkdir(parents=True)
        asked: Any = facts.get("asked")
        requested_at = asked.get("asked") if isinstance(asked, dict) else None
        age = NOW - requested_at if isinstance(requested_at, int | float) else 0
        for name, fact in facts.items():
            (folder / f"{name}.json").write_text(json.dumps(fact), "utf-8")
            self.age(folder / f"{name}.json", age)

    def age(self, path: Path, seconds: float) -> None:
        """Make a file some seconds old: its own time counts, by the clock of the file system."""
        then = time.time() - seconds
        os.utime(path, (then, then))

    def facts(self, request_id: str) -> dict[str, Any]:
        """Return the facts of a request."""
        folder = self.work / "requests" / request_id
        return {path.name: json.loads(path.read_text("utf-8")) for path in sorted(folder.iterdir())}

    def logged(self) -> str:
        return self.log.read_text("utf-8") if self.log.exists() else ""


@pytest.fixture(autouse=True)
def nothing_of_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the host's own credentials, proxies and certificates out."""
    for name in list(os.environ):
        if name.startswith(("OS_", "HF_", "PRO_")) or name.lower().endswith(("_proxy", "_ca_bundle")):
            monkeypatch.delenv(name)
    for name in ("CONFIG_FILES", "SECURE_FILES", "VENDOR_FILES"):
        monkeypatch.setattr(loader, name, [])


@pytest.fixture(autouse=True)
def nothing_is_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each call log in, and ask through the SDK: only there the prepared answers are given."""
    monkeypatch.setattr(hfstack.cloud.sdk.Access, "cacheable", lambda *_: None)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield Cloud(mock)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A provider `bank` with the credentials of the cloud, a minute after its servers were created."""
    env = provider_variables(tmp_path)
    mark_as_used(tmp_path / "work")
    (tmp_path / "conf" / "clouds.yaml").write_text(CLOUDS, "utf-8")
    clock = Clock()
    monkeypatch.setattr(cli, "Budget", functools.partial(Budget, monotonic=clock.monotonic, sleep=clock.sleep))
    monkeypatch.setattr(cli, "Context", functools.partial(Context, now=lambda: NOW))
    return Site(tmp_path / "conf", tmp_path / "work", env, clock, tmp_path / "log" / "bank-provider.master1.log")


Ask = Callable[..., Any]
Call = Callable[..., dict[str, Any]]


@pytest.fixture
def call(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Call:
    """Call a command in this process, with an input file and variables; returns its document."""

    def call(command: str, document: object, env: Mapping[str, str], code: int = 0) -> dict[str, Any]:
        path = tmp_path / "hf_in_Q2kSeS"
        path.write_text(json.dumps(document), "utf-8")
        exit_code = cli.run(command, ["-f", str(path)], env)
        out, err = capsysbinary.readouterr()
        assert (exit_code, err) == (code, b""), out
        found: dict[str, Any] = json.loads(out)
        return found

    return call


@pytest.fixture
def ask(site: Site, call: Call) -> Ask:
    """Ask getRequestStatus for ids; returns its document's `requests`."""

    def ask(*ids: str) -> Any:
        requests = [{"requestId": one} for one in ids]
        document = {"requests": requests[0] if len(ids) == 1 else requests}
        return call("getRequestStatus", document, site.env)["requests"]

    return ask


@pytest.fixture
def refused(site: Site, call: Call) -> Callable[[str], str]:
    """Ask getRequestStatus for an id when it ends with exit 1; returns the message."""

    def refused(request_id: str) -> str:
        document = call("getRequestStatus", {"requests": {"requestId": request_id}}, site.env, 1)
        assert list(document) == ["message"]
        return str(document["message"])

    return refused


@pytest.fixture
def request_(tmp_path: Path) -> Iterator[Polled]:
    """A request of one machine, and a site that polls it in real processes."""
    with polled(tmp_path) as one:
        yield one


@pytest.fixture
def warm(request_: Polled) -> Polled:
    """A request that was polled once."""
    assert request_.poll() == COLD
    return request_
