"""Actions on a server in the sandbox."""

from __future__ import annotations

from typing import Any

import pytest

from hfstack.sandbox.inventory import FLAVORS, IMAGE_ID
from tests.sandbox.client import Client, Reply, message

SMALL = FLAVORS[1].id


def act(client: Client, server_id: str, action: dict[str, Any], user: str = "demo") -> Reply:
    return client.nova("POST", f"/servers/{server_id}/action", action, user=user)


@pytest.mark.parametrize(
    ("before", "action", "during", "after"),
    [
        ("active", {"os-stop": None}, ("ACTIVE", "powering-off"), ("SHUTOFF", 4)),
        ("stopped", {"os-start": None}, ("SHUTOFF", "powering-on"), ("ACTIVE", 1)),
        ("active", {"pause": None}, ("ACTIVE", "pausing"), ("PAUSED", 3)),
        ("paused", {"unpause": None}, ("PAUSED", "unpausing"), ("ACTIVE", 1)),
        ("active", {"suspend": None}, ("ACTIVE", "suspending"), ("SUSPENDED", 4)),
        ("suspended", {"resume": None}, ("SUSPENDED", "resuming"), ("ACTIVE", 1)),
        ("active", {"reboot": {"type": "SOFT"}}, ("REBOOT", "rebooting"), ("ACTIVE", 1)),
        ("stopped", {"reboot": {"type": "HARD"}}, ("SHUTOFF", "rebooting_hard"), ("ACTIVE", 1)),
        ("active", {"rescue": {}}, ("ACTIVE", "rescuing"), ("RESCUE", 1)),
        ("rescued", {"unrescue": None}, ("RESCUE", "unrescuing"), ("ACTIVE", 1)),
        ("active", {"shelve": None}, ("ACTIVE", "shelving"), ("SHELVED_OFFLOADED", 4)),
        ("shelved_offloaded", {"unshelve": None}, ("SHELVED_OFFLOADED", "unshelving"), ("ACTIVE", 1)),
        ("active", {"rebuild": {"imageRef": IMAGE_ID}}, ("REBUILD", "rebuilding"), ("ACTIVE", 1)),
        ("active", {"resize": {"flavorRef": SMALL}}, ("RESIZE", "resize_prep"), ("VERIFY_RESIZE", 1)),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_an_action_is_a_task_and_then_a_state(
    client: Client, before: str, action: dict[str, Any], during: tuple[str, str], after: tuple[str, int]
) -> None:
    server_id = client.create()
    client.control("PUT", f"/servers/{server_id}", {"vm_state": before})
    client.knobs(spawn_delay=10)
    assert act(client, server_id, action).status in {200, 202}
    record = client.show(server_id)
    assert (record["status"], record["OS-EXT-STS:task_state"]) == during
    client.clock.advance(11)
    record = client.show(server_id)
    assert (record["status"], record["OS-EXT-STS:power_state"]) == after
    assert record["OS-EXT-STS:task_state"] is None


@pytest.mark.parametrize(
    "name", ["os-start", "unpause", "resume", "unrescue", "confirmResize", "revertResize", "restore"]
)
def test_an_action_that_does_not_fit_the_state_is_409(client: Client, name: str) -> None:
    server_id = client.create()
    reply = act(client, server_id, {name: None})
    verb = name.removeprefix("os-")
    assert reply.status == 409
    assert message(reply) == f"Cannot '{verb}' instance {server_id} while it is in vm_state active"


def test_an_action_must_wait_for_another_to_end(client: Client) -> None:
    server_id = client.create()
    client.knobs(spawn_delay=10)
    act(client, server_id, {"os-stop": None})
    assert "while it is in task_state powering-off" in message(act(client, server_id, {"pause": None}))


def test_a_resize_is_confirmed_or_reverted(client: Client) -> None:
    server_id = client.create()
    act(client, server_id, {"resize": {"flavorRef": SMALL}})
    act(client, server_id, {"revertResize": None})
    assert client.show(server_id)["flavor"]["original_name"] == "m1.tiny"
    act(client, server_id, {"resize": {"flavorRef": SMALL}})
    act(client, server_id, {"confirmResize": None})
    record = client.show(server_id)
    assert (record["flavor"]["original_name"], record["status"]) == ("m1.small", "ACTIVE")


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ({"bogus": None}, "There is no such action: bogus"),
        ({}, "Malformed request body"),
        ({"resize": {"flavorRef": FLAVORS[0].id}}, "When resizing, instances must change flavor!"),
        ({"resize": {"flavorRef": "nope"}}, "Flavor nope could not be found."),
    ],
)
def test_an_action_that_makes_no_sense_is_400(client: Client, action: dict[str, Any], said: str) -> None:
    reply = act(client, client.create(), action)
    assert (reply.status, message(reply)) == (400, said)


def test_some_actions_are_an_administrators(client: Client) -> None:
    server_id = client.create()
    reply = act(client, server_id, {"os-resetState": {"state": "error"}})
    assert reply.status == 403
    assert message(reply) == "Policy doesn't allow os_compute_api:os-admin-actions:reset_state to be performed."
    assert act(client, server_id, {"os-resetState": {"state": "error"}}, "admin").status == 202
    assert client.show(server_id)["status"] == "ERROR"


def test_a_locked_server_is_left_alone_until_it_is_unlocked(client: Client) -> None:
    server_id = client.create()
    act(client, server_id, {"lock": None})
    assert message(act(client, server_id, {"os-stop": None})) == f"Instance {server_id} is locked"
    assert act(client, server_id, {"unlock": None}).status == 202
    assert act(client, server_id, {"os-stop": None}).status == 202


def test_a_rescue_answers_with_a_password_and_a_rebuild_with_the_server(client: Client) -> None:
    server_id = client.create()
    rebuilt = act(client, server_id, {"rebuild": {"imageRef": IMAGE_ID}})
    assert rebuilt.body["server"]["id"] == server_id
    assert {"adminPass", "user_data"} <= set(rebuilt.body["server"])
    rescued = act(client, server_id, {"rescue": None})
    assert (rescued.status, list(rescued.body)) == (200, ["adminPass"])
