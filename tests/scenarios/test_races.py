"""Two commands at once: one is paused at each of its boundaries while another runs whole, all pairs of commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.scenarios import records
from tests.scenarios.hostfactory import HostFactory
from tests.scenarios.inside import Inside
from tests.scenarios.paused import paused
from tests.scenarios.sandbox_cloud import SandboxCloud

pytestmark = pytest.mark.premise("Nothing changes while a call looks.")

UNPOLLED, DEADLINE = 3600, 1800
"""The settings `unpolledTimeout` and `requestTimeout`, in seconds."""


class World(HostFactory):
    """A site with something of every kind under way."""

    def __init__(self, sandbox: SandboxCloud, site: Inside) -> None:
        super().__init__(sandbox, site)
        (complete,) = self.poll(self.create(3))
        self.held = complete["machines"]
        self.requests.clear()
        self.unpolled = self.create(2, known=False)
        self.unfinished = self.create(1, known=False)
        (records.folder(site) / self.unfinished / "created.json").unlink()
        self.age(UNPOLLED + 60)
        sandbox.knobs(spawn_delay=600, destroy_delay=600)
        self.late = self.create(2)
        sandbox.force(self.servers_of(self.late)[0], "active")
        assert self.poll(self.late)[0]["status"] == "running"
        self.returning = self.give(self.held.pop())
        self.age(DEADLINE, self.late)
        self.begin = self.moment()

    def again(self) -> None:
        """Be as at the beginning: servers are slow to come up, and quick to go."""
        self.go_back(self.begin)
        self.sandbox.knobs(spawn_delay=600)

    def check(self) -> None:
        """Check what holds whatever two commands did at once, now and later."""
        self.sandbox.knobs()
        assert self.used <= self.alive(), "a machine in use was deleted"
        usable = self.alive() | self.returned
        for answer in self.ended(*self.requests, self.unpolled, self.unfinished):
            assert answer["machines"], "it was answered, and nothing is known of it"
            assert answer["status"] == "complete" or answer["requestId"].startswith("req-"), "a return ends well"
            told = {one["machineId"] for one in answer["machines"] if one["result"] == "succeed"}
            assert told <= usable, "a machine that was deleted"
            assert not (told and self.is_reaped(answer["requestId"])), "HostFactory must not use what is deleted later"
        self.age(UNPOLLED + 60)
        self.reclaim()
        self.reclaim()
        assert not self.lost & self.used, "a machine in use was reported lost"
        assert self.alive() == self.used, "what exists is what HostFactory uses"

    def is_reaped(self, request_id: str) -> bool:
        """Tell whether housekeeping has closed a request."""
        polled = records.folder(self.site) / request_id / "polled.json"
        return polled.exists() and "reaped" in json.loads(polled.read_bytes())

    def ended(self, *request_ids: str) -> list[dict[str, Any]]:
        """Poll requests until they end."""
        for _ in range(4):
            answers = self.poll(*request_ids)
            if all(answer["status"] != "running" for answer in answers):
                return answers
        raise AssertionError("they do not end")


COMMANDS: dict[str, Callable[[World], object]] = {
    "housekeeping": World.reclaim,
    "first poll": lambda world: world.poll(world.unpolled),
    "first poll of a request without an end": lambda world: world.poll(world.unfinished),
    "poll at the deadline": lambda world: world.poll(world.late),
    "requestMachines": lambda world: world.create(2),
    "requestReturnMachines": lambda world: world.give(*world.held),
    "poll of a return": lambda world: world.poll(world.returning),
}


@pytest.fixture(scope="module")
def world(new_inside: Callable[..., Inside], one_sandbox: SandboxCloud) -> Iterator[World]:
    """One world for all tests of this file; `again` makes it new."""
    one_sandbox.sandbox.cloud.servers.clear()
    yield World(one_sandbox, new_inside(createConcurrency=1))
    one_sandbox.knobs()
    one_sandbox.sandbox.cloud.servers.clear()


def at_each_boundary(world: World, first: Callable[[], object], second: Callable[[], object]) -> int:
    """Pause the first command at each of its boundaries for the second one; returns how many it has."""
    boundary, reached = 0, True
    while reached:
        boundary += 1
        world.again()
        with paused(boundary, second) as pause:
            first()
        reached = pause.reached
        world.check()
    return boundary - 1


@pytest.mark.parametrize("second", COMMANDS)
@pytest.mark.parametrize("first", COMMANDS)
def test_a_command_while_another_is_paused(world: World, first: str, second: str) -> None:
    boundaries = at_each_boundary(world, lambda: COMMANDS[first](world), lambda: COMMANDS[second](world))
    assert boundaries >= 2, "a list has a boundary on either side"


def test_race_a_first_poll_answers_while_housekeeping_has_listed(world: World) -> None:
    """The case `race`: the request was about to be reaped, and the poll has won."""
    world.again()
    with paused(2, lambda: world.poll(world.unpolled)) as pause:
        world.reclaim()
    assert pause.reached
    assert set(world.servers_of(world.unpolled)) <= world.used & world.alive()
    world.check()


@pytest.mark.parametrize("state", ["building", "stopped"])
def test_a_machine_that_comes_up_between_two_polls(world: World, state: str) -> None:
    """One poll sees a machine that failed; another sees it ACTIVE, and tells HostFactory to use it."""
    request_id = world.late if state == "building" else world.unpolled
    world.again()
    machine = world.servers_of(request_id)[-1]

    def fails() -> None:
        world.sandbox.force(machine, state)
        world.poll(request_id)

    def comes_up() -> None:
        world.sandbox.force(machine, "active")
        world.poll(request_id)

    assert at_each_boundary(world, fails, comes_up) >= 4, "the list, the failure and the DELETE have boundaries"
