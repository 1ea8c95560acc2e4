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

if TYPE_CHECKING:
    from typing import Any

Server = Mapping[str, "Any"]
"""A server as Nova shows it."""


SERVER_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
"""How every server's id looks: a server with any other id never existed."""


# Whose server it is

OWNER_TAG = "hostfactory"
"""On every server that hfstack created."""

PROVIDER_TAG = "hfp:"
"""The tag that names the provider instance begins with this."""

REQUEST_TAG = "hf:"
"""The tag that names the request begins with this."""

ENDED_TAG = "hf-ended"
"""On servers whose request has ended: HostFactory uses them. A restored work directory may not know that."""

DRAIN_TAG = "hf-drain"
"""An operator's mark: HostFactory shall return the server. `hf-drain:120` gives its work 120 seconds to end."""

REQUEST_ID = "hf_request_id"
PROVIDER = "hf_provider"
TEMPLATE_ID = "hf_template_id"
INDEX = "hf_index"
COUNT = "hf_count"
"""How many machines the request has."""
FLOATING_NETWORK = "hf_floating_network"
"""The id of the network that the server's floating IP comes from; absent if the server gets none."""
HOST_NAME = "hf_hostname"
"""Set by a site whose images choose their own host names."""

TAGGABLE = re.compile(r"[^/,]{1,56}\Z")
"""Provider names that a tag can carry."""


def request_tag(request_id: str) -> str:
    """Return the tag of a request's servers."""
    return REQUEST_TAG + request_id


def provider_tag(provider: str) -> str:
    """Return the tag of all servers that a provider instance created."""
    return PROVIDER_TAG + provider


def tags(request_id: str, provider: str) -> list[str]:
    """Return the tags of a new server; later, only they show that it is ours. Raises `ConfigError`."""
    if not TAGGABLE.match(provider):
        raise ConfigError(
            f"HF_PROVIDER_NAME is {provider!r}, wanted at most 56 characters, no slash or comma: it is a tag"
        )
    return [OWNER_TAG, provider_tag(provider), request_tag(request_id)]


def metadata(
    request_id: str, provider: str, template_id: str, index: int, count: int, floating_network: str | None
) -> dict[str, str]:
    """Return the metadata of a new server: for people, and for tools that cannot list tags."""
    found = {
        REQUEST_ID: request_id,
        PROVIDER: provider,
        TEMPLATE_ID: template_id,
        INDEX: str(index),
        COUNT: str(count),
    }
    return {**found, FLOATING_NETWORK: floating_network} if floating_network else found


def carries(record: Server, tag: str) -> bool:
    """Tell whether the record itself shows the tag. Records of a down cell, and of deleted servers, show none."""
    return tag in tags_of(record)


def is_ours(record: Server, provider: str) -> bool:
    """Tell whether the record itself shows that this provider instance created the server."""
    return carries(record, OWNER_TAG) and carries(record, provider_tag(provider))


def is_of(request_id: str, record: Server, provider: str) -> bool:
    """Tell whether the record itself shows that this provider instance created the server for the request."""
    return is_ours(record, provider) and carries(record, request_tag(request_id))


def is_foreign(record: Server, provider: str) -> bool:
    """Tell a server that this provider instance did not create. A record without tags (cell down) proves nothing."""
    return isinstance(record.get("tags"), list) and not is_ours(record, provider)


def is_handed_over(record: Server) -> bool:
    """Tell whether the record itself shows that HostFactory was told, at the end of its request, to use the machine."""
    return carries(record, ENDED_TAG)


def request_ids(record: Server) -> list[str]:
    """Return the ids of the requests whose tags the record shows: one for a server of hfstack."""
    return [str(tag).removeprefix(REQUEST_TAG) for tag in tags_of(record) if str(tag).startswith(REQUEST_TAG)]


def drain(record: Server) -> int | None:
    """Return the seconds that an operator's mark gives, the fewest of several; `None` without a mark that is valid."""
    words = [str(tag).partition(":") for tag in tags_of(record)]
    marks = [seconds if colon else "0" for word, colon, seconds in words if word == DRAIN_TAG]
    return min((int(mark) for mark in marks if mark.isascii() and mark.isdecimal() and len(mark) <= 9), default=None)


def tags_of(record: Server) -> Sequence[object]:
    """Return the tags that the record shows."""
    found = record.get("tags")
    return found if isinstance(found, list) else ()


def metadata_of(record: Server) -> Mapping[str, object]:
    """Return the metadata that the record shows."""
    found = record.get("metadata")
    return found if isinstance(found, dict) else {}


def wants_floating_ip(record: Server) -> bool:
    """Tell whether the record itself says that the server gets a floating IP."""
    return FLOATING_NETWORK in metadata_of(record)


def template_id(record: Server) -> object:
    """Return the id of the template that the server was created from, `None` if the record does not say it."""
    return metadata_of(record).get(TEMPLATE_ID)


def requested_count(records: Iterable[Server]) -> int:
    """Return how many machines the request has, as its servers' metadata says; 0 if none says it."""
    counts = [metadata_of(record).get(COUNT) for record in records]
    return max(
        (
            int(count)
            for count in counts
            if isinstance(count, str) and count.isascii() and count.isdecimal() and len(count) <= 5
        ),
        default=0,
    )


# Its state

STATE_KEYS = ("status", "OS-EXT-STS:task_state", "OS-EXT-STS:vm_state", "OS-EXT-STS:power_state")


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


def is_locked(record: Server) -> bool:
    """Tell a server that somebody locked (`openstack server lock`): Nova refuses to delete it."""
    return record.get("locked") is True


def fault(record: Server) -> str:
    """Return Nova's reason for an ERROR in one line, "" where the record gives none."""
    found = record.get("fault")
    message = found.get("message") if isinstance(found, dict) else None
    return errors.one_line(message) if isinstance(message, str) else ""


# Its name

SANITARY = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
"""Server names that are host names without any change."""


def host_name(record: Server) -> str:
    """Return the guest's host name, as Nova's `sanitize_hostname` (nova/utils.py) makes it of the server's name.

    A site whose images choose their own names says the name in the server's metadata, under `hf_hostname`.
    """
    chosen = metadata_of(record).get(HOST_NAME)
    if isinstance(chosen, str) and chosen:
        return chosen
    return sanitized(str(record.get("name") or "")) or f"Server-{record.get('id')}"


def has_planned_name(record: Server) -> bool:
    """Tell whether the server has the name that hfstack planned for it, as its own tags and metadata show."""
    endings = [f"-{request_id[4:12]}-{metadata_of(record).get(INDEX)}" for request_id in request_ids(record)]
    return bool(endings) and HOST_NAME not in metadata_of(record) and str(record.get("name")).endswith(tuple(endings))


def sanitized(server_name: str) -> str:
    """Drop what is not Latin-1, cut to 63, dash for space, underscore and dot, drop other signs, lower case, strip."""
    if SANITARY.match(server_name):
        return server_name
    name = server_name.encode("latin-1", "ignore").decode("latin-1")[:63]
    name = re.sub(r"[ _.]", "-", name)
    return re.sub(r"[^\w.-]+", "", name).lower().strip(".-")


# Its times

TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z?$")


def launch_time(record: Server) -> int | None:
    """Return when the server was first up, else when it was requested; whole seconds since 1970."""
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


# Its addresses


def private_address(record: Server, networks: Sequence[str] = ()) -> str:
    """Return the address that HostFactory uses, "" while there is none.

    The first of `networks` (the provider's order) that has a fixed address, IPv4 before IPv6; else the first fixed IPv4
    of any network, else the first fixed IPv6.
    """
    fixed = [(label, entry) for label, entry in addresses(record) if is_fixed(entry)]
    for network in networks:
        address = first_by_version([entry for label, entry in fixed if label == network])
        if address:
            return address
    return first_by_version([entry for _, entry in fixed])


def public_address(record: Server) -> str:
    """Return the first floating IPv4, else floating IPv6, else "". The user-set accessIPv4 is not a NIC's address."""
    return first_by_version([entry for _, entry in addresses(record) if not is_fixed(entry)])


def lacks_floating_ip(record: Server) -> bool:
    """Tell whether a server is meant to have a floating IP and shows none."""
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


def is_fixed(entry: Mapping[str, Any]) -> bool:
    """Tell a fixed address; some clouds leave out the type, and then it is fixed."""
    return bool(entry.get("OS-EXT-IPS:type", "fixed") != "floating")


def first_by_version(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return the first IPv4 address, else the first of any version, else ""."""
    ordered = [entry["addr"] for entry in entries if entry.get("version") == 4] + [entry["addr"] for entry in entries]
    return str(ordered[0]) if ordered else ""
