"""getRequestStatus as one writes it in an afternoon: openstacksdk, pydantic, and nothing else.

    naive -f FILE

The cloud comes from the usual OS_* variables. It records nothing, deletes nothing and knows no deadline.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import openstack
from pydantic import BaseModel


class RequestId(BaseModel):
    """One request of the input document."""

    requestId: str  # noqa: N815 - HostFactory's name, as the ones below


class Input(BaseModel):
    """The input document."""

    requests: list[RequestId]


class Machine(BaseModel):
    """A machine of the answer."""

    machineId: str  # noqa: N815
    name: str
    result: str
    status: str
    privateIpAddress: str  # noqa: N815
    launchtime: int
    message: str = ""


class Status(BaseModel):
    """A request of the answer."""

    requestId: str  # noqa: N815
    status: str
    message: str = ""
    machines: list[Machine]


class Output(BaseModel):
    """The answer."""

    requests: list[Status]


RESULTS = {"ACTIVE": "succeed", "BUILD": "executing"}


def machine(server: Any) -> Machine:
    """Turn openstacksdk's server into a machine."""
    fixed = [
        address["addr"]
        for addresses in (server.addresses or {}).values()
        for address in addresses
        if address["OS-EXT-IPS:type"] == "fixed"
    ]
    return Machine(
        machineId=server.id,
        name=server.name,
        result=RESULTS.get(server.status, "fail"),
        status="running",
        privateIpAddress=fixed[0] if fixed else "",
        launchtime=0,
    )


def main() -> None:
    """Answer the input document."""
    document = Input.model_validate_json(Path(sys.argv[2]).read_text(encoding="utf-8"))
    cloud = openstack.connect()
    answers = []
    for request in document.requests:
        servers = cloud.compute.servers(details=True, tags=f"hf:{request.requestId}")
        machines = [machine(server) for server in servers]
        over = all(one.result == "succeed" for one in machines)
        answers.append(Status(requestId=request.requestId, status="complete" if over else "running", machines=machines))
    print(Output(requests=answers).model_dump_json())


if __name__ == "__main__":
    main()
