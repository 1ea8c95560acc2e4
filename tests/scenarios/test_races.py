"""Two commands at once: one is paused at each of its boundaries while another runs whole, all pairs of commands."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.scenarios import records
from tests.scenarios.inside import Inside
from tests.scenarios.paused import paused
from tests.scenarios.sandbox_cloud import SandboxCloud
from tests.scenarios.site import parse
from tests.scenarios.steps import request

pytestmark = pytest.mark.premise("Nothing changes while a call looks.")

UNPOLLED, DEADLINE = 3600, 1800
"""The settings `unpolledTimeout` and `requestTimeout`, in seconds."""


class World:
    """A site with something of every kind under way, and what HostFactory was told so far."""

    def __init__(self, sandbox: SandboxCloud, site: Inside) -> None:
        self.sandbox, self.site = sandbox, site
        self.succeeded: set[str] = set()
        """Ids of the machines that HostFactory was told to have."""
        self.returned: set[str] = set()
        """Ids of the machines that HostFactory returned."""
        self.lost: set[str] = set()
        """Ids of the machines that getReturnRequests reported."""
        self.requests: list[str] = []
        """The ids that HostFactory knows, and polls until they end."""
        self.prepare()
        self.begin = records.tree(site), self.servers(), {*self.succeeded}, {*self.returned}, [*self.requests]

    def prepare(self) -> None:
        """Have a request of every kind."""
        (complete,) = self.poll(self.create(3))
        self.held = complete["machines"]
        self.unpolled = self.create(2, known=False)
        self.unfinished = self.create(1, known=False)
        (records.folder(self.site) / self.unfinished / "created.json").unlink()
        self.age(UNPOLLED + 60)
        self.sandbox.knobs(spawn_delay=600, destroy_delay=600)
        self.late = self.create(2)
        self.sandbox.force(self.planned(self.late)[0], "active")
        assert self.poll(self.late)[0]["status"] == "running"
        self.returning = self.give(self.held.pop())
        self.age(DEADLINE, self.late)
        self.sandbox.knobs(spawn_delay=600)

    def again(self) -> None:
        """Be as at the beginning."""
        tree, servers, succeeded, returned, requests = self.begin
        self.succeeded, self.returned, self.requests, self.lost = {*succeeded}, {*returned}, [*requests], set()
        self.site.forget_log()
        records.put_back(self.site, tree)
        self.sandbox.knobs(spawn_delay=600)
        with self.sandbox.sandbox.cloud.lock:
            self.sandbox.sandbox.cloud.servers = pickle.loads(servers)

    def servers(self) -> bytes:
        """Return the cloud's servers, for a copy of them."""
        with self.sandbox.sandbox.cloud.lock:
            return pickle.dumps(self.sandbox.sandbox.cloud.servers)

    def age(self, seconds: float, *request_ids: str) -> None:
        """Let time pass for some requests, else for all, and for the servers."""
        records.age(self.site, seconds, *request_ids)
        with self.sandbox.sandbox.cloud.lock:
            for server in self.sandbox.sandbox.cloud.servers.values():
                if not request_ids or any(f"hf:{one}" in server.tags for one in request_ids):
                    server.created -= seconds

    def planned(self, request_id: str) -> list[str]:
        """Return the ids of the servers of a request."""
        servers = self.sandbox.sandbox.cloud.servers.values()
        return [server.id for server in servers if f"hf:{request_id}" in server.tags]

    def alive(self) -> set[str]:
        """Return the ids of our servers that exist and are not being deleted."""
        cloud = self.sandbox.sandbox.cloud
        with cloud.lock:
            phases = {
                server.id: server.at(cloud.now()) for server in cloud.servers.values() if "hfp:osinst" in server.tags
            }
        return {one for one, phase in phases.items() if not phase.hidden and phase.task_state != "deleting"}

    # What HostFactory does

    def create(self, count: int, *, known: bool = True) -> str:
        """Request machines, and learn of the id if that is known."""
        request_id = request(self.site, count)
        if known:
            self.requests.append(request_id)
        return request_id

    def poll(self, *request_ids: str) -> list[dict[str, Any]]:
        """Poll requests, and take the machines of those that are over."""
        answers = self.site.poll(*request_ids)
        for answer in answers:
            if answer["requestId"].startswith("req-") and answer["status"] != "running":
                self.succeeded |= {one["machineId"] for one in answer["machines"] if one["result"] == "succeed"}
        return answers

    def give(self, *machines: dict[str, Any]) -> str:
        """Return machines."""
        document = {"machines": [{"name": one["name"], "machineId": one["machineId"]} for one in machines]}
        return_id = str(self.site.ask("requestReturnMachines", document)["requestId"])
        self.returned |= {one["machineId"] for one in machines}
        self.requests.append(return_id)
        return return_id

    def reclaim(self) -> None:
        """Ask which machines to return; housekeeping follows."""
        answer = parse(self.site.run({}, "getReturnRequests").stdout)
        assert "internal error" not in answer["message"], answer
        self.lost |= {one["machineId"] for one in answer["requests"]}

    # What must hold

    def check(self) -> None:
        """Check what holds whatever two commands did at once, now and later."""
        self.sandbox.knobs()
        assert (self.succeeded - self.returned) <= self.alive(), "a machine in use was deleted"
        reaped = [one for one in (self.unpolled, self.unfinished) if not set(self.planned(one)) <= self.alive()]
        for answer in self.ended(*self.requests, self.unpolled, self.unfinished):
            assert answer["machines"], "it was answered, and nothing is known of it"
            assert answer["status"] == "complete" or answer["requestId"].startswith("req-"), "a return ends well"
            if answer["requestId"] in reaped:
                assert {one["result"] for one in answer["machines"]} == {"fail"}, "machines that were deleted"
        self.age(UNPOLLED + 60)
        self.reclaim()
        self.reclaim()
        held = self.succeeded - self.returned
        assert not self.lost & held, "a machine in use was reported lost"
        assert self.alive() == held, "what exists is what HostFactory holds"

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
    yield World(one_sandbox, new_inside(createConcurrency=1))
    one_sandbox.knobs()
    one_sandbox.sandbox.cloud.servers.clear()


@pytest.mark.parametrize("second", COMMANDS)
@pytest.mark.parametrize("first", COMMANDS)
def test_a_command_while_another_is_paused(world: World, first: str, second: str) -> None:
    boundary, reached = 0, True
    while reached:
        boundary += 1
        world.again()
        with paused(boundary, lambda: COMMANDS[second](world)) as pause:
            COMMANDS[first](world)
        reached = pause.reached
        world.check()
    assert boundary > 2, "a list has a boundary on either side"


def test_race_a_first_poll_answers_while_housekeeping_has_listed(world: World) -> None:
    """The case `race`: the request was about to be reaped, and the poll has won."""
    world.again()
    with paused(2, lambda: world.poll(world.unpolled)) as pause:
        world.reclaim()
    assert pause.reached
    assert set(world.planned(world.unpolled)) <= world.succeeded & world.alive()
    world.check()


@pytest.mark.parametrize("state", ["building", "stopped"])
def test_a_machine_that_comes_up_between_two_polls(world: World, state: str) -> None:
    """One poll sees a machine that failed; another sees it ACTIVE, and tells HostFactory to use it."""
    boundary, reached = 0, True
    while reached:
        boundary += 1
        world.again()
        request_id = world.late if state == "building" else world.unpolled
        machine = world.planned(request_id)[-1]
        world.sandbox.force(machine, state)

        def comes_up(request_id: str = request_id, machine: str = machine) -> None:
            world.sandbox.force(machine, "active")
            world.poll(request_id)

        with paused(boundary, comes_up) as pause:
            world.poll(request_id)
        reached = pause.reached
        world.check()
    assert boundary > 4, "the list, the failure and the DELETE have boundaries"
