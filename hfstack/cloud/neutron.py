"""Neutron's ports, for addresses that Nova's record does not show.

Nova shows addresses from a cache that Neutron's notifications refresh; a lost one leaves it stale for ever
(`heal_instance_info_cache_interval` is off by default).
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hfstack.cloud.client import ServiceClient, in_parallel, openstack_ids, rows, said
from hfstack.cloud.transport import Unreachable
from hfstack.errors import CloudTrouble, Refusal, explain
from hfstack.rules.floating_ip import FloatingIP

if TYPE_CHECKING:
    from hfstack.errors import RefusalCode


class Neutron:
    """The network service of one cloud."""

    def __init__(self, service: ServiceClient) -> None:
        self.service = service

    def addresses(self, server_id: str) -> dict[str, list[dict[str, Any]]]:
        """Return the fixed addresses of a server's ports in the shape of Nova's `addresses`. Raises `CloudTrouble`."""
        found: dict[str, list[dict[str, Any]]] = {}
        document, _ = self.service.get_json("/ports?" + urllib.parse.urlencode({"device_id": server_id}))
        ports = [port for port in rows(document, "ports") if port.get("device_id") == server_id]
        names = self.network_names({str(port.get("network_id")) for port in ports}) if ports else {}
        for port in ports:
            network_id = str(port.get("network_id"))
            for fixed in rows(port, "fixed_ips"):
                addr = str(fixed.get("ip_address") or "")
                entry = {"addr": addr, "version": 6 if ":" in addr else 4, "OS-EXT-IPS:type": "fixed"}
                found.setdefault(names.get(network_id, network_id), []).append(entry)
        return found

    def network_names(self, ids: set[str]) -> dict[str, str]:
        """Return the names of networks by their id. Raises `CloudTrouble`."""
        query = [("id", network_id) for network_id in sorted(ids)] + [("fields", "id"), ("fields", "name")]
        document, _ = self.service.get_json("/networks?" + urllib.parse.urlencode(query))
        return {str(network.get("id")): str(network.get("name")) for network in rows(document, "networks")}


FIELDS = ("id", "floating_ip_address", "description", "port_id")

DESCRIPTIONS = 20
"""Descriptions per question: some servers take no longer line than 4 KiB."""


class FloatingIPs:
    """The floating IPs of one project."""

    def __init__(self, service: ServiceClient) -> None:
        self.service = service

    def take(self, network_id: str, description: str) -> None:
        """Take one floating IP of a network; it leads nowhere yet. The POST is sent once.

        An unclear answer is settled by a look for the description. Raises `Refusal` if there is none, or none to be
        seen: one that appears later is released by housekeeping.
        """
        try:
            self.create(network_id, description)
        except CloudTrouble as trouble:
            try:
                found = self.find([description])
            except CloudTrouble:
                found = []
            if not found:
                reason = f"it was not asked for, as it is not known whether it has a floating IP: {explain(trouble)}"
                raise Refusal(reason, "FloatingIpUnknown") from None

    def create(self, network_id: str, description: str) -> None:
        """Ask for one floating IP, once. Raises `Refusal` if Neutron made none, `CloudTrouble` if that is unclear."""
        wanted = {"floating_network_id": network_id, "description": description}
        reply = self.service.once("POST", "/floatingips", {"floatingip": wanted})
        if 400 <= reply.status < 500:
            words = said(reply)
            code: RefusalCode = "QuotaExceeded" if "quota" in words.lower() else "FloatingIpRefused"
            raise Refusal(f"Neutron gives it no floating IP: {reply.status} {words}".rstrip(), code)
        if reply.status != 201:
            raise self.service.refusal(reply)

    def find(self, descriptions: Collection[str]) -> list[FloatingIP]:
        """Return the floating IPs that have one of the descriptions. Raises `CloudTrouble`."""
        ordered = sorted(descriptions)
        found: list[FloatingIP] = []
        for start in range(0, len(ordered), DESCRIPTIONS):
            some = ordered[start : start + DESCRIPTIONS]
            found += [one for one in self.pages([("description", text) for text in some]) if one.description in some]
        return found

    def of_networks(self, network_ids: Collection[str]) -> list[FloatingIP]:
        """Return the project's floating IPs of some networks, whosoever they are. Raises `CloudTrouble`."""
        return list(self.pages([("floating_network_id", network_id) for network_id in sorted(network_ids)]))

    def pages(self, query: Sequence[tuple[str, str]]) -> Iterator[FloatingIP]:
        """Yield what all pages of a list hold; a site may have set how long a page is (`pagination_max_limit`)."""
        marker: list[tuple[str, str]] = []
        while True:
            wanted = [*query, *(("fields", field) for field in FIELDS), *marker]
            document, _ = self.service.get_json("/floatingips?" + urllib.parse.urlencode(wanted))
            page = [shown(row) for row in rows(document, "floatingips")]
            yield from page
            if not page or not any(link.get("rel") == "next" for link in rows(document, "floatingips_links")):
                return
            marker = [("marker", page[-1].id)]

    def ports(self, server_id: str) -> dict[str, list[str]]:
        """Return the fixed addresses of each of a server's ports, by the port's id. Raises `CloudTrouble`."""
        query = [("device_id", server_id), *(("fields", field) for field in ("id", "device_id", "fixed_ips"))]
        document, _ = self.service.get_json("/ports?" + urllib.parse.urlencode(query))
        return {
            str(port.get("id")): [str(fixed.get("ip_address")) for fixed in rows(port, "fixed_ips")]
            for port in rows(document, "ports")
            if port.get("device_id") == server_id
        }

    def attach(self, one: FloatingIP, port_id: str, address: str) -> None:
        """Have a floating IP lead to a port's fixed IPv4 address. A PUT may be repeated. Raises `CloudTrouble`."""
        target = {"port_id": port_id, "fixed_ip_address": address}
        reply = self.service.with_retries("PUT", path_of(one.id), {"floatingip": target})
        if reply.status != 200:
            reason = f"Neutron does not attach {one.address}: {reply.status} {said(reply)}".rstrip()
            raise CloudTrouble(reason, openstack_ids(reply))

    def release(self, descriptions: Collection[str]) -> None:
        """Release the floating IPs of these descriptions. Raises `CloudTrouble`, after all that could be done."""
        self.delete_all(self.find(descriptions))

    def delete_all(self, doomed: Iterable[FloatingIP]) -> None:
        """Delete floating IPs, a few at a time. Raises the first `CloudTrouble`, after all that could be done."""
        by_id = {one.id: one for one in doomed}
        deleted, trouble = in_parallel(self.delete, by_id, stop_at=Unreachable)
        for floating_id in deleted:
            one = by_id[floating_id]
            self.service.log.info(f"released the floating IP {one.address}: {one.description}")
        if trouble is not None:
            raise trouble

    def delete(self, floating_id: str) -> None:
        """Delete a floating IP, attached or not; one that is gone is fine. Raises `CloudTrouble`."""
        reply = self.service.with_retries("DELETE", path_of(floating_id))
        if reply.status not in {204, 404}:
            raise self.service.refusal(reply)


def path_of(floating_id: str) -> str:
    """Return the path of one floating IP."""
    return "/floatingips/" + urllib.parse.quote(floating_id, safe="")


def shown(row: Mapping[str, Any]) -> FloatingIP:
    """Return a floating IP from Neutron's JSON."""
    return FloatingIP(*(str(row.get(field) or "") for field in FIELDS))
