"""The rules of HostFactory's game that a schema cannot say. Pure: answers in, sentences about breaches out.

Sources: IBM's HostFactory custom provider reference, and what running systems are known to do with an answer: the host
name joins a machine with the cluster's host, `launchtime` is its age, a machine without an address is of no use.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hfstack import states
from hfstack.schema import Machine, RequestStatus, ReturnRequestsDocument, StatusDocument, TemplatesDocument

NEEDED = ("type", "ncpus", "nram")
"""Attributes without which HostFactory has no use for a template."""

Named = dict[str, dict[str, str]]
"""Machines as requestReturnMachines takes them, `{"name": …, "machineId": …}`, by their ids."""

STEADY = ("name", "launchtime", "privateIpAddress")
"""What HostFactory goes by, once it has taken a machine."""


# Templates


def templates(document: TemplatesDocument) -> list[str]:
    """Check what getAvailableTemplates offers."""
    ids = [one["templateId"] for one in document["templates"]]
    breaches = [] if ids else ["found no template, wanted at least one: HostFactory drops a provider that has none"]
    breaches += [f"found the template {one} {times} times, wanted it once" for one, times in twice(ids)]
    for template in document["templates"]:
        attributes, name = template["attributes"], template["templateId"]
        breaches += [f"template {name} has no attribute {one}" for one in NEEDED if one not in attributes]
        breaches += [
            f"template {name}: attribute {key} has {counted(len(pair), 'string')}, wanted its type and its value"
            for key, pair in attributes.items()
            if len(pair) != 2
        ]
    return breaches


def unfit(document: TemplatesDocument, template_id: str, machines: int) -> str:
    """Say why that many machines of a template cannot be asked for; "" if they can."""
    offered = {one["templateId"]: one["maxNumber"] for one in document["templates"]}
    if template_id not in offered:
        return f"there is no template {template_id}, only {', '.join(offered) or 'none at all'}"
    most = offered[template_id]
    if 0 <= most < machines:
        return f"template {template_id} allows {counted(most, 'machine')}, wanted at least {machines}"
    return ""


# Requests


def request_id(found: object) -> str:
    """Take the request id out of an answer, whatever else is wrong with it; "" if there is none."""
    value = found.get("requestId") if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""


def machines_in(found: object) -> Named:
    """Take the machines out of an answer of getRequestStatus, whatever else is wrong with it."""
    named: Named = {}
    for request in as_list(found.get("requests") if isinstance(found, dict) else None):
        for machine in as_list(request.get("machines")):
            machine_id, name = machine.get("machineId"), machine.get("name")
            if isinstance(machine_id, str) and machine_id:
                named[machine_id] = {"name": name if isinstance(name, str) else "", "machineId": machine_id}
    return named


def as_list(value: object) -> list[dict[str, Any]]:
    """Return the objects in a list, or the one object that stands for a list."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


def the_one(document: StatusDocument, wanted: str, in_list: bool) -> tuple[RequestStatus | None, list[str]]:
    """Find the answer to the one request that was asked for, in the container in which it was asked for."""
    requests = document["requests"]
    breaches = []
    if isinstance(requests, list) != in_list:
        breaches.append(f"requests is {container(not in_list)}, wanted {container(in_list)} as in the question")
    answers = requests if isinstance(requests, list) else [requests]
    found = [one for one in answers if one["requestId"] == wanted]
    if len(found) != 1 or len(answers) != 1:
        ids = ", ".join(one["requestId"] for one in answers) or "none"
        breaches.append(f"found answers to the requests {ids}, wanted one to {wanted}")
    return (found[0] if found else None), breaches


def container(in_list: bool) -> str:
    """Name a container."""
    return "a list" if in_list else "an object"


def coherent(answer: RequestStatus, going: bool) -> list[str]:
    """Check what holds in every answer to a request for machines, or if `going` to a return of machines."""
    machines, status = answer["machines"], answer["status"]
    breaches = [
        f"{times} machines have the {key} {value}, wanted a different one for each"
        for key, values in (
            ("machineId", [one["machineId"] for one in machines]),
            ("name", [one["name"] for one in machines]),
        )
        for value, times in twice(values)
    ]
    results = {one["result"] for one in machines}
    if status == "complete" and results - {states.SUCCEED}:
        breaches.append(f"found complete with machines that are {', '.join(sorted(results))}, wanted succeed for all")
    if status == "complete_with_error" and states.EXECUTING in results:
        breaches.append("found complete_with_error with machines that are executing, wanted running")
    if status == "complete_with_error" and not answer["message"]:
        breaches.append("found complete_with_error without a message")
    for machine in machines:
        breaches += [f"machine {machine['name'] or machine['machineId']}: {one}" for one in amiss(machine, going)]
    return breaches


def amiss(machine: Machine, going: bool) -> Iterator[str]:
    """Check one machine."""
    for key in ("machineId", "name"):
        if not machine[key]:
            yield f"its {key} is empty"
    if machine["result"] == states.SUCCEED and not going and not machine["privateIpAddress"]:
        yield "found succeed without a private address, wanted executing until there is one"
    if machine["result"] == states.FAIL and not machine["message"]:
        yield "found fail without a message"
    if machine["launchtime"] <= 0:
        yield f"its launchtime is {machine['launchtime']}, wanted seconds since 1970"


def steady(ready: Mapping[str, Machine], answer: RequestStatus) -> list[str]:
    """Check that the machines which were once reported as `succeed` are what they were; `ready` has them by id."""
    now = {one["machineId"]: one for one in answer["machines"]}
    breaches = []
    for machine_id, before in ready.items():
        if machine_id not in now:
            breaches.append(f"machine {before['name']} was succeed and is not reported any more")
            continue
        was: Mapping[str, object] = before
        has: Mapping[str, object] = now[machine_id]
        breaches += [
            f"machine {before['name']}: its {key} changed after succeed, from {was[key]} to {has[key]}"
            for key in STEADY
            if was[key] != has[key]
        ]
    return breaches


def settled(first: RequestStatus, again: RequestStatus) -> list[str]:
    """Check that a request which has ended is answered in the same way when it is asked for again."""
    if again["status"] != first["status"]:
        return [f"the request had ended with {first['status']}, asked again it is {again['status']}"]
    return []


def came(answer: RequestStatus, machines: int) -> list[str]:
    """Check the last answer to a request for machines."""
    if answer["status"] != "complete":
        return [f"the machines did not come: {answer['status']}, {answer['message']}"]
    if len(answer["machines"]) != machines:
        return [f"found complete with {counted(len(answer['machines']), 'machine')}, wanted {machines}"]
    return []


def went(answer: RequestStatus, given: Named) -> list[str]:
    """Check the last answer to a return of the machines `given`."""
    found = {one["machineId"]: one for one in answer["machines"]}
    breaches = [
        f"machine {one['name'] or machine_id} was returned and is not in the answer"
        for machine_id, one in given.items()
        if machine_id not in found
    ]
    for machine in answer["machines"]:
        result, status = machine["result"], machine.get("status", "no status")
        if (result, status) != (states.SUCCEED, states.TERMINATED):
            why = f" ({machine['message']})" if machine["message"] else ""
            breaches.append(f"machine {machine['name']} was returned and is {result}, {status}{why}, wanted terminated")
    return breaches


def gone(answer: RequestStatus) -> set[str]:
    """Return the ids of the machines that are gone, as a return says."""
    return {one["machineId"] for one in answer["machines"] if one["result"] == states.SUCCEED}


# Machines that the cloud took away


def reclaimed(document: ReturnRequestsDocument, machines: Mapping[str, Machine]) -> list[str]:
    """Check that getReturnRequests reports only machines that failed; `machines` are this run's, as last polled."""
    by_name = {one["name"]: one for one in machines.values()}
    reported = [machines.get(one["machineId"]) or by_name.get(one["machine"]) for one in document["requests"]]
    return [
        f"machine {one['name']} is to be returned, but its result is still succeed"
        for one in reported
        if one and one["result"] == states.SUCCEED
    ]


def counted(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def twice(values: Iterable[str]) -> list[tuple[str, int]]:
    """Return the values that are there more than once, and how often."""
    return [(value, times) for value, times in Counter(values).items() if times > 1]
