"""Management hosts whose clocks differ share a work directory: only the file system's time counts.

Host A has the right time, host B another. Each step is done by one and judged by the other.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT
from tests.scenarios import records
from tests.scenarios.clouds import Cloud, until
from tests.scenarios.inside import Inside
from tests.scenarios.sandbox_cloud import SandboxCloud
from tests.scenarios.site import Site
from tests.scenarios.steps import request, servers_of

pytestmark = pytest.mark.premise("The clocks of the management hosts agree.")

DAY = 86400
SHIFTS = {
    "100 days behind": -100 * DAY,
    "1900 s behind": -1900,
    "700 s behind": -700,
    "700 s ahead": 700,
    "1900 s ahead": 1900,
    "100 days ahead": 100 * DAY,
}

REQUEST_TIMEOUT, RETURN_TIMEOUT, UNPOLLED_TIMEOUT, ACTION_TIMEOUT, HISTORY = 1800, 1800, 3600, 300, 90 * DAY
"""The default settings, in seconds."""


class HostB(Site):
    """The same provider instance on another host, whose clock is wrong. One process serves all calls."""

    def __init__(self, site: Site, seconds: float) -> None:
        self.__dict__.update(vars(site))
        self.calls = 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.scenarios.shifted", str(seconds)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, document: object, command: str = "getRequestStatus", **env: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Call a command on this host; each host has its own token and its own log."""
        self.calls += 1
        path = self.confdir.parent / f"hf_in_b{self.calls}"
        path.write_text(json.dumps(document), encoding="utf-8")
        call = {"command": command, "file": str(path), "env": self.environment(EGOSC_INSTANCE_HOST="hostb", **env)}
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(call) + "\n")
        self.process.stdin.flush()
        done = json.loads(self.process.stdout.readline())
        return subprocess.CompletedProcess([command], done["code"], done["stdout"].encode(), b"")

    def close(self) -> None:
        """End the host."""
        self.process.communicate()


@pytest.fixture(scope="module", params=SHIFTS)
def hosts(
    request: pytest.FixtureRequest, new_inside: Callable[..., Inside], one_sandbox: SandboxCloud
) -> Iterator[tuple[Inside, HostB]]:
    """Host A, and host B whose clock is wrong."""
    assert not one_sandbox.made
    a = new_inside(httpTimeout=10)
    b = HostB(a, SHIFTS[request.param])
    yield a, b
    b.close()


@pytest.fixture(params=["A writes and B reads", "B writes and A reads"])
def pair(
    request: pytest.FixtureRequest, hosts: tuple[Inside, HostB], cloud: Cloud, tmp_path: Path
) -> tuple[Site, Site]:
    """The host that starts requests, and the other, which polls and cleans up, without any record yet."""
    assert not cloud.made
    for path in hosts[0].workdir.glob("cache"):
        path.rename(tmp_path / "cache")
    for host in hosts:
        host.workdir = tmp_path
    return hosts if request.param.startswith("A") else hosts[::-1]


def nothing_to_return(site: Site) -> None:
    """Call getReturnRequests, which also cleans up: no machine is lost."""
    assert site.ask("getReturnRequests", {})["requests"] == []


def results(answer: dict[str, Any]) -> tuple[str, set[str]]:
    return answer["status"], {machine["result"] for machine in answer["machines"]}


@contextmanager
def away(path: Path) -> Iterator[None]:
    """Have a fact not recorded yet."""
    path.rename(path.with_name(".away"))
    yield
    path.with_name(".away").rename(path)


def test_nothing_is_concluded_early(sandbox: SandboxCloud, pair: tuple[Site, Site]) -> None:
    writer, reader = pair
    sandbox.knobs(spawn_delay=600)
    made = request(writer, 2)
    ids = [server["id"] for server in servers_of(sandbox, made)]
    with away(records.folder(writer) / made / "created.json"):
        nothing_to_return(reader)
    nothing_to_return(reader)
    assert results(reader.poll_one(made)) == ("running", {"executing"})
    nothing_to_return(reader)
    assert results(writer.poll_one(made)) == ("running", {"executing"})
    sandbox.knobs()
    done = writer.poll_one(made)
    assert results(done) == ("complete", {"succeed"})
    assert reader.poll_one(made)["machines"] == done["machines"]
    nothing_to_return(reader)
    assert all(sandbox.has_status(server_id, "ACTIVE") for server_id in ids)

    sandbox.knobs(destroy_delay=600)
    returned = writer.ask("requestReturnMachines", {"machines": done["machines"]})["requestId"]
    assert results(reader.poll_one(returned)) == ("running", {"executing"})
    nothing_to_return(reader)
    assert results(writer.poll_one(returned)) == ("running", {"executing"})
    sandbox.knobs()
    sandbox.wait_gone(ids)
    nothing_to_return(reader)
    assert results(reader.poll_one(returned)) == ("complete", {"succeed"})
    nothing_to_return(reader)
    assert results(writer.poll_one(returned)) == ("complete", {"succeed"})
    assert "asked.json" in records.recorded(writer, made), "too early to forget"
    assert "asked.json" in records.recorded(writer, returned), "too early to forget"


def test_deadlines_come_by_the_time_of_the_file_system(sandbox: SandboxCloud, pair: tuple[Site, Site]) -> None:
    writer, reader = pair
    sandbox.knobs(spawn_delay=600, destroy_delay=600)
    late, unpolled, unfinished = request(writer), request(writer), request(writer)
    (server,) = servers_of(sandbox, late)
    reader.poll_one(late)
    (records.folder(writer) / unfinished / "created.json").unlink()
    left = [one["id"] for request_id in (unpolled, unfinished) for one in servers_of(sandbox, request_id)]
    for seconds, status in ((REQUEST_TIMEOUT - 60, "running"), (60, "complete_with_error")):
        age(sandbox, writer, seconds, late)
        assert reader.poll_one(late)["status"] == status
    assert is_going(sandbox, server["id"])

    for request_id, seconds in ((unpolled, UNPOLLED_TIMEOUT), (unfinished, 2 * ACTION_TIMEOUT)):
        age(sandbox, writer, seconds - 60, request_id)
        nothing_to_return(reader)
        assert not any(is_going(sandbox, one["id"]) for one in servers_of(sandbox, request_id))
        age(sandbox, writer, 61, request_id)
        nothing_to_return(reader)
        assert all(is_going(sandbox, one["id"]) for one in servers_of(sandbox, request_id))
        assert results(reader.poll_one(request_id)) == ("complete_with_error", {"fail"})
    assert sandbox.made == [server["id"], *left]


def test_a_return_is_overdue_and_forgotten_by_the_time_of_the_file_system(
    sandbox: SandboxCloud, pair: tuple[Site, Site]
) -> None:
    writer, reader = pair
    made = request(writer)
    (server,) = servers_of(sandbox, made)
    machines = writer.poll_one(made)["machines"]
    sandbox.knobs(destroy_delay=600)
    returned = writer.ask("requestReturnMachines", {"machines": machines})["requestId"]
    sandbox.force(server["id"], "active")
    sandbox.act(server["id"], "lock")
    sandbox.act(server["id"], "unlock")
    sandbox.force(server["id"], "error")
    sandbox.control("PUT", "/knobs", {"destroy_fail": "."})
    for seconds, status in ((RETURN_TIMEOUT - 60, "running"), (60, "complete_with_error")):
        age(sandbox, writer, seconds, returned)
        assert reader.poll_one(returned)["status"] == status
    sandbox.knobs()
    sandbox.restore(server["id"])
    sandbox.delete([server["id"]])
    sandbox.wait_gone([server["id"]])
    for seconds, known in ((HISTORY - DAY, True), (DAY, False)):
        age(sandbox, writer, seconds, *(one for one in (made, returned) if records.recorded(writer, one)))
        nothing_to_return(reader)
        assert [bool(records.recorded(writer, one)) for one in (made, returned)] == [known, known]


def test_an_open_request_is_never_forgotten(sandbox: SandboxCloud, pair: tuple[Site, Site]) -> None:
    writer, reader = pair
    done = request(writer)
    machines = writer.poll_one(done)["machines"]
    sandbox.knobs(spawn_delay=600)
    running = request(writer)
    assert writer.poll_one(running)["status"] == "running"
    servers = [*servers_of(sandbox, done), *servers_of(sandbox, running)]
    returned = writer.ask("requestReturnMachines", {"machines": machines})["requestId"]
    sandbox.delete([server["id"] for server in servers])
    age(sandbox, writer, 2 * HISTORY)
    for host in (reader, writer):
        host.run({}, "getReturnRequests")
        assert records.recorded(writer, returned), "HostFactory has not been told the end of this return"
        assert records.recorded(writer, running), "HostFactory has not been told the end of this request"


def test_a_fact_from_the_future_concludes_nothing(sandbox: SandboxCloud, pair: tuple[Site, Site]) -> None:
    writer, reader = pair
    sandbox.knobs(spawn_delay=600)
    polled, unpolled = request(writer), request(writer)
    servers = [*servers_of(sandbox, polled), *servers_of(sandbox, unpolled)]
    age(sandbox, writer, -1000)
    for host in (reader, writer):
        assert results(host.poll_one(polled)) == ("running", {"executing"})
        nothing_to_return(host)
    assert len(records.recorded(writer, unpolled)) == 2
    assert not any(is_going(sandbox, server["id"]) for server in servers)


def age(sandbox: SandboxCloud, site: Site, seconds: float, *request_ids: str) -> None:
    """Let time pass for some requests, else for all, and for their servers."""
    records.age(site, seconds, *request_ids)
    with sandbox.sandbox.cloud.lock:
        for server in sandbox.sandbox.cloud.servers.values():
            if not request_ids or any(f"hf:{one}" in server.tags for one in request_ids):
                server.created -= seconds


def is_going(sandbox: SandboxCloud, server_id: str) -> bool:
    """Tell whether a server is being deleted."""
    found = sandbox.show(server_id)
    return found is None or found["OS-EXT-STS:task_state"] == "deleting"


# What a poll costs


def touched(site: Site) -> dict[str, int]:
    """Return when something was last created or removed in each folder of the work directory."""
    folders = [site.workdir, *(path for path in site.workdir.rglob("*") if path.is_dir() and path.name != "cache")]
    return {str(path): path.stat().st_mtime_ns for path in folders}


def test_only_a_poll_that_depends_on_the_time_asks_for_it(cloud: Cloud, site: Site) -> None:
    site.write_templates({})
    well = request(site)
    servers_of(cloud, well)
    until(lambda: site.poll_one(well)["status"] == "complete", "the machine")
    cloud.knobs(spawn_delay=60)
    building = request(site)
    servers_of(cloud, building)
    assert site.poll_one(building)["status"] == "running"
    before = touched(site)
    assert site.poll_one(well)["status"] == "complete"
    assert touched(site) == before, "a poll of machines that are well creates no file"
    assert site.poll_one(building)["status"] == "running"
    assert touched(site) != before, "a poll of machines in BUILD compares with the file system's time"
