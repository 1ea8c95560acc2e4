"""Which server a floating IP belongs to. Pure: no clock, no files, no network.

Neutron accepts no tags when it creates a floating IP, but it accepts a description. Ours names the provider instance,
the request and the server. Only the description shows that a floating IP is ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hfstack.rules import server_record
from hfstack.rules.server_record import Server


class FloatingIP(NamedTuple):
    """A floating IP as Neutron shows it."""

    id: str
    address: str
    description: str
    port_id: str = ""
    """The port that it is attached to; "" if it is not attached."""


def describe(provider: str, request_id: str, server_name: str) -> str:
    """Return the description of a machine's floating IP; 169 characters at most, and Neutron accepts 255."""
    return f"hfstack {provider} {request_id} {server_name}"


def of(server: Server, provider: str) -> str:
    """Return the description of a server's floating IP, "" for a server that shows no request tag."""
    request_ids = server_record.request_ids(server)
    return describe(provider, request_ids[0], str(server.get("name"))) if request_ids else ""


def of_deleted(servers: Sequence[Server], deleted_ids: Iterable[str], provider: str) -> list[str]:
    """Return the descriptions of the floating IPs to release with the deleted servers.

    A server that stays may have the same name: it replaces the deleted one and gets its floating IP.
    """
    deleted = set(deleted_ids)
    staying = {of(server, provider) for server in servers if server["id"] not in deleted}
    owners = [server for server in servers if server["id"] in deleted and server_record.wants_floating_ip(server)]
    descriptions = dict.fromkeys(of(server, provider) for server in owners)
    return [description for description in descriptions if description and description not in staying]
