"""Bad answers on the way to Nova: what passes is tried again, what does not is no verdict on any machine."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.scenarios.clouds import Cloud, new_id
from tests.scenarios.conftest import SiteMaker
from tests.scenarios.proxy import Fault, Proxy, proxy_before
from tests.scenarios.site import Site

pytestmark = pytest.mark.premise("OpenStack answers, and its answer is whole.")

JSON = {"Content-Type": "application/json", "X-Openstack-Request-Id": "req-of-the-failed-call"}
HTML = {"Content-Type": "text/html"}
PINNED = {**JSON, "OpenStack-API-Version": "compute 2.79"}


@pytest.fixture
def proxy(cloud: Cloud) -> Iterator[Proxy]:
    """A proxy before the cloud's Nova."""
    with proxy_before(cloud.compute) as made:
        yield made


@pytest.fixture
def behind(new_site: SiteMaker, proxy: Proxy) -> Site:
    """A site whose way to Nova is through the proxy."""
    site = new_site(httpTimeout=10)
    site.clouds["clouds"]["member"]["compute_endpoint_override"] = proxy.url
    site.write_clouds()
    return site


def ready(cloud: Cloud, site: Site) -> tuple[str, str]:
    """Return a request of one server that is up, and the server's id."""
    request_id = new_id()
    ids = cloud.create(request_id)
    (record,) = cloud.wait(ids)
    site.record_acquire(request_id, [record["name"]], ids)
    return request_id, ids[0]


LASTING = {
    "403": (Fault(403, b'{"forbidden": {"code": 403, "message": "Policy says no."}}', JSON), "does not allow"),
    "404 of a proxy": (Fault(404, b"<html>nothing here</html>", HTML), "Nova"),
    "413": (Fault(413, b"", {"Retry-After": "0"}), "too many requests"),
    "429": (Fault(429, b"", {"Retry-After": "0"}), "too many requests"),
    "429 for longer than this call": (Fault(429, b"", {"Retry-After": "86400"}), "too many requests"),
    "500": (Fault(500, b'{"computeFault": {"message": "DBConnectionError"}}', JSON), "500 DBConnectionError"),
    "502": (Fault(502, b"<html>bad gateway</html>", HTML), "Nova failed: 502"),
    "503": (
        Fault(503, b"The Keystone service is temporarily unavailable.", {"Content-Type": "text/plain"}),
        "503 The Key",
    ),
    "504": (Fault(504), "504"),
    "a redirect": (Fault(302, b"", {"Location": "http://127.0.0.1:9/"}), "302"),
    "broken JSON": (Fault(200, b'{"servers": [', PINNED), "malformed body"),
    "JSON of another kind": (Fault(200, b'{"servers": {"id": 1}}', PINNED), "not a list of servers"),
    "an answer that ignores the microversion": (Fault(200, b'{"servers": []}', JSON), "ignores microversion 2.79"),
    "a connection that is closed": (Fault(0), "cannot reach"),
    "half an answer": (Fault(200, b'{"servers": []}', PINNED, cut=5), "cannot reach"),
}


@pytest.mark.parametrize(("fault", "reason"), LASTING.values(), ids=LASTING)
def test_trouble_that_lasts(cloud: Cloud, behind: Site, proxy: Proxy, fault: Fault, reason: str) -> None:
    request_id, server_id = ready(cloud, behind)
    proxy.faults = [fault] * 3
    answer = behind.poll_one(request_id)
    assert answer["status"] == "running"
    assert reason in answer["message"]
    assert [(one["machineId"], one["result"]) for one in answer["machines"]] == [(server_id, "executing")]
    if "X-Openstack-Request-Id" in fault.headers and fault.cut is None:
        assert "(req-of-the-failed-call)" in answer["message"]
        assert "req-of-the-failed-call" in behind.log()
    proxy.faults = []
    assert behind.poll_one(request_id)["status"] == "complete"


@pytest.mark.parametrize(
    "fault", [Fault(429, b"", {"Retry-After": "1"}), Fault(503), Fault(0)], ids=["429", "503", "closed"]
)
def test_trouble_that_passes(cloud: Cloud, behind: Site, proxy: Proxy, fault: Fault) -> None:
    request_id, _ = ready(cloud, behind)
    proxy.faults = [fault] * 2
    assert behind.poll_one(request_id)["status"] == "complete"
    assert len(proxy.seen) == 3


def test_trouble_on_a_later_page(cloud: Cloud, behind: Site, proxy: Proxy) -> None:
    request_id = new_id()
    ids = cloud.create(request_id, 2)
    cloud.wait(ids)
    first = cloud.call("GET", f"/servers/detail?tags=hf:{request_id}&limit=1")
    pages = b'{"servers": [%s], "servers_links": [{"rel": "next", "href": "http://127.0.0.1:9/stolen"}]}'
    proxy.faults = [
        Fault(200, pages % json.dumps(first["servers"][0]).encode(), PINNED),
        Fault(500, b"", JSON),
    ]
    answer = behind.poll_one(request_id)
    assert (answer["status"], answer["machines"]) == ("running", []), "half a list is no list"
    assert "marker=" + first["servers"][0]["id"] in proxy.seen[1], "and the cloud's own links are not followed"
