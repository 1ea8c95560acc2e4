"""Nova's verbs: pages of our own, tags verified, and absence only on Nova's own word."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from hfstack.cloud.client import ServiceClient
from hfstack.cloud.nova import CLOCK_SKEW, PAGE, Deletion, Nova
from hfstack.cloud.nova import HEADERS as PINNED
from hfstack.cloud.transport import Reply, Unreachable
from hfstack.context import Budget
from hfstack.errors import CloudTrouble
from hfstack.log import Log
from tests.unit.records import (
    CREATED_AT,
    TAG,
    Clock,
    FakeTransport,
    Sent,
    deleted,
    down_cell,
    raw,
    reply,
    server,
    server_id,
)

NEXT = [{"rel": "next", "href": "http://evil.example/servers/detail?marker=x"}]
NOT_FOUND = {"itemNotFound": {"code": 404, "message": "Instance could not be found."}}

Make = Callable[..., tuple[Nova, FakeTransport]]


@pytest.fixture
def nova(log: Log) -> Make:
    """Make a Nova that gives the prepared answers, and the transport that remembers the questions."""

    def make(*answers: Reply | Exception) -> tuple[Nova, FakeTransport]:
        clock = Clock()
        transport = FakeTransport(*answers)
        budget = Budget(240, clock.monotonic, clock.sleep)
        return Nova(ServiceClient("Nova", "http://nova/v2.1", transport, budget, 30, log, PINNED)), transport

    return make


def page(*records: Mapping[str, Any], more: bool = False) -> Reply:
    return reply(200, {"servers": records, **({"servers_links": NEXT} if more else {})})


def query(sent: Sent) -> dict[str, str]:
    assert urllib.parse.urlsplit(sent.url).path == "/v2.1/servers/detail"
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(sent.url).query))


# The servers of a tag


def test_the_servers_of_a_tag_are_listed_at_the_pinned_microversion(nova: Make) -> None:
    made, transport = nova(page(server(1)))
    assert [record["id"] for record in made.servers_of(TAG)] == [server_id(1)]
    assert query(transport.sent[0]) == {"tags": TAG, "limit": str(PAGE)}
    assert transport.sent[0].headers["OpenStack-API-Version"] == "compute 2.79"
    assert transport.sent[0].headers["X-OpenStack-Nova-API-Version"] == "2.79"


def test_servers_without_the_tag_are_never_taken(nova: Make, logged: Callable[[], str]) -> None:
    made, _ = nova(
        page(server(1), server(2, tags=[TAG + "0"]), server(3, tags=[]), server(4, tags=None), down_cell(5), server(6))
    )
    assert [record["id"] for record in made.servers_of(TAG)] == [server_id(1), server_id(6)]
    assert f"Nova listed 4 servers without the tag {TAG}: ignored" in logged()


def test_a_list_as_it_should_be_is_not_worth_a_warning(nova: Make, logged: Callable[[], str]) -> None:
    nova(page(server(1)))[0].servers_of(TAG)
    assert "WARNING" not in logged()


def test_an_empty_list_is_empty(nova: Make) -> None:
    made, transport = nova(page())
    assert made.servers_of(TAG) == []
    assert len(transport.sent) == 1


@pytest.mark.parametrize(
    ("records", "down"),
    [
        pytest.param([], False, id="no-servers"),
        pytest.param([server(1)], False, id="all-shown"),
        pytest.param([server(1), down_cell(2)], True, id="one-not-shown"),
    ],
)
def test_a_cell_that_is_down_shows_in_the_list_without_filters(
    nova: Make, records: list[dict[str, Any]], down: bool
) -> None:
    made, transport = nova(page(*records))
    assert made.has_cell_down() is down
    assert transport.sent[0].url == "http://nova/v2.1/servers"


# Pages


def test_the_next_page_begins_after_the_last_servers_id(nova: Make) -> None:
    made, transport = nova(page(server(1), server(2), more=True), page(server(3), more=True), page(server(4)))
    assert len(made.servers_of(TAG)) == 4
    assert [query(sent).get("marker") for sent in transport.sent] == [None, server_id(2), server_id(3)]
    assert all(query(sent)["tags"] == TAG for sent in transport.sent)


def test_a_next_link_is_never_followed(nova: Make) -> None:
    made, transport = nova(page(server(1), more=True), page(server(2)))
    made.servers_of(TAG)
    assert {urllib.parse.urlsplit(sent.url).netloc for sent in transport.sent} == {"nova"}


def test_the_last_page_may_be_empty(nova: Make) -> None:
    made, transport = nova(page(server(1), more=True), page())
    assert len(made.servers_of(TAG)) == 1
    assert len(transport.sent) == 2


def test_a_server_on_two_pages_is_taken_once(nova: Make) -> None:
    made, _ = nova(page(server(1), server(2), more=True), page(server(2), server(3)))
    assert [record["id"] for record in made.servers_of(TAG)] == [server_id(1), server_id(2), server_id(3)]


def test_pages_that_repeat_themselves_come_to_an_end(nova: Make) -> None:
    made, transport = nova(page(server(1), more=True))
    assert len(made.servers_of(TAG)) == 1
    assert len(transport.sent) == 2


def test_a_page_that_fails_spoils_the_whole_list(nova: Make) -> None:
    made, _ = nova(page(server(1), more=True), reply(500, {}))
    with pytest.raises(CloudTrouble, match="Nova failed: 500"):
        made.servers_of(TAG)


@pytest.mark.parametrize("links", [None, {}, "next", [None], [{"rel": "previous"}], [{}]])
def test_strange_links_mean_that_there_is_no_more(nova: Make, links: object) -> None:
    made, transport = nova(reply(200, {"servers": [server(1)], "servers_links": links}))
    assert len(made.servers_of(TAG)) == 1
    assert len(transport.sent) == 1


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"servers": None},
        {"servers": {}},
        {"servers": [None]},
        {"servers": [{"name": "x"}]},
        {"servers": [{"id": 7}]},
    ],
)
def test_what_is_no_list_of_servers_is_trouble_and_not_empty(nova: Make, document: object) -> None:
    made, _ = nova(reply(200, document))
    with pytest.raises(CloudTrouble, match="answer is not a list of servers") as caught:
        made.servers_of(TAG)
    assert caught.value.request_ids == ("req-nova-1",)


# The microversion


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"openstack_api_version": "", "x_openstack_nova_api_version": ""}, id="missing"),
        pytest.param({"openstack_api_version": "compute 2.1", "x_openstack_nova_api_version": "2.1"}, id="other"),
        pytest.param({"openstack_api_version": "volume 2.79", "x_openstack_nova_api_version": ""}, id="other-service"),
        pytest.param({"openstack_api_version": "compute 2.790", "x_openstack_nova_api_version": ""}, id="longer"),
    ],
)
def test_an_answer_without_the_microversion_is_not_believed(nova: Make, headers: dict[str, str]) -> None:
    made, _ = nova(reply(200, {"servers": [server(1)], "server": server(1)}, **headers))
    for ask, what in ((made.servers_of, TAG), (made.server, server_id(1))):
        with pytest.raises(CloudTrouble) as caught:
            ask(what)
        assert str(caught.value) == (
            "the compute endpoint http://nova/v2.1 ignores microversion 2.79, so its lists cannot be trusted: "
            "is it Nova's v2.1 endpoint?"
        )


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"openstack_api_version": "compute 2.79", "x_openstack_nova_api_version": ""}, id="new"),
        pytest.param({"openstack_api_version": "", "x_openstack_nova_api_version": "2.79"}, id="old"),
    ],
)
def test_either_header_confirms_the_microversion(nova: Make, headers: dict[str, str]) -> None:
    made, _ = nova(reply(200, {"servers": [server(1)]}, **headers))
    assert len(made.servers_of(TAG)) == 1


def test_a_cloud_older_than_the_microversion_says_so(nova: Make) -> None:
    body = {"computeFault": {"code": 406, "message": "Version 2.79 is not supported by the API."}}
    made, _ = nova(reply(406, body))
    with pytest.raises(CloudTrouble) as caught:
        made.servers_of(TAG)
    assert str(caught.value) == "Nova is too old for hfstack: 406 Version 2.79 is not supported by the API."


# What changed


def test_changes_are_listed_since_a_moment_and_by_name(nova: Make) -> None:
    made, transport = nova(page(deleted(1)))
    assert [record["status"] for record in made.changed_since(CREATED_AT, ["hf-1", "hf-2"])] == ["DELETED"]
    assert query(transport.sent[0]) == {
        "changes-since": "2026-03-01T09:25:00Z",
        "name": "^hf-",
        "limit": str(PAGE),
    }
    assert CLOCK_SKEW == 300


@pytest.mark.parametrize(
    "names",
    [
        pytest.param([], id="none"),
        pytest.param(["hf-1", ""], id="one-unknown"),
        pytest.param(["web.bank"], id="a-sign-of-regular-expressions"),
        pytest.param(["hf-1\n"], id="newline"),
        pytest.param(["bär"], id="not-ascii"),
        pytest.param(["hf-1", "web-1"], id="nothing-in-common"),
    ],
)
def test_names_that_cannot_be_said_in_a_filter_are_left_out(nova: Make, names: list[str]) -> None:
    made, transport = nova(page(server(1)))
    made.changed_since(CREATED_AT, names)
    assert "name" not in query(transport.sent[0])


def test_changes_are_one_page_as_nova_fails_on_some_markers(nova: Make) -> None:
    made, transport = nova(page(deleted(1), more=True))
    assert len(made.changed_since(CREATED_AT, ["hf-1", "hf-2"])) == 1
    assert len(transport.sent) == 1


# One server


def test_a_server_is_shown_by_its_id(nova: Make) -> None:
    made, transport = nova(reply(200, {"server": server(1)}))
    assert made.server(server_id(1)) == server(1)
    assert transport.sent[0].url == f"http://nova/v2.1/servers/{server_id(1)}"


@pytest.mark.parametrize(
    "server_id", ["../os-hosts?x=1#", "hf-33e9ed03-1", "detail", server_id(1) + "0", server_id(1)[:-1]]
)
def test_what_cannot_be_the_id_of_a_server_never_existed_and_is_not_sent(nova: Make, server_id: str) -> None:
    made, transport = nova(reply(500, {}))
    assert made.server(server_id) is None
    assert made.delete(server_id) is Deletion.GONE
    assert transport.sent == []


def test_a_server_is_gone_when_nova_says_so(nova: Make) -> None:
    made, _ = nova(reply(404, NOT_FOUND))
    assert made.server(server_id(1)) is None


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(raw(404, b"<html>Not Found</html>", content_type="text/html"), id="html-of-a-proxy"),
        pytest.param(reply(404, {"message": "no Route matched with those values"}), id="json-of-a-gateway"),
        pytest.param(reply(404, {"itemNotFound": "x"}), id="another-shape"),
        pytest.param(raw(404, b""), id="empty"),
        pytest.param(reply(404, {"error": {"message": "no such endpoint", "code": 404}}), id="keystone"),
        pytest.param(reply(403, {"forbidden": {"message": "no"}}), id="forbidden"),
        pytest.param(reply(410, NOT_FOUND), id="gone-is-no-answer-of-nova"),
        pytest.param(reply(500, NOT_FOUND), id="in-trouble"),
        pytest.param(reply(200, {"server": None}), id="null"),
        pytest.param(reply(200, {"server": server(2)}), id="another-server"),
        pytest.param(reply(200, {"servers": [server(1)]}), id="a-list"),
        pytest.param(raw(200, b"<html></html>"), id="html"),
    ],
)
def test_no_other_answer_means_that_a_server_is_gone(nova: Make, answer: Reply) -> None:
    made, _ = nova(answer)
    with pytest.raises(CloudTrouble):
        made.server(server_id(1))


# Several servers


def test_each_of_several_servers_is_shown_once(nova: Make) -> None:
    made, transport = nova(reply(404, NOT_FOUND))
    ids = [server_id(number) for number in range(20)]
    assert made.servers([*ids, *ids]) == (dict.fromkeys(ids), None)
    assert sorted(sent.url[-36:] for sent in transport.sent) == ids


def test_no_server_is_no_question(nova: Make) -> None:
    made, transport = nova(Unreachable("never asked"))
    assert made.servers([]) == ({}, None)
    assert transport.sent == []


def test_trouble_with_one_server_leaves_the_others_known(nova: Make) -> None:
    class ByServer(FakeTransport):
        def send(
            self, method: str, url: str, headers: Mapping[str, str], timeout: float, body: bytes | None = None
        ) -> Reply:
            super().send(method, url, headers, timeout, body)
            return reply(500, {}) if url.endswith(server_id(1)) else reply(200, {"server": server(2)})

    made, _ = nova(reply(500, {}))
    made.service.transport = ByServer(reply(500, {}))
    known, trouble = made.servers([server_id(2), server_id(1)])
    assert set(known) <= {server_id(2)}
    assert str(trouble) == "Nova failed: 500"


def test_after_trouble_no_further_server_is_shown(nova: Make) -> None:
    made, transport = nova(reply(500, {}))
    known, trouble = made.servers(server_id(number) for number in range(200))
    assert known == {}
    assert trouble
    assert len(transport.sent) < 200


# Deleting


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        pytest.param(raw(204, b""), Deletion.ACCEPTED, id="accepted"),
        pytest.param(reply(404, NOT_FOUND), Deletion.GONE, id="gone"),
        pytest.param(
            reply(409, {"conflictingRequest": {"code": 409, "message": "Instance is locked"}}),
            Deletion.CONFLICT,
            id="locked",
        ),
    ],
)
def test_the_answers_to_a_delete_are_distinguished(nova: Make, answer: Reply, meaning: Deletion) -> None:
    made, transport = nova(answer)
    assert made.delete(server_id(1)) is meaning
    assert [(sent.method, sent.url, sent.body) for sent in transport.sent] == [
        ("DELETE", f"http://nova/v2.1/servers/{server_id(1)}", None)
    ]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(raw(404, b"<html>Not Found</html>", content_type="text/html"), id="html-of-a-proxy"),
        pytest.param(reply(404, {"message": "no Route matched with those values"}), id="json-of-a-gateway"),
        pytest.param(reply(200, {}), id="ok-of-a-gateway"),
        pytest.param(reply(301, None, location="https://nova/v2.1/servers"), id="redirect"),
        pytest.param(reply(403, {"forbidden": {"message": "no"}}), id="forbidden"),
        pytest.param(reply(500, {"computeFault": {"message": "no"}}), id="in-trouble"),
    ],
)
def test_every_other_answer_to_a_delete_is_trouble(nova: Make, answer: Reply) -> None:
    made, _ = nova(answer)
    with pytest.raises(CloudTrouble):
        made.delete(server_id(1))


@pytest.mark.parametrize("fault", [reply(503, {}), Unreachable("no answer in time")], ids=["503", "no-answer"])
def test_a_delete_is_repeated(nova: Make, fault: Reply | Exception) -> None:
    made, transport = nova(fault, fault, raw(204, b""))
    assert made.delete(server_id(1)) is Deletion.ACCEPTED
    assert [sent.method for sent in transport.sent] == ["DELETE"] * 3


def test_several_servers_are_deleted_once_each(nova: Make) -> None:
    made, transport = nova(raw(204, b""))
    ids = [server_id(number) for number in range(20)]
    assert made.delete_all([*ids, *ids]) == (dict.fromkeys(ids, Deletion.ACCEPTED), None)
    assert sorted(sent.url[-36:] for sent in transport.sent) == ids


def test_trouble_with_one_delete_does_not_keep_the_others(nova: Make) -> None:
    made, _ = nova(reply(500, {}), raw(204, b""))
    outcomes, trouble = made.delete_all(server_id(number) for number in range(20))
    assert (len(outcomes), str(trouble)) == (19, "Nova failed: 500")


def test_after_an_outage_nothing_more_is_deleted(nova: Make) -> None:
    made, transport = nova(Unreachable("cannot reach Nova"))
    outcomes, trouble = made.delete_all(server_id(number) for number in range(200))
    assert (outcomes, str(trouble)) == ({}, "cannot reach Nova")
    assert len(transport.sent) < 200
