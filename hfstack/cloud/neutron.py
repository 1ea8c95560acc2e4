"""Neutron's ports, for addresses that Nova's record does not show.

Nova shows addresses from a cache that Neutron's notifications refresh; a lost one leaves it stale for ever
(`heal_instance_info_cache_interval` is off by default).
"""

from __future__ import annotations

import urllib.parse
from typing import Any

from .service import Service, rows


class Neutron:
    """The network service of one cloud."""

    def __init__(self, service: Service) -> None:
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
