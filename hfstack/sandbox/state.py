"""The sandbox's cloud: what exists now, and the clock. Pure data, no HTTP.

`Cloud.lock` is held while one request is answered, so everything here can be read and changed without further locking.
"""

from __future__ import annotations

import itertools
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from hfstack.sandbox import inventory, lifecycle
from hfstack.sandbox.inventory import Flavor, Network, Project, Subnet, User
from hfstack.sandbox.knobs import Knobs
from hfstack.sandbox.lifecycle import Phase


@dataclass
class ApplicationCredential:
    """A Keystone application credential; it must not create others."""

    id: str
    name: str
    secret: str
    user: User
    description: str | None = None


@dataclass
class Token:
    """A token that Keystone has issued for a user's project."""

    id: str
    user: User
    methods: list[str]
    issued_at: float
    expires_at: float
    audit_ids: list[str]
    credential: ApplicationCredential | None = None
    revoked: bool = False

    @property
    def project(self) -> Project:
        """The project on whose behalf requests are made."""
        return self.user.project

    @property
    def is_admin(self) -> bool:
        """Whether Nova's and Neutron's policies take the user for an administrator."""
        return "admin" in self.user.roles


@dataclass
class Port:
    """A Neutron port with its address in each subnet. Nova deletes those that it created, and unbinds the others."""

    id: str
    network: Network
    project_id: str
    mac: str
    fixed: list[tuple[Subnet, str]]
    created: float
    name: str = ""
    made_by_nova: bool = False

    def addresses(self, version: int) -> list[str]:
        """Its addresses of IPv4 or IPv6."""
        return [address for subnet, address in self.fixed if subnet.version == version]


@dataclass
class FloatingIP:
    """A Neutron floating IP, which outlives the server that it is associated with."""

    id: str
    address: str
    project_id: str
    created: float
    updated: float
    port: Port | None = None
    description: str = ""
    revision: int = 0


@dataclass
class Action:
    """An entry of `os-instance-actions`."""

    name: str
    request_id: str
    user_id: str
    at: float


@dataclass
class Server:
    """A Nova server: what its creator wanted, and its phases."""

    id: str
    name: str
    project_id: str
    user_id: str
    created: float
    phases: list[Phase]
    image_id: str = inventory.IMAGE_ID
    ports: list[Port] = field(default_factory=list)
    security_groups: list[str] = field(default_factory=lambda: [inventory.DEFAULT_GROUP])
    metadata: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    hints: dict[str, Any] = field(default_factory=dict)
    volumes: list[str] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    hostname: str = ""
    description: str | None = None
    key_name: str | None = None
    user_data: str | None = None
    zone: str | None = None
    config_drive: str = ""
    reservation_id: str = ""
    launch_index: int = 0
    access: dict[str, str] = field(default_factory=dict)
    group_id: str | None = None
    old_flavor: Flavor | None = None
    touched: float = 0.0
    locked: bool = False
    locked_reason: str | None = None
    down: bool = False
    """Its cell does not answer."""
    addresses: dict[str, Any] | None = None
    """What Nova shows instead of the ports' addresses."""

    def at(self, now: float) -> Phase:
        """The current phase."""
        return lifecycle.phase_at(self.phases, now)

    def then(self, now: float, following: list[Phase]) -> None:
        """Continue with these phases from now on."""
        self.phases = lifecycle.then(self.phases, now, following)

    def updated(self, now: float) -> float:
        """When the record last changed."""
        return max(self.at(now).at, self.touched)


@dataclass
class Keypair:
    """A user's public key."""

    name: str
    user_id: str
    public_key: str
    created: float


@dataclass
class ServerGroup:
    """A server group."""

    id: str
    name: str
    policy: str
    project_id: str
    user_id: str


class Cloud:
    """Everything that the services show and change."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.knobs = Knobs()
        self.urls: dict[str, str] = {}
        self.regions: dict[str, dict[str, str]] = {inventory.REGION: self.urls}
        """The regions of the catalogue in their order: the URLs of each one's services."""
        self.stopped: set[str] = set()
        """Names of the services that do not work; `database` may be one of them."""
        self.tokens: dict[str, Token] = {}
        self.seen_tokens: dict[str, set[str]] = {}
        """The tokens that each service has already validated."""
        self.credentials: dict[str, ApplicationCredential] = {}
        self.servers: dict[str, Server] = {}
        self.networks = {network.id: network for network in inventory.NETWORKS}
        self.user_ports: dict[str, Port] = {}
        self.floating_ips: dict[str, FloatingIP] = {}
        self.keypairs: dict[tuple[str, str], Keypair] = {}
        self.server_groups: dict[str, ServerGroup] = {}
        self._ports = itertools.count(2)
        self._floating = itertools.count(2)

    def now(self) -> float:
        """The time, in seconds since the epoch."""
        return self.clock()

    def issue_token(
        self, user: User, methods: list[str], audit_ids: list[str], credential: ApplicationCredential | None = None
    ) -> Token:
        """Issue a token; `audit_ids` are those of the token that was used to get it."""
        now = self.now()
        token = Token(
            "gAAAAA" + secrets.token_urlsafe(132),
            user,
            methods,
            now,
            now + self.knobs.token_ttl,
            [secrets.token_urlsafe(16), *audit_ids[-1:]],
            credential,
        )
        self.tokens[token.id] = token
        return token

    def valid_token(self, token_id: str | None) -> Token | None:
        """The token with this id, if it is known, not expired and not revoked."""
        token = self.tokens.get(token_id or "")
        return token if token and not token.revoked and token.expires_at > self.now() else None

    def make_port(self, network: Network, project_id: str, ipv4: str | None = None) -> Port:
        """A port with the next address of each of its network's subnets."""
        number = next(self._ports)
        high, low = number >> 16 & 0xFF, number & 0xFFFF
        fixed = []
        for subnet in network.subnets:
            if subnet.version == 6:
                # SLAAC: the address is derived from the MAC
                prefix = subnet.cidr.partition("::/")[0]
                fixed.append((subnet, f"{prefix}::f816:3eff:fe{high:02x}:{low:x}"))
            else:
                within = ip_network(subnet.cidr)
                fixed.append((subnet, ipv4 or str(within[number % within.num_addresses])))
        mac = f"fa:16:3e:{high:02x}:{low >> 8:02x}:{low & 0xFF:02x}"
        return Port(str(uuid.uuid4()), network, project_id, mac, fixed, self.now())

    def make_floating_ip(self, project_id: str) -> FloatingIP:
        """A floating IP that is not associated with a port yet."""
        now = self.now()
        found = FloatingIP(str(uuid.uuid4()), f"203.0.113.{next(self._floating) % 256}", project_id, now, now)
        self.floating_ips[found.id] = found
        return found

    def networks_of(self, token: Token) -> list[Network]:
        """The networks that a project sees: its own and the external ones."""
        return [
            network
            for network in self.networks.values()
            if token.is_admin or network.external or network.project == token.project
        ]

    def ports_of(self, server: Server) -> list[Port]:
        """The ports that Neutron currently has of a server."""
        return server.ports if server.at(self.now()).networked else []

    def bound_ports(self) -> Iterator[tuple[Port, Server | None]]:
        """Every port that Neutron currently has, with the server that it is bound to."""
        bound = set()
        for server in self.servers.values():
            for port in self.ports_of(server):
                bound.add(port.id)
                yield port, server
        for port in self.user_ports.values():
            if port.id not in bound:
                yield port, None

    def floating_by_port(self) -> dict[str, list[FloatingIP]]:
        """The floating IPs of each port that has some."""
        found: dict[str, list[FloatingIP]] = {}
        for floating in self.floating_ips.values():
            if floating.port:
                found.setdefault(floating.port.id, []).append(floating)
        return found

    def counted(self) -> list[tuple[Server, Phase]]:
        """The servers that count toward the quota and the host's capacity, with the phase of each."""
        now = self.now()
        phases = ((server, server.at(now)) for server in self.servers.values())
        return [(server, phase) for server, phase in phases if not phase.hidden]
