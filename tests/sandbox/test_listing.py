"""Lists of servers in the sandbox: which filters count, and how pages are cut."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import pytest

from tests.sandbox.client import Client, message


@pytest.fixture
def tagged(client: Client) -> Client:
    """Three servers: tagged a, b, and a and b."""
    client.create(name="a-one", tags=["a"], metadata={"k": "v"})
    client.create(name="b-one", tags=["b"])
    client.create(name="ab-two", tags=["a", "b"])
    return client


ALL = ["a-one", "ab-two", "b-one"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("tags=a", ["a-one", "ab-two"]),
        ("tags=a,b", ["ab-two"]),
        ("tags-any=a,b", ALL),
        ("not-tags=a", ["b-one"]),
        ("not-tags=a,b", ["a-one", "b-one"]),
        ("not-tags-any=a", ["b-one"]),
        ("tags=nobody", []),
        ("name=one", ["a-one", "b-one"]),
        ("name=^A", ["a-one", "ab-two"]),
        ("name=a-one|b-one", []),
        ("status=active", ALL),
        ("status=ERROR", []),
    ],
)
def test_filters_that_count(tagged: Client, query: str, names: list[str]) -> None:
    assert tagged.names(f"?{query}") == names


@pytest.mark.parametrize("version", ["2.1", "2.25"])
@pytest.mark.parametrize("query", ["tags=nobody", "tags-any=nobody", "not-tags=a"])
def test_tags_are_silently_ignored_before_2_26(tagged: Client, version: str, query: str) -> None:
    assert tagged.names(f"?{query}", version) == ALL


@pytest.mark.parametrize(
    "query", ["metadata=%7B%22k%22%3A%22v%22%7D", "uuid=x", "deleted=true", "host=x", "project_id=x"]
)
def test_some_filters_are_silently_ignored_for_a_member(tagged: Client, query: str) -> None:
    assert tagged.names(f"?{query}") == ALL


def test_an_administrator_may_not_filter_by_metadata(tagged: Client) -> None:
    reply = tagged.nova("GET", "/servers?metadata=x", user="admin")
    assert (reply.status, message(reply)) == (400, "Invalid filter field: metadata.")


def test_state_filters_are_a_members_from_2_83(tagged: Client) -> None:
    assert tagged.names("?vm_state=stopped", "2.82") == ALL
    assert tagged.names("?vm_state=stopped", "2.83") == []


def test_a_key_that_nova_does_not_know_is_400_from_2_75(tagged: Client) -> None:
    assert tagged.names("?bogus=1", "2.74") == ALL
    assert message(tagged.nova("GET", "/servers?bogus=1")) == "'bogus' does not match any of the regexes: '^_'"
    assert message(tagged.nova("GET", "/servers?b=1&a=1")) == "'a', 'b' do not match any of the regexes: '^_'"
    assert tagged.names("?_ignored=1") == ALL


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("limit=x", 400, "Invalid input for query parameters limit. Value: x. 'x' does not match '^[0-9]*$'"),
        ("limit=-1", 400, "Invalid input for query parameters limit. Value: -1. '-1' does not match '^[0-9]*$'"),
        ("marker=nope", 400, "marker [nope] not found"),
        ("name=(", 400, "Invalid input for query parameters name. Value: (. '(' is not a 'regex'"),
        ("tags=", 400, "Invalid input for query parameters tags. Value: . '' is not a 'regex'"),
        (
            "changes-since=nope",
            400,
            "Invalid input for query parameters changes-since. Value: nope. 'nope' is not a 'date-time'",
        ),
        ("status=NOPE", 400, "Invalid status value"),
        ("status=DELETED", 403, "Only administrators may list deleted instances"),
        ("all_tenants=1", 403, "Policy doesn't allow os_compute_api:servers:index:get_all_tenants to be performed."),
    ],
)
def test_filters_that_are_refused(client: Client, query: str, status: int, said: str) -> None:
    reply = client.nova("GET", f"/servers?{query}")
    assert (reply.status, message(reply)) == (status, said)


def test_an_administrator_lists_all_projects(tagged: Client) -> None:
    tagged.control("POST", "/servers", {"project": "other", "name_prefix": "foreign"})
    assert tagged.names("?all_tenants=1", user="admin") == [*ALL, "foreign-1"]
    assert tagged.names(user="other") == ["foreign-1"]
    assert tagged.names() == ALL


@pytest.mark.parametrize("limit", [1, 7, 25, 26])
def test_pages_hold_every_server_once(client: Client, limit: int) -> None:
    ids = client.control("POST", "/servers", {"count": 25})["ids"]
    path, found, pages = f"/servers?limit={limit}&name=server", [], 0
    while path:
        document = client.nova("GET", path).body
        found += [server["id"] for server in document["servers"]]
        pages += 1
        links = document.get("servers_links", [])
        parts = urlsplit(links[0]["href"]) if links else None
        path = f"{parts.path.removeprefix('/v2.1')}?{parts.query}" if parts else ""
    assert sorted(found) == sorted(ids)
    assert pages == 25 // limit + 1


def test_a_page_is_no_longer_than_nova_allows(client: Client) -> None:
    client.knobs(max_limit=10)
    client.control("POST", "/servers", {"count": 11})
    assert len(client.names()) == len(client.names("?limit=99")) == 10
    assert client.names("?limit=0") == []


def test_the_newest_come_first(client: Client) -> None:
    for name in ("first", "second"):
        client.create(name=name)
        client.clock.advance(2)
    listed = client.nova("GET", "/servers").body["servers"]
    assert [server["name"] for server in listed] == ["second", "first"]


def test_a_list_without_details_has_names_and_links(tagged: Client) -> None:
    servers = tagged.nova("GET", "/servers").body["servers"]
    assert {tuple(server) for server in servers} == {("id", "name", "links")}


def test_changes_since_shows_what_has_changed(client: Client) -> None:
    client.create(name="old")
    client.clock.advance(100)
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(client.clock.now - 50))
    client.create(name="new")
    assert client.names(f"?changes-since={since}") == ["new"]
    assert client.names(f"?changes-before={since}") == ["old"]


def test_full_pages_lose_records_while_servers_are_scheduled(client: Client) -> None:
    client.knobs(lose_records=True, spawn_delay=100, max_limit=10)
    client.create(max_count=10)
    first = client.nova("GET", "/servers").body
    assert len(first["servers"]) == 5
    assert "servers_links" not in first
    assert len(client.names("?name=one-1")) == 2
    client.clock.advance(50)
    assert len(client.names()) == 10


def test_no_record_is_lost_unless_the_knob_says_so(client: Client) -> None:
    client.knobs(spawn_delay=100, max_limit=10)
    client.create(max_count=10)
    assert len(client.names()) == 10
