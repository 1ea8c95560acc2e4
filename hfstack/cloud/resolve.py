"""Names to ids: what a template says about a server, as the cloud knows it.

Each look-up is a list that the cloud filters and that is compared again here. A name without a match, or with several,
is refused with one sentence before any server is created.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hfstack.cloud.client import ServiceClient, rows
from hfstack.errors import Refusal
from hfstack.store.name_cache import Names

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")

Row = Mapping[str, Any]


class Resolver:
    """Looks up names in one cloud, unless they are cached. The services are opened when they are first needed."""

    def __init__(
        self,
        nova: ServiceClient,
        glance: Callable[[], ServiceClient],
        neutron: Callable[[], ServiceClient],
        names: Names,
    ) -> None:
        self.nova = nova
        self.glance = glance
        self.neutron = neutron
        self.names = names

    def image(self, wanted: str) -> str:
        """Return the id of an active image. Raises `Refusal`, `CloudTrouble`."""
        return self.once("image", wanted, self.find_image)

    def flavor(self, wanted: str) -> str:
        """Return the id of a flavor. Raises `Refusal`, `CloudTrouble`."""
        return self.once("flavor", wanted, self.find_flavor)

    def network(self, wanted: str) -> str:
        """Return the id of a network, named itself or by one of its ports. Raises `Refusal`, `CloudTrouble`."""
        return self.once("network", wanted, self.find_network)

    def external_network(self, wanted: str) -> str:
        """Return the id of a network that provides floating IPs. Raises `Refusal`, `CloudTrouble`."""
        return self.once("floatingNetwork", wanted, self.find_external_network)

    def security_group(self, wanted: str) -> str:
        """Return the id of a security group. Raises `Refusal`, `CloudTrouble`."""
        return self.once("securityGroups", wanted, self.find_security_group)

    def server_group(self, wanted: str) -> str:
        """Return the id of a server group. Raises `Refusal`, `CloudTrouble`."""
        return self.once("serverGroup", wanted, self.find_server_group)

    def key(self, wanted: str) -> str:
        """Return the name of one of this account's key pairs. Raises `Refusal`, `CloudTrouble`."""
        return self.once("keyName", wanted, self.find_key)

    def once(self, kind: str, wanted: str, find: Callable[[str], str]) -> str:
        """Look up a name that is not cached."""
        found = self.names.get(kind, wanted)
        if found is None:
            found = find(wanted)
            self.names.put(kind, wanted, found)
        return found

    def find_image(self, wanted: str) -> str:
        """Ask Glance."""
        key = "id" if UUID.match(wanted) else "name"
        query = urllib.parse.urlencode({key: f"in:{wanted}" if key == "id" else wanted})
        document, _ = self.glance().get_json(f"/images?{query}")
        found = [row for row in rows(document, "images") if row.get(key) == wanted]
        active = [row for row in found if row.get("status") == "active"]
        if found and not active:
            raise Refusal(f"image {wanted} is not active but {found[0].get('status')}", "NotActive")
        return only("image", wanted, active)

    def find_flavor(self, wanted: str) -> str:
        """Ask Nova. A flavor's id is any string, so ids come before names."""
        document, _ = self.nova.get_json("/flavors")
        return only("flavor", wanted, answering(rows(document, "flavors"), wanted))

    def find_network(self, wanted: str) -> str:
        """Ask Neutron, also for a port if no network has the id."""
        found = self.neutron_rows("networks", wanted)
        if not found and UUID.match(wanted):
            ports = self.neutron_rows("ports", wanted)
            if ports:
                return str(ports[0].get("network_id"))
        return only("network", wanted, found)

    def find_external_network(self, wanted: str) -> str:
        """Ask Neutron."""
        found = self.neutron_rows("networks", wanted)
        external = [row for row in found if row.get("router:external") is True]
        if found and not external:
            raise Refusal(f"network {wanted} provides no floating IPs: it is not router:external", "NotExternal")
        return only("network", wanted, external)

    def find_security_group(self, wanted: str) -> str:
        """Ask Neutron."""
        return only("security group", wanted, self.neutron_rows("security-groups", wanted))

    def find_server_group(self, wanted: str) -> str:
        """Ask Nova."""
        document, _ = self.nova.get_json("/os-server-groups")
        return only("server group", wanted, answering(rows(document, "server_groups"), wanted))

    def find_key(self, wanted: str) -> str:
        """Ask Nova."""
        document, _ = self.nova.get_json("/os-keypairs")
        names = [pair.get("keypair", {}).get("name") for pair in rows(document, "keypairs")]
        if wanted not in names:
            raise Refusal(f"there is no key pair {wanted} in this account", "NotFound")
        return wanted

    def neutron_rows(self, collection: str, wanted: str) -> Sequence[Row]:
        """Return the rows of a Neutron collection that have the id, else those that have the name."""
        for key in ("id", "name"):
            if key == "id" and not UUID.match(wanted):
                continue
            query = urllib.parse.urlencode({key: wanted})
            document, _ = self.neutron().get_json(f"/{collection}?{query}")
            found = [row for row in rows(document, collection.replace("-", "_")) if row.get(key) == wanted]
            if found:
                return found
        return []


def answering(found: Sequence[Row], wanted: str) -> Sequence[Row]:
    """Return the rows that have the id, else those that have the name."""
    by_id = [row for row in found if row.get("id") == wanted]
    return by_id or [row for row in found if row.get("name") == wanted]


def only(kind: str, wanted: str, found: Iterable[Row]) -> str:
    """Return the id of the one thing found. Raises `Refusal`."""
    ids = [str(row.get("id")) for row in found]
    if not ids:
        raise Refusal(f"there is no {kind} {wanted} in this project", "NotFound")
    if len(ids) > 1:
        found_ids = ", ".join(ids[:5])
        raise Refusal(f"there are {len(ids)} {kind}s named {wanted}, choose one by its id: {found_ids}", "NotUnique")
    return ids[0]
