"""One machine in HostFactory's answer, and what its message says. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from hfstack import states
from hfstack._typing import TYPE_CHECKING
from hfstack.errors import counted
from hfstack.rules import server_record
from hfstack.rules.server_record import Server

if TYPE_CHECKING:
    from hfstack.schema import Machine, MachineStatus, Result


def entry(
    server: Server, result: Result, status: MachineStatus | None, message: str, address: str, fallback_time: int
) -> Machine:
    """Build a machine's entry from its server."""
    launched = server_record.launch_time(server)
    built: Machine = {
        "machineId": str(server["id"]),
        "name": server_record.host_name(server),
        "result": result,
        "privateIpAddress": address,
        "launchtime": fallback_time if launched is None else launched,
        "message": message,
    }
    if status is not None:
        built["status"] = status
    public = server_record.public_address(server)
    if public:
        built["publicIpAddress"] = public
    return built


def bare(
    machine_id: str, server_name: str, result: Result, status: MachineStatus | None, message: str, time: int
) -> Machine:
    """Build the entry of a machine whose server is not shown."""
    return entry({"id": machine_id, "name": server_name}, result, status, message, "", time)


def because(why: str, server: Server) -> str:
    """Add Nova's own reason to ours."""
    return ": ".join(part for part in (why, server_record.fault(server)) if part)


def state_and(message: str, server: Server) -> str:
    """Name the server's state, with the message if there is one."""
    return ", ".join(part for part in (server_record.state(server), message) if part)


def failures_of(machines: Sequence[Machine]) -> str:
    """Say in one line how many machines failed, and why the first did."""
    return summary([one for one in machines if one["result"] == states.FAIL], len(machines), "failed")


def summary(some: Sequence[Machine], total: int, what: str) -> str:
    """Say in one line of how many of all machines something is true, and why of the first."""
    return f"{len(some)} of {counted(total, 'machine')} {what}; {some[0]['name']}: {some[0]['message']}"
