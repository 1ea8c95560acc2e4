"""A command that is killed loses nothing and leaks nothing, at whichever boundary it dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from tests import ROOT
from tests.scenarios.clouds import Cloud, new_id, until
from tests.scenarios.site import Site, parse

MACHINES = 2

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def killed_at(site: Site, boundary: int, command: str, document: object) -> dict[str, Any] | None:
    """Run a command that dies at a boundary; what it answered, `None` if it died before it could."""
    path = site.confdir.parent / "hf_in_killed"
    path.write_text(json.dumps(document), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tests.scenarios.killed", str(boundary), command, "-f", str(path)],
        env=site.environment(),
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=120,
    )
    if done.returncode == -signal.SIGKILL:
        assert done.stdout == b"", "the answer is the last that a command does"
        return None
    assert (done.returncode, done.stderr) == (0, b""), done
    return parse(done.stdout)


def stride(site: Site, cloud: Cloud) -> int:
    """Return how many boundaries to go on: each in the sandbox, some in a real cloud, where each takes seconds."""
    if site.program != "source":
        pytest.skip("boundaries are those of the source tree")
    return 1 if cloud.name == "sandbox" else 5


def our_servers(cloud: Cloud) -> list[str]:
    """Return the ids of all servers that hfstack made."""
    return [server["id"] for server in cloud.call("GET", "/servers?tags=hostfactory")["servers"]]


def ports(cloud: Cloud) -> int:
    """Return how many ports of the servers there are that were made here."""
    return sum(port.device_id in cloud.made for port in cloud.connection.network.ports())


def cleaned_up(site: Site, cloud: Cloud) -> bool:
    """Let getReturnRequests clean up, and return whether nothing is left."""
    site.run({}, "getReturnRequests", HF_PROVIDER_ACTION_TIMEOUT="5")
    return not our_servers(cloud) and not ports(cloud) and not cloud.taken()


def ended(site: Site, request_id: str) -> dict[str, Any]:
    """Poll until a request has ended."""
    until(lambda: bool(site.poll_one(request_id)["status"] != "running"), f"{request_id} to end")
    return site.poll_one(request_id)


def prepared(site: Site) -> None:
    """Have a site that gives up soon on requests that HostFactory never asked for."""
    site.configure(cloud="member", unpolledTimeout=1)
    site.write_templates({})


def return_machines(site: Site, machines: list[dict[str, Any]]) -> None:
    """Return machines, as HostFactory does until it is answered."""
    return_id = site.ask("requestReturnMachines", {"machines": machines})["requestId"]
    assert ended(site, return_id)["status"] == "complete"


@pytest.mark.parametrize(
    ("template", "posts"),
    [
        pytest.param({}, MACHINES, id="plain"),
        pytest.param({"floatingNetwork": "public"}, 2 * MACHINES, id="floating"),
    ],
)
def test_request_machines(cloud: Cloud, site: Site, template: dict[str, Any], posts: int) -> None:
    step = stride(site, cloud)
    prepared(site)
    site.write_templates(template)
    document = {"template": {"templateId": "small", "machineCount": MACHINES}}
    boundary, answer = 1, None
    while answer is None:
        answer = killed_at(site, boundary, "requestMachines", document)
        cloud.made += our_servers(cloud)
        if answer is None:
            until(lambda: cleaned_up(site, cloud), f"nothing to be left after boundary {boundary}")
            boundary += step
    assert boundary > 2 * (posts + 2), "each POST and each fact has a boundary on either side"
    done = ended(site, answer["requestId"])
    assert done["status"] == "complete"
    return_machines(site, done["machines"])
    assert not our_servers(cloud)
    assert not cloud.taken()


def test_request_return_machines(cloud: Cloud, site: Site) -> None:
    step = stride(site, cloud)
    prepared(site)
    boundary, answer = 1, None
    while answer is None:
        made = site.ask("requestMachines", {"template": {"templateId": "small", "machineCount": MACHINES}})
        cloud.made += our_servers(cloud)
        machines = ended(site, made["requestId"])["machines"]
        answer = killed_at(site, boundary, "requestReturnMachines", {"machines": machines})
        if answer is None:
            return_machines(site, machines)
            boundary += step
        else:
            assert ended(site, answer["requestId"])["status"] == "complete"
        assert not our_servers(cloud)
    assert boundary > 2 * (2 * MACHINES + 1)


def test_get_request_status(cloud: Cloud, site: Site) -> None:
    step = stride(site, cloud)
    prepared(site)
    site.write_templates({"flavor": "huge"})
    boundary, answer = 1, None
    while answer is None:
        request_id = site.ask("requestMachines", {"template": {"templateId": "small", "machineCount": MACHINES}})[
            "requestId"
        ]
        cloud.made += our_servers(cloud)
        cloud.wait(our_servers(cloud), "ERROR")
        answer = killed_at(site, boundary, "getRequestStatus", {"requests": {"requestId": request_id}})
        done = ended(site, request_id)
        assert done["status"] == "complete_with_error"
        assert all("No valid host" in machine["message"] for machine in done["machines"])
        assert len(done["machines"]) == MACHINES
        until(lambda: cleaned_up(site, cloud), f"nothing to be left after boundary {boundary}")
        boundary += step
    assert boundary > 2 * (MACHINES + 3)


def left_behind(cloud: Cloud, site: Site) -> None:
    """Leave behind what a requestMachines does that was killed long ago: a server, its floating IP, and one without."""
    request_id = new_id()
    names = [f"hf-{request_id[4:12]}-{index}" for index in range(2)]
    for name in names:
        description = f"hfstack osinst {request_id} {name}"
        cloud.connection.network.create_ip(floating_network_id=cloud.external, description=description)
    plan = {"names": names, "requestTimeout": 1800, "floatingNetwork": cloud.external}
    site.record(request_id, "asked.json", asked=time.time() - 9999, **plan)
    tags = ["hostfactory", "hfp:osinst", f"hf:{request_id}"]
    cloud.wait(cloud.create(request_id, name=names[0], tags=tags, metadata={"hf_floating_network": cloud.external}))


def test_get_return_requests(cloud: Cloud, site: Site) -> None:
    step = stride(site, cloud)
    prepared(site)
    boundary, answer = 1, None
    while answer is None:
        left_behind(cloud, site)
        answer = killed_at(site, boundary, "getReturnRequests", {})
        until(lambda: cleaned_up(site, cloud), f"nothing to be left after boundary {boundary}")
        boundary += step
    assert boundary > 2 * (1 + 3), "the server's failure, its DELETE, and those of both floating IPs"


@pytest.mark.parametrize("part", [0.3, 0.6, 0.8, 0.9])
def test_request_machines_at_any_moment(cloud: Cloud, site: Site, part: float) -> None:
    prepared(site)
    document = {"template": {"templateId": "small", "machineCount": MACHINES}}
    begin = time.monotonic()
    return_machines(site, ended(site, site.ask("requestMachines", document)["requestId"])["machines"])
    path = site.confdir.parent / "hf_in_moment"
    path.write_text(json.dumps(document), encoding="utf-8")
    call = subprocess.Popen(
        site.command("requestMachines", path), env=site.environment(), stdout=subprocess.PIPE, start_new_session=True
    )
    took = (time.monotonic() - begin) / 4
    time.sleep(part * took)
    os.killpg(call.pid, signal.SIGKILL)
    output, _ = call.communicate()
    cloud.made += our_servers(cloud)
    if output:
        assert ended(site, parse(output)["requestId"])["status"] == "complete"
    else:
        until(lambda: cleaned_up(site, cloud), "nothing to be left")
