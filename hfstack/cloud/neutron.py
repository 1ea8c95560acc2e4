"""Neutron's verbs: the ports of a server, and the floating IPs of the project.

Nova shows a server's addresses from a cache that Neutron's notifications refresh. If one is lost, the cache stays stale
(`heal_instance_info_cache_interval` is off by default), and only the ports have the addresses.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hfstack.cloud.client import ServiceClient, error_message, in_parallel, openstack_ids, rows
from hfstack.cloud.transport import Unreachable
from hfstack.errors import CloudTrouble, Refusal, explain
from hfstack.rules.floating_ip import FloatingIP

if TYPE_CHECKING:
    from hfstack.errors import RefusalCode

PORT_FIELDS = ("id", "device_id", "network_id", "fixed_ips")

FLOATING_IP_FIELDS = ("id", "floating_ip_address", "description", "port_id")

DESCRIPTIONS = 20
"""Descriptions per query: some servers accept no request line above 4 KiB."""


class Neutron:
    """The network service of one cloud."""

    def __init__(self, service: ServiceClient) -> None:
        self.service = service

    # Ports

    def ports(self, server_id: str) -> list[dict[str, Any]]:
        """Return the ports of a server. Raises `CloudTrouble`."""
        document, _ = self.service.get_json("/ports?" + query([("device_id", server_id)], PORT_FIELDS))
        return [port for port in rows(document, "ports") if port.get("device_id") == server_id]

    def addresses(self, server_id: str) -> dict[str, list[dict[str, Any]]]:
        """Return the fixed addresses of a server's ports in the shape of Nova's `addresses`. Raises `CloudTrouble`."""
        by_network: dict[str, list[dict[str, Any]]] = {}
        ports = self.ports(server_id)
        names = self.network_names({str(port.get("network_id")) for port in ports}) if ports else {}
        for port in ports:
            network_id = str(port.get("network_id"))
            for address in fixed_addresses(port):
                entry = {"addr": address, "version": 6 if ":" in address else 4, "OS-EXT-IPS:type": "fixed"}
                by_network.setdefault(names.get(network_id, network_id), []).append(entry)
        return by_network

    def network_names(self, ids: set[str]) -> dict[str, str]:
        """Return the names of networks by their ids. Raises `CloudTrouble`."""
        wanted = query([("id", network_id) for network_id in sorted(ids)], ("id", "name"))
        document, _ = self.service.get_json("/networks?" + wanted)
        return {str(network.get("id")): str(network.get("name")) for network in rows(document, "networks")}

    # Floating IPs

    def take_floating_ip(self, network_id: str, description: str) -> None:
        """Take one floating IP of a network, not attached yet. The POST is sent once.

        After an unclear answer, a query for the description decides. Raises `Refusal` if there is none, or if the query
        fails too: housekeeping releases one that appears later.
        """
        try:
            self.create_floating_ip(network_id, description)
        except CloudTrouble as trouble:
            try:
                created = self.floating_ips([description])
            except CloudTrouble:
                created = []
            if not created:
                reason = f"not requested, because it is unknown whether it has a floating IP: {explain(trouble)}"
                raise Refusal(reason, "FloatingIpUnknown") from None

    def create_floating_ip(self, network_id: str, description: str) -> None:
        """Request one floating IP, once. Raises `Refusal` if Neutron created none, `CloudTrouble` if it may have."""
        document = {"floating_network_id": network_id, "description": description}
        reply = self.service.once("POST", "/floatingips", {"floatingip": document})
        if 400 <= reply.status < 500:
            message = error_message(reply)
            code: RefusalCode = "QuotaExceeded" if "quota" in message.lower() else "FloatingIpRefused"
            raise Refusal(f"Neutron refused a floating IP: {reply.status} {message}".rstrip(), code)
        if reply.status != 201:
            raise self.service.refusal(reply)

    def floating_ips(self, descriptions: Collection[str]) -> list[FloatingIP]:
        """Return the floating IPs that have one of the descriptions. Raises `CloudTrouble`."""
        ordered = sorted(descriptions)
        matching: list[FloatingIP] = []
        for start in range(0, len(ordered), DESCRIPTIONS):
            some = ordered[start : start + DESCRIPTIONS]
            shown = self.pages([("description", description) for description in some])
            matching += [floating_ip for floating_ip in shown if floating_ip.description in some]
        return matching

    def floating_ips_of(self, network_ids: Collection[str]) -> list[FloatingIP]:
        """Return the project's floating IPs of some networks, whoever created them. Raises `CloudTrouble`."""
        return list(self.pages([("floating_network_id", network_id) for network_id in sorted(network_ids)]))

    def pages(self, filters: Sequence[tuple[str, str]]) -> Iterator[FloatingIP]:
        """Yield the floating IPs of all pages; the site may limit the length of a page (`pagination_max_limit`)."""
        path, marker = "/floatingips?" + query(filters, FLOATING_IP_FIELDS), ""
        while True:
            document, _ = self.service.get_json(path + marker)
            page = [as_floating_ip(row) for row in rows(document, "floatingips")]
            yield from page
            if not page or not any(link.get("rel") == "next" for link in rows(document, "floatingips_links")):
                return
            marker = "&" + urllib.parse.urlencode({"marker": page[-1].id})

    def attach(self, floating_ip: FloatingIP, port_id: str, address: str) -> None:
        """Attach a floating IP to a port's fixed IPv4 address. A PUT may be repeated. Raises `CloudTrouble`."""
        target = {"port_id": port_id, "fixed_ip_address": address}
        reply = self.service.with_retries("PUT", path_of(floating_ip.id), {"floatingip": target})
        if reply.status != 200:
            reason = f"Neutron did not attach {floating_ip.address}: {reply.status} {error_message(reply)}".rstrip()
            raise CloudTrouble(reason, openstack_ids(reply))

    def release(self, doomed: Iterable[FloatingIP]) -> None:
        """Delete floating IPs, a few at a time. Raises the first `CloudTrouble`, after everything that was possible."""
        by_id = {floating_ip.id: floating_ip for floating_ip in doomed}
        deleted, trouble = in_parallel(self.delete_floating_ip, by_id, stop_at=Unreachable)
        for floating_id in deleted:
            floating_ip = by_id[floating_id]
            self.service.log.info(f"released the floating IP {floating_ip.address}: {floating_ip.description}")
        if trouble is not None:
            raise trouble

    def delete_floating_ip(self, floating_id: str) -> None:
        """Delete a floating IP, attached or not; one that no longer exists is fine. Raises `CloudTrouble`."""
        reply = self.service.with_retries("DELETE", path_of(floating_id))
        if reply.status not in {204, 404}:
            raise self.service.refusal(reply)


def query(filters: Sequence[tuple[str, str]], fields: Sequence[str]) -> str:
    """Return the query of a list, and of each entry only the fields that are used."""
    return urllib.parse.urlencode([*filters, *(("fields", field) for field in fields)])


def path_of(floating_id: str) -> str:
    """Return the path of one floating IP."""
    return "/floatingips/" + urllib.parse.quote(floating_id, safe="")


def fixed_addresses(port: Mapping[str, Any]) -> list[str]:
    """Return the fixed addresses of a port."""
    return [str(fixed.get("ip_address") or "") for fixed in rows(port, "fixed_ips")]


def as_floating_ip(row: Mapping[str, Any]) -> FloatingIP:
    """Return a floating IP from Neutron's JSON."""
    return FloatingIP(*(str(row.get(field) or "") for field in FLOATING_IP_FIELDS))
