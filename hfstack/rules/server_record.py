"""One server record of Nova, read field by field.

Records come as Nova's JSON (`GET /servers/detail`), dicts whose keys may be missing: a server in a cell that is down
has only `id`, `status`, `tenant_id`, `created` and `links`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from hfstack import errors, states
from hfstack._typing import TYPE_CHECKING
from hfstack.errors import ConfigError


def our_tags(request_id: str, provider: str) -> list[str]:
    """Return the tags that make a server ours. Raises `ConfigError`."""
    if not PROVIDER.match(provider):
        raise ConfigError(
            f"HF_PROVIDER_NAME is {provider!r}, wanted at most 56 characters, no slash or comma: it is a tag"
        )
    return [OWNER_TAG, provider_tag(provider), request_tag(request_id)]


PROVIDER = re.compile(r"[^/,]{1,56}\Z")


def drain(record: Mapping[str, object]) -> int | None:
    """Return the grace of an operator's mark, the shortest of several; `None` if there is none that can be read."""
    tags = record.get("tags")
    words = [str(tag).partition(":") for tag in tags] if isinstance(tags, list) else []
    marks = [seconds if colon else "0" for word, colon, seconds in words if word == DRAIN]
    return min((int(one) for one in marks if one.isascii() and one.isdecimal() and len(one) <= 9), default=None)


DRAIN = "hf-drain"
"""The tag of a server that is to be given back; `hf-drain:120` gives its work 120 seconds."""


def is_foreign(record: Server) -> bool:
    """Tell a live server without any tag of ours. A record that shows no tags at all (cell down) proves nothing."""
    tags = record.get("tags")
    return isinstance(tags, list) and not any(str(tag).startswith(REQUEST_TAG) for tag in tags)


def is_of(request_id: str, record: Server, provider: str) -> bool:
    """Tell whether the record itself shows that this provider instance made the server for the request."""
    return is_ours(record, provider) and carries(record, request_tag(request_id))


def is_ours(record: Server, provider: str) -> bool:
    """Tell whether the record itself shows that this provider instance made the server."""
    return carries(record, OWNER_TAG) and carries(record, provider_tag(provider))


if TYPE_CHECKING:
    from typing import Any

Server = Mapping[str, "Any"]
"""A server as Nova shows it."""

OWNER_TAG = "hostfactory"
"""On every server that hfstack made."""

REQUEST_TAG = "hf:"
"""How the tag begins that names a server's request."""

FLOATING_NETWORK = "hf_floating_network"
"""Metadata of a server that is to have a floating IP: the id of the network that it is taken from."""

WHY_NO_FLOATING_IP = "hf:why_no_floating_ip"
"""What a poll adds to a record, beside Nova's keys: why the server's floating IP could not be attached."""

STATE_KEYS = ("status", "OS-EXT-STS:task_state", "OS-EXT-STS:vm_state", "OS-EXT-STS:power_state")

SANITARY = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
"""Server names that are host names as they stand."""

TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z?$")


def row(record: Server) -> states.Row:
    """Return the row of the state table that the server is in."""
    values = [record.get(key) for key in STATE_KEYS]
    try:
        return states.find(*values)
    except TypeError:
        # a list or an object where Nova has a word
        return states.find(*(value if isinstance(value, str | int) else None for value in values))


def state(record: Server) -> str:
    """Name the state for a message: Nova's status, with the task if there is one."""
    task = record.get("OS-EXT-STS:task_state")
    return f"{record.get('status')}/{task}" if task else str(record.get("status"))


def request_tag(request_id: str) -> str:
    """Return the tag of a request's servers."""
    return REQUEST_TAG + request_id


def provider_tag(provider: str) -> str:
    """Return the tag of all servers that a provider instance made."""
    return f"hfp:{provider}"


def carries(record: Server, tag: str) -> bool:
    """Tell whether the record itself shows the tag. Records of a down cell, and of deleted servers, show none."""
    tags = record.get("tags")
    return isinstance(tags, list) and tag in tags


def host_name(record: Server) -> str:
    """Return the guest's host name, as Nova's `sanitize_hostname` (nova/utils.py) makes it of the server's name.

    A site whose images name themselves says so in the server's metadata, under `hf_hostname`.
    """
    metadata = record.get("metadata")
    chosen = metadata.get("hf_hostname") if isinstance(metadata, dict) else None
    if isinstance(chosen, str) and chosen:
        return chosen
    return sanitized(str(record.get("name") or "")) or f"Server-{record.get('id')}"


def ids_by_host_name(records: Iterable[Server]) -> dict[str, str]:
    """Return the ids of servers by their host names, full and short."""
    ids: dict[str, str] = {}
    for record in records:
        full = host_name(record)
        ids |= dict.fromkeys((full.split(".")[0], full), str(record["id"]))
    return ids


def sanitized(server_name: str) -> str:
    """Drop what is not Latin-1, cut to 63, dash for space, underscore and dot, drop other signs, lower case, strip."""
    if SANITARY.match(server_name):
        return server_name
    name = server_name.encode("latin-1", "ignore").decode("latin-1")[:63]
    name = re.sub(r"[ _.]", "-", name)
    return re.sub(r"[^\w.-]+", "", name).lower().strip(".-")


def launch_time(record: Server) -> int | None:
    """Return when the server was first up, else when it was asked for; whole seconds since 1970."""
    launched = epoch(record.get("OS-SRV-USG:launched_at"))
    return launched if launched is not None else epoch(record.get("created"))


def epoch(text: object) -> int | None:
    """Read Nova's times: `2017-10-10T15:49:09.516729` and `2017-10-10T15:49:08Z` are both UTC."""
    match = TIME.match(text) if isinstance(text, str) else None
    if not match:
        return None
    try:
        return int(datetime.fromisoformat(f"{match[1]}+00:00").timestamp())
    except ValueError:
        return None


def private_address(record: Server, networks: Sequence[str] = ()) -> str:
    """Return the address that HostFactory talks to, "" while there is none.

    The first of `networks` (the provider's order) that has a fixed address, IPv4 before IPv6; else the first fixed IPv4
    of any network, else the first fixed IPv6.
    """
    fixed = [(label, address) for label, address in addresses(record) if is_fixed(address)]
    for wanted in networks:
        found = first_by_version([address for label, address in fixed if label == wanted])
        if found:
            return found
    return first_by_version([address for _, address in fixed])


def public_address(record: Server) -> str:
    """Return the first floating IPv4, else floating IPv6, else "". The user-set accessIPv4 is no address of a NIC."""
    return first_by_version([address for _, address in addresses(record) if not is_fixed(address)])


def wants_floating_ip(record: Server) -> bool:
    """Tell whether the record itself says that the server is to have a floating IP."""
    metadata = record.get("metadata")
    return isinstance(metadata, dict) and FLOATING_NETWORK in metadata


def lacks_floating_ip(record: Server) -> bool:
    """Tell whether a server is to have a floating IP and shows none."""
    return wants_floating_ip(record) and not public_address(record)


def addresses(record: Server) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (network label, address entry) in Nova's order; a label with an empty list is usual while building."""
    by_label = record.get("addresses")
    if not isinstance(by_label, dict):
        return
    for label, entries in by_label.items():
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("addr"), str) and entry["addr"]:
                yield label, entry


def is_fixed(address: Mapping[str, Any]) -> bool:
    """Tell a fixed address; some clouds leave the type out, and then it is one."""
    return bool(address.get("OS-EXT-IPS:type", "fixed") != "floating")


def first_by_version(found: Sequence[Mapping[str, Any]]) -> str:
    """Return the first IPv4 address, else the first of any version, else ""."""
    ordered = [a["addr"] for a in found if a.get("version") == 4] + [a["addr"] for a in found]
    return str(ordered[0]) if ordered else ""


def fault(record: Server) -> str:
    """Return Nova's reason for an ERROR in one line, "" where the record gives none."""
    found = record.get("fault")
    message = found.get("message") if isinstance(found, dict) else None
    return errors.one_line(message) if isinstance(message, str) else ""


def asked_for_count(records: Sequence[Server]) -> int:
    """Return how many machines the servers' `hf_count` metadata says the request has; 0 where none says so."""
    found = [0]
    for record in records:
        metadata = record.get("metadata")
        count = metadata.get("hf_count") if isinstance(metadata, dict) else None
        if isinstance(count, str) and count.isascii() and count.isdecimal() and len(count) <= 5:
            found.append(int(count))
    return max(found)
