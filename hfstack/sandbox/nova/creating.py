"""`POST /servers`: what Nova refuses at once, what it accepts but fails later, and what it builds."""

from __future__ import annotations

import re
import secrets
import string
import uuid
from dataclasses import dataclass

from hfstack.sandbox import inventory, lifecycle
from hfstack.sandbox.inventory import Flavor, Network
from hfstack.sandbox.lifecycle import Phase
from hfstack.sandbox.nova import views
from hfstack.sandbox.nova.api import ROUTES, Call, bad_request, conflict, forbidden, unexpected
from hfstack.sandbox.nova.schema import Body, check_body
from hfstack.sandbox.routing import Answer, answer_json
from hfstack.sandbox.state import Action, Port, Server

NO_HOST = "No valid host was found. "
NOT_ENOUGH_HOSTS = NO_HOST + "There are not enough hosts available."
EXHAUSTED = (
    "Exceeded maximum number of retries. Exhausted all hosts available for retrying build failures for instance {}."
)
NO_NETWORK = "Build of instance {} aborted: Failed to allocate the network(s), not rescheduling."

_LETTERS = string.ascii_letters + string.digits
_HINT_KEYS = ("os:scheduler_hints", "OS-SCH-HNT:scheduler_hints")


@dataclass
class _Plan:
    """A request that Nova has accepted."""

    body: Body
    flavor: Flavor
    image_id: str
    networks: list[tuple[Network, str | None]]
    ports: list[Port]
    count: int
    hints: Body


@ROUTES.add("POST", "/v2.1/servers")
def create(call: Call) -> Answer:
    """Create one server or several."""
    body = call.body("server")
    check_body(call, body)
    document = call.request.json()
    hints: Body = next((document[key] for key in _HINT_KEYS if key in document), {})
    _check_names(call, body)
    networks, ports = _networks(call, body)
    plan = _Plan(body, _flavor(body), _image(call, body), networks, ports, _count(call, body), hints)
    servers = _build(call, plan)
    if body.get("return_reservation_id"):
        return answer_json(202, {"reservation_id": servers[0].reservation_id})
    links = views.links(call, "servers", servers[0].id)
    shown = {
        "id": servers[0].id,
        "links": links,
        "OS-DCF:diskConfig": "MANUAL",
        "security_groups": [{"name": name} for name in servers[0].security_groups],
        "adminPass": body.get("adminPass") or password(),
    }
    location = ("location", links[0]["href"])
    return answer_json(202, {"server": shown}, location)


def password() -> str:
    """A password as Nova generates it."""
    return "".join(secrets.choice(_LETTERS) for _ in range(12))


def _check_names(call: Call, body: Body) -> None:
    """Raise Nova's 400 if the key pair, the zone or a security group does not exist."""
    key = body.get("key_name")
    if key is not None and (call.token.user.id, key) not in call.cloud.keypairs:
        raise bad_request("Invalid key_name provided.")
    zone = body.get("availability_zone")
    if zone and zone.partition(":")[0] != inventory.ZONE:
        raise bad_request("The requested availability zone is not available")
    own = {inventory.DEFAULT_GROUP, inventory.security_group_id(call.token.project.id)}
    for group in body.get("security_groups", []):
        if group.get("name") not in own:
            raise bad_request(f"Unable to find security_group with name or id '{group.get('name')}'")


def _flavor(body: Body) -> Flavor:
    return flavor_by_id(str(body["flavorRef"]).rpartition("/")[2])


def flavor_by_id(flavor_id: str) -> Flavor:
    """A flavor. Raises Nova's 400 if it does not exist."""
    for flavor in inventory.FLAVORS:
        if flavor.id == flavor_id:
            return flavor
    raise bad_request(f"Flavor {flavor_id} could not be found.")


def _image(call: Call, body: Body) -> str:
    """The image to boot, or "" if the root disk is a volume."""
    if "glance" in call.cloud.stopped:
        raise unexpected("nova.exception.GlanceConnectionFailed")
    devices = body.get("block_device_mapping_v2") or []
    sources = [device.get("uuid") for device in devices if device.get("source_type") == "image"]
    image = body.get("imageRef", "")
    if not image and not devices:
        raise bad_request("Missing imageRef attribute")
    for wanted in filter(None, [image, *sources]):
        if str(uuid.UUID(wanted)) != inventory.IMAGE_ID:
            raise bad_request("Can not find requested image")
    return str(image)


def _networks(call: Call, body: Body) -> tuple[list[tuple[Network, str | None]], list[Port]]:
    """The networks in which to create ports, each with the requested address, and the ports that exist already."""
    asked = body.get("networks", "auto")
    if asked == "none":
        return [], []
    if "neutron" in call.cloud.stopped:
        raise unexpected("keystoneauth1.exceptions.connection.ConnectFailure")
    mine = {network.id: network for network in call.cloud.networks_of(call.token)}
    if asked in ("auto", []):
        return _only_network(list(mine.values())), []
    networks, ports = [], []
    for one in asked:
        if "port" in one:
            ports.append(_port(call, one["port"]))
            continue
        network = mine.get(str(uuid.UUID(one["uuid"])))
        if network is None:
            raise bad_request(f"Network {one['uuid']} could not be found.")
        if not network.subnets:
            raise bad_request(f"Network {network.id} requires a subnet in order to boot instances on.")
        networks.append((network, one.get("fixed_ip")))
    return networks, ports


def _only_network(networks: list[Network]) -> list[tuple[Network, str | None]]:
    """The networks of a server that names none: the project's only network, if it has only one."""
    internal = [network for network in networks if not network.external]
    if len(internal) > 1:
        raise conflict("Multiple possible networks found, use a Network ID to be more specific.")
    return [(network, None) for network in internal]


def _port(call: Call, port_id: str) -> Port:
    for port, server in call.cloud.bound_ports():
        if port.id == port_id and port.project_id == call.token.project.id:
            if server is not None:
                raise bad_request(f"Port {port_id} is still in use.")
            return port
    raise bad_request(f"Port id {port_id} could not be found.")


def _count(call: Call, body: Body) -> int:
    """The number of servers: as many as the quota allows between the requested minimum and maximum."""
    least = int(body.get("min_count") or 1)
    most = int(body.get("max_count") or least)
    if least > most:
        raise bad_request("min_count must be <= max_count")
    if most > 1 and "hostname" in body:
        raise bad_request("Unable to allocate a single hostname to multiple instances")
    return check_quota(call, least, most)


def check_quota(call: Call, least: int, most: int) -> int:
    """How many more servers the quota allows, at most `most`. Raises Nova's 403 if that is less than `least`."""
    quota = call.cloud.knobs.quota_instances
    used = sum(server.project_id == call.token.project.id for server, _ in call.cloud.counted())
    if quota < 0 or used + most <= quota:
        return most
    if used + least <= quota:
        return quota - used
    raise forbidden(f"Quota exceeded for instances: Requested {most}, but already used {used} of {quota} instances")


def _build(call: Call, plan: _Plan) -> list[Server]:
    refusal = _scheduling_refusal(call, plan)
    reservation = "r-" + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
    servers = []
    for number in range(plan.count):
        server = _server(call, plan, number)
        server.reservation_id = reservation
        server.phases = _phases(call, plan, server, refusal)
        server.actions.append(Action("create", call.request_id, call.token.user.id, call.now))
        call.cloud.servers[server.id] = server
        servers.append(server)
    return servers


def _server(call: Call, plan: _Plan, number: int) -> Server:
    body = plan.body
    suffix = f"-{number + 1}" if plan.count > 1 else ""
    name = body["name"].strip()
    cloud, project_id = call.cloud, call.token.project.id
    server = Server(
        str(uuid.uuid4()),
        name + suffix,
        project_id,
        call.token.user.id,
        call.now,
        phases=[],
        image_id=plan.image_id,
        metadata=dict(body.get("metadata", {})),
        tags=list(dict.fromkeys(body.get("tags", []))),
        hints=plan.hints,
        hostname=body.get("hostname") or hostname(name, suffix),
        description=body.get("description"),
        key_name=body.get("key_name"),
        user_data=body.get("user_data"),
        zone=body.get("availability_zone"),
        config_drive="True" if body.get("config_drive") else "",
        launch_index=number,
        access={key: body[key] for key in ("accessIPv4", "accessIPv6") if key in body},
        group_id=plan.hints.get("group"),
    )
    made = [cloud.make_port(network, project_id, fixed) for network, fixed in plan.networks]
    for port in made:
        port.made_by_nova = True
    server.ports = [*plan.ports, *made]
    devices = body.get("block_device_mapping_v2") or []
    server.volumes = [
        device.get("uuid") if device.get("source_type") == "volume" else str(uuid.uuid4())
        for device in devices
        if device.get("destination_type") == "volume"
    ]
    return server


def hostname(name: str, suffix: str = "") -> str:
    """Nova's host name for a server: the name is cut and cleaned, and the suffix is added afterwards."""
    latin = name.encode("latin-1", "ignore").decode("latin-1")
    cleaned = re.sub(r"[^\w.-]+", "", re.sub("[ _.]", "-", latin[:63]), flags=re.ASCII)
    return cleaned.lower().strip(".-") + suffix


def _scheduling_refusal(call: Call, plan: _Plan) -> str | None:
    """Why no host accepts these servers: the scheduler places all or none."""
    used = sum(phase.flavor.vcpus for _, phase in call.cloud.counted() if phase.vm_state != "error")
    free = inventory.HOST_VCPUS - used
    if plan.flavor.ram > inventory.HOST_RAM or plan.flavor.vcpus > free:
        return NO_HOST
    return NOT_ENOUGH_HOSTS if plan.flavor.vcpus * plan.count > free else None


def _phases(call: Call, plan: _Plan, server: Server, refusal: str | None) -> list[Phase]:
    knobs, flavor = call.cloud.knobs, plan.flavor
    if refusal is not None:
        return lifecycle.unschedulable(call.now, flavor, knobs.spawn_delay, refusal)
    if any(port.network.external for port in server.ports):
        return lifecycle.failing(call.now, flavor, knobs.spawn_delay, NO_NETWORK.format(server.id))
    if knobs.spawn_fail and re.search(knobs.spawn_fail, server.name):
        return lifecycle.failing(call.now, flavor, knobs.spawn_delay, EXHAUSTED.format(server.id))
    return lifecycle.building(call.now, flavor, knobs.spawn_delay, knobs.address_delay)
