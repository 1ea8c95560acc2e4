"""What Nova has besides servers: flavors, limits, key pairs, zones, server groups."""

from __future__ import annotations

import base64
import hashlib
import uuid
from typing import Any

from hfstack.sandbox import inventory
from hfstack.sandbox.inventory import Flavor
from hfstack.sandbox.nova import views
from hfstack.sandbox.nova.api import ROUTES, Call, bad_request, conflict, naive, not_found
from hfstack.sandbox.routing import Answer, answer_json
from hfstack.sandbox.state import Keypair, ServerGroup


@ROUTES.add("GET", "/v2.1/flavors")
def list_flavors(call: Call) -> Answer:
    """The flavors' names and ids."""
    shown = []
    for flavor in _by_id():
        record = {"id": flavor.id, "name": flavor.name, "links": views.links(call, "flavors", flavor.id)}
        shown.append({**record, "description": None} if call.minor >= 55 else record)
    return answer_json(200, {"flavors": shown})


@ROUTES.add("GET", "/v2.1/flavors/detail")
def list_flavor_details(call: Call) -> Answer:
    """The flavors."""
    return answer_json(200, {"flavors": [_flavor(call, flavor) for flavor in _by_id()]})


@ROUTES.add("GET", "/v2.1/flavors/{flavor_id}")
def show_flavor(call: Call, flavor_id: str) -> Answer:
    """One flavor."""
    return answer_json(200, {"flavor": _flavor(call, _flavor_by_id(flavor_id))})


@ROUTES.add("GET", "/v2.1/flavors/{flavor_id}/os-extra_specs")
def extra_specs(_: Call, flavor_id: str) -> Answer:
    """The extra specs of a flavor: none."""
    _flavor_by_id(flavor_id)
    return answer_json(200, {"extra_specs": {}})


def _by_id() -> list[Flavor]:
    return sorted(inventory.FLAVORS, key=lambda flavor: flavor.id)


def _flavor_by_id(flavor_id: str) -> Flavor:
    for flavor in inventory.FLAVORS:
        if flavor.id == flavor_id:
            return flavor
    raise not_found(f"Flavor {flavor_id} could not be found.")


def _flavor(call: Call, flavor: Flavor) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": flavor.id,
        "name": flavor.name,
        "ram": flavor.ram,
        "disk": flavor.disk,
        "swap": 0 if call.minor >= 75 else "",
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "vcpus": flavor.vcpus,
        "os-flavor-access:is_public": True,
        "rxtx_factor": 1.0,
        "links": views.links(call, "flavors", flavor.id),
    }
    if call.minor >= 55:
        record["description"] = None
    if call.minor >= 61:
        record["extra_specs"] = {}
    return record


@ROUTES.add("GET", "/v2.1/limits")
def limits(call: Call) -> Answer:
    """The quota and its usage."""
    mine = [phase.flavor for server, phase in call.cloud.counted() if server.project_id == call.token.project.id]
    groups = sum(group.project_id == call.token.project.id for group in call.cloud.server_groups.values())
    absolute = {
        "maxTotalCores": -1,
        "maxTotalInstances": call.cloud.knobs.quota_instances,
        "maxTotalKeypairs": 100,
        "maxServerMeta": 128,
        "maxTotalRAMSize": -1,
        "maxServerGroups": 10,
        "maxServerGroupMembers": 10,
        "totalRAMUsed": sum(flavor.ram for flavor in mine),
        "totalCoresUsed": sum(flavor.vcpus for flavor in mine),
        "totalInstancesUsed": len(mine),
        "totalServerGroupsUsed": groups,
    }
    return answer_json(200, {"limits": {"rate": [], "absolute": absolute}})


@ROUTES.add("GET", "/v2.1/os-quota-sets/{project_id}")
def quota(call: Call, project_id: str) -> Answer:
    """The quota."""
    quota_set = {
        "id": project_id,
        "cores": -1,
        "instances": call.cloud.knobs.quota_instances,
        "key_pairs": 100,
        "metadata_items": 128,
        "ram": -1,
        "server_group_members": 10,
        "server_groups": 10,
    }
    return answer_json(200, {"quota_set": quota_set})


@ROUTES.add("GET", "/v2.1/os-availability-zone")
def zones(_: Call) -> Answer:
    """The availability zones: one."""
    zone = {"zoneName": inventory.ZONE, "zoneState": {"available": True}, "hosts": None}
    return answer_json(200, {"availabilityZoneInfo": [zone]})


@ROUTES.add("GET", "/v2.1/os-keypairs")
def list_keypairs(call: Call) -> Answer:
    """The caller's key pairs."""
    mine = [pair for pair in call.cloud.keypairs.values() if pair.user_id == call.token.user.id]
    return answer_json(200, {"keypairs": [{"keypair": _keypair(call, pair)} for pair in mine]})


@ROUTES.add("POST", "/v2.1/os-keypairs")
def create_keypair(call: Call) -> Answer:
    """Import a public key. Like Nova from 2.92 on, the sandbox does not generate any."""
    wanted = call.body("keypair")
    name, public_key = wanted.get("name"), wanted.get("public_key")
    if not name or not public_key:
        missing = "public_key" if name else "name"
        raise bad_request(
            f"Invalid input for field/attribute keypair. Value: {wanted}. '{missing}' is a required property"
        )
    if (call.token.user.id, name) in call.cloud.keypairs:
        raise conflict(f"Key pair '{name}' already exists.")
    _fingerprint(public_key)
    pair = Keypair(name, call.token.user.id, public_key, call.now)
    call.cloud.keypairs[pair.user_id, name] = pair
    shown = {**_keypair(call, pair), "user_id": pair.user_id}
    return answer_json(201 if call.minor >= 2 else 200, {"keypair": shown})


@ROUTES.add("GET", "/v2.1/os-keypairs/{name}")
def show_keypair(call: Call, name: str) -> Answer:
    """One key pair."""
    pair = _own_keypair(call, name)
    more = {
        "user_id": pair.user_id,
        "created_at": naive(pair.created),
        "deleted": False,
        "deleted_at": None,
        "id": 1,
        "updated_at": None,
    }
    return answer_json(200, {"keypair": {**_keypair(call, pair), **more}})


@ROUTES.add("DELETE", "/v2.1/os-keypairs/{name}")
def delete_keypair(call: Call, name: str) -> Answer:
    """Delete a key pair."""
    del call.cloud.keypairs[call.token.user.id, _own_keypair(call, name).name]
    return Answer(204 if call.minor >= 2 else 202)


def _own_keypair(call: Call, name: str) -> Keypair:
    pair = call.cloud.keypairs.get((call.token.user.id, name))
    if pair is None:
        raise not_found(f"Keypair {name} not found for user {call.token.user.id}")
    return pair


def _keypair(call: Call, pair: Keypair) -> dict[str, Any]:
    shown = {"name": pair.name, "public_key": pair.public_key, "fingerprint": _fingerprint(pair.public_key)}
    return {**shown, "type": "ssh"} if call.minor >= 2 else shown


def _fingerprint(public_key: str) -> str:
    try:
        blob = base64.b64decode(public_key.split()[1], validate=True)
    except (IndexError, ValueError):
        raise bad_request("Keypair data is invalid: failed to generate fingerprint") from None
    return hashlib.md5(blob, usedforsecurity=False).digest().hex(":")


@ROUTES.add("GET", "/v2.1/os-server-groups")
def list_groups(call: Call) -> Answer:
    """The project's server groups."""
    mine = [group for group in call.cloud.server_groups.values() if group.project_id == call.token.project.id]
    return answer_json(200, {"server_groups": [_group(call, group) for group in mine]})


@ROUTES.add("POST", "/v2.1/os-server-groups")
def create_group(call: Call) -> Answer:
    """Create a server group. Its policy is recorded, but has no effect: there is one host."""
    wanted = call.body("server_group")
    policy = wanted.get("policy") or next(iter(wanted.get("policies", [])), "anti-affinity")
    token = call.token
    group = ServerGroup(str(uuid.uuid4()), wanted.get("name", ""), policy, token.project.id, token.user.id)
    call.cloud.server_groups[group.id] = group
    return answer_json(200, {"server_group": _group(call, group)})


@ROUTES.add("GET", "/v2.1/os-server-groups/{group_id}")
def show_group(call: Call, group_id: str) -> Answer:
    """One server group."""
    return answer_json(200, {"server_group": _group(call, _own_group(call, group_id))})


@ROUTES.add("DELETE", "/v2.1/os-server-groups/{group_id}")
def delete_group(call: Call, group_id: str) -> Answer:
    """Delete a server group; its servers stay."""
    del call.cloud.server_groups[_own_group(call, group_id).id]
    return Answer(204)


def _own_group(call: Call, group_id: str) -> ServerGroup:
    group = call.cloud.server_groups.get(group_id)
    if group is None or group.project_id != call.token.project.id:
        raise not_found(f"Instance group {group_id} could not be found.")
    return group


def _group(call: Call, group: ServerGroup) -> dict[str, Any]:
    members = [server.id for server, _ in call.cloud.counted() if server.group_id == group.id]
    shown: dict[str, Any] = {"id": group.id, "name": group.name}
    if call.minor >= 64:
        shown |= {"policy": group.policy, "rules": {}, "members": members}
    else:
        shown |= {"policies": [group.policy], "members": members, "metadata": {}}
    if call.minor >= 13:
        shown |= {"project_id": group.project_id, "user_id": group.user_id}
    return shown
