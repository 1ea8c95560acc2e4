"""Floating IPs through the commands, against the sandbox: taken, attached, released, and those of others left alone."""

from __future__ import annotations

import functools
import json
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hfstack import cli
from hfstack.context import Budget, Context
from hfstack.sandbox import Sandbox
from hfstack.sandbox.faults import Fault
from hfstack.sandbox.inventory import DEMO, PUBLIC, Network, Subnet
from hfstack.sandbox.state import FloatingIP, Server
from tests.http.conftest import Call
from tests.provider import provider_variables

TEMPLATE = {
    "templateId": "small",
    "maxNumber": 10,
    "attributes": {"type": ["String", "X86_64"], "ncpus": ["Numeric", "1"], "nram": ["Numeric", "512"]},
    "image": "cirros",
    "flavor": "m1.tiny",
    "networks": ["private"],
    "floatingNetwork": "public",
}

UNCLEAR = {
    "cut": Fault(service="neutron", method="POST", path="floatingips", drop="after"),
    "half": Fault(service="neutron", method="POST", path="floatingips", drop="mid"),
    "504": Fault(service="neutron", method="POST", path="floatingips", status=504, act_first=True),
}


class Bank:
    """A provider's site and a sandbox cloud, with one clock that can be turned on."""

    def __init__(self, folder: Path, call: Call) -> None:
        self.folder = folder
        self.call = call
        self.later = 0.0
        self.sandbox = Sandbox(clock=self.now)
        self.env = provider_variables(folder)

    def now(self) -> float:
        return time.time() + self.later

    def wait(self, seconds: float) -> None:
        """Let time pass: for the cloud, and for the records, whose files have the file system's time."""
        self.later += seconds
        for path in (self.folder / "work" / "requests").rglob("*.json"):
            then = path.stat().st_mtime - seconds
            os.utime(path, (then, then))

    def start(self) -> None:
        self.sandbox.start()
        self.sandbox.write_clouds_yaml(str(self.folder / "conf" / "clouds.yaml"))
        self.configure()
        self.template()

    def configure(self, **settings: object) -> None:
        path = self.folder / "conf" / "bankprov_config.json"
        path.write_text(json.dumps({"cloud": "member", **settings}), "utf-8")

    def template(self, **changes: object) -> None:
        path = self.folder / "conf" / "bankprov_templates.json"
        path.write_text(json.dumps({"templates": [{**TEMPLATE, **changes}]}), "utf-8")

    def ask(self, command: str, document: object, code: int = 0) -> dict[str, Any]:
        """Call a command, and return the document that it printed."""
        return self.call(command, document, self.env, code)

    def request(self, count: int = 1, code: int = 0) -> dict[str, Any]:
        return self.ask("requestMachines", {"template": {"templateId": "small", "machineCount": count}}, code)

    def poll(self, request_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("getRequestStatus", {"requests": {"requestId": request_id}})["requests"]
        return found

    def return_machines(self, found: dict[str, Any]) -> dict[str, Any]:
        return self.ask("requestReturnMachines", {"machines": found["machines"]})

    def tidy(self) -> None:
        """Have getReturnRequests clean up."""
        self.ask("getReturnRequests", {})

    def descriptions(self) -> list[str]:
        return sorted(one.description for one in self.sandbox.cloud.floating_ips.values())

    def addresses(self) -> list[str]:
        return [one.address for one in self.sandbox.cloud.floating_ips.values()]

    def servers(self) -> list[Server]:
        """Return the servers that are there."""
        return [server for server, _ in self.sandbox.cloud.counted()]

    def sent(self, *services: str) -> list[str]:
        """Return the methods and paths that reached the services."""
        entries = self.sandbox.journal.entries()
        return [f"{method} {path.partition('?')[0]}" for service, method, path, *_ in entries if service in services]

    def foreign(self, description: str) -> FloatingIP:
        """Make a floating IP that somebody else has taken in the same project."""
        made = self.sandbox.cloud.make_floating_ip(DEMO.id)
        made.description = description
        return made

    def network(self) -> str:
        """Make a network of the project's own, that no router joins to another; returns its id."""
        network = Network(str(uuid.uuid4()), "other", (Subnet("s-other", "other4", 4, "10.66.0.0/24"),), DEMO)
        self.sandbox.cloud.networks[network.id] = network
        return network.id

    def log(self) -> str:
        return "".join(path.read_text("utf-8") for path in (self.folder / "log").iterdir())


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> Iterator[Bank]:
    made = Bank(tmp_path, call)
    monkeypatch.setattr(cli, "Context", functools.partial(Context, now=made.now))
    monkeypatch.setattr(cli, "Budget", functools.partial(Budget, sleep=lambda _: None))
    made.start()
    yield made
    made.sandbox.stop()


# The whole life


def test_each_machine_has_a_floating_ip_of_its_own_from_before_its_server_to_its_return(bank: Bank) -> None:
    request_id = bank.request(2)["requestId"]
    names = [f"hf-{request_id[4:12]}-{index}" for index in range(2)]
    assert bank.descriptions() == [f"hfstack bank {request_id} {name}" for name in names]
    posts = [line for line in bank.sent("nova", "neutron") if line.startswith("POST")]
    assert posts == ["POST /v2.0/floatingips"] * 2 + ["POST /v2.1/servers"] * 2
    assert {server.metadata["hf_floating_network"] for server in bank.servers()} == {PUBLIC.id}
    done = bank.poll(request_id)
    assert (done["status"], sorted(one["publicIpAddress"] for one in done["machines"])) == (
        "complete",
        sorted(bank.addresses()),
    )
    bank.return_machines(done)
    assert bank.descriptions() == []


def test_the_floating_ip_leads_to_the_private_address(bank: Bank) -> None:
    found = bank.poll(bank.request()["requestId"])["machines"][0]
    (floating,) = bank.sandbox.cloud.floating_ips.values()
    assert floating.port is not None
    assert found["privateIpAddress"] in floating.port.addresses(4)


def test_a_second_poll_asks_neutron_nothing(bank: Bank) -> None:
    request_id = bank.request()["requestId"]
    first = bank.poll(request_id)
    bank.sandbox.journal.clear()
    assert bank.poll(request_id) == first
    assert bank.sent("neutron") == []


# Taking


@pytest.mark.parametrize(
    ("network", "words"),
    [
        pytest.param("gone", "there is no network gone in this project", id="unknown"),
        pytest.param(
            "private", "network private provides no floating IPs: it is not router:external", id="not external"
        ),
    ],
)
def test_a_network_that_gives_none_is_refused_before_anything_is_made(bank: Bank, network: str, words: str) -> None:
    bank.template(floatingNetwork=network)
    assert words in bank.request(code=1)["message"]
    assert (bank.descriptions(), bank.servers()) == ([], [])
    assert not list((bank.folder / "work").glob("requests/*"))


def test_a_machine_without_a_floating_ip_is_not_asked_for_and_the_others_are(bank: Bank) -> None:
    bank.sandbox.cloud.knobs.quota_floating_ips = 1
    answer = bank.request(2)
    words = "Neutron refused a floating IP: 409 Quota exceeded for resources: ['floatingip']."
    assert answer["message"] == f"1 of 2 machines refused; {words}"
    assert len(bank.servers()) == 1
    done = bank.poll(answer["requestId"])
    assert sorted((one["result"], one["message"]) for one in done["machines"]) == [("fail", words), ("succeed", "")]


def test_without_any_floating_ip_nothing_is_asked_of_nova(bank: Bank) -> None:
    bank.sandbox.cloud.knobs.quota_floating_ips = 0
    assert bank.request(2, code=1)["message"].startswith("2 of 2 machines refused; Neutron refused a floating IP")
    assert "POST /v2.1/servers" not in bank.sent("nova")


@pytest.mark.parametrize("fault", UNCLEAR.values(), ids=UNCLEAR)
def test_an_unclear_answer_is_settled_by_a_look_and_never_by_a_second_post(bank: Bank, fault: Fault) -> None:
    bank.sandbox.faults.add(Fault(**fault.as_dict()))
    done = bank.poll(bank.request()["requestId"])
    assert (done["status"], done["machines"][0]["publicIpAddress"]) == ("complete", bank.addresses()[0])
    assert bank.sent("neutron").count("POST /v2.0/floatingips") == 1


def test_what_stays_unclear_makes_no_machine_and_what_was_made_is_released_later(bank: Bank) -> None:
    bank.sandbox.faults.add(Fault(service="neutron", method="POST", path="floatingips", drop="after"))
    bank.sandbox.faults.add(Fault(service="neutron", method="GET", path="floatingips", status=500))
    answer = bank.request(code=1)
    assert "because it is unknown whether it has a floating IP" in answer["message"]
    assert (len(bank.descriptions()), bank.servers()) == (1, [])
    assert bank.sent("neutron").count("POST /v2.0/floatingips") == 1
    bank.tidy()
    assert len(bank.descriptions()) == 1, "the call that took it might still be running"
    bank.wait(601)
    bank.tidy()
    assert bank.descriptions() == []


def test_a_post_that_never_arrived_makes_no_machine(bank: Bank) -> None:
    bank.sandbox.faults.add(Fault(service="neutron", method="POST", path="floatingips", drop="before"))
    assert "unknown whether" in bank.request(code=1)["message"]
    assert (bank.descriptions(), bank.servers()) == ([], [])


def test_what_nova_refuses_gives_its_floating_ip_back_at_once(bank: Bank) -> None:
    bank.template(availabilityZones=["moon"])
    assert "availability zone" in bank.request(2, code=1)["message"]
    assert len([line for line in bank.sent("neutron") if line.startswith("DELETE /v2.0/floatingips/")]) == 2
    assert (bank.descriptions(), bank.servers()) == ([], [])


def test_housekeeping_releases_what_the_call_itself_could_not(bank: Bank) -> None:
    bank.template(availabilityZones=["moon"])
    bank.sandbox.faults.add(Fault(service="neutron", method="DELETE", status=500))
    bank.request(code=1)
    assert len(bank.descriptions()) == 1
    assert "a floating IP could not be released, getReturnRequests will do it: Neutron failed: 500" in bank.log()
    bank.wait(601)
    bank.tidy()
    assert bank.descriptions() == []


def test_a_server_that_replaces_another_has_its_floating_ip(bank: Bank) -> None:
    bank.template(flavors=["huge", "m1.tiny"], flavor=None)
    bank.sandbox.faults.add(Fault(service="nova", method="DELETE", status=500))
    request_id = bank.request()["requestId"]
    assert len(bank.servers()) == 2, "the first found no host, and could not be deleted yet"
    done = bank.poll(request_id)
    assert (done["status"], done["machines"][0]["publicIpAddress"]) == ("complete", bank.addresses()[0])
    assert len(bank.servers()) == 1


def test_a_server_that_was_replaced_goes_without_it_even_while_the_other_is_not_seen(bank: Bank) -> None:
    bank.template(flavors=["huge", "m1.tiny"], flavor=None)
    bank.sandbox.faults.add(Fault(service="nova", method="DELETE", status=500))
    request_id = bank.request()["requestId"]
    replacement = max(bank.servers(), key=lambda server: server.created)
    replacement.down = True
    assert bank.poll(request_id)["status"] == "running"
    assert (bank.servers(), len(bank.descriptions())) == ([replacement], 1)
    replacement.down = False
    assert bank.poll(request_id)["status"] == "complete"


# Attaching


def test_while_neutron_is_down_the_machine_is_executing(bank: Bank) -> None:
    request_id = bank.request()["requestId"]
    bank.sandbox.faults.add(Fault(service="neutron", status=503, times=-1))
    found = bank.poll(request_id)
    assert (found["status"], found["machines"][0]["result"]) == ("running", "executing")
    assert found["machines"][0]["message"].startswith("it has no floating IP yet: Neutron failed: 503")
    assert "WARNING" in bank.log()
    bank.sandbox.faults.clear()
    assert bank.poll(request_id)["status"] == "complete"


def test_before_a_server_is_up_neutron_is_not_asked(bank: Bank) -> None:
    bank.sandbox.cloud.knobs.spawn_delay = 60
    request_id = bank.request()["requestId"]
    bank.sandbox.journal.clear()
    assert bank.poll(request_id)["machines"][0]["message"] == ""
    assert bank.sent("neutron") == []
    bank.wait(61)
    assert bank.poll(request_id)["status"] == "complete"


def test_of_several_private_addresses_the_one_that_is_reported_gets_it(bank: Bank) -> None:
    bank.configure(privateNetworks=["private"])
    bank.template(networks=[bank.network(), "private"])
    found = bank.poll(bank.request()["requestId"])["machines"][0]
    (floating,) = bank.sandbox.cloud.floating_ips.values()
    assert floating.port is not None
    assert (found["result"], floating.port.network.name) == ("succeed", "private")


def test_trouble_in_the_middle_is_made_good_by_the_next_poll(bank: Bank) -> None:
    request_id = bank.request(2)["requestId"]
    bank.sandbox.faults.add(Fault(service="neutron", method="PUT", status=500))
    found = bank.poll(request_id)
    assert sorted(one["result"] for one in found["machines"]) == ["executing", "succeed"]
    assert bank.poll(request_id)["status"] == "complete"


def test_what_nova_does_not_show_yet_is_known_from_neutron(bank: Bank) -> None:
    request_id = bank.request()["requestId"]
    (server,) = bank.servers()
    fixed = server.ports[0].addresses(4)[0]
    server.addresses = {"private": [{"addr": fixed, "version": 4, "OS-EXT-IPS:type": "fixed"}]}
    for _ in range(2):
        found = bank.poll(request_id)["machines"][0]
        assert (found["result"], found["publicIpAddress"]) == ("succeed", bank.addresses()[0])
    assert bank.sent("neutron").count(f"PUT /v2.0/floatingips/{next(iter(bank.sandbox.cloud.floating_ips))}") == 1


def test_a_floating_ip_that_is_gone_is_said_and_fails_the_machine_in_the_end(bank: Bank) -> None:
    request_id = bank.request()["requestId"]
    (description,) = bank.descriptions()
    bank.sandbox.cloud.floating_ips.clear()
    found = bank.poll(request_id)["machines"][0]
    reason = f"it has no floating IP yet: there is none with the description {description}"
    assert (found["result"], found["message"]) == ("executing", reason)
    bank.wait(1801)
    found = bank.poll(request_id)["machines"][0]
    assert (found["result"], found["message"]) == ("fail", f"not ready after 1800 s: ACTIVE, {reason}")
    assert bank.servers() == []


def test_a_floating_ip_that_somebody_gave_to_another_port_is_left_there(bank: Bank) -> None:
    request_id = bank.request(2)["requestId"]
    first, second = bank.sandbox.cloud.floating_ips.values()
    theirs = next(server for server in bank.servers() if server.name in second.description)
    first.port = theirs.ports[0]
    found = {one["name"]: one for one in bank.poll(request_id)["machines"]}
    assert first.port is theirs.ports[0]
    (waiting,) = (one for one in found.values() if one["result"] == "executing")
    assert "leads to a port that is not the server's" in waiting["message"]


# Releasing


def test_a_machine_that_failed_gives_its_floating_ip_back(bank: Bank) -> None:
    bank.template(flavor="huge")
    request_id = bank.request()["requestId"]
    assert len(bank.descriptions()) == 1
    assert bank.poll(request_id)["status"] == "complete_with_error"
    assert (bank.descriptions(), bank.servers()) == ([], [])


def test_what_a_return_could_not_release_housekeeping_does(bank: Bank) -> None:
    done = bank.poll(bank.request()["requestId"])
    bank.sandbox.faults.add(Fault(service="neutron", status=500, times=1))
    bank.return_machines(done)
    assert (len(bank.descriptions()), bank.servers()) == (1, [])
    bank.wait(601)
    bank.tidy()
    assert bank.descriptions() == []


def test_a_server_that_nova_does_not_delete_keeps_its_floating_ip(bank: Bank) -> None:
    done = bank.poll(bank.request()["requestId"])
    bank.sandbox.faults.add(Fault(service="nova", method="DELETE", status=409, body="{}"))
    bank.return_machines(done)
    assert len(bank.descriptions()) == 1


def test_the_polls_of_a_return_release_with_their_own_deletes(bank: Bank) -> None:
    done = bank.poll(bank.request()["requestId"])
    bank.sandbox.faults.add(Fault(service="nova", method="DELETE", status=409, body="{}"))
    return_id = bank.return_machines(done)["requestId"]
    bank.poll(return_id)
    assert (bank.descriptions(), bank.servers()) == ([], [])


def test_of_a_request_that_hostfactory_never_asked_for_all_goes(bank: Bank) -> None:
    bank.request(2)
    bank.wait(3601)
    bank.tidy()
    assert (bank.descriptions(), bank.servers()) == ([], [])


def test_a_down_cell_keeps_housekeeping_from_releasing(bank: Bank) -> None:
    bank.template(availabilityZones=["moon"])
    bank.sandbox.faults.add(Fault(service="neutron", method="DELETE", status=500))
    bank.request(code=1)
    bank.template(floatingNetwork=None)
    bank.request()
    (server,) = bank.servers()
    server.down = True
    bank.wait(601)
    bank.tidy()
    assert len(bank.descriptions()) == 1
    server.down = False
    bank.tidy()
    assert bank.descriptions() == []


def test_records_stay_while_a_floating_ip_of_theirs_does(bank: Bank) -> None:
    bank.template(availabilityZones=["moon"])
    bank.sandbox.faults.add(Fault(service="neutron", method="DELETE", status=500))
    bank.request(code=1)
    bank.configure(historyDays=1)
    bank.wait(3601)
    bank.sandbox.faults.add(Fault(service="neutron", method="DELETE", path="floatingips", status=500))
    bank.tidy()
    bank.wait(86400 + 60)
    requests = bank.folder / "work" / "requests"
    records = functools.partial(requests.glob, "req-*")
    for fault in (
        Fault(service="neutron", method="GET", path="floatingips", status=500),
        Fault(service="neutron", method="DELETE", path="floatingips", status=500),
    ):
        bank.sandbox.faults.add(fault)
        bank.tidy()
        assert (len(list(records())), len(bank.descriptions())) == (1, 1)
    bank.tidy()
    bank.tidy()
    assert (list(records()), bank.descriptions()) == ([], [])


# What is not ours


def test_floating_ips_of_others_are_never_touched(bank: Bank) -> None:
    bank.template(availabilityZones=["moon"])
    bank.sandbox.faults.add(Fault(service="neutron", method="DELETE", status=500))
    bank.request(code=1)
    (ours,) = bank.descriptions()
    theirs = [
        bank.foreign(description)
        for description in (
            "",
            "web server",
            "hfstack bank",
            ours + "0",
            " " + ours,
            ours.replace("bank", "bank2"),
            ours.replace("req-", "req-0"),
        )
    ]
    bank.template()
    request_id = bank.request()["requestId"]
    done = bank.poll(request_id)
    bank.return_machines(done)
    bank.wait(3601)
    bank.tidy()
    assert list(bank.sandbox.cloud.floating_ips.values()) == theirs
    assert all(one.port is None for one in theirs)


def test_a_site_without_floating_ips_never_asks_neutron_for_them(bank: Bank) -> None:
    bank.template(floatingNetwork=None)
    done = bank.poll(bank.request()["requestId"])
    bank.sandbox.journal.clear()
    bank.tidy()
    bank.return_machines(done)
    assert bank.sent("neutron") == []
