"""`POST /servers/ID/action`: from which states Nova allows what, and where it leads."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hfstack.sandbox import lifecycle
from hfstack.sandbox.inventory import IMAGE_ID, Flavor
from hfstack.sandbox.lifecycle import PAUSED, RUNNING, SHUTDOWN, Phase
from hfstack.sandbox.nova import views
from hfstack.sandbox.nova.api import ROUTES, Call, bad_request, conflict, invalid, policy
from hfstack.sandbox.nova.creating import check_quota, flavor_by_id, password
from hfstack.sandbox.routing import JSON, Answer, answer_json
from hfstack.sandbox.state import Action, Server


@dataclass(frozen=True)
class Change:
    """An action that is a task and then another state."""

    allowed: frozenset[str]
    task: str | None
    result: dict[str, Any] = field(default_factory=dict)


def _change(allowed: str, task: str | None, vm_state: str, power_state: int) -> Change:
    return Change(frozenset(allowed.split()), task, {"vm_state": vm_state, "power_state": power_state})


CHANGES = {
    "os-start": _change("stopped", "powering-on", "active", RUNNING),
    "os-stop": _change("active error", "powering-off", "stopped", SHUTDOWN),
    "pause": _change("active", "pausing", "paused", PAUSED),
    "unpause": _change("paused", "unpausing", "active", RUNNING),
    "suspend": _change("active", "suspending", "suspended", SHUTDOWN),
    "resume": _change("suspended", "resuming", "active", RUNNING),
    "rescue": _change("active stopped error", "rescuing", "rescued", RUNNING),
    "unrescue": _change("rescued", "unrescuing", "active", RUNNING),
    "confirmResize": _change("resized", None, "active", RUNNING),
    "revertResize": _change("resized", "resize_reverting", "active", RUNNING),
    "resize": _change("active stopped", "resize_prep", "resized", RUNNING),
    "rebuild": _change("active stopped error", "rebuilding", "active", RUNNING),
    "shelve": _change("active stopped paused suspended", "shelving", "shelved_offloaded", SHUTDOWN),
    "shelveOffload": _change("shelved", "shelving_offloading", "shelved_offloaded", SHUTDOWN),
    "unshelve": _change("shelved shelved_offloaded", "unshelving", "active", RUNNING),
    "restore": _change("soft-delete", "restoring", "active", RUNNING),
}
"""From which vm_states, through which task, to what (`check_instance_state` in nova/compute/api.py)."""

_REBOOTS = {
    "SOFT": _change("active", "rebooting", "active", RUNNING),
    "HARD": _change("active stopped paused suspended error", "rebooting_hard", "active", RUNNING),
}
_ADMINS = {
    "os-resetState": "os-admin-actions:reset_state",
    "shelveOffload": "os-shelve:shelve_offload",
}
_LAUNCHES = {"rescue", "unrescue", "rebuild", "unshelve"}
"""What sets `launched_at` again."""


@dataclass(frozen=True)
class _Order:
    """A requested action, and the server with its phase."""

    call: Call
    server: Server
    phase: Phase
    name: str
    argument: dict[str, Any]


@ROUTES.add("POST", "/v2.1/servers/{server_id}/action")
def act(call: Call, server_id: str) -> Answer:
    """Do one of the actions."""
    try:
        document = call.request.json()
    except ValueError:
        document = None
    if not isinstance(document, dict) or len(document) != 1:
        raise bad_request("Malformed request body")
    ((name, argument),) = document.items()
    if name not in CHANGES and name not in _OTHERS:
        raise bad_request(f"There is no such action: {name}")
    server, phase = call.server(server_id)
    if name in _ADMINS and not call.token.is_admin:
        raise policy(_ADMINS[name])
    if name != "unlock":
        check_lock(call, server)
    order = _Order(call, server, phase, name, argument if isinstance(argument, dict) else {})
    answer = _OTHERS.get(name, _do_change)(order)
    record_action(call, server, name.removeprefix("os-"))
    return answer


def check_lock(call: Call, server: Server) -> None:
    """Raise Nova's 409 for a locked server, unless the caller is an administrator."""
    if server.locked and not call.token.is_admin:
        raise conflict(f"Instance {server.id} is locked")


def record_action(call: Call, server: Server, name: str) -> None:
    """Record an action for `os-instance-actions`."""
    server.actions.append(Action(name, call.request_id, call.token.user.id, call.now))


def delete(call: Call, server: Server, phase: Phase) -> None:
    """What DELETE does to a server, apart from its lock."""
    knobs = call.cloud.knobs
    if phase.task_state in {"deleting", "soft-deleting"}:
        return  # Nova ignores the request: the deletion is in progress
    if phase.scheduling:
        # only the build request exists, and nothing remains of it
        del call.cloud.servers[server.id]
    elif knobs.soft_delete and phase.launched_at is not None:
        server.then(call.now, lifecycle.soft_deleting(phase, call.now, knobs.destroy_delay))
    else:
        failure = _destroy_failure(call, server)
        server.then(call.now, lifecycle.deleting(phase, call.now, knobs.destroy_delay, failure))


def _destroy_failure(call: Call, server: Server) -> str | None:
    pattern = call.cloud.knobs.destroy_fail
    if pattern and re.search(pattern, server.name):
        return "Failed to terminate instance: the hypervisor refused"
    if "neutron" in call.cloud.stopped:
        return "ConnectFailure"
    return None


def _check_state(order: _Order, allowed: frozenset[str]) -> None:
    verb, phase = order.name.removeprefix("os-"), order.phase
    for attribute, state, fits in (
        ("vm_state", phase.vm_state, phase.vm_state in allowed),
        ("task_state", phase.task_state, phase.task_state is None),
    ):
        if not fits:
            raise conflict(f"Cannot '{verb}' instance {order.server.id} while it is in {attribute} {state}")


def _do_change(order: _Order) -> Answer:
    change = CHANGES[order.name]
    result = dict(change.result)
    if order.name == "resize":
        result["flavor"] = _new_flavor(order)
    _check_state(order, change.allowed)
    if order.name == "resize":
        order.server.old_flavor = order.phase.flavor
    if order.name == "revertResize" and order.server.old_flavor:
        result["flavor"] = order.server.old_flavor
    _let(order, change.task, result)
    if order.name == "rescue":
        return answer_json(200, {"adminPass": password()})
    return Answer(202, headers=[("Content-Type", JSON)])


def _let(order: _Order, task: str | None, result: dict[str, Any]) -> None:
    """Take a server through a task to a result, in the time that a build takes."""
    now, delay = order.call.now, order.call.cloud.knobs.spawn_delay
    result["on_host"] = result["vm_state"] != "shelved_offloaded"
    if order.name in _LAUNCHES:
        result["launched_at"] = now + delay
    order.server.then(now, lifecycle.changing(order.phase, now, delay, task, result))


def _new_flavor(order: _Order) -> Flavor:
    flavor = flavor_by_id(str(order.argument.get("flavorRef")))
    if flavor == order.phase.flavor:
        raise bad_request("When resizing, instances must change flavor!")
    return flavor


def _reboot(order: _Order) -> Answer:
    change = _REBOOTS["HARD" if str(order.argument.get("type")).upper() == "HARD" else "SOFT"]
    _check_state(order, change.allowed)
    _let(order, change.task, dict(change.result))
    return Answer(202, headers=[("Content-Type", JSON)])


def _rebuild(order: _Order) -> Answer:
    if order.argument.get("imageRef") != IMAGE_ID:
        raise bad_request("Cannot find image for rebuild")
    _do_change(order)
    record = views.detail(order.call, order.server)
    record["adminPass"] = password()
    if order.call.minor >= 57:
        record["user_data"] = order.server.user_data
    return answer_json(202, {"server": record}, ("location", record["links"][0]["href"]))


def _lock(order: _Order) -> Answer:
    server, reason = order.server, order.argument.get("locked_reason")
    server.locked = order.name == "lock"
    server.locked_reason = reason if server.locked and order.call.minor >= 73 else None
    server.touched = order.call.now
    return Answer(202, headers=[("Content-Type", JSON)])


def _force_delete(order: _Order) -> Answer:
    call, failure = order.call, _destroy_failure(order.call, order.server)
    delay = call.cloud.knobs.destroy_delay
    order.server.then(call.now, lifecycle.deleting(order.phase, call.now, delay, failure))
    return Answer(202, headers=[("Content-Type", JSON)])


def _restore(order: _Order) -> Answer:
    check_quota(order.call, 1, 1)
    return _do_change(order)


def _reset_state(order: _Order) -> Answer:
    state = order.argument.get("state")
    if state not in {"active", "error"}:
        raise invalid("state", state, f"{state!r} is not one of ['active', 'error']")
    now = order.call.now
    order.server.then(now, [replace(order.phase, at=now, vm_state=state, task_state=None)])
    return Answer(202, headers=[("Content-Type", JSON)])


_OTHERS: dict[str, Callable[[_Order], Answer]] = {
    "reboot": _reboot,
    "rebuild": _rebuild,
    "lock": _lock,
    "unlock": _lock,
    "forceDelete": _force_delete,
    "restore": _restore,
    "os-resetState": _reset_state,
}
