"""What Nova's JSON schemas refuse in the body of a server, by microversion."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

from hfstack.sandbox.nova.api import Call, invalid

Body = dict[str, Any]

_ANY_VERSION = {
    *("name", "imageRef", "flavorRef", "adminPass", "metadata", "networks", "OS-DCF:diskConfig", "accessIPv4"),
    *("accessIPv6", "personality", "availability_zone", "block_device_mapping", "block_device_mapping_v2"),
    *("config_drive", "min_count", "max_count", "return_reservation_id", "security_groups", "user_data"),
    "key_name",
}
_KEYS_SINCE = {
    19: {"description"},
    52: {"tags"},
    63: {"trusted_image_certificates"},
    74: {"host", "hypervisor_hostname"},
    90: {"hostname"},
}
_HOSTNAME = "^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$"


def is_uuid(value: object) -> bool:
    """Whether a value is a UUID, with or without dashes."""
    try:
        uuid.UUID(str(value))
    except ValueError:
        return False
    return True


def check_body(call: Call, body: Body) -> None:
    """Raise Nova's 400 for what its JSON schema refuses."""
    for key in ("name", "flavorRef", *(["networks"] if call.minor >= 37 else [])):
        if key not in body:
            raise invalid("server", body, f"'{key}' is a required property")
    allowed = _ANY_VERSION.union(*(keys for minor, keys in _KEYS_SINCE.items() if call.minor >= minor))
    unknown = [key for key in body if key not in allowed]
    if unknown:
        names = ", ".join(f"'{key}'" for key in unknown)
        verb = "was" if len(unknown) == 1 else "were"
        raise invalid("server", body, f"Additional properties are not allowed ({names} {verb} unexpected)")
    for key, why in _SCHEMA.items():
        if body.get(key) is not None and (reason := why(body[key])):
            raise invalid(key, body[key], reason)
    check_metadata(body.get("metadata", {}))
    check_tags(body.get("tags", []))


def _name_error(name: object) -> str | None:
    if not isinstance(name, str):
        return f"{name!r} is not of type 'string'"
    if not name:
        return "'' should be non-empty"
    return f"{name!r} is too long" if len(name) > 255 else None


def _image_error(image: object) -> str | None:
    return None if image == "" or is_uuid(image) else f"{image!r} is not valid under any of the given schemas"


def _networks_error(networks: object) -> str | None:
    if isinstance(networks, list):
        asked = all(isinstance(one, dict) and set(one) & {"uuid", "port"} for one in networks)
        wrong = [one for one in networks if asked and not all(is_uuid(one.get(k, one)) for k in one if k != "fixed_ip")]
        if asked and not wrong:
            return None
    elif networks in {"auto", "none"}:
        return None
    return f"{networks!r} is not valid under any of the given schemas"


def _count_error(count: object) -> str | None:
    if not str(count).isdigit():
        return f"{count!r} is not of type 'integer'"
    return f"{count} is less than the minimum of 1" if int(str(count)) < 1 else None


def _hostname_error(hostname: object) -> str | None:
    fits = re.fullmatch(_HOSTNAME, str(hostname))
    return None if fits else f"{hostname!r} does not match '{_HOSTNAME}'"


_SCHEMA: dict[str, Callable[[object], str | None]] = {
    "name": _name_error,
    "imageRef": _image_error,
    "networks": _networks_error,
    "min_count": _count_error,
    "max_count": _count_error,
    "hostname": _hostname_error,
}


def check_metadata(metadata: Body) -> None:
    """Raise Nova's 400 for metadata that it does not accept."""
    for key, value in metadata.items():
        if not isinstance(value, str):
            raise invalid(key, value, f"{value!r} is not of type 'string'")
        if len(value) > 255 or len(key) > 255:
            raise invalid(key, value, f"{value!r} is too long")


def check_tags(tags: list[str]) -> None:
    """Raise Nova's 400 for tags that it does not accept."""
    if len(tags) > 50:
        raise invalid("tags", tags, f"{tags} is too long")
    for number, tag in enumerate(tags):
        if len(tag) > 60:
            raise invalid(str(number), tag, f"{tag!r} is too long")
        if not re.fullmatch("[^,/]*", tag):
            raise invalid(str(number), tag, f"{tag!r} does not match '^[^,/]*$'")
