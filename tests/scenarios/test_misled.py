"""What once misled hfstack: each of these made it touch or report the wrong machine, or end in an internal error."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from hfstack.cloud import client
from hfstack.cloud.nova import Nova
from hfstack.rules.server_record import Server
from hfstack.store import sighting
from tests.scenarios import records
from tests.scenarios.inside import Inside
from tests.scenarios.paused import paused
from tests.scenarios.sandbox_cloud import SandboxCloud
from tests.scenarios.site import parse
from tests.scenarios.steps import ended, request, servers_of
from tests.scenarios.test_places import another_cloud, another_project, elsewhere, hidden, named


def up(sandbox: SandboxCloud, site: Inside, count: int = 1) -> list[dict[str, Any]]:
    """Have machines that HostFactory uses."""
    request_id = request(site, count)
    servers_of(sandbox, request_id)
    machines: list[dict[str, Any]] = ended(site, request_id)["machines"]
    assert [one["result"] for one in machines] == ["succeed"] * count
    return machines


def record_of(site: Inside, machine: dict[str, Any]) -> Path:
    """Return the folder of the request that created a machine."""
    (folder,) = [one for one in records.folder(site).glob("req-*") if machine["name"][3:11] in one.name]
    return folder


def alive(sandbox: SandboxCloud, server_id: str) -> bool:
    """Tell whether a server exists and is not being deleted."""
    return (sandbox.show(server_id) or {}).get("status") == "ACTIVE"


def change(sandbox: SandboxCloud, server_id: str, **what: object) -> None:
    sandbox.control("PUT", f"/servers/{server_id}", what)


def give(site: Inside, *machines: dict[str, str]) -> str:
    return str(site.ask("requestReturnMachines", {"machines": list(machines)})["requestId"])


def reclaim(site: Inside, document: object) -> dict[str, Any]:
    return parse(site.run(document, "getReturnRequests").stdout)


def test_the_name_on_record_of_one_machine_and_the_id_of_another_that_was_renamed_to_it(
    sandbox: SandboxCloud, inside: Inside
) -> None:
    """The case c02, after an operator renamed B to A's name: A's name is on record."""
    first, second = up(sandbox, inside, 2)
    change(sandbox, first["machineId"], name="old")
    change(sandbox, second["machineId"], name=first["name"])
    give(inside, {"name": first["name"], "machineId": second["machineId"]})
    assert alive(sandbox, second["machineId"])
    assert alive(sandbox, first["machineId"])


def test_a_return_by_name_never_takes_a_machine_that_is_younger_than_the_return(
    sandbox: SandboxCloud, inside: Inside
) -> None:
    old = up(sandbox, inside)[0]
    with sandbox.cell_down(old["machineId"]):
        return_id = give(inside, {"name": "node7"})
        assert inside.poll_one(return_id)["status"] == "running"
        request_id = request(inside)
        (server,) = servers_of(sandbox, request_id)
        change(sandbox, server["id"], metadata={"hf_hostname": "node7"})
        (machine,) = ended(inside, request_id)["machines"]
        assert machine["name"] == "node7"
    inside.poll_one(return_id)
    assert alive(sandbox, machine["machineId"])


def test_all_machines_vanish_and_hostfactory_asks_for_one(sandbox: SandboxCloud, inside: Inside) -> None:
    """The records know two machines, and none is there."""
    machines = up(sandbox, inside, 2)
    with hidden(sandbox):
        answer = reclaim(inside, {"machines": [named(machines[0])]})
    assert answer["requests"] == []


def test_a_machine_without_a_record_in_another_project(sandbox: SandboxCloud, inside: Inside) -> None:
    """Its two companions show that the place is another."""
    first, second = up(sandbox, inside)[0], up(sandbox, inside)[0]
    shutil.rmtree(record_of(inside, second))
    with elsewhere(another_cloud, sandbox, inside):
        answer = reclaim(inside, {"machines": [named(first), named(second)]})
    assert answer["requests"] == []


def test_a_return_of_a_machine_without_a_record_in_another_project(sandbox: SandboxCloud, inside: Inside) -> None:
    first, second = up(sandbox, inside)[0], up(sandbox, inside)[0]
    shutil.rmtree(record_of(inside, second))
    with elsewhere(another_cloud, sandbox, inside):
        done = inside.run({"machines": [named(first), named(second)]}, "requestReturnMachines")
        return_id = parse(done.stdout).get("requestId")
        results = (
            {}
            if done.returncode
            else {one["machineId"]: one["result"] for one in inside.poll_one(str(return_id))["machines"]}
        )
    assert results.get(second["machineId"]) != "succeed"


def test_the_place_changes_within_a_call(sandbox: SandboxCloud, inside: Inside) -> None:
    """The token of an earlier call is refused after clouds.yaml was changed: the new login is for another project."""
    first, _ = up(sandbox, inside, 2)
    sandbox.knobs(destroy_delay=60)
    return_id = give(inside, named(first))
    assert inside.poll_one(return_id)["status"] == "running"
    before = {**inside.clouds["clouds"]["member"]}

    def flip() -> None:
        sandbox.control("POST", "/tokens/expire")
        another_project(sandbox, inside)

    with paused(1, flip) as pause:
        answer = inside.poll_one(return_id)
    assert pause.reached
    inside.clouds["clouds"]["member"] = before
    inside.write_clouds()
    sandbox.session.invalidate()
    assert answer["status"] == "running"
    assert [name for name in records.recorded(inside, return_id) if name.startswith("gone-")] == []


def test_the_place_changes_within_get_return_requests(sandbox: SandboxCloud, inside: Inside) -> None:
    (machine,) = up(sandbox, inside)
    assert reclaim(inside, {})["requests"] == []
    before = {**inside.clouds["clouds"]["member"]}

    def flip() -> None:
        sandbox.control("POST", "/tokens/expire")
        another_project(sandbox, inside)

    answers = []
    for boundary in range(1, 8):
        with paused(boundary, flip):
            answers.append(reclaim(inside, {}))
        inside.clouds["clouds"]["member"] = before
        inside.write_clouds()
        reclaim(inside, {})
    sandbox.session.invalidate()
    assert [answer["requests"] for answer in answers] == [[]] * len(answers), machine


def test_a_machine_that_failed_while_its_cell_was_down_is_deleted_later(sandbox: SandboxCloud, inside: Inside) -> None:
    request_id = request(inside)
    (server,) = servers_of(sandbox, request_id)
    with sandbox.cell_down(server["id"]):
        records.age(inside, 1900)
        answer = inside.poll_one(request_id)
    if answer["status"] == "running":
        return
    assert answer["machines"][0]["result"] == "fail"
    for _ in range(2):
        reclaim(inside, {})
        inside.poll_one(request_id)
    assert not alive(sandbox, server["id"])


def test_a_return_that_lost_its_first_fact_is_not_over(sandbox: SandboxCloud, inside: Inside) -> None:
    machines = up(sandbox, inside, 2)
    sandbox.knobs(destroy_delay=60)
    return_id = give(inside, *map(named, machines))
    assert inside.poll_one(return_id)["status"] == "running"
    (records.folder(inside) / return_id / "asked.json").unlink()
    assert inside.poll_one(return_id)["status"] == "running"


@pytest.mark.parametrize(("fact", "key"), [("req", "requestTimeout"), ("ret", "returnTimeout")])
def test_one_absurd_number_is_no_internal_error(sandbox: SandboxCloud, inside: Inside, fact: str, key: str) -> None:
    sandbox.knobs(spawn_delay=60)
    request_id = request(inside)
    (server,) = servers_of(sandbox, request_id)
    if fact == "ret":
        request_id = give(inside, {"name": server["name"], "machineId": server["id"]})
    path = records.folder(inside) / request_id / "asked.json"
    path.write_text(path.read_text().replace(f'"{key}": 1800', f'"{key}": {10**400}'))
    assert inside.poll_one(request_id)["status"] == "running"


def test_a_name_with_a_domain_is_first_the_machine_that_has_just_this_name(
    sandbox: SandboxCloud, inside: Inside
) -> None:
    """The record of B is lost, and A has the short name: the exact name counts."""
    first_id, second_id = request(inside), request(inside)
    (first,), (second,) = servers_of(sandbox, first_id), servers_of(sandbox, second_id)
    change(sandbox, first["id"], metadata={"hf_hostname": "node7"})
    change(sandbox, second["id"], metadata={"hf_hostname": "node7.b.example.com"})
    ended(inside, first_id)
    ended(inside, second_id)
    shutil.rmtree(records.folder(inside) / second_id)
    give(inside, {"name": "node7.b.example.com"})
    assert alive(sandbox, first["id"])


def test_a_rename_while_building_does_not_lose_the_floating_ip(sandbox: SandboxCloud, inside: Inside) -> None:
    inside.write_templates({"floatingNetwork": "public"})
    sandbox.knobs(spawn_delay=60)
    request_id = request(inside)
    (server,) = servers_of(sandbox, request_id)
    change(sandbox, server["id"], name="renamed")
    sandbox.knobs()
    answer = inside.poll_one(request_id)
    assert answer["machines"][0]["result"] == "succeed", answer


@pytest.mark.parametrize("command", ["getReturnRequests", "requestReturnMachines"])
@pytest.mark.parametrize("damage", ["created.json", "asked.json"])
def test_a_name_whose_record_cannot_be_read_is_not_gone(
    sandbox: SandboxCloud, inside: Inside, command: str, damage: str
) -> None:
    up(sandbox, inside)
    (machine,) = up(sandbox, inside)
    folder = record_of(inside, machine)
    change(sandbox, machine["machineId"], name="renamed")
    (folder / damage).write_text("")
    answer = parse(inside.run({"machines": [{"name": machine["name"]}]}, command).stdout)
    if command == "getReturnRequests":
        assert answer["requests"] == []
    elif "requestId" in answer:
        (entry,) = inside.poll_one(answer["requestId"])["machines"]
        assert entry["result"] != "succeed", entry
    assert alive(sandbox, machine["machineId"])


def test_temporary_files_that_vanish_hide_no_return(sandbox: SandboxCloud, inside: Inside) -> None:
    """Polls of the return create and remove files in its folder while getReturnRequests looks."""
    first, _ = up(sandbox, inside, 2)
    return_id = give(inside, named(first))
    sandbox.wait_gone([first["machineId"]])
    (records.folder(inside) / return_id / f".now.{'0' * 32}").touch()
    lstat = os.lstat

    def vanished(path: Any, **more: Any) -> os.stat_result:
        if "/.now." in str(path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return lstat(path, **more)

    with patch("os.lstat", vanished):
        answer = reclaim(inside, {})
    assert answer["requests"] == []
    assert "is skipped" not in inside.log()


def test_a_contradiction_beside_the_machine_itself_touches_neither(sandbox: SandboxCloud, inside: Inside) -> None:
    first, second = up(sandbox, inside, 2)
    mixed = {"name": first["name"], "machineId": second["machineId"]}
    for order in ((mixed, named(second)), (named(second), mixed)):
        give(inside, *order)
        assert alive(sandbox, first["machineId"])
        assert alive(sandbox, second["machineId"])


def test_two_polls_at_once_lose_no_ready_machine(sandbox: SandboxCloud, inside: Inside) -> None:
    """One sees the first machine up, the other both: both record what HostFactory is told under the first one's id."""
    sandbox.knobs(spawn_delay=60)
    request_id = request(inside, 2)
    first, second = sorted(server["id"] for server in servers_of(sandbox, request_id))
    sandbox.force(first, "active")
    servers_of_tag, polls = Nova.servers_of, []

    def listed(nova: Nova, tag: str) -> list[Server]:
        polls.append(tag)
        if len(polls) == 1:
            inside.poll_one(request_id)
            sandbox.force(second, "active")
        return servers_of_tag(nova, tag)

    with patch.object(Nova, "servers_of", listed):
        assert inside.poll_one(request_id)["status"] == "complete"
    facts = [one for one in records.recorded(inside, request_id) if one.startswith("ready-")]
    assert second in "".join((records.folder(inside) / request_id / one).read_text("utf-8") for one in facts)


def test_a_file_system_that_is_read_only_is_no_internal_error(sandbox: SandboxCloud, inside: Inside) -> None:
    up(sandbox, inside, 2)
    unlink = os.unlink

    def refused(path: Any, **more: Any) -> None:
        if str(path).startswith(str(inside.workdir)):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        unlink(path, **more)

    with patch("os.unlink", refused):
        answer = reclaim(inside, {})
    assert "internal error" not in answer["message"]


def test_a_folder_in_the_place_of_the_sighting_is_no_internal_error(sandbox: SandboxCloud, inside: Inside) -> None:
    up(sandbox, inside, 2)
    (records.folder(inside) / sighting.NAME).mkdir()
    assert "internal error" not in reclaim(inside, {})["message"]


def test_one_server_that_takes_no_tag_leaves_the_others_without_their_mark(
    sandbox: SandboxCloud, inside: Inside
) -> None:
    """The case `restore`, after Nova refused the tag hf-ended of one server, which may have 50 tags."""
    request_id = request(inside, 2)
    servers_of(sandbox, request_id)
    created = records.tree(inside)
    machines = json.loads((records.folder(inside) / request_id / "created.json").read_text())["machines"]
    first, second = (machine["machineId"] for machine in machines)
    refusal = {"status": 400, "body": '{"badRequest": {"message": "too many tags"}}'}
    fault = {"service": "nova", "method": "PUT", "path": f"{first}/tags/", "times": -1, **refusal}
    sandbox.control("POST", "/faults", fault)
    with patch.object(client, "MAX_PARALLEL", 1):
        assert ended(inside, request_id)["status"] == "complete"
    sandbox.control("DELETE", "/faults")
    records.put_back(inside, created)
    records.age(inside, 3660)
    reclaim(inside, {})
    assert alive(sandbox, second)
    assert alive(sandbox, first)


def test_a_damaged_return_does_not_make_its_machine_held_again(sandbox: SandboxCloud, inside: Inside) -> None:
    """Its machines are unknown, so nothing is said of them."""
    first, _ = up(sandbox, inside, 2)
    return_id = give(inside, named(first))
    assert ended(inside, return_id)["status"] == "complete"
    (records.folder(inside) / return_id / "asked.json").write_text("")
    assert reclaim(inside, {})["requests"] == []


def test_a_machine_of_a_reaped_request_is_not_reported(sandbox: SandboxCloud, inside: Inside) -> None:
    """HostFactory never learned of it, and is told so at every call until historyDays have passed."""
    up(sandbox, inside)
    request_id = request(inside)
    (server,) = servers_of(sandbox, request_id)
    sandbox.delete([server["id"]])
    sandbox.wait_gone([server["id"]])
    records.age(inside, 3660, request_id)
    reclaim(inside, {})
    assert reclaim(inside, {})["requests"] == []


@pytest.mark.parametrize("form", ["name in capitals", "blank before the id"])
def test_what_is_almost_the_id_of_a_living_server_is_not_gone(sandbox: SandboxCloud, inside: Inside, form: str) -> None:
    (machine,) = up(sandbox, inside)
    server_id = machine["machineId"]
    wanted = {"name": server_id.upper()} if form == "name in capitals" else {"name": "", "machineId": f" {server_id}"}
    (entry,) = inside.poll_one(give(inside, wanted))["machines"]
    assert entry["result"] != "succeed" or not alive(sandbox, server_id)


def test_a_name_is_never_created_only_if_no_cell_is_down(sandbox: SandboxCloud, inside: Inside) -> None:
    """The POST answered 500 after its server was created, and the list failed; then the server's cell is down."""
    acted = {"service": "nova", "method": "POST", "path": "/servers$", "status": 500, "act_first": True}
    sandbox.control("POST", "/faults", acted)
    sandbox.control("POST", "/faults", {"service": "nova", "path": "/servers/detail", "skip": 1, "status": 500})
    request_id = request(inside)
    sandbox.control("DELETE", "/faults")
    (server,) = servers_of(sandbox, request_id)
    with sandbox.cell_down(server["id"]):
        assert inside.poll_one(request_id)["status"] == "running"
        records.age(inside, 1900)
        assert inside.poll_one(request_id)["status"] == "running"


def test_a_login_where_the_working_directory_was_removed(sandbox: SandboxCloud, inside: Inside) -> None:
    """The case `cwd`, without a token: a process of its own, which has not loaded the SDK yet."""
    request_id = request(inside)
    servers_of(sandbox, request_id)
    inside.forget_login()
    path = inside.confdir.parent / "input"
    path.write_text(json.dumps({"requests": [{"requestId": request_id}]}))
    removed = inside.confdir.parent / "removed"
    script = f"mkdir '{removed}' && cd '{removed}' && rmdir '{removed}' && exec \"$@\""
    command = ["sh", "-c", script, "sh", *inside.command("getRequestStatus", path)]
    done = subprocess.run(command, env=inside.environment(), capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


def test_a_younger_machine_without_a_record_has_the_name_of_a_return(sandbox: SandboxCloud, inside: Inside) -> None:
    """Nova says when it was created; its record is damaged."""
    old = up(sandbox, inside)[0]
    with sandbox.cell_down(old["machineId"]):
        return_id = give(inside, {"name": "node7"})
        records.age(inside, 60, return_id)
        request_id = request(inside)
        (server,) = servers_of(sandbox, request_id)
        change(sandbox, server["id"], metadata={**server["metadata"], "hf_hostname": "node7"})
        (machine,) = ended(inside, request_id)["machines"]
    (records.folder(inside) / request_id / "created.json").write_text("")
    inside.poll_one(return_id)
    assert alive(sandbox, machine["machineId"])


def test_the_name_on_record_of_one_machine_is_the_new_host_name_of_another(
    sandbox: SandboxCloud, inside: Inside
) -> None:
    """The case c02, after the metadata hf_hostname of B was set to A's name: B still has its planned server name."""
    first, second = up(sandbox, inside, 2)
    metadata = (sandbox.show(second["machineId"]) or {})["metadata"]
    change(sandbox, second["machineId"], metadata={**metadata, "hf_hostname": first["name"]})
    give(inside, {"name": first["name"], "machineId": second["machineId"]})
    assert alive(sandbox, second["machineId"])
    assert alive(sandbox, first["machineId"])
