"""What many scenarios do: request machines, wait for the end of a request, create servers behind hfstack's back."""

from __future__ import annotations

from typing import Any

from tests.scenarios.clouds import Cloud, new_id, until
from tests.scenarios.site import Site


def request(site: Site, count: object = 1, template: str = "small") -> str:
    """Ask for machines, and return the request's id."""
    answer = site.ask("requestMachines", {"template": {"templateId": template, "machineCount": count}})
    return str(answer["requestId"])


def servers_of(cloud: Cloud, request_id: str) -> list[dict[str, Any]]:
    """Return the servers of a request, for the scenario to clear away too."""
    found: list[dict[str, Any]] = cloud.call("GET", f"/servers/detail?tags=hf:{request_id}")["servers"]
    cloud.made += [server["id"] for server in found if server["id"] not in cloud.made]
    return found


def ended(site: Site, request_id: str) -> dict[str, Any]:
    """Poll until a request has ended."""
    answers: list[dict[str, Any]] = []

    def over() -> bool:
        answers.append(site.poll_one(request_id))
        return bool(answers[-1]["status"] != "running")

    until(over, f"{request_id} to end")
    return answers[-1]


def our_tags(request_id: str, provider: str = "osinst") -> list[str]:
    """Return the tags of a server that this provider instance has made."""
    return ["hostfactory", f"hfp:{provider}", f"hf:{request_id}"]


def requested(cloud: Cloud, site: Site, count: int = 1, age: float = 0, **more: Any) -> tuple[str, list[str]]:
    """Make servers as a recorded request of this provider instance; returns its id and theirs."""
    request_id = new_id()
    ids = cloud.create(request_id, count, **{"tags": our_tags(request_id), **more})
    names = [(cloud.show(server_id) or {})["name"] for server_id in ids]
    site.record_acquire(request_id, names, ids, age)
    return request_id, ids
