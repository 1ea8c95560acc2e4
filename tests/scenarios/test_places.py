"""The configuration names another place for a while: nothing is concluded about machines that were made elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import openstack
import pytest

from hfstack.sandbox import Sandbox
from hfstack.sandbox.inventory import REGION
from tests.scenarios import records, windows
from tests.scenarios.clouds import Cloud, new_id
from tests.scenarios.inside import Inside
from tests.scenarios.sandbox_cloud import SandboxCloud
from tests.scenarios.site import Site, parse
from tests.scenarios.steps import ended, our_tags, request, servers_of

pytestmark = pytest.mark.premise("The configuration names the place where the machines were created.")

VANISHED = "What Nova lists is all that there is."

ANOTHER_REGION = "RegionTwo"

Flip = Callable[[Cloud, Site], None]


class Life(NamedTuple):
    """What HostFactory has under way: ids of requests, and machines as it was told of them."""

    building: str
    """A request whose server is in BUILD, and that was never polled."""
    complete: str
    returned: str
    """A return whose server takes long to be deleted."""
    held: list[dict[str, Any]]
    """The machines of `complete` that are not returned."""


def begun(cloud: Cloud, site: Site) -> Life:
    """Have something of every kind under way."""
    site.write_templates({})
    complete = request(site, 3)
    servers_of(cloud, complete)
    *held, back = ended(site, complete)["machines"]
    cloud.knobs(spawn_delay=60, destroy_delay=60)
    building = request(site)
    servers_of(cloud, building)
    returned = site.ask("requestReturnMachines", {"machines": [named(back)]})["requestId"]
    return Life(building, complete, returned, held)


def named(machine: dict[str, Any]) -> dict[str, str]:
    return {"name": machine["name"], "machineId": machine["machineId"]}


# The ways to name another place


def another_cloud(_: Cloud, site: Site) -> None:
    """c01: the provider's file names another of the clouds."""
    site.configure(cloud="other", httpTimeout=10)


def another_project(_: Cloud, site: Site) -> None:
    """os-05: clouds.yaml has another project under the same name."""
    site.clouds["clouds"]["member"] = site.clouds["clouds"]["other"]
    site.write_clouds()


def another_file(_: Cloud, site: Site) -> None:
    """clouds.yaml is away for a moment, and the account's own is found."""
    elsewhere = site.confdir.parent / ".config" / "openstack"
    elsewhere.mkdir(parents=True, exist_ok=True)
    site.clouds["clouds"]["member"] = site.clouds["clouds"]["other"]
    site.write_clouds()
    (site.confdir / "clouds.yaml").rename(elsewhere / "clouds.yaml")


def another_region(_: Cloud, site: Site) -> None:
    """os-04: the same project in another region."""
    site.clouds["clouds"]["member"]["region_name"] = ANOTHER_REGION
    site.write_clouds()


@contextmanager
def elsewhere(flip: Flip, cloud: Cloud, site: Site) -> Iterator[tuple[str, ...]]:
    """Have the configuration name another place; gives the words of both places that every answer has to name."""
    before = {**site.clouds["clouds"]["member"]}
    words = (ANOTHER_REGION, REGION) if flip is another_region else (project(cloud, "other"), project(cloud, "member"))
    flip(cloud, site)
    yield words
    site.clouds["clouds"]["member"] = before
    site.write_clouds()
    site.configure(cloud="member", httpTimeout=10)


def project(cloud: Cloud, name: str) -> str:
    """Return the id of the project of a cloud of clouds.yaml."""
    config = openstack.config.OpenStackConfig(
        config_files=[str(cloud.clouds_yaml)], secure_files=[], load_envvars=False
    )
    with openstack.connection.Connection(config=config.get_one(name)) as connection:
        return str(connection.session.get_project_id())


@contextmanager
def two_regions(cloud: SandboxCloud) -> Iterator[None]:
    """Have a second region, whose Nova takes the same tokens and has no servers."""
    near = cloud.sandbox.cloud
    with Sandbox() as far:
        far.cloud.tokens = near.tokens
        near.regions[ANOTHER_REGION] = {**far.cloud.urls, "keystone": near.urls["keystone"]}
        try:
            yield
        finally:
            del near.regions[ANOTHER_REGION]


# What is concluded there


def untouched(site: Site, life: Life, words: tuple[str, ...], *, cold: bool) -> None:
    """Call each command about machines of the other place: nothing is concluded, recorded or deleted."""
    before, machines = without_polls(records.tree(site)), [named(one) for one in life.held]
    calls: dict[str, Callable[[], dict[str, Any]]] = {
        "a request under way": partial(running, site, life.building),
        "a request that is over": partial(running, site, life.complete),
        "a return": partial(running, site, life.returned),
        "all machines": partial(nothing_reported, site, {}),
        "the machines that HostFactory names": partial(nothing_reported, site, {"machines": machines}),
        "machines by name only": partial(nothing_reported, site, {"machines": [{"name": machines[0]["name"]}]}),
        "another return": partial(refused, site, "requestReturnMachines", {"machines": machines[:1]}),
        "another return, by name only": partial(
            refused, site, "requestReturnMachines", {"machines": [{"name": machines[0]["name"]}]}
        ),
    }
    for what, call in calls.items():
        if cold:
            site.forget_login()
        known = len(warnings(site, words))
        answer = call()
        assert not [word for word in words if word not in answer["message"]], (what, answer)
        assert len(warnings(site, words)) == known + 1, f"{what}: one warning per call names both places"
        assert without_polls(records.tree(site)) == before, what


def without_polls(tree: dict[str, tuple[bytes, int]]) -> dict[str, tuple[bytes, int]]:
    """Leave out that HostFactory has polled, which is true in any place: a request that it knows must not be reaped."""
    return {name: fact for name, fact in tree.items() if not name.endswith("/polled.json")}


def running(site: Site, request_id: str) -> dict[str, Any]:
    answer = site.poll_one(request_id)
    assert answer["status"] == "running", answer
    return answer


def nothing_reported(site: Site, document: object) -> dict[str, Any]:
    answer = site.ask("getReturnRequests", document, 1)
    assert answer["requests"] == []
    return answer


def refused(site: Site, command: str, document: object) -> dict[str, Any]:
    answer = site.ask(command, document, 1)
    assert set(answer) == {"message"}
    return answer


def warnings(site: Site, words: tuple[str, ...]) -> list[str]:
    """Return the warnings in the log that name both places."""
    return [line for line in site.log().splitlines() if " WARNING " in line and all(word in line for word in words)]


def goes_on(cloud: Cloud, site: Site, life: Life) -> None:
    """Everything goes on as if the configuration had never been another."""
    machines = [named(one) for one in life.held]
    assert site.ask("getReturnRequests", {})["requests"] == []
    assert site.ask("getReturnRequests", {"machines": machines})["requests"] == []
    assert site.poll_one(life.building)["status"] == "running"
    assert site.poll_one(life.returned)["status"] == "running"
    cloud.knobs()
    new = ended(site, life.building)
    assert (new["status"], len(new["machines"])) == ("complete", 1)
    assert ended(site, life.returned)["status"] == "complete"
    machines += [named(one) for one in new["machines"]]
    return_id = site.ask("requestReturnMachines", {"machines": machines})["requestId"]
    assert ended(site, return_id)["status"] == "complete"
    assert cloud.call("GET", "/servers?tags=hfp:osinst")["servers"] == []


@pytest.mark.parametrize("flip", [another_cloud, another_project, another_file])
def test_another_project(cloud: Cloud, site: Site, flip: Flip) -> None:
    if flip is another_file and site.program in windows.KINDS:
        pytest.skip("on Windows, the account's own clouds.yaml is elsewhere")
    life = begun(cloud, site)
    with elsewhere(flip, cloud, site) as words:
        untouched(site, life, words, cold=False)
    goes_on(cloud, site, life)


@pytest.mark.parametrize("flip", [another_cloud, another_project, another_region])
def test_another_place_with_a_login_at_each_call(sandbox: SandboxCloud, inside: Inside, flip: Flip) -> None:
    with two_regions(sandbox):
        life = begun(sandbox, inside)
        with elsewhere(flip, sandbox, inside) as words:
            untouched(inside, life, words, cold=False)
            untouched(inside, life, words, cold=True)
        goes_on(sandbox, inside, life)


def test_the_place_of_one_request_says_nothing_about_another(sandbox: SandboxCloud, inside: Inside) -> None:
    life = begun(sandbox, inside)
    here = new_id()
    with elsewhere(another_cloud, sandbox, inside):
        made = sandbox.control("POST", "/servers", {"project": "other", "tags": our_tags(here)})
        inside.record_acquire(here, ["server-1"], made["ids"])
        answers = inside.poll(life.building, here, life.returned)
    assert [answer["status"] for answer in answers] == ["running", "complete", "running"]
    sandbox.made += made["ids"]


@pytest.mark.parametrize("order", [(REGION, ANOTHER_REGION), (ANOTHER_REGION, REGION)], ids=["first", "second"])
def test_a_catalogue_of_two_regions_without_a_choice_is_refused(
    sandbox: SandboxCloud, inside: Inside, order: tuple[str, str]
) -> None:
    life = begun(sandbox, inside)
    with two_regions(sandbox):
        regions = sandbox.sandbox.cloud.regions
        regions.update({region: regions.pop(region) for region in order})
        region = inside.clouds["clouds"]["member"].pop("region_name")
        inside.write_clouds()
        before = without_polls(records.tree(inside))
        for command, document in {
            "getRequestStatus": {"requests": {"requestId": life.building}},
            "getReturnRequests": {},
            "requestReturnMachines": {"machines": [named(life.held[0])]},
            "requestMachines": {"template": {"templateId": "small", "machineCount": 1}},
        }.items():
            answer = inside.ask(command, document, 1)
            assert REGION in answer["message"], command
            assert ANOTHER_REGION in answer["message"], command
            assert without_polls(records.tree(inside)) == before
        inside.clouds["clouds"]["member"]["region_name"] = region
        inside.write_clouds()
        goes_on(sandbox, inside, life)


def test_a_request_that_was_polled_elsewhere_is_known(sandbox: SandboxCloud, inside: Inside) -> None:
    """Its first poll came while the configuration named another place, and the next one comes after housekeeping."""
    life = begun(sandbox, inside)
    with elsewhere(another_cloud, sandbox, inside):
        running(inside, life.building)
    records.age(inside, 3660)
    assert inside.ask("getReturnRequests", {})["requests"] == []
    sandbox.knobs()
    assert sandbox.wait([server["id"] for server in servers_of(sandbox, life.building)])


# All machines vanish at once


def vanish(cloud: Cloud, site: Site, count: int) -> list[dict[str, Any]]:
    """Have machines that HostFactory holds, and an administrator who deletes them all."""
    site.write_templates({})
    request_id = request(site, count)
    servers_of(cloud, request_id)
    machines: list[dict[str, Any]] = ended(site, request_id)["machines"]
    assert site.ask("getReturnRequests", {})["requests"] == []
    ids = [machine["machineId"] for machine in machines]
    cloud.delete(ids)
    cloud.wait_gone(ids)
    return machines


def seen_once(site: Site, document: object, timeout: str) -> dict[str, Any]:
    """Call getReturnRequests when nothing may be reported yet."""
    done = site.run(document, "getReturnRequests", HF_PROVIDER_ACTION_TIMEOUT=timeout)
    answer = parse(done.stdout)
    assert (done.returncode, answer["requests"]) == (1, []), answer
    return answer


def reported(site: Site, document: object, timeout: str) -> list[dict[str, Any]]:
    """Call getReturnRequests when something is reported."""
    done = site.run(document, "getReturnRequests", HF_PROVIDER_ACTION_TIMEOUT=timeout)
    answer = parse(done.stdout)
    assert done.returncode == 0, answer
    found: list[dict[str, Any]] = answer["requests"]
    return found


def sighted_earlier(site: Site, seconds: float) -> None:
    """Make the first sighting look older."""
    path = site.workdir / "requests" / ".vanished.json"
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


@pytest.mark.premise(VANISHED)
@pytest.mark.parametrize("by_name", [False, True], ids=["all", "named"])
def test_a_project_that_an_administrator_emptied_is_reported_a_call_later(
    cloud: Cloud, site: Site, by_name: bool
) -> None:
    machines = vanish(cloud, site, 2)
    document = {"machines": [named(one) for one in machines]} if by_name else {}
    assert "none of 2 machines exists" in seen_once(site, document, "60")["message"]
    seen_once(site, document, "60")
    sighted_earlier(site, 55)
    seen_once(site, document, "60")
    sighted_earlier(site, 10)
    assert reported(site, document, "60") == [
        {"machine": one["name"], "machineId": one["machineId"], "gracePeriod": 0} for one in machines
    ]
    assert len(reported(site, document, "60")) == 2, "HostFactory may have missed the answer"
    return_id = site.ask("requestReturnMachines", {"machines": [named(one) for one in machines]})["requestId"]
    assert ended(site, return_id)["status"] == "complete"
    assert reported(site, document, "60") == []


@pytest.mark.premise(VANISHED)
def test_the_only_machine_is_reported_at_once(sandbox: SandboxCloud, inside: Inside) -> None:
    (machine,) = vanish(sandbox, inside, 1)
    assert [one["machineId"] for one in reported(inside, {}, "60")] == [machine["machineId"]]


@pytest.mark.premise(VANISHED)
def test_an_earlier_sighting_does_not_count_after_the_machines_were_seen_again(
    sandbox: SandboxCloud, inside: Inside
) -> None:
    servers_of(sandbox, ended(inside, request(inside, 2))["requestId"])
    with hidden(sandbox):
        seen_once(inside, {}, "60")
    assert reported(inside, {}, "60") == []
    with hidden(sandbox):
        seen_once(inside, {}, "60")
        sighted_earlier(inside, 50)
        seen_once(inside, {}, "60")
    assert reported(inside, {}, "60") == []


@contextmanager
def hidden(sandbox: SandboxCloud) -> Iterator[None]:
    """Have Nova know no server, as after a database was restored."""
    cloud = sandbox.sandbox.cloud
    with cloud.lock:
        servers, cloud.servers = cloud.servers, {}
    try:
        yield
    finally:
        with cloud.lock:
            cloud.servers = servers


@pytest.mark.premise(VANISHED)
def test_machines_vanish_beside_one_that_is_there(sandbox: SandboxCloud, inside: Inside) -> None:
    request_id = request(inside, 3)
    servers_of(sandbox, request_id)
    machines = ended(inside, request_id)["machines"]
    ids = [machine["machineId"] for machine in machines[:2]]
    sandbox.delete(ids)
    assert [one["machineId"] for one in reported(inside, {}, "60")] == ids
