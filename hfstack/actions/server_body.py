"""Build the body of `POST /servers` from a template. Pure: names are planned and ids resolved before.

Every server carries our tags and metadata from its creation. hfstack finds and verifies its servers by the tags; the
metadata is for people, and for tools that cannot list tags.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hfstack.config import user_data
from hfstack.config.template import METADATA_KEY, BootVolume, Template
from hfstack.errors import InputError
from hfstack.inputs import MachineRequest
from hfstack.rules import server_record


class Resolved(NamedTuple):
    """The ids of what the template names; of its flavors and zones, the one of this attempt."""

    image: str
    flavor: str
    networks: tuple[str, ...]
    security_groups: tuple[str, ...] = ()
    key_name: str | None = None
    server_group: str | None = None
    zone: str | None = None
    """`None` lets the cloud choose."""
    floating_network: str | None = None
    """The network that the floating IPs come from; `None` if the machines get none."""


def server_body(
    template: Template,
    resolved: Resolved,
    name: str,
    index: int,
    wanted: MachineRequest,
    request_id: str,
    provider: str,
) -> dict[str, Any]:
    """Return the JSON document of `POST /servers` at microversion 2.79 for one machine.

    It always names networks: Nova creates the ports, and deletes them with the server. Raises `ConfigError` for a
    provider name that cannot be a tag, and `InputError` for data of LSF that Nova would refuse.
    """
    added = variables(wanted)
    ours = server_record.metadata(
        request_id, provider, template.templateId, index, wanted.machine_count, resolved.floating_network
    )
    server: dict[str, Any] = {
        "name": name,
        "flavorRef": resolved.flavor,
        "networks": [{"uuid": network} for network in resolved.networks],
        "tags": [*server_record.tags(request_id, provider), *template.tags],
        "metadata": {**template.metadata, **added, **ours},
    }
    if template.bootVolume:
        server["block_device_mapping_v2"] = [boot_volume(template.bootVolume, resolved.image)]
    else:
        server["imageRef"] = resolved.image
    values = {"requestId": request_id, "templateId": template.templateId, "name": name, "index": str(index)}
    optional = {
        "security_groups": [{"name": group} for group in resolved.security_groups],
        "key_name": resolved.key_name,
        "availability_zone": resolved.zone,
        "description": template.description,
        "config_drive": template.configDrive,
        "user_data": encoded(template, user_data.fill(template.userData or "", values, added)),
    }
    document = {"server": {**server, **{key: value for key, value in optional.items() if value}}}
    group = {"group": resolved.server_group} if resolved.server_group else {}
    hints = {**template.schedulerHints, **group}
    return {**document, "os:scheduler_hints": hints} if hints else document


def variables(wanted: MachineRequest) -> dict[str, str]:
    """Return the variables that LSF passes to the machines, as metadata. Raises `InputError`."""
    values = {"rc_account": wanted.rc_account} if wanted.rc_account else {}
    for key, value in wanted.user_data.items():
        values[key] = value if isinstance(value, str) else json.dumps(value)
    for key, text in values.items():
        if not METADATA_KEY.match(key) or key.startswith("hf_") or len(text) > 255:
            raise InputError(
                f"userData.{key[:40]}: wanted a name of letters, digits and -_:. that does not begin with hf_, and a "
                "value of at most 255 characters: it becomes metadata of the servers"
            )
    return values


def boot_volume(volume: BootVolume, image: str) -> dict[str, Any]:
    """Return the volume that Nova creates from the image. Such a server has no image of its own."""
    mapping = {
        "boot_index": 0,
        "uuid": image,
        "source_type": "image",
        "destination_type": "volume",
        "volume_size": volume.size,
        "delete_on_termination": volume.deleteOnTermination,
    }
    return {**mapping, "volume_type": volume.type} if volume.type else mapping


def encoded(template: Template, text: str) -> str:
    """Return the user data in base64. Raises `InputError` if LSF's variables make it too long."""
    encoded_text = user_data.encode(text)
    if len(encoded_text) > user_data.MAX_ENCODED:
        raise InputError(
            f"userData: with it, that of template {template.templateId} has {len(encoded_text)} characters in base64, "
            f"wanted at most {user_data.MAX_ENCODED}: Nova's limit"
        )
    return encoded_text
