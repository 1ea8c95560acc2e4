"""The life of machines through HostFactory's own commands: templates, request, status, return, status."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.scenarios import windows
from tests.scenarios.clouds import Cloud, new_id, until
from tests.scenarios.conftest import SiteMaker
from tests.scenarios.proxy import Fault, Proxy, proxy_before
from tests.scenarios.site import Site, parse
from tests.scenarios.steps import ended, request, servers_of


def test_a_whole_life(cloud: Cloud, site: Site) -> None:
    site.write_templates({"userData": "#!/bin/sh\necho {{name}} {{index}}\n", "metadata": {"team": "risk"}})
    offered = site.ask("getAvailableTemplates", {})["templates"]
    assert [one["templateId"] for one in offered] == ["small"]
    request_id = request(site, "3")
    servers = servers_of(cloud, request_id)
    assert {server["metadata"]["hf_count"] for server in servers} == {"3"}
    assert {server["metadata"]["team"] for server in servers} == {"risk"}
    for server in servers:
        assert set(server["tags"]) == {"hostfactory", "hfp:osinst", f"hf:{request_id}"}
    done = ended(site, request_id)
    assert done["status"] == "complete"
    machines = done["machines"]
    assert [machine["name"] for machine in machines] == [f"hf-{request_id[4:12]}-{index}" for index in range(3)]
    assert {machine["machineId"] for machine in machines} == {server["id"] for server in servers}
    back = [{"name": machine["name"], "machineId": machine["machineId"]} for machine in machines]
    return_id = site.ask("requestReturnMachines", {"machines": back})["requestId"]
    gone = ended(site, return_id)
    assert gone["status"] == "complete"
    assert [machine["name"] for machine in gone["machines"]] == [machine["name"] for machine in machines]
    assert {machine["status"] for machine in gone["machines"]} == {"terminated"}
    assert servers_of(cloud, request_id) == []
    left = {port.device_id for port in cloud.connection.network.ports()} & {server["id"] for server in servers}
    assert not left, "the ports went with the servers"
    assert site.poll_one(return_id) == gone, "and all of that stays known"


def test_no_valid_host_is_a_failed_machine_that_is_cleared_away(cloud: Cloud, site: Site) -> None:
    site.write_templates({"flavor": "huge"})
    request_id = request(site)
    server = servers_of(cloud, request_id)[0]
    done = ended(site, request_id)
    assert done["status"] == "complete_with_error"
    assert "No valid host was found" in done["machines"][0]["message"]
    cloud.wait_gone([server["id"]])
    assert site.poll_one(request_id)["machines"][0]["message"] == done["machines"][0]["message"]


@pytest.mark.parametrize(
    "template",
    [
        pytest.param({"flavor": "huge", "flavors": ["m1.tiny"]}, id="flavor"),
        pytest.param({"availabilityZones": ["moon", "nova"]}, id="zone"),
        pytest.param({"flavors": ["huge", "m1.tiny"], "availabilityZones": ["moon", "nova"]}, id="both"),
    ],
)
def test_what_finds_no_host_is_made_in_another_way(cloud: Cloud, site: Site, template: dict[str, Any]) -> None:
    site.write_templates(template)
    request_id = request(site, 2)
    done = ended(site, request_id)
    servers = servers_of(cloud, request_id)
    assert done["status"] == "complete"
    assert {one["machineId"] for one in done["machines"]} == {server["id"] for server in servers}
    assert len(servers) == 2
    assert {server["flavor"]["original_name"] for server in servers} == {"m1.tiny"}


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        pytest.param({"image": "gone"}, "there is no image gone", id="image"),
        pytest.param({"flavor": "gone"}, "there is no flavor gone", id="flavor"),
        pytest.param({"networks": ["private", "gone"]}, "there is no network gone", id="network"),
        pytest.param({"securityGroups": ["gone"]}, "there is no security group gone", id="security-group"),
        pytest.param({"keyName": "gone"}, "there is no key pair gone", id="key"),
        pytest.param({"serverGroup": "gone"}, "there is no server group gone", id="server-group"),
        pytest.param({"maxNumber": 1}, "has maxNumber 1: 0 exist, 2 more requested", id="max-number"),
        pytest.param({"imagee": "cirros"}, "found the key imagee, wanted image", id="typo"),
        pytest.param({"templateId": "other"}, "there is no template small", id="template"),
    ],
)
@pytest.mark.usefixtures("cloud")
def test_what_cannot_be_made_is_refused_before_anything_is_made(
    site: Site, template: dict[str, Any], reason: str
) -> None:
    site.write_templates(template)
    answer = site.ask("requestMachines", {"template": {"templateId": "small", "machineCount": 2}}, code=1)
    assert reason in answer["message"]
    assert set(answer) == {"message"}
    assert not list((site.workdir / "requests").glob("r*")), "nothing was requested, so nothing is recorded"


def test_the_living_count_against_the_templates_maximum(cloud: Cloud, site: Site) -> None:
    site.write_templates({"maxNumber": 2})
    servers_of(cloud, request(site, 2))
    answer = site.ask("requestMachines", {"template": {"templateId": "small", "machineCount": 1}}, code=1)
    assert "has maxNumber 2: 2 exist, 1 more requested" in answer["message"]


def test_nova_refuses_all_of_them(cloud: Cloud, site: Site) -> None:
    site.write_templates({"availabilityZones": ["moon"]})
    answer = site.ask("requestMachines", {"template": {"templateId": "small", "machineCount": 2}}, code=1)
    assert answer["message"].startswith("2 of 2 machines refused; Nova refuses this server definition: 400")
    assert "availability zone" in answer["message"]
    assert cloud.call("GET", "/servers?tags=hostfactory")["servers"] == []


def test_lsf_is_told_the_kind_of_refusal(cloud: Cloud, site: Site) -> None:
    site.write_templates({"availabilityZones": ["moon"]})
    lsf = {"PRO_CONF_DIR": str(site.confdir), "PRO_DATA_DIR": str(site.workdir), "PRO_LSF_LOGDIR": str(site.logdir)}
    nothing = dict.fromkeys((name for name in site.environment() if name.startswith("HF_")), "")
    document = {"template": {"templateId": "small", "machineCount": 1}, "rc_account": "default", "userData": {}}
    done = site.run(document, "requestMachines", **nothing, **lsf)
    assert done.returncode == 1
    assert parse(done.stdout)["message"].startswith("Error Code: ZoneUnavailable 1 of 1 machine refused; Nova")
    assert cloud.call("GET", "/servers?tags=hostfactory")["servers"] == []


@pytest.fixture
def proxy(cloud: Cloud) -> Iterator[Proxy]:
    """A proxy before the cloud's Nova."""
    with proxy_before(cloud.compute) as made:
        yield made


LOST = {
    "closed": Fault(0, carried_out=True),
    "504": Fault(504, b"<html>gateway timeout</html>", carried_out=True),
    "half": Fault(202, b'{"server": {"id"', {"OpenStack-API-Version": "compute 2.79"}, carried_out=True),
}


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
def test_an_answer_that_is_lost_makes_no_second_machine(
    cloud: Cloud, new_site: SiteMaker, proxy: Proxy, fault: Fault
) -> None:
    site = new_site()
    site.clouds["clouds"]["member"]["compute_endpoint_override"] = proxy.url
    site.write_clouds()
    site.write_templates({})
    proxy.post_faults = [fault]
    request_id = request(site, 2)
    assert len([line for line in proxy.seen if line.startswith("POST")]) == 2
    assert len(servers_of(cloud, request_id)) == 2
    created = json.loads((site.workdir / "requests" / request_id / "created.json").read_text(encoding="utf-8"))
    assert all(machine["machineId"] and not machine["message"] for machine in created["machines"])
    assert ended(site, request_id)["status"] == "complete"


@pytest.mark.parametrize("setting", ["requestTimeout", "unseenTimeout"])
def test_a_post_that_never_arrived_is_known_by_the_deadline(
    cloud: Cloud, new_site: SiteMaker, proxy: Proxy, setting: str
) -> None:
    site = new_site()
    site.configure(cloud="member", **{setting: 1})
    site.clouds["clouds"]["member"]["compute_endpoint_override"] = proxy.url
    site.write_clouds()
    site.write_templates({})
    proxy.post_faults = [Fault(503)]
    request_id = request(site)
    assert servers_of(cloud, request_id) == []
    done = ended(site, request_id)
    assert done["status"] == "complete_with_error"
    assert "it was never created" in done["machines"][0]["message"]
    assert "Nova failed: 503" in done["machines"][0]["message"]


def test_machines_are_returned_by_name_and_strangers_are_left_alone(cloud: Cloud, site: Site) -> None:
    site.write_templates({})
    request_id = request(site, 2)
    machines = ended(site, request_id)["machines"]
    servers_of(cloud, request_id)
    (foreign,) = cloud.create(new_id(), tags=["somebody-else"])
    cloud.wait([foreign])
    back = [
        {"name": machines[0]["name"]},
        {"name": machines[1]["name"] + ".example.org"},
        {"machineId": foreign, "name": "theirs"},
        {"name": "never-heard-of"},
    ]
    done = ended(site, site.ask("requestReturnMachines", {"machines": back})["requestId"])
    assert [machine["result"] for machine in done["machines"]] == ["succeed", "succeed", "fail", "succeed"]
    assert "does not carry the tags hostfactory and hfp:osinst" in done["machines"][2]["message"]
    assert cloud.show(foreign)
    assert [cloud.show(machine["machineId"]) for machine in machines] == [None, None]


@pytest.mark.disruptive
def test_a_return_while_nova_is_down_is_carried_out_later(cloud: Cloud, site: Site) -> None:
    site.write_templates({})
    request_id = request(site)
    machines = ended(site, request_id)["machines"]
    servers_of(cloud, request_id)
    with cloud.down("nova"):
        return_id = site.ask("requestReturnMachines", {"machines": machines})["requestId"]
        assert site.poll_one(return_id)["status"] == "running"
    assert ended(site, return_id)["status"] == "complete"


@pytest.mark.timeout(300)
def test_twenty_calls_at_once_do_not_disturb_one_another(cloud: Cloud, site: Site) -> None:
    site.write_templates({})

    def ask(number: int) -> str:
        path = site.confdir.parent / f"hf_in_{number}"
        path.write_text('{"template": {"templateId": "small", "machineCount": 1}}', encoding="utf-8")
        call = site.command("requestMachines", path)
        done = subprocess.run(call, env=site.environment(), capture_output=True, check=True)
        return str(json.loads(done.stdout)["requestId"])

    with ThreadPoolExecutor(20) as pool:
        request_ids = list(pool.map(ask, range(20)))
    assert len(set(request_ids)) == 20
    assert [len(servers_of(cloud, request_id)) for request_id in request_ids] == [1] * 20
    until(lambda: {one["status"] for one in site.poll(*request_ids)} == {"complete"}, "all of them to be complete")


@pytest.mark.usefixtures("cloud")
def test_nothing_is_made_where_nothing_can_be_recorded(site: Site) -> None:
    site.write_templates({})
    shutil.rmtree(site.workdir)
    answer = site.ask("requestMachines", {"template": {"templateId": "small", "machineCount": 1}}, code=1)
    assert site.path(site.workdir) in answer["message"]


def test_nothing_is_made_on_a_full_disk(cloud: Cloud, site: Site) -> None:
    if site.program in windows.KINDS:
        pytest.skip("the limit would be Wine's own")
    site.write_templates({})
    path = site.confdir.parent / "hf_in_full"
    path.write_text('{"template": {"templateId": "small", "machineCount": 1}}', encoding="utf-8")

    import resource  # Windows has none

    def full() -> None:
        # no file may have a single byte, which the kernel says in another word than a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    call = site.command("requestMachines", path)
    done = subprocess.run(call, env=site.environment(), capture_output=True, preexec_fn=full)
    assert (done.returncode, done.stderr) == (1, b"")
    assert "cannot record" in parse(done.stdout)["message"]
    assert cloud.call("GET", "/servers?tags=hostfactory")["servers"] == []
