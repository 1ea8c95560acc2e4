"""What HostFactory sends, what the records, the tags and Nova know, and what is touched and answered.

The cases c02, c05, c06 and c09 are among them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from tests.http.conftest import NOW, Ask, Call, Cloud, Site
from tests.unit.records import REQUEST, TAG, down_cell, server, server_id

pytestmark = pytest.mark.premise("A name and an id that HostFactory sends belong to the same machine.")

OURS = ["hostfactory", "hfp:bank", TAG]
A, B, NEVER = server_id(1), server_id(2), server_id(99)
NAME_A, NAME_B = "hf-33e9ed03-1", "hf-33e9ed03-2"
READY = {"machines": [{"machineId": A, "name": NAME_A, "privateIpAddress": "10.0.0.71", "launchtime": 1_700_000_001}]}


class World(NamedTuple):
    """What Nova shows, and whether the two machines are on record."""

    servers: list[dict[str, Any]]
    recorded: bool = True


def ours(number: int, **changes: Any) -> dict[str, Any]:
    return server(number, **{"tags": OURS, **changes})


USUAL = World([ours(1), ours(2)])
UNRECORDED = World([ours(1), ours(2)], recorded=False)
RENAMED = World([ours(1, name="db-7"), ours(2)])
NO_TAG = World([ours(1, tags=["hostfactory", TAG]), ours(2)])
HEAT = World([server(1, name="node7", tags=["hf:batch-7"])], recorded=False)
FOREIGN = World([server(1, name="web", tags=[])], recorded=False)
OTHER = World([ours(1, tags=["hostfactory", "hfp:other", TAG])], recorded=False)
TWINS = World([ours(1, metadata={"hf_hostname": "n.a"}), ours(2, metadata={"hf_hostname": "n.b"})], recorded=False)
GONE = World([ours(2)])
ALL_GONE = World([])
CELL_DOWN = World([{**down_cell(1), "tags": []}], recorded=False)
HOST_NAMES = World([ours(1, metadata={"hf_hostname": "node7.grid.example.com"})], recorded=False)

NOT_OURS = "does not carry the tags hostfactory and hfp:bank"


@pytest.mark.parametrize(
    ("sent", "world", "answered"),
    [
        # one machine, in all ways
        ({"name": NAME_A, "machineId": A}, USUAL, [(A, NAME_A, "executing", "")]),
        ({"machineId": A}, USUAL, [(A, NAME_A, "executing", "")]),
        ({"machineId": A.upper()}, USUAL, [(A, NAME_A, "executing", "")]),
        ({"name": NAME_A}, USUAL, [(A, NAME_A, "executing", "")]),
        ({"name": NAME_A.upper()}, USUAL, [(A, NAME_A, "executing", "")]),
        ({"name": f"{NAME_A}.grid.test", "machineId": A}, USUAL, [(A, NAME_A, "executing", "")]),
        ({"name": f"{NAME_A}.grid.test"}, USUAL, [(A, NAME_A, "executing", "")]),
        ({"name": f"{NAME_A}.grid.test"}, UNRECORDED, [(A, NAME_A, "executing", "")]),
        ({"name": NAME_A, "machineId": NAME_A}, USUAL, [(A, NAME_A, "executing", "")]),
        ({"name": "out-of-date", "machineId": A}, USUAL, [(A, NAME_A, "executing", "")]),
        (
            [{"name": NAME_A}, {"machineId": A}, {"name": NAME_A, "machineId": A}],
            USUAL,
            [(A, NAME_A, "executing", "")],
        ),
        (
            {"name": "node7.grid.example.com", "machineId": A},
            HOST_NAMES,
            [(A, "node7.grid.example.com", "executing", "")],
        ),
        ({"name": "NODE7", "machineId": A}, HOST_NAMES, [(A, "node7.grid.example.com", "executing", "")]),
        # a renamed server is the one that it was
        ({"name": NAME_A, "machineId": A}, RENAMED, [(A, NAME_A, "executing", "")]),
        ({"name": NAME_A}, RENAMED, [(A, NAME_A, "executing", "")]),
        ({"name": "db-7"}, RENAMED, [(A, NAME_A, "executing", "")]),
        # name and id of different machines
        ({"name": NAME_A, "machineId": B}, USUAL, [(B, NAME_A, "fail", f"belongs to {A}, not to")]),
        ({"name": NAME_A, "machineId": B}, UNRECORDED, [(B, NAME_A, "fail", f"belongs to {A}, not to")]),
        ({"name": NAME_B, "machineId": A}, GONE, [(A, NAME_B, "fail", f"belongs to {B}, not to")]),
        ({"name": NAME_A, "machineId": NEVER}, USUAL, [(NEVER, NAME_A, "fail", f"belongs to {A}, not to")]),
        ({"name": NAME_A, "machineId": "i-123"}, USUAL, [("i-123", NAME_A, "fail", f"belongs to {A}")]),
        ({"name": "n"}, TWINS, [("n", "n", "fail", "2 machines have the name n")]),
        ({"name": "n.b"}, TWINS, [(B, "n.b", "executing", "")]),
        # not ours
        ({"name": NAME_A}, NO_TAG, [(A, NAME_A, "fail", NOT_OURS)]),
        ({"name": NAME_A, "machineId": A}, NO_TAG, [(A, NAME_A, "fail", NOT_OURS)]),
        ({"name": "node7"}, HEAT, [(A, "node7", "fail", NOT_OURS)]),
        ({"name": "node7", "machineId": A}, HEAT, [(A, "node7", "fail", NOT_OURS)]),
        ({"name": "WEB.grid.test"}, FOREIGN, [(A, "web", "fail", NOT_OURS)]),
        ({"name": NAME_A, "machineId": A}, OTHER, [(A, NAME_A, "fail", NOT_OURS)]),
        # gone, and never there
        ({"name": NAME_A, "machineId": A}, GONE, [(A, NAME_A, "succeed", "")]),
        ({"name": NAME_A}, GONE, [(A, NAME_A, "succeed", "")]),
        ({"name": "nobody"}, USUAL, [("nobody", "nobody", "succeed", "")]),
        ({"name": "nobody", "machineId": "i-123"}, USUAL, [("i-123", "nobody", "succeed", "")]),
        ({"machineId": "../os-hosts?x=1#"}, USUAL, [("../os-hosts?x=1#",) * 2 + ("succeed", "")]),
        ({"name": "nobody"}, CELL_DOWN, [("nobody", "nobody", "executing", "proves nothing")]),
        ({"name": NAME_A, "machineId": A}, ALL_GONE, [(A, NAME_A, "succeed", "")]),
    ],
)
def test_what_a_return_touches_and_answers(
    site: Site, cloud: Cloud, call: Call, ask: Ask, sent: Any, world: World, answered: Any
) -> None:
    prepare(site, cloud, world)
    deleted = [machine_id for machine_id, _, result, message in answered if (result, message) == ("executing", "")]
    return_id = call("requestReturnMachines", {"machines": sent}, site.env)["requestId"]
    assert cloud.deletes() == deleted
    for _ in range(2):
        machines = ask(return_id)["machines"]
        found = [(one["machineId"], one["name"], one["result"]) for one in machines]
        assert found == [one[:3] for one in answered]
        assert all(text in one["message"] for one, (*_, text) in zip(machines, answered, strict=True))
    assert set(cloud.deletes()) == set(deleted)


@pytest.mark.parametrize(
    ("sent", "world", "reported"),
    [
        ({"name": NAME_A, "machineId": A}, GONE, [(A, NAME_A)]),
        ({"name": f"{NAME_A}.grid.test", "machineId": A}, GONE, [(A, NAME_A)]),
        ({"name": NAME_A.upper()}, GONE, [(A, NAME_A)]),
        ([{"name": NAME_A}, {"machineId": A}], GONE, [(A, NAME_A)]),
        ({"name": NAME_B, "machineId": A}, GONE, []),
        ({"name": NAME_A, "machineId": A}, USUAL, []),
        ({"name": NAME_A, "machineId": NEVER}, USUAL, []),
        ({"name": NAME_A, "machineId": A}, NO_TAG, []),
        ({"name": "nobody"}, USUAL, [("nobody", "nobody")]),
        ({"name": "nobody"}, CELL_DOWN, []),
    ],
)
def test_which_machines_that_hostfactory_names_are_reported(
    site: Site, cloud: Cloud, call: Call, sent: Any, world: World, reported: list[tuple[str, str]]
) -> None:
    prepare(site, cloud, world)
    found = call("getReturnRequests", {"machines": sent}, site.env)["requests"]
    assert [(one["machineId"], one["machine"]) for one in found] == reported
    assert cloud.deletes() == []


def test_a_machine_is_returned_with_what_hostfactory_was_told_of_it(
    site: Site, cloud: Cloud, call: Call, ask: Ask
) -> None:
    prepare(site, cloud, GONE, READY)
    return_id = call("requestReturnMachines", {"machines": {"name": f"{NAME_A}.grid.test"}}, site.env)["requestId"]
    (machine,) = ask(return_id)["machines"]
    assert (machine["name"], machine["privateIpAddress"], machine["launchtime"]) == (NAME_A, "10.0.0.71", 1_700_000_001)


def test_a_name_that_cannot_be_looked_up_now_is_looked_up_by_the_polls(
    site: Site, cloud: Cloud, call: Call, ask: Ask
) -> None:
    prepare(site, cloud, CELL_DOWN)
    return_id = call("requestReturnMachines", {"machines": {"name": NAME_A}}, site.env)["requestId"]
    assert ask(return_id)["status"] == "running"
    cloud.servers = [ours(1)]
    assert ask(return_id)["status"] == "running"
    assert cloud.deletes() == [A]
    cloud.servers = []
    (machine,) = ask(return_id)["machines"]
    assert (machine["result"], machine["name"]) == ("succeed", NAME_A)


def prepare(site: Site, cloud: Cloud, world: World, ready: dict[str, Any] | None = None) -> None:
    """Have Nova show the servers, and the two machines on record, if they are."""
    cloud.servers = world.servers
    if world.recorded:
        created = [{"name": NAME_A, "machineId": A}, {"name": NAME_B, "machineId": B}]
        facts = {"created": {"machines": created}, "polled": {}, "ended": {}}
        facts |= {f"ready-{A}": ready} if ready else {}
        asked = {"asked": NOW - 300, "names": [NAME_A, NAME_B], "requestTimeout": 1800}
        site.record(REQUEST, asked=asked, **facts)
