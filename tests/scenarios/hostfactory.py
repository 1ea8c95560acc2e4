"""HostFactory as a test plays it: what it was told decides which machines it uses."""

from __future__ import annotations

import pickle
from typing import Any, NamedTuple

from tests.scenarios import records
from tests.scenarios.inside import Inside
from tests.scenarios.sandbox_cloud import SandboxCloud
from tests.scenarios.site import parse
from tests.scenarios.steps import request


class Moment(NamedTuple):
    """A moment that a test can go back to."""

    records: dict[str, tuple[bytes, int]]
    servers: bytes
    succeeded: frozenset[str]
    returned: frozenset[str]
    requests: tuple[str, ...]


class HostFactory:
    """Calls the commands, and remembers what they answered."""

    def __init__(self, sandbox: SandboxCloud, site: Inside) -> None:
        self.sandbox, self.site = sandbox, site
        self.succeeded: set[str] = set()
        """Ids of the machines that it was told to use, at the end of a request."""
        self.returned: set[str] = set()
        """Ids of the machines that it returned."""
        self.lost: set[str] = set()
        """Ids of the machines that getReturnRequests reported."""
        self.requests: list[str] = []
        """The ids of the requests that it knows."""

    @property
    def used(self) -> set[str]:
        """The ids of the machines that it uses."""
        return self.succeeded - self.returned

    # What it does

    def create(self, count: int, *, known: bool = True) -> str:
        """Request machines, and learn of the id if that is known."""
        request_id = request(self.site, count)
        if known:
            self.requests.append(request_id)
        return request_id

    def poll(self, *request_ids: str) -> list[dict[str, Any]]:
        """Poll requests, and use the machines of those that are over."""
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

    def reclaim(self, *machines: dict[str, Any]) -> None:
        """Ask which machines to return, of these or of all; housekeeping follows."""
        named = [{"name": one["name"], "machineId": one["machineId"]} for one in machines]
        answer = parse(self.site.run({"machines": named} if named else {}, "getReturnRequests").stdout)
        assert "internal error" not in answer["message"], answer
        self.lost |= {one["machineId"] for one in answer["requests"]}

    # Its cloud

    def servers_of(self, request_id: str) -> list[str]:
        """Return the ids of the servers of a request."""
        servers = self.sandbox.sandbox.cloud.servers.values()
        return [server.id for server in servers if f"hf:{request_id}" in server.tags]

    def alive(self) -> set[str]:
        """Return the ids of the servers of this provider instance that exist and are not being deleted."""
        cloud = self.sandbox.sandbox.cloud
        with cloud.lock:
            phases = {one.id: one.at(cloud.now()) for one in cloud.servers.values() if "hfp:osinst" in one.tags}
        return {one for one, phase in phases.items() if not phase.hidden and phase.task_state != "deleting"}

    # Time

    def moment(self) -> Moment:
        """Return this moment."""
        with self.sandbox.sandbox.cloud.lock:
            servers = pickle.dumps(self.sandbox.sandbox.cloud.servers)
        told = frozenset(self.succeeded), frozenset(self.returned), tuple(self.requests)
        return Moment(records.tree(self.site), servers, *told)

    def go_back(self, moment: Moment) -> None:
        """Go back to a moment."""
        records.put_back(self.site, moment.records)
        with self.sandbox.sandbox.cloud.lock:
            self.sandbox.sandbox.cloud.servers = pickle.loads(moment.servers)
        self.succeeded, self.returned, self.lost = {*moment.succeeded}, {*moment.returned}, set()
        self.requests = [*moment.requests]
        self.site.forget_log()

    def age_servers(self, seconds: float, *request_ids: str) -> None:
        """Make the servers of some requests, else all, look as if they had been created some seconds earlier."""
        with self.sandbox.sandbox.cloud.lock:
            for server in self.sandbox.sandbox.cloud.servers.values():
                if not request_ids or any(f"hf:{one}" in server.tags for one in request_ids):
                    server.created -= seconds

    def age(self, seconds: float, *request_ids: str) -> None:
        """Let time pass for some requests, else for all, and for their servers."""
        records.age(self.site, seconds, *request_ids)
        self.age_servers(seconds, *request_ids)
