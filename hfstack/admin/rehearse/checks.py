"""HostFactory's rules that a schema cannot express. Pure: takes answers, returns a sentence for each violation.

Sources: IBM's HostFactory custom provider reference, and what running systems do with an answer. The host name connects
a machine with the cluster's host, `launchtime` is its age, and a machine without an address cannot be used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hfstack import states
from hfstack.errors import counted
from hfstack.schema import Machine, RequestStatus, ReturnRequestsDocument, StatusDocument, TemplatesDocument

NEEDED = ("type", "ncpus", "nram")
"""Attributes without which HostFactory cannot use a template."""

Machines = dict[str, dict[str, str]]
"""Machines as requestReturnMachines takes them, `{"name": …, "machineId": …}`, by their ids."""

FIXED = ("name", "launchtime", "privateIpAddress")
"""What must not change once a machine has succeeded: HostFactory has taken it by then."""


# Templates


def templates(document: TemplatesDocument) -> list[str]:
    """Check what getAvailableTemplates offers."""
    ids = [template["templateId"] for template in document["templates"]]
    violations = [] if ids else ["found no template, wanted at least one: HostFactory drops a provider without any"]
    violations += [f"found the template {one} {times} times, wanted it once" for one, times in repeated(ids)]
    for template in document["templates"]:
        attributes, name = template["attributes"], template["templateId"]
        violations += [f"template {name} has no attribute {key}" for key in NEEDED if key not in attributes]
        violations += [
            f"template {name}: attribute {key} has {counted(len(pair), 'string')}, wanted its type and its value"
            for key, pair in attributes.items()
            if len(pair) != 2
        ]
    return violations


def not_offered(document: TemplatesDocument, template_id: str, machines: int) -> str:
    """Say why so many machines of a template cannot be requested; "" if they can."""
    offered = {template["templateId"]: template["maxNumber"] for template in document["templates"]}
    if template_id not in offered:
        return f"there is no template {template_id}, only {', '.join(offered) or 'none at all'}"
    most = offered[template_id]
    if 0 <= most < machines:
        return f"template {template_id} allows {counted(most, 'machine')}, wanted at least {machines}"
    return ""


# Requests


def request_id(found: object) -> str:
    """Return the request id in an answer, however invalid it is otherwise; "" if there is none."""
    value = found.get("requestId") if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""


def machines_in(found: object) -> Machines:
    """Return the machines in an answer of getRequestStatus, however invalid it is otherwise."""
    machines: Machines = {}
    for request in objects(found.get("requests") if isinstance(found, dict) else None):
        for machine in objects(request.get("machines")):
            machine_id, name = machine.get("machineId"), machine.get("name")
            if isinstance(machine_id, str) and machine_id:
                machines[machine_id] = {"name": name if isinstance(name, str) else "", "machineId": machine_id}
    return machines


def objects(value: object) -> list[dict[str, Any]]:
    """Return the objects in a list, or the one object that stands for a list."""
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]


def only_request(document: StatusDocument, wanted: str, in_list: bool) -> tuple[RequestStatus | None, list[str]]:
    """Find the one request that was polled; the answer must use a list or an object as the question did."""
    requests = document["requests"]
    violations = []
    if isinstance(requests, list) != in_list:
        violations.append(f"requests is {container(not in_list)}, wanted {container(in_list)} as in the question")
    answers = requests if isinstance(requests, list) else [requests]
    found = [request for request in answers if request["requestId"] == wanted]
    if len(found) != 1 or len(answers) != 1:
        ids = ", ".join(request["requestId"] for request in answers) or "none"
        violations.append(f"found answers to the requests {ids}, wanted one to {wanted}")
    return (found[0] if found else None), violations


def container(in_list: bool) -> str:
    """Name a container."""
    return "a list" if in_list else "an object"


def consistent(request: RequestStatus, returning: bool) -> list[str]:
    """Check what holds for every answer to a request for machines, or to a return if `returning`."""
    machines, status = request["machines"], request["status"]
    violations = [
        f"{times} machines have the {key} {value}, wanted a different one for each"
        for key, values in (
            ("machineId", [machine["machineId"] for machine in machines]),
            ("name", [machine["name"] for machine in machines]),
        )
        for value, times in repeated(values)
    ]
    results = {machine["result"] for machine in machines}
    if status == "complete" and results - {states.SUCCEED}:
        violations.append(f"found complete with machines that are {', '.join(sorted(results))}, wanted succeed for all")
    if status == "complete_with_error" and states.EXECUTING in results:
        violations.append("found complete_with_error with machines that are executing, wanted running")
    if status == "complete_with_error" and not request["message"]:
        violations.append("found complete_with_error without a message")
    for machine in machines:
        name = machine["name"] or machine["machineId"]
        violations += [f"machine {name}: {sentence}" for sentence in machine_violations(machine, returning)]
    return violations


def machine_violations(machine: Machine, returning: bool) -> Iterator[str]:
    """Check one machine."""
    for key in ("machineId", "name"):
        if not machine[key]:
            yield f"its {key} is empty"
    if machine["result"] == states.SUCCEED and not returning and not machine["privateIpAddress"]:
        yield "found succeed without a private address, wanted executing until there is one"
    if machine["result"] == states.FAIL and not machine["message"]:
        yield "found fail without a message"
    if machine["launchtime"] <= 0:
        yield f"its launchtime is {machine['launchtime']}, wanted seconds since 1970"


def unchanged(succeeded: Mapping[str, Machine], request: RequestStatus) -> list[str]:
    """Check that machines stay what they were when they first succeeded; `succeeded` has them by id."""
    now = {machine["machineId"]: machine for machine in request["machines"]}
    violations = []
    for machine_id, before in succeeded.items():
        if machine_id not in now:
            violations.append(f"machine {before['name']} had succeeded, but is no longer reported")
            continue
        was: Mapping[str, object] = before
        has: Mapping[str, object] = now[machine_id]
        violations += [
            f"machine {before['name']}: its {key} changed after succeed, from {was[key]} to {has[key]}"
            for key in FIXED
            if was[key] != has[key]
        ]
    return violations


def same_status(first: RequestStatus, again: RequestStatus) -> list[str]:
    """Check that a request that has ended has the same status at the next poll."""
    if again["status"] != first["status"]:
        return [f"the request had ended with {first['status']}, but at the next poll it is {again['status']}"]
    return []


def all_created(last: RequestStatus, machines: int) -> list[str]:
    """Check the last answer to a request for machines."""
    if last["status"] != "complete":
        return [f"the machines were not created: {last['status']}, {last['message']}"]
    if len(last["machines"]) != machines:
        return [f"found complete with {counted(len(last['machines']), 'machine')}, wanted {machines}"]
    return []


def all_returned(last: RequestStatus, machines: Machines) -> list[str]:
    """Check the last answer to a return of these machines."""
    answered = {machine["machineId"] for machine in last["machines"]}
    violations = [
        f"machine {machine['name'] or machine_id} was returned, but is not in the answer"
        for machine_id, machine in machines.items()
        if machine_id not in answered
    ]
    for machine in last["machines"]:
        result, status = machine["result"], machine.get("status", "no status")
        if (result, status) != (states.SUCCEED, states.TERMINATED):
            why = f" ({machine['message']})" if machine["message"] else ""
            violations.append(
                f"machine {machine['name']} was returned, but is {result}, {status}{why}, wanted succeed, terminated"
            )
    return violations


def deleted(request: RequestStatus) -> set[str]:
    """Return the ids of the machines that an answer to a return reports as deleted."""
    return {machine["machineId"] for machine in request["machines"] if machine["result"] == states.SUCCEED}


# Return requests


def return_requests(document: ReturnRequestsDocument, machines: Mapping[str, Machine]) -> list[str]:
    """Check that getReturnRequests reports only machines that failed; `machines` are this run's, as last polled."""
    by_name = {machine["name"]: machine for machine in machines.values()}
    reported = [machines.get(one["machineId"]) or by_name.get(one["machine"]) for one in document["requests"]]
    return [
        f"machine {machine['name']} is to be returned, but its result is still succeed"
        for machine in reported
        if machine and machine["result"] == states.SUCCEED
    ]


# Wording


def repeated(values: Iterable[str]) -> list[tuple[str, int]]:
    """Return the values that occur more than once, and how often."""
    return [(value, times) for value, times in Counter(values).items() if times > 1]
