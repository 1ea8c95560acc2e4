"""What the sandbox's cloud has from the start: projects, users, flavors, an image, networks.

Ids are derived from names, so they are the same at every start.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from ipaddress import ip_network

_NAMESPACE = uuid.UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")

REGION = "RegionOne"
BIRTH = "2025-01-01T00:00:00Z"
"""When everything listed here was created."""


def fixed_uuid(*names: str) -> str:
    """The UUID of something that always exists."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(names)))


def fixed_hex(*names: str) -> str:
    """The same without dashes, as Keystone writes ids."""
    return fixed_uuid(*names).replace("-", "")


@dataclass(frozen=True, slots=True)
class Project:
    """A Keystone project of the default domain."""

    name: str

    @property
    def id(self) -> str:
        """Keystone's id."""
        return fixed_hex("project", self.name)


@dataclass(frozen=True, slots=True)
class User:
    """A Keystone user of the default domain: the password, the one project, and the roles in it."""

    name: str
    password: str
    project: Project
    roles: tuple[str, ...]

    @property
    def id(self) -> str:
        """Keystone's id."""
        return fixed_hex("user", self.name)


@dataclass(frozen=True, slots=True)
class Flavor:
    """A size of server."""

    name: str
    vcpus: int
    ram: int
    disk: int

    @property
    def id(self) -> str:
        """Nova's id."""
        return fixed_uuid("flavor", self.name)


@dataclass(frozen=True, slots=True)
class Subnet:
    """A Neutron subnet."""

    id: str
    name: str
    version: int
    cidr: str

    @property
    def gateway(self) -> str:
        """The router's address: in IPv6 the first of all, in IPv4 the first host address."""
        return str(ip_network(self.cidr)[0 if self.version == 6 else 1])


@dataclass(frozen=True, slots=True)
class Network:
    """A Neutron network: its subnets and its owner. An external one has no owner."""

    id: str
    name: str
    subnets: tuple[Subnet, ...]
    project: Project | None

    @property
    def external(self) -> bool:
        """Whether it provides floating IPs, and servers cannot be attached to it."""
        return self.project is None


DEMO, OTHER = Project("demo"), Project("other")
PROJECTS = (DEMO, OTHER)

MEMBER_ROLES = ("reader", "member")
USERS = (
    User("demo", "demo", DEMO, MEMBER_ROLES),
    User("other", "other", OTHER, MEMBER_ROLES),
    User("admin", "admin", DEMO, ("reader", "member", "manager", "admin")),
)

FLAVORS = (
    Flavor("m1.tiny", 1, 512, 1),
    Flavor("m1.small", 1, 2048, 20),
    Flavor("m1.large", 4, 8192, 80),
    Flavor("huge", 5, 2_000_000_000, 1),
    Flavor("third", 33_000, 512, 1),
)

HOST_VCPUS, HOST_RAM = 100_000, 1_000_000_000
"""The one compute host: `third` fits three times, `huge` (in MiB of memory) never."""

IMAGE_NAME = "cirros"
IMAGE_ID = fixed_uuid("image", IMAGE_NAME)
DEFAULT_GROUP = "default"
ZONE = "nova"
HOST = "sandbox"


def _network(name: str, project: Project | None, cidr4: str, cidr6: str) -> Network:
    cidrs = {f"{name}4": (4, cidr4), f"{name}6": (6, cidr6)}
    subnets = (Subnet(fixed_uuid("subnet", key), key, version, cidr) for key, (version, cidr) in cidrs.items())
    return Network(fixed_uuid("network", name), name, tuple(subnets), project)


PRIVATE = _network("private", DEMO, "10.0.0.0/16", "fd00:10::/64")
PUBLIC = _network("public", None, "203.0.113.0/24", "2001:db8:1::/64")
NETWORKS = (PRIVATE, PUBLIC)


def security_group_id(project_id: str) -> str:
    """The id of a project's only security group."""
    return fixed_uuid("security-group", project_id)
