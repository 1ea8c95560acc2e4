"""POSTs whose outcome is unclear: the status says so at once, and each of them ends.

The case c30, in which Nova answers every POST with 500, is among them.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hfstack.sandbox import Sandbox
from hfstack.sandbox.faults import Fault
from hfstack.store import folders
from tests.http.conftest import Call
from tests.scenarios.site import Site, check

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.premise("OpenStack answers, and its answer is whole."),
]

C30 = '{"computeFault": {"code": 500, "message": "Unexpected API Error."}}'
POST: dict[str, Any] = {"service": "nova", "method": "POST", "path": "/servers$"}
LIST: dict[str, Any] = {"service": "nova", "method": "GET", "path": "/servers/detail"}

UNCLEAR = {
    "c30": (Fault(**POST, status=500, body=C30), "Nova failed: 500 Unexpected API Error."),
    "503": (Fault(**POST, status=503, headers={"Content-Type": "text/plain"}, body="Busy."), "503 Busy."),
    "reset before": (Fault(**POST, drop="before"), "cannot reach"),
    "timeout": (Fault(**POST, delay=60, status=500), "no answer in time"),
    "202 without a server": (Fault(**POST, status=202, body="{}"), "does not describe a new server"),
    "202 without JSON": (Fault(**POST, status=202), "Nova answered 202 with a malformed body"),
}
"""POSTs that create nothing, and what is said of them."""

CARRIED_OUT = {
    "500": Fault(**POST, act_first=True, status=500, body=C30),
    "reset after": Fault(**POST, drop="after"),
    "reset in the answer": Fault(**POST, drop="mid"),
    "timeout": Fault(**POST, act_first=True, delay=60),
    "202 without a server": Fault(**POST, act_first=True, status=202, body="{}"),
}
"""POSTs that create the server all the same."""


class Bank:
    """A sandbox, and a site that requests machines from it."""

    def __init__(self, sandbox: Sandbox, folder: Path, call: Call) -> None:
        self.sandbox, self.call = sandbox, call
        clouds = folder / "clouds.yaml"
        sandbox.write_clouds_yaml(str(clouds))
        self.site = Site(folder / "site", "source", clouds)
        self.site.write_templates({})
        self.settings: dict[str, object] = {}
        self.affected = 0
        """How many POSTs met the fault."""

    def request(self, fault: Fault, *others: Fault) -> tuple[str, list[str]]:
        """Request two machines while there are faults; returns the request's id and the names of its machines."""
        timeout = 1 if fault.delay else 30
        self.site.configure(cloud="member", httpTimeout=timeout, createConcurrency=1, **self.settings)
        # it counts the requests as they arrive; the journal has them only once they are answered
        counting = replace(fault, times=100)
        for one in (counting, *others):
            self.sandbox.faults.add(one)
        wanted = {"template": {"templateId": "small", "machineCount": 2}}
        answer = self.call("requestMachines", wanted, self.site.environment())
        self.sandbox.faults.clear()
        self.affected = 100 - counting.times
        return answer["requestId"], self.fact(answer["requestId"], "asked")["names"]

    def poll(self, request_id: str) -> dict[str, Any]:
        document = {"requests": {"requestId": request_id}}
        answer: dict[str, Any] = self.call("getRequestStatus", document, self.site.environment())["requests"]
        check(answer)
        return answer

    def housekeeping(self) -> None:
        self.call("getReturnRequests", {}, self.site.environment())

    def fact(self, request_id: str, name: str) -> Any:
        return json.loads((self.site.workdir / "requests" / request_id / f"{name}.json").read_text("utf-8"))

    def facts(self, request_id: str) -> list[str]:
        return sorted(path.stem for path in (self.site.workdir / "requests" / request_id).iterdir())

    def control(self, method: str, path: str, body: object) -> Any:
        url = self.sandbox.control_url + path
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), method=method)) as reply:
            return json.loads(reply.read() or b"null")

    def appear(self, request_id: str, name: str) -> str:
        """Let Nova carry out the POST of a machine now; returns the server's id."""
        tags = ["hostfactory", "hfp:osinst", f"hf:{request_id}"]
        body = {"name_prefix": name.removesuffix("-1"), "tags": tags, "metadata": {"hf_request_id": request_id}}
        (server_id,) = self.control("POST", "/servers", body)["ids"]
        return str(server_id)

    def servers(self) -> dict[str, str]:
        """Return the names of the servers that exist, by id."""
        return {server.id: server.name for server, _ in self.sandbox.cloud.counted()}

    def asked(self, method: str) -> list[str]:
        """Return the paths of the requests of a method to Nova."""
        return [
            target.partition("?")[0].removeprefix("/v2.1")
            for service, verb, target, *_ in self.sandbox.journal.entries()
            if (service, verb) == ("nova", method)
        ]


@pytest.fixture
def bank(tmp_path: Path, call: Call) -> Iterator[Bank]:
    with Sandbox() as sandbox:
        yield Bank(sandbox, tmp_path, call)


def results(answer: dict[str, Any]) -> list[str]:
    return [machine["result"] for machine in answer["machines"]]


# No server


@pytest.mark.parametrize(("fault", "words"), UNCLEAR.values(), ids=UNCLEAR)
def test_an_unclear_post_is_said_at_once_and_ends(bank: Bank, fault: Fault, words: str) -> None:
    request_id, names = bank.request(fault)
    assert bank.affected == 2, "no POST is repeated"
    created = bank.fact(request_id, "created")["machines"]
    assert all(words in machine["unclear"] and not machine["machineId"] for machine in created)
    for age in (0, 118):
        bank.site.age(request_id, age)
        answer = bank.poll(request_id)
        assert answer["status"] == "running"
        assert answer["message"].startswith(f"2 of 2 machines not confirmed; {names[0]}: no clear answer from Nova: ")
        assert words in answer["message"]
        assert [(one["machineId"], one["name"], one["result"]) for one in answer["machines"]] == [
            (name, name, "executing") for name in names
        ]
        assert all(words in one["message"] for one in answer["machines"])
    assert "/servers" not in bank.asked("GET"), "whether a cell is down matters only when a machine would fail"
    bank.site.age(request_id, 3)
    answer = bank.poll(request_id)
    assert (answer["status"], results(answer)) == ("complete_with_error", ["fail", "fail"])
    assert [one["machineId"] for one in answer["machines"]] == names
    for message in (answer["message"], *(one["message"] for one in answer["machines"])):
        assert "it was never created: no server after 120 s, and no clear answer from Nova: " in message
        assert words in message
    assert bank.facts(request_id) == ["asked", "created", "ended", *(f"failed-{name}" for name in names), "polled"]
    assert bank.poll(request_id) == answer
    assert bank.asked("GET").count("/servers") == 1
    assert bank.asked("DELETE") == []


def test_the_setting_decides_how_long_hfstack_looks(bank: Bank) -> None:
    bank.settings["unseenTimeout"] = 1000
    request_id, _ = bank.request(UNCLEAR["c30"][0])
    bank.site.age(request_id, 998)
    assert bank.poll(request_id)["status"] == "running"
    bank.site.age(request_id, 3)
    answer = bank.poll(request_id)
    assert (answer["status"], results(answer)) == ("complete_with_error", ["fail", "fail"])
    assert "no server after 1000 s" in answer["message"]


def test_the_other_machines_of_the_request_are_usable(bank: Bank) -> None:
    request_id, names = bank.request(Fault(**POST, skip=1, status=500, body=C30))
    answer = bank.poll(request_id)
    assert (answer["status"], results(answer)) == ("running", ["succeed", "executing"])
    assert answer["message"].startswith(f"1 of 2 machines not confirmed; {names[1]}: ")
    bank.site.age(request_id, 121)
    last = bank.poll(request_id)
    assert (last["status"], results(last)) == ("complete_with_error", ["succeed", "fail"])
    assert last["machines"][0] == answer["machines"][0]
    assert list(bank.servers().values()) == names[:1]


# No proof


def cell_down(bank: Bank) -> Callable[[], object]:
    (other,) = bank.control("POST", "/servers", {"name_prefix": "other"})["ids"]
    bank.control("PUT", f"/servers/{other}", {"down": True})
    return lambda: bank.control("PUT", f"/servers/{other}", {"down": False})


def list_fails(bank: Bank) -> Callable[[], object]:
    bank.sandbox.faults.add(Fault(**LIST, times=-1, status=500))
    return bank.sandbox.faults.clear


def cells_are_not_known(bank: Bank) -> Callable[[], object]:
    bank.sandbox.faults.add(Fault(service="nova", method="GET", path="/servers$", times=-1, status=500, body=C30))
    return bank.sandbox.faults.clear


def answers_are_not_recorded(bank: Bank) -> Callable[[], object]:
    (path,) = bank.site.workdir.glob("requests/*/created.json")
    away = path.rename(bank.site.workdir / "away")
    return lambda: away.rename(path)


@pytest.mark.parametrize("trouble", [cell_down, list_fails, cells_are_not_known, answers_are_not_recorded])
def test_without_proof_the_machines_are_waited_for(bank: Bank, trouble: Callable[[Bank], Callable[[], object]]) -> None:
    request_id, names = bank.request(UNCLEAR["c30"][0])
    bank.site.age(request_id, 121)
    end = trouble(bank)
    answer = bank.poll(request_id)
    assert (answer["status"], set(results(answer)) - {"executing"}) == ("running", set())
    assert answer["message"] or trouble is answers_are_not_recorded
    assert not [name for name in bank.facts(request_id) if name.startswith("failed-")]
    end()
    answer = bank.poll(request_id)
    assert (answer["status"], [one["machineId"] for one in answer["machines"]]) == ("complete_with_error", names)


def test_a_list_proves_nothing_for_a_later_time(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    request_id, _ = bank.request(UNCLEAR["c30"][0])
    bank.sandbox.journal.clear()
    whole = folders.file_system_time

    def after_a_slow_list(folder: str) -> float:
        return (whole(folder) or 0) + (121 if bank.asked("GET") else 0)

    monkeypatch.setattr(folders, "file_system_time", after_a_slow_list)
    assert bank.poll(request_id)["status"] == "running"
    assert bank.poll(request_id)["status"] == "complete_with_error"


# A server after all


@pytest.mark.parametrize("fault", CARRIED_OUT.values(), ids=CARRIED_OUT)
@pytest.mark.parametrize("listed", [True, False], ids=["found at once", "found by a poll"])
def test_a_post_that_was_carried_out_has_its_machine(bank: Bank, fault: Fault, listed: bool) -> None:
    # the first list counts the template's machines
    request_id, names = bank.request(fault, *(() if listed else [Fault(**LIST, skip=1, times=-1, status=500)]))
    assert len(bank.servers()) == bank.affected == 2
    created = bank.fact(request_id, "created")["machines"]
    assert [bool(machine["machineId"]) for machine in created] == [listed] * 2
    assert ["unclear" in machine for machine in created] == [not listed] * 2
    bank.site.age(request_id, 1000)
    answer = bank.poll(request_id)
    assert (answer["status"], results(answer)) == ("complete", ["succeed", "succeed"])
    assert {one["machineId"]: one["name"] for one in answer["machines"]} == bank.servers()
    assert bank.poll(request_id) == answer
    assert [one["name"] for one in answer["machines"]] == names


def test_a_server_that_appears_in_time_is_taken(bank: Bank) -> None:
    request_id, names = bank.request(Fault(**POST, skip=1, drop="before"))
    assert results(bank.poll(request_id)) == ["succeed", "executing"]
    server_id = bank.appear(request_id, names[1])
    bank.site.age(request_id, 121)
    answer = bank.poll(request_id)
    assert (answer["status"], answer["machines"][1]["machineId"]) == ("complete", server_id)
    bank.housekeeping()
    assert server_id in bank.servers()


def test_an_outage_does_not_change_the_id_of_a_machine_that_appeared(bank: Bank) -> None:
    bank.control("PUT", "/knobs", {"spawn_delay": 1000})
    request_id, names = bank.request(Fault(**POST, skip=1, drop="before"))
    bank.appear(request_id, names[1])
    before = bank.poll(request_id)
    assert results(before) == ["executing", "succeed"]
    bank.sandbox.faults.add(Fault(**LIST, times=-1, status=500))
    during = bank.poll(request_id)
    for key in ("machineId", "name", "privateIpAddress", "launchtime"):
        assert during["machines"][1][key] == before["machines"][1][key]


def late(bank: Bank) -> tuple[str, list[str]]:
    """Return an open request whose second machine has failed, and their names; the first one is being built."""
    bank.control("PUT", "/knobs", {"spawn_delay": 1000})
    request_id, names = bank.request(Fault(**POST, skip=1, delay=60, status=500))
    bank.site.age(request_id, 121)
    answer = bank.poll(request_id)
    assert (answer["status"], results(answer)) == ("running", ["executing", "fail"])
    return request_id, names


def test_a_server_that_appears_before_the_end_is_reaped_and_its_machine_stays_failed(bank: Bank) -> None:
    request_id, names = late(bank)
    server_id = bank.appear(request_id, names[1])
    for _ in range(2):
        answer = bank.poll(request_id)
        assert (answer["status"], results(answer)) == ("running", ["executing", "fail"])
        assert answer["machines"][1]["machineId"] == names[1]
        assert server_id not in bank.servers()
    assert bank.asked("DELETE") == [f"/servers/{server_id}"]
    assert [name for name in bank.facts(request_id) if name.startswith("failed-")] == [f"failed-{names[1]}"]


def test_a_server_that_appears_after_the_end_is_reaped_by_housekeeping(bank: Bank) -> None:
    request_id, names = late(bank)
    (first,) = bank.servers()
    bank.control("PUT", f"/servers/{first}", {"vm_state": "active", "task_state": None})
    end = bank.poll(request_id)
    assert (end["status"], results(end)) == ("complete_with_error", ["succeed", "fail"])
    server_id = bank.appear(request_id, names[1])
    answer = bank.poll(request_id)
    assert (answer["status"], answer["message"], results(answer)) == (end["status"], end["message"], results(end))
    assert [one["machineId"] for one in answer["machines"]] == [first, names[1]]
    assert server_id in bank.servers(), "after the end a poll deletes nothing"
    bank.housekeeping()
    assert list(bank.servers()) == [first]
