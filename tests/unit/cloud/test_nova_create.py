"""Creating servers: one POST each, and what its answer says."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from hfstack.cloud.client import ServiceClient
from hfstack.cloud.nova import HEADERS, Nova
from hfstack.cloud.resolve import Resolver
from hfstack.cloud.transport import Reply, Unreachable
from hfstack.context import Budget
from hfstack.environment import read_environment
from hfstack.errors import CloudTrouble, Refusal
from hfstack.log import Log
from hfstack.store.name_cache import Names
from tests.unit.records import Clock, FakeTransport, raw, reply

Make = Callable[..., tuple[ServiceClient, FakeTransport]]

DOCUMENT = {"server": {"name": "hf-1"}}
IMAGE = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def service(log: Log) -> Make:
    """Make a service that gives the prepared answers, and the transport that remembers the questions."""

    def make(*answers: Reply | Exception) -> tuple[ServiceClient, FakeTransport]:
        clock = Clock()
        transport = FakeTransport(*answers)
        return ServiceClient(
            "Nova", "http://nova", transport, Budget(240, clock.monotonic, clock.sleep), 30, log, HEADERS
        ), transport

    return make


def resolver(made: ServiceClient) -> Resolver:
    nothing_known = Names(read_environment({}), "", 0)
    return Resolver(made, lambda: made, lambda: made, nothing_known)


def test_a_created_server_is_known_by_its_id(service: Make) -> None:
    made, transport = service(reply(202, {"server": {"id": "s-1", "adminPass": "x"}}))
    assert Nova(made).create(DOCUMENT) == "s-1"
    (sent,) = transport.sent
    assert (sent.method, sent.url, json.loads(sent.body or b"")) == ("POST", "http://nova/servers", DOCUMENT)
    assert sent.headers["OpenStack-API-Version"] == "compute 2.79"


REFUSALS = {
    "quota": (
        reply(403, {"forbidden": {"message": "Quota exceeded for instances: Requested 5, but already used 56 of 59"}}),
        "the project's quota is exceeded: Quota exceeded for instances: Requested 5, but already used 56 of 59",
    ),
    "ports": (
        reply(403, {"forbidden": {"message": "Maximum number of ports exceeded"}}),
        "the project's quota is exceeded: Maximum number of ports exceeded",
    ),
    "permission": (
        reply(403, {"forbidden": {"message": "Policy doesn't allow it"}}),
        "this account is not allowed to create the server: 403 Policy doesn't allow it",
    ),
    "description": (
        reply(400, {"badRequest": {"message": "Invalid key_name provided."}}),
        "Nova refuses this server definition: 400 Invalid key_name provided.",
    ),
    "too many": (raw(429, b""), "Nova reports too many requests: 429"),
    "too old": (raw(406, b""), "Nova does not know microversion 2.79: it is too old for hfstack: 406"),
    "token": (raw(401, b""), "Nova refuses the token, even after a new login: 401"),
}


@pytest.mark.parametrize(("answer", "words"), REFUSALS.values(), ids=REFUSALS)
def test_each_kind_of_refusal_is_detected(service: Make, answer: Reply, words: str) -> None:
    made, transport = service(answer)
    with pytest.raises(Refusal) as caught:
        Nova(made).create(DOCUMENT)
    assert str(caught.value) == words
    assert len(transport.sent) == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(reply(500, {"computeFault": {"message": "ConnectFailure"}}), id="500"),
        pytest.param(raw(504, b"<html>"), id="504"),
        pytest.param(Unreachable("cannot reach http://nova: no answer in time"), id="timeout"),
        pytest.param(raw(202, b'{"server"'), id="half"),
        pytest.param(reply(202, {"server": {}}), id="no-id"),
        pytest.param(raw(302, b""), id="redirect"),
    ],
)
def test_an_unclear_answer_is_trouble_and_no_post_is_sent_twice(service: Make, answer: Reply | Exception) -> None:
    made, transport = service(answer)
    with pytest.raises(CloudTrouble):
        Nova(made).create(DOCUMENT)
    assert len(transport.sent) == 1


def test_a_name_is_looked_up_once_per_call(service: Make) -> None:
    made, transport = service(reply(200, {"flavors": [{"id": "7", "name": "small"}]}))
    found = resolver(made)
    assert [found.flavor("small"), found.flavor("small")] == ["7", "7"]
    assert len(transport.sent) == 1


def test_an_id_comes_before_a_name(service: Make) -> None:
    flavors = [{"id": "7", "name": "8"}, {"id": "8", "name": "other"}]
    made, _ = service(reply(200, {"flavors": flavors}))
    assert resolver(made).flavor("8") == "8"


def test_a_name_with_two_meanings_is_refused_with_both_ids(service: Make) -> None:
    networks = [{"id": "n-1", "name": "lan"}, {"id": "n-2", "name": "lan"}]
    made, _ = service(reply(200, {"networks": networks}))
    with pytest.raises(Refusal, match="there are 2 networks named lan, choose one by its id: n-1, n-2"):
        resolver(made).network("lan")


def test_a_name_is_compared_again_here(service: Make) -> None:
    made, _ = service(reply(200, {"images": [{"id": "i-1", "name": "cirros-old", "status": "active"}]}))
    with pytest.raises(Refusal, match="there is no image cirros in this project"):
        resolver(made).image("cirros")


def test_an_image_that_is_not_active_is_refused(service: Make) -> None:
    made, transport = service(reply(200, {"images": [{"id": IMAGE, "name": "x", "status": "queued"}]}))
    with pytest.raises(Refusal, match=f"image {IMAGE} is not active but queued"):
        resolver(made).image(IMAGE)
    assert transport.sent[0].url.startswith("http://nova/images?id=in")


def test_the_id_of_a_port_stands_for_its_network(service: Make) -> None:
    none = reply(200, {"networks": []})
    made, _ = service(none, none, reply(200, {"ports": [{"id": IMAGE, "network_id": "n-9"}]}))
    assert resolver(made).network(IMAGE) == "n-9"


def external(*kinds: bool) -> Reply:
    """Return networks of one name, external or not."""
    networks = [{"id": f"n-{number}", "name": "out", "router:external": kind} for number, kind in enumerate(kinds)]
    return reply(200, {"networks": networks})


def test_of_the_networks_of_a_name_the_external_one_gives_floating_ips(service: Make) -> None:
    made, _ = service(external(False, True))
    assert resolver(made).external_network("out") == "n-1"


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        pytest.param((), "there is no network out in this project", id="none"),
        pytest.param((False,), "network out provides no floating IPs: it is not router:external", id="not external"),
        pytest.param((True, True), "there are 2 networks named out", id="two"),
    ],
)
def test_another_network_gives_none(service: Make, kinds: tuple[bool, ...], words: str) -> None:
    made, _ = service(external(*kinds))
    with pytest.raises(Refusal, match=words):
        resolver(made).external_network("out")
