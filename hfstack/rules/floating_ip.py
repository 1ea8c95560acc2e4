"""Whose a floating IP is. Pure: no clock, no files, no network.

Neutron takes no tags when it makes a floating IP, but a description. Ours names the provider instance, the request and
the server: so each is found from the other, and by nothing else is a floating IP of ours told from those of others.
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
    """The port that it leads to; "" while it leads nowhere."""


def describe(provider: str, request_id: str, server_name: str) -> str:
    """Return the description of a machine's floating IP; 169 characters at most, where Neutron takes 255."""
    return f"hfstack {provider} {request_id} {server_name}"


def of(record: Server, provider: str) -> str:
    """Return the description that a server's floating IP has, "" for a server that shows no request of ours."""
    request_ids = server_record.request_ids(record)
    return describe(provider, request_ids[0], str(record.get("name"))) if request_ids else ""


def of_going(records: Sequence[Server], going: Iterable[str], provider: str) -> list[str]:
    """Return the descriptions of the floating IPs to release with the servers that go, which `going` has the ids of.

    A server that stays may have the same name: it was asked for in the place of the other, and gets its floating IP.
    """
    leaving = set(going)
    staying = {of(record, provider) for record in records if record["id"] not in leaving}
    owners = [record for record in records if record["id"] in leaving and server_record.wants_floating_ip(record)]
    found = dict.fromkeys(of(record, provider) for record in owners)
    return [one for one in found if one and one not in staying]
