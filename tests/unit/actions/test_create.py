"""The template's alternatives: if there is no valid host, another flavor or zone; never a second POST for one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

import pytest

from hfstack.actions.create import ServerCreator
from hfstack.cloud.nova import ZONE_UNAVAILABLE, Deletion, Nova
from hfstack.config.settings import Settings
from hfstack.context import Budget, Context
from hfstack.environment import Environment
from hfstack.errors import CloudTrouble, Refusal
from hfstack.log import Log
from tests.unit.records import REQUEST, Clock

NO_HOST = {"message": "No valid host was found. There are not enough hosts available."}


class Scheduled:
    """A Nova that has room only in some flavors, and takes a few looks to find out."""

    def __init__(self, room: dict[str, int], looks: int = 2) -> None:
        self.room = room
        self.looks = looks
        self.servers: dict[str, dict[str, Any]] = {}
        self.posts: list[tuple[str, str]] = []
        self.deleted: list[str] = []
        self.list_trouble: CloudTrouble | None = None
        self.delete_trouble: CloudTrouble | None = None
        self.lost: set[tuple[str, str]] = set()
        """POSTs, as (name, flavor), that Nova carries out and whose answers are lost."""

    def create(self, document: dict[str, Any]) -> str:
        name, flavor = document["name"], document["flavor"]
        self.posts.append((name, flavor))
        if flavor not in self.room:
            raise Refusal("The requested availability zone is not available", ZONE_UNAVAILABLE)
        server_id = f"id-{len(self.posts)}"
        self.servers[server_id] = {
            "id": server_id,
            "name": name,
            "status": "BUILD",
            "OS-EXT-STS:task_state": "scheduling",
            "flavor": flavor,
            "looks": self.looks,
        }
        if (name, flavor) in self.lost:
            raise CloudTrouble("no answer in time")
        return server_id

    def servers_of(self, _: str) -> list[dict[str, Any]]:
        if self.list_trouble:
            raise self.list_trouble
        for server in self.servers.values():
            server["looks"] -= 1
            if server["looks"] == 0:
                self.room[server["flavor"]] -= 1
                enough = self.room[server["flavor"]] >= 0
                state = {"status": "BUILD", "OS-EXT-STS:task_state": "spawning"}
                failed = {"status": "ERROR", "OS-EXT-STS:task_state": None, "fault": NO_HOST}
                server.update(state if enough else failed)
        return [dict(server) for server in self.servers.values()]

    def delete_all(self, ids: Iterable[str]) -> tuple[dict[str, Deletion], CloudTrouble | None]:
        if self.delete_trouble:
            return {}, self.delete_trouble
        self.deleted += ids
        return {self.servers.pop(one)["id"]: Deletion.ACCEPTED for one in ids}, None


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def new_creator(environment: Environment, log: Log, clock: Clock) -> Callable[[Scheduled], ServerCreator]:
    """Return what makes a creator: 240 seconds of a clock that only sleeping moves, one POST at a time."""
    settings = Settings(createConcurrency=1)
    budget = Budget(240, clock.monotonic, clock.sleep)
    context = Context(environment, settings, {}, log, budget).for_request(REQUEST)
    return lambda nova: ServerCreator(cast("Nova", nova), context)


def documents(names: list[str], *flavors: str) -> list[dict[str, dict[str, str]]]:
    return [{name: {"name": name, "flavor": flavor} for name in names} for flavor in flavors]


def test_each_machine_gets_the_first_flavor_that_has_room(
    new_creator: Callable[[Scheduled], ServerCreator],
) -> None:
    nova = Scheduled({"big": 0, "middle": 1, "small": 9})
    creator = new_creator(nova)
    found = creator.create(documents(["a", "b", "c"], "big", "middle", "small"))
    assert [one.name for one in found] == ["a", "b", "c"]
    assert [nova.servers[one.machine_id]["flavor"] for one in found] == ["middle", "small", "small"]
    assert creator.replaced == nova.deleted == ["id-1", "id-2", "id-3", "id-5", "id-6"]
    assert len(set(nova.posts)) == len(nova.posts) == 8, "each machine is requested once in each flavor"


def test_if_all_servers_found_hosts_nothing_else_is_tried(new_creator: Callable[[Scheduled], ServerCreator]) -> None:
    nova = Scheduled({"big": 2, "small": 9})
    found = new_creator(nova).create(documents(["a", "b"], "big", "small"))
    assert nova.posts == [("a", "big"), ("b", "big")]
    assert {one.machine_id for one in found} == set(nova.servers)


def test_the_last_flavor_is_not_waited_for(new_creator: Callable[[Scheduled], ServerCreator], clock: Clock) -> None:
    nova = Scheduled({"big": 0})
    (found,) = new_creator(nova).create(documents(["a"], "big"))
    assert found.machine_id == "id-1"
    assert (clock.slept, nova.deleted) == ([], [])


def test_an_unavailable_zone_is_skipped(new_creator: Callable[[Scheduled], ServerCreator]) -> None:
    nova = Scheduled({"there": 1})
    (found,) = new_creator(nova).create(documents(["a"], "closed", "there"))
    assert (found.machine_id, found.message, nova.deleted) == ("id-2", "", [])


def test_a_refusal_of_the_last_alternative_is_final(new_creator: Callable[[Scheduled], ServerCreator]) -> None:
    (found,) = new_creator(Scheduled({})).create(documents(["a"], "closed", "closed too"))
    assert (found.machine_id, found.code) == ("", ZONE_UNAVAILABLE)


def test_hfstack_waits_for_the_scheduler_at_most_a_minute(
    new_creator: Callable[[Scheduled], ServerCreator], clock: Clock
) -> None:
    nova = Scheduled({"big": 0, "small": 9}, looks=10_000)
    (found,) = new_creator(nova).create(documents(["a"], "big", "small"))
    assert (found.machine_id, nova.posts) == ("id-1", [("a", "big")])
    assert 60 <= sum(clock.slept) < 62


@pytest.mark.parametrize("looks", [1, 2])
def test_a_lost_answer_is_no_reason_for_a_second_post(
    new_creator: Callable[[Scheduled], ServerCreator], looks: int
) -> None:
    nova = Scheduled({"big": 0, "small": 1}, looks)
    nova.lost = {("a", "small")}
    (found,) = new_creator(nova).create(documents(["a"], "big", "small"))
    assert (found.machine_id, nova.posts) == ("id-2", [("a", "big"), ("a", "small")])


@pytest.mark.parametrize("listed", [True, False])
def test_what_came_instead_of_an_answer_is_kept_unless_the_list_shows_the_server(
    new_creator: Callable[[Scheduled], ServerCreator], listed: bool
) -> None:
    nova = Scheduled({"big": 1})
    nova.lost = {("a", "big")}
    nova.list_trouble = None if listed else CloudTrouble("Nova failed: 503")
    (found,) = new_creator(nova).create(documents(["a"], "big"))
    assert (found.machine_id, found.unclear) == (("id-1", "") if listed else ("", "no answer in time"))


def test_without_a_list_nothing_is_replaced(
    new_creator: Callable[[Scheduled], ServerCreator], logged: Callable[[], str]
) -> None:
    nova = Scheduled({"big": 0, "small": 9})
    nova.list_trouble = CloudTrouble("Nova failed: 503")
    (found,) = new_creator(nova).create(documents(["a"], "big", "small"))
    assert (found.machine_id, nova.deleted) == ("id-1", [])
    assert "cannot find out whether the servers found hosts: Nova failed: 503" in logged()


def test_what_cannot_be_deleted_is_left_to_the_polls(
    new_creator: Callable[[Scheduled], ServerCreator], logged: Callable[[], str]
) -> None:
    nova = Scheduled({"big": 0, "small": 1})
    nova.delete_trouble = CloudTrouble("Nova failed: 503")
    creator = new_creator(nova)
    (found,) = creator.create(documents(["a"], "big", "small"))
    assert (found.machine_id, creator.replaced) == ("id-2", ["id-1"])
    assert "a server without a host could not be deleted: Nova failed: 503" in logged()
