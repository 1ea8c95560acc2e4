"""Records that are old, partial or lost: the work directory of each step of a life, restored at each later step.

Whatever the records say, no machine that HostFactory uses is deleted or reported as gone, and each server that
HostFactory does not know shows by its tags whose it is, so that an administrator finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from tests.scenarios import records
from tests.scenarios.hostfactory import HostFactory, Moment
from tests.scenarios.inside import Inside
from tests.scenarios.sandbox_cloud import SandboxCloud

pytestmark = pytest.mark.premise("The work directory is the one that hfstack wrote, whole and up to date.")

STEPS = (
    "nothing",
    "requested",
    "created",
    "polled in BUILD",
    "one is ACTIVE",
    "complete",
    "returned",
    "one is gone",
    "all are gone",
)

UNPOLLED = 3600
"""The setting `unpolledTimeout`, in seconds."""

AGES = {"just over unpolledTimeout": UNPOLLED + 60, "over twice unpolledTimeout": 2 * UNPOLLED + 60}


class Life(NamedTuple):
    """One request's life, step by step: three machines, of which two are returned."""

    hostfactory: HostFactory
    steps: Mapping[str, Moment]
    machines: list[dict[str, Any]]
    """As HostFactory was told of them."""


@pytest.fixture(scope="module")
def life(new_inside: Callable[..., Inside], one_sandbox: SandboxCloud) -> Iterator[Life]:
    """A life that was lived once, for all tests of this file."""
    one_sandbox.sandbox.cloud.servers.clear()
    hostfactory = HostFactory(one_sandbox, new_inside(createConcurrency=1))
    yield lived(hostfactory)
    one_sandbox.knobs()
    one_sandbox.sandbox.cloud.servers.clear()


def lived(hostfactory: HostFactory) -> Life:
    """Live through the steps."""
    sandbox, steps = hostfactory.sandbox, {}
    hostfactory.site.ask("getReturnRequests", {})
    steps["nothing"] = hostfactory.moment()
    sandbox.knobs(spawn_delay=600, destroy_delay=600)
    request_id = hostfactory.create(3)
    created = hostfactory.moment()
    asked = {name: fact for name, fact in created.records.items() if not name.endswith("/created.json")}
    steps["requested"] = steps["nothing"]._replace(records=asked)
    steps["created"] = created
    assert hostfactory.poll(request_id)[0]["status"] == "running"
    steps["polled in BUILD"] = hostfactory.moment()
    first, *others = hostfactory.servers_of(request_id)
    sandbox.force(first, "active")
    assert hostfactory.poll(request_id)[0]["status"] == "running"
    steps["one is ACTIVE"] = hostfactory.moment()
    for server_id in others:
        sandbox.force(server_id, "active")
    (complete,) = hostfactory.poll(request_id)
    assert complete["status"] == "complete"
    steps["complete"] = hostfactory.moment()
    return_id = hostfactory.give(*complete["machines"][:2])
    hostfactory.poll(return_id)
    steps["returned"] = hostfactory.moment()
    for step, status, server_id in zip(STEPS[-2:], ("running", "complete"), hostfactory.returned, strict=True):
        sandbox.force(server_id, "deleted")
        assert hostfactory.poll(return_id)[0]["status"] == status
        steps[step] = hostfactory.moment()
    return Life(hostfactory, steps, complete["machines"])


def check(life: Life, step: str, found: dict[str, tuple[bytes, int]], *, fresh: bool = False) -> None:
    """Have HostFactory go on after a step, with the records that are found then, soon and long after it."""
    for age in AGES.values():
        for server_age in {age, max(AGES.values())} if fresh else {age}:
            life.hostfactory.go_back(life.steps[step])
            records.put_back(life.hostfactory.site, found, fresh=fresh)
            records.age(life.hostfactory.site, age)
            life.hostfactory.age_servers(server_age)
            go_on(life)


def go_on(life: Life) -> None:
    """Call all that HostFactory may call now, twice, and check what must hold."""
    hostfactory = life.hostfactory
    used = {*hostfactory.used}
    for _ in range(2):
        hostfactory.reclaim()
        named = [machine for machine in life.machines if machine["machineId"] in used]
        if named:
            hostfactory.reclaim(*named)
        if hostfactory.requests:
            hostfactory.poll(*hostfactory.requests)
    assert used <= hostfactory.alive(), "a machine in use was deleted"
    assert not used & hostfactory.lost, "a machine in use was reported as gone"
    servers = hostfactory.sandbox.sandbox.cloud.servers
    assert all({"hfp:osinst", "hostfactory"} <= {*servers[one].tags} for one in hostfactory.alive() - used)


def pairs() -> list[tuple[str, str]]:
    """Return each step with each that came before, or is the same."""
    return [(later, earlier) for later in STEPS for earlier in STEPS[: STEPS.index(later) + 1]]


@pytest.mark.parametrize("times", ["old times", "fresh times"])
@pytest.mark.parametrize(("later", "earlier"), pairs())
def test_the_copy_of_an_earlier_step(life: Life, later: str, earlier: str, times: str) -> None:
    check(life, later, life.steps[earlier].records, fresh=times == "fresh times")


@pytest.mark.parametrize("step", STEPS[1:])
def test_each_single_fact_is_lost(life: Life, step: str) -> None:
    facts = life.steps[step].records
    for lost in facts:
        check(life, step, {name: fact for name, fact in facts.items() if name != lost})


@pytest.mark.parametrize("marker", [True, False], ids=["requests are lost", "nothing is left"])
@pytest.mark.parametrize("step", STEPS)
def test_the_folder_is_emptied(life: Life, step: str, marker: bool) -> None:
    facts = life.steps[step].records
    check(life, step, {name: fact for name, fact in facts.items() if marker and "/" not in name})


@pytest.mark.parametrize("earlier", ["created", "polled in BUILD", "one is ACTIVE"])
def test_a_server_without_the_mark_of_its_end_is_left_alone_if_it_is_old(life: Life, earlier: str) -> None:
    """The mark is set as far as possible; the age of the servers shows as well that the records are wrong."""
    life.hostfactory.go_back(life.steps["complete"])
    for server in life.hostfactory.sandbox.sandbox.cloud.servers.values():
        server.tags.remove("hf-ended")
    records.put_back(life.hostfactory.site, life.steps[earlier].records)
    life.hostfactory.age(max(AGES.values()))
    go_on(life)


@pytest.mark.parametrize("earlier", ["created", "polled in BUILD", "one is ACTIVE"])
def test_a_machine_that_was_shut_off_is_reported_and_not_deleted(life: Life, earlier: str) -> None:
    life.hostfactory.go_back(life.steps["complete"])
    machine = life.machines[0]["machineId"]
    life.hostfactory.sandbox.force(machine, "stopped")
    records.put_back(life.hostfactory.site, life.steps[earlier].records)
    for _ in range(2):
        life.hostfactory.poll(*life.hostfactory.requests)
        life.hostfactory.reclaim(*life.machines)
    assert life.hostfactory.used <= life.hostfactory.alive()
    assert life.hostfactory.lost == {machine}


def test_restore_an_hour_later(life: Life) -> None:
    """The case `restore`: the copy of before the first poll comes back, and a warning says what is wrong."""
    life.hostfactory.go_back(life.steps["complete"])
    records.put_back(life.hostfactory.site, life.steps["created"].records)
    life.hostfactory.age(UNPOLLED + 60)
    life.hostfactory.reclaim()
    (request_id,) = life.hostfactory.requests
    warnings = [line for line in life.hostfactory.site.log().splitlines() if " WARNING " in line and request_id in line]
    assert len(warnings) == 1
    assert "old copy of the work directory" in warnings[0]
    assert life.hostfactory.used <= life.hostfactory.alive()
    (answer,) = life.hostfactory.poll(request_id)
    assert answer["status"] == "complete"
    assert {one["machineId"] for one in answer["machines"]} == life.hostfactory.used


@pytest.mark.parametrize("step", ["nothing", "created", "polled in BUILD"])
def test_what_hostfactory_never_learned_of_is_still_deleted(life: Life, step: str) -> None:
    """Caution must not leak machines: records that are as they were lead to the deletion."""
    life.hostfactory.go_back(life.steps["created"])
    if step != "created":
        records.put_back(life.hostfactory.site, life.steps[step].records)
    life.hostfactory.age(UNPOLLED + 60)
    life.hostfactory.reclaim()
    assert bool(life.hostfactory.alive()) == (step != "created")
