"""The control port: plain HTTP and JSON, for tests and demonstrations.

    GET    /status                  services, ports, servers by status, requests counted
    GET    /requests                [[service, method, path?query, status or null, request headers], ...], newest last
    DELETE /requests                clear the list
    GET    /knobs                   all knobs (`knobs.Knobs`)
    PUT    /knobs                   {knob: value, ...}; knobs left out stay as they are
    POST   /services/NAME/stop      keystone, nova, neutron, glance: cut and refuse connections;
                                    database: Nova and Neutron answer 500
    POST   /services/NAME/start     accept connections on the same port again
    GET    /faults                  all faults (`faults.Fault`), with the remaining `skip` and `times`
    POST   /faults                  add one
    DELETE /faults                  remove all, and end the delays in progress
    POST   /servers                 {count, name_prefix, tags, metadata, project}: create ACTIVE servers; answers {ids}
    PUT    /servers/ID              force a state: vm_state, task_state, power_state, launched_at, terminated_at,
                                    created, fault (a message or {message, code, details}), name, tags, metadata,
                                    locked, locked_reason, addresses (as Nova shows them), down (its cell does not
                                    answer), gone (erased without a deleted row). Times are epoch seconds or ISO.
    GET    /servers                 id, name, project, status, vm_state, task_state of all, including deleted ones
    POST   /tokens/expire           make every token issued so far expire

Errors are 400 and 404 with {"error": sentence}.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hfstack.sandbox import inventory, lifecycle
from hfstack.sandbox.faults import Fault, Faults, Journal
from hfstack.sandbox.http_server import Service
from hfstack.sandbox.routing import Answer, HttpError, Request, Routes, answer_json
from hfstack.sandbox.state import Cloud, Server

ROUTES = Routes()

_PHASE_KEYS = ("vm_state", "task_state", "power_state", "launched_at", "terminated_at")
_RECORD_KEYS = ("name", "tags", "metadata", "locked", "locked_reason", "addresses", "down")
_TIMES = {"launched_at", "terminated_at", "created"}


class Control:
    """What the control port reads and changes."""

    def __init__(self, cloud: Cloud, services: Mapping[str, Service], faults: Faults, journal: Journal) -> None:
        self.cloud, self.services, self.faults, self.journal = cloud, services, faults, journal

    def answer(self, request: Request) -> Answer:
        """Answer one request to the control port."""
        handler = ROUTES.find(request)
        if handler is None:
            raise _error(404, f"there is no {request.method} {request.path}")
        try:
            document = request.json() if request.body else {}
            if not isinstance(document, dict):
                raise _error(400, "the body must be an object")
            return handler(self, document)
        except (ValueError, TypeError, re.error) as error:
            raise _error(400, str(error)) from error


def _error(status: int, sentence: str) -> HttpError:
    return HttpError(answer_json(status, {"error": sentence}))


def _done() -> Answer:
    return Answer(204)


@ROUTES.add("GET", "/status")
def status(control: Control, _: dict[str, Any]) -> Answer:
    """Services, ports and servers at a glance."""
    cloud = control.cloud
    services = {
        name: {
            "port": service.port,
            "url": service.url,
            "running": name not in cloud.stopped,
            "requests": control.journal.counts(name),
        }
        for name, service in control.services.items()
    }
    with cloud.lock:
        now = cloud.now()
        servers = Counter(server.at(now).status for server in cloud.servers.values())
        database = "database" not in cloud.stopped
    return answer_json(200, {"services": services, "database": {"running": database}, "servers": servers})


@ROUTES.add("GET", "/requests")
def requests(control: Control, _: dict[str, Any]) -> Answer:
    """The requests that were served."""
    return answer_json(200, control.journal.entries())


@ROUTES.add("DELETE", "/requests")
def forget_requests(control: Control, _: dict[str, Any]) -> Answer:
    """Clear the list of requests."""
    control.journal.clear()
    return _done()


@ROUTES.add("GET", "/knobs")
def knobs(control: Control, _: dict[str, Any]) -> Answer:
    """All knobs."""
    return answer_json(200, control.cloud.knobs.as_dict())


@ROUTES.add("PUT", "/knobs")
def turn(control: Control, changes: dict[str, Any]) -> Answer:
    """Change some knobs."""
    with control.cloud.lock:
        control.cloud.knobs.update(changes)
    return knobs(control, {})


@ROUTES.add("POST", "/services/{name}/stop")
def stop(control: Control, _: dict[str, Any], name: str) -> Answer:
    """Stop a service."""
    _switch(control, name, Service.stop)
    with control.cloud.lock:
        control.cloud.stopped.add(name)
    return _done()


@ROUTES.add("POST", "/services/{name}/start")
def start(control: Control, _: dict[str, Any], name: str) -> Answer:
    """Start a service."""
    with control.cloud.lock:
        control.cloud.stopped.discard(name)
    _switch(control, name, Service.start)
    return _done()


def _switch(control: Control, name: str, action: Callable[[Service], None]) -> None:
    if name in control.services:
        action(control.services[name])
    elif name != "database":
        raise _error(404, f"there is no service {name}")


@ROUTES.add("GET", "/faults")
def list_faults(control: Control, _: dict[str, Any]) -> Answer:
    """All faults."""
    return answer_json(200, control.faults.as_list())


@ROUTES.add("POST", "/faults")
def add_fault(control: Control, document: dict[str, Any]) -> Answer:
    """Add a fault."""
    fault = Fault.parse(document)
    if fault.service is not None and fault.service not in control.services:
        raise _error(404, f"there is no service {fault.service}")
    control.faults.add(fault)
    return answer_json(201, fault.as_dict())


@ROUTES.add("DELETE", "/faults")
def clear_faults(control: Control, _: dict[str, Any]) -> Answer:
    """Remove all faults."""
    control.faults.clear()
    return _done()


@ROUTES.add("GET", "/servers")
def list_servers(control: Control, _: dict[str, Any]) -> Answer:
    """All servers of all projects."""
    cloud = control.cloud
    with cloud.lock:
        now = cloud.now()
        shown = [_shown(server, server.at(now)) for server in cloud.servers.values()]
    return answer_json(200, {"servers": shown})


def _shown(server: Server, phase: lifecycle.Phase) -> dict[str, Any]:
    return {
        "id": server.id,
        "name": server.name,
        "project": server.project_id,
        "status": phase.status,
        "vm_state": phase.vm_state,
        "task_state": phase.task_state,
    }


@ROUTES.add("POST", "/servers")
def create_servers(control: Control, wanted: dict[str, Any]) -> Answer:
    """Create servers that are ACTIVE at once."""
    name = wanted.get("project", "demo")
    owner = next((user for user in inventory.USERS if user.project.name == name), None)
    if owner is None:
        raise _error(404, f"there is no project {name}")
    cloud, prefix = control.cloud, wanted.get("name_prefix", "server")
    with cloud.lock:
        now = cloud.now()
        [phase] = lifecycle.building(now, inventory.FLAVORS[0], 0.0, 0.0)[-1:]
        ids = []
        for number in range(1, int(wanted.get("count", 1)) + 1):
            server = Server(
                str(uuid.uuid4()),
                f"{prefix}-{number}",
                owner.project.id,
                owner.id,
                now,
                [phase],
                tags=list(wanted.get("tags", [])),
                metadata=dict(wanted.get("metadata", {})),
                hostname=f"{prefix}-{number}",
            )
            port = cloud.make_port(inventory.PRIVATE, owner.project.id)
            port.made_by_nova = True
            server.ports = [port]
            cloud.servers[server.id] = server
            ids.append(server.id)
    return answer_json(201, {"ids": ids})


@ROUTES.add("PUT", "/servers/{server_id}")
def force(control: Control, changes: dict[str, Any], server_id: str) -> Answer:
    """Force a server's state. Keys left out stay as they are; states that were still to come are cancelled."""
    unknown = set(changes) - {*_PHASE_KEYS, *_RECORD_KEYS, "created", "fault", "gone"}
    if unknown:
        raise _error(400, f"a server has no {', '.join(sorted(unknown))}")
    cloud = control.cloud
    with cloud.lock:
        server = cloud.servers.get(server_id)
        if server is None:
            raise _error(404, f"there is no server {server_id}")
        if changes.pop("gone", False):
            del cloud.servers[server_id]
            return _done()
        now = cloud.now()
        changes = {key: _time(value) if key in _TIMES else value for key, value in changes.items()}
        _force_phase(server, now, changes)
        server.created = changes.pop("created", server.created)
        for key in _RECORD_KEYS:
            if key in changes:
                setattr(server, key, changes[key])
        return answer_json(200, _shown(server, server.at(now)))


def _force_phase(server: Server, now: float, changes: dict[str, Any]) -> None:
    forced = {key: changes[key] for key in _PHASE_KEYS if key in changes}
    if "fault" in changes:
        given = changes["fault"]
        given = {"message": given} if isinstance(given, str) else given
        forced["fault"] = given and lifecycle.Fault(created=now, **given)
    if not forced:
        return
    phase = replace(server.at(now), at=now, **forced)
    if phase.deleted:
        phase = replace(lifecycle.erased(phase, now), fault=phase.fault)
    elif phase.vm_state not in {"building", "error"} and phase.addresses_at is None:
        # a server that is forced up has everything that one has which came up by itself
        up = lifecycle.active(phase, now)
        up = replace(up, vm_state=phase.vm_state, task_state=phase.task_state, power_state=phase.power_state)
        phase = replace(up, launched_at=phase.launched_at or now, terminated_at=forced.get("terminated_at"))
    server.then(now, [phase])


def _time(value: object) -> float | None:
    """A time from JSON: epoch seconds, or ISO, in UTC unless it says otherwise."""
    if value is None or isinstance(value, int | float):
        return value
    parsed = datetime.fromisoformat(str(value))
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


@ROUTES.add("POST", "/tokens/expire")
def expire_tokens(control: Control, _: dict[str, Any]) -> Answer:
    """Make every token expire."""
    cloud = control.cloud
    with cloud.lock:
        now = cloud.now()
        for token in cloud.tokens.values():
            token.expires_at = min(token.expires_at, now)
    return _done()
