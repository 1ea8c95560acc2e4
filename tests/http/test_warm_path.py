"""What a call costs: which modules it loads, and how often it asks the cloud. Real processes.

A poll that finds a cached token is what HostFactory does all day: one request for each page of servers, and nothing
loaded that this does not need.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT
from tests.http.polled import COLD, LIST, LOGIN, WARM, Polled, polled
from tests.scenarios.site import parse

SHOW = "nova GET /v2.1/servers/"


@pytest.fixture
def request_(tmp_path: Path) -> Iterator[Polled]:
    """A request of two servers."""
    with polled(tmp_path, servers=2) as one:
        yield one


# What is loaded

POLL = {
    "hfstack",
    "hfstack.rules",
    "hfstack.rules.machine_entry",
    "hfstack.rules.status",
    "hfstack.store",
    "hfstack.context",
    "hfstack.cloud",
    "hfstack.store.token_cache",
    "hfstack.cloud.connection",
    "hfstack.cloud.nova",
    "hfstack.cloud.client",
    "hfstack.cloud.transport",
    "hfstack.commands",
    "hfstack.commands.get_request_status",
    "hfstack.cli",
    "hfstack.errors",
    "hfstack.store.facts",
    "hfstack.store.folders",
    "hfstack.log",
    "hfstack.rules.server_record",
    "hfstack._files",
    "hfstack._typing",
    "hfstack.inputs",
    "hfstack.states",
    "hfstack.environment",
}

RECORDING = {
    "hfstack.actions",
    "hfstack.actions.cleanup",
    "hfstack.actions.record",
    "hfstack.rules.deletion",
    "hfstack.store.write",
}
"""What a poll loads that may have something to record or to delete."""

HEAVY = {
    "argparse",
    "ast",
    "asyncio",
    "concurrent.futures",
    "ctypes",
    "dataclasses",
    "decimal",
    "dis",
    "encodings.idna",
    "fractions",
    "hashlib",
    "http.cookiejar",
    "http.server",
    "importlib.metadata",
    "importlib.resources",
    "inspect",
    "logging",
    "multiprocessing",
    "optparse",
    "pathlib",
    "pickle",
    "platform",
    "pprint",
    "shutil",
    "sqlite3",
    "stringprep",
    "subprocess",
    "tempfile",
    "threading",
    "traceback",
    "typing",
    "unittest",
    "urllib.request",
    "uuid",
    "weakref",
    "xml",
    "zipfile",
}
"""Modules of the standard library that take their time, or bring others along that do."""

PROGRAM = """
import sys
root, found = sys.argv[1:3]
sys.path.insert(0, root)
del sys.argv[:3]
before = set(sys.modules)
from hfstack.cli import main
main(leave=lambda code: None)
with open(found, "w") as file:
    file.write(" ".join(sorted(set(sys.modules) - before)))
"""
"""Calls a command with an interpreter that has loaded nothing, and to which no installed package is known."""


def loaded(one: Polled, request_id: str) -> tuple[dict[str, Any], set[str]]:
    """Poll with nothing but the standard library; return the answer and the modules that were loaded."""
    source, found = (one.site.confdir.parent / name for name in ("input", "modules"))
    source.write_text(json.dumps({"requests": {"requestId": request_id}}), encoding="utf-8")
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        PROGRAM,
        str(ROOT),
        str(found),
        *("getRequestStatus", "-f", str(source)),
    ]
    done = subprocess.run(command, env=one.site.environment(), capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    return parse(done.stdout)["requests"], set(found.read_text(encoding="utf-8").split())


def check_loaded(modules: set[str], own: set[str]) -> None:
    """Look for what has no place in a poll."""
    assert {name for name in modules if name.partition(".")[0] == "hfstack"} == own
    assert {name.partition(".")[0] for name in modules} <= sys.stdlib_module_names | {"hfstack"}
    assert modules & HEAVY == set()


def test_a_request_that_is_over(request_: Polled) -> None:
    assert request_.poll() == COLD
    answer, modules = loaded(request_, request_.request_id)
    assert answer["status"] == "complete"
    check_loaded(modules, POLL)
    assert request_.served() == WARM


def test_a_request_that_goes_on(request_: Polled) -> None:
    request_.control("PUT", f"/servers/{request_.ids[0]}", {"vm_state": "building"})
    request_.site.poll_one(request_.request_id)
    answer, modules = loaded(request_, request_.request_id)
    assert (answer["status"], [one["result"] for one in answer["machines"]]) == ("running", ["executing", "succeed"])
    check_loaded(modules, POLL)
    assert request_.served() == [*COLD, *WARM]


@pytest.mark.parametrize("count", [1, 2])
def test_a_return_that_goes_on(request_: Polled, count: int) -> None:
    return_id = returned(request_, request_.ids[:count])
    answer, modules = loaded(request_, return_id)
    assert (answer["status"], len(answer["machines"])) == ("running", count)
    check_loaded(modules, POLL | RECORDING | {"hfstack.rules.return_status"})
    assert request_.served() == (WARM if count > 1 else [SHOW + request_.ids[0]])


# What is asked


def returned(one: Polled, ids: list[str]) -> str:
    """Return machines, which then take their time to go; return the id of the return."""
    one.control("PUT", "/knobs", {"destroy_delay": 1000})
    document = one.site.ask("requestReturnMachines", machines(ids))
    one.served()
    return str(document["requestId"])


def machines(ids: list[str], number: int = 1) -> dict[str, Any]:
    return {"machines": [{"machineId": one, "name": f"hf-polled-{number}"} for number, one in enumerate(ids, number)]}


def asked(one: Polled, command: str, document: object) -> list[str]:
    """Call a command and return what the cloud was asked."""
    one.site.ask(command, document)
    return one.served()


def test_get_available_templates_asks_nothing(request_: Polled) -> None:
    request_.site.write_templates({})
    for _ in range(2):
        assert asked(request_, "getAvailableTemplates", {}) == []
    request_.poll()
    assert asked(request_, "getAvailableTemplates", {}) == []


def test_request_machines_asks_for_names_once_a_minute_and_for_each_machine_once(request_: Polled) -> None:
    request_.site.write_templates({})
    wanted = {"template": {"templateId": "small", "machineCount": 3}}
    made = [LIST] + ["nova POST /v2.1/servers"] * 3
    names = ["glance GET /v2/images", "neutron GET /v2.0/networks", "nova GET /v2.1/flavors"]
    cold = asked(request_, "requestMachines", wanted)
    assert (cold[:2], sorted(cold[2:])) == (LOGIN, sorted([*names, *made]))
    assert sorted(asked(request_, "requestMachines", wanted)) == made


@pytest.mark.parametrize("count", [1, 2])
def test_get_request_status_asks_once(request_: Polled, count: int) -> None:
    assert [request_.poll(), request_.poll()] == [COLD, WARM]
    ids = [request_.request_id] * count
    request_.site.poll(*ids)
    assert request_.served() == WARM * count, "once for each id"


def test_get_request_status_asks_nothing_for_ids_that_no_cloud_knows(request_: Polled) -> None:
    request_.site.poll("no/such/id", "ret-of-somebody-else")
    assert request_.served() == []


def test_get_request_status_of_a_return_asks_once(request_: Polled) -> None:
    return_id = returned(request_, request_.ids)
    request_.site.forget_login()
    for expected in (COLD, WARM):
        assert request_.site.poll_one(return_id)["status"] == "running"
        assert request_.served() == expected
    alone = returned(request_, request_.ids[:1])
    request_.site.poll_one(alone)
    assert request_.served() == [SHOW + request_.ids[0]]


def test_get_request_status_of_a_return_that_is_over_asks_nothing_more(request_: Polled) -> None:
    document = request_.site.ask("requestReturnMachines", machines(request_.ids))
    assert request_.site.poll_one(document["requestId"])["status"] == "complete"
    request_.served()
    assert request_.site.poll_one(document["requestId"])["status"] == "complete"
    assert request_.served() == []


def test_get_return_requests_asks_once(request_: Polled) -> None:
    assert asked(request_, "getReturnRequests", {}) == COLD
    assert asked(request_, "getReturnRequests", {}) == WARM


def test_request_return_machines_looks_at_each_machine_and_deletes_it(request_: Polled) -> None:
    first, second = request_.ids
    assert asked(request_, "requestReturnMachines", machines([first])) == [
        *LOGIN,
        SHOW + first,
        f"nova DELETE /v2.1/servers/{first}",
    ]
    assert asked(request_, "requestReturnMachines", machines([second], number=2)) == [
        SHOW + second,
        f"nova DELETE /v2.1/servers/{second}",
    ]


@pytest.mark.parametrize(
    ("servers", "pages"),
    [
        pytest.param(999, 1, id="999"),
        pytest.param(1000, 2, id="1000"),  # Nova says of a full page that there is more
        pytest.param(1001, 2, id="1001"),
    ],
)
def test_a_thousand_servers_are_a_page(tmp_path: Path, servers: int, pages: int) -> None:
    with polled(tmp_path, servers) as one:
        assert one.poll() == [*LOGIN, *WARM * pages]
        assert one.poll() == WARM * pages


@pytest.mark.parametrize(("servers", "more"), [(1000, 0), (1001, 1)])
def test_a_thousand_returned_servers_are_a_page(tmp_path: Path, servers: int, more: int) -> None:
    with polled(tmp_path, servers) as one:
        for server_id in one.ids:
            one.control("PUT", f"/servers/{server_id}", {"task_state": "deleting"})
        records = [{"id": server_id, "name": f"hf-polled-{number}"} for number, server_id in enumerate(one.ids, 1)]
        one.site.record_return("ret-1", records)
        for login in (LOGIN, []):
            answer = one.site.poll_one("ret-1")
            assert (answer["status"], len(answer["machines"])) == ("running", servers)
            served = one.served()
            assert served[: len(login) + 1] == [*login, LIST]
            assert [name.startswith(SHOW) for name in served[len(login) + 1 :]] == [True] * more
