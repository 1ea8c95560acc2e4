"""The two clouds, behind the same few verbs.

Servers are created, changed and deleted through OpenStack's own APIs, as a site would; only what no API can bring about
(a state that lasts milliseconds, a service that is down) goes through each cloud's own controls.
"""

from __future__ import annotations

import json
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import openstack
from keystoneauth1.session import Session

MICROVERSION = {"OpenStack-API-Version": "compute 2.79"}


def until(condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Wait for a condition, and fail if it does not come about.

    The next look comes after a fifth of the time that has passed: each costs a real cloud as much as it needs to go on.
    """
    start = time.monotonic()
    while not condition():
        passed = time.monotonic() - start
        assert passed < seconds, f"waited {seconds} s for {what}"
        time.sleep(min(max(0.05, passed / 5), 1))


def new_id(prefix: str = "req") -> str:
    """Return a fresh request id."""
    return f"{prefix}-{uuid.uuid4()}"


class Cloud(ABC):
    """What a scenario needs of a cloud."""

    name: str
    clouds_yaml: Path

    def __init__(self) -> None:
        self.made: list[str] = []

    def connect(self) -> None:
        """Log in as an ordinary member, and look up what servers are made of."""
        config = openstack.config.OpenStackConfig(
            config_files=[str(self.clouds_yaml)], secure_files=[], load_envvars=False
        )
        self.connection = openstack.connection.Connection(config=config.get_one("member"))
        self.session: Session = self.connection.session
        self.compute = str(self.session.get_endpoint(service_type="compute"))
        self.image = next(self.connection.image.images(name="cirros")).id
        self.network = next(self.connection.network.networks(name="private")).id
        self.external = next(self.connection.network.networks(name="public")).id
        self.flavors = {flavor.name: flavor.id for flavor in self.connection.compute.flavors()}

    def call(self, method: str, path: str, body: object = None, ok: tuple[int, ...] = (200, 201, 202, 204, 404)) -> Any:
        """Call Nova at the pinned microversion; the JSON answer, `None` if there is none."""
        reply = self.session.request(
            self.compute + path, method, json=body, headers=MICROVERSION, raise_exc=False, connect_retries=0
        )
        assert reply.status_code in ok, (reply.status_code, reply.text)
        return reply.json() if reply.content and reply.status_code != 404 else None

    def make_credential(self, secret: str) -> dict[str, str]:
        """Make an application credential with a secret of one's own choice; returns what to log in with."""
        auth_url = self.connection.config.config["auth"]["auth_url"]
        url = f"{auth_url}/users/{self.session.get_user_id()}/application_credentials"
        body = {"application_credential": {"name": str(uuid.uuid4()), "secret": secret}}
        made = self.session.post(url, json=body).json()["application_credential"]
        return {
            "auth_url": auth_url,
            "application_credential_id": made["id"],
            "application_credential_secret": secret,
        }

    def create(
        self,
        request_id: str,
        count: int = 1,
        *,
        flavor: str = "m1.tiny",
        networks: list[dict[str, str]] | None = None,
        name: str = "",
        **more: object,
    ) -> list[str]:
        """Create servers that carry the request's tag, as a site's own tool would; returns their ids."""
        tags = ["hostfactory", f"hf:{request_id}"]
        for index in range(count):
            server = {
                "name": name or f"hf-{request_id[-8:]}-{index}",
                "imageRef": self.image,
                "flavorRef": self.flavors[flavor],
                "networks": networks or [{"uuid": self.network}],
                "tags": tags,
                **more,
            }
            self.made.append(self.call("POST", "/servers", {"server": server})["server"]["id"])
        return self.made[-count:]

    def create_many(self, request_id: str, count: int) -> list[str]:
        """Create many servers without network at once, and wait for them; they are the caller's to delete."""
        body = {
            "name": f"hf-{request_id[-8:]}",
            "imageRef": self.image,
            "flavorRef": self.flavors["m1.tiny"],
            "networks": "none",
            "tags": [f"hf:{request_id}"],
            "min_count": count,
            "max_count": count,
        }
        self.call("POST", "/servers", {"server": body})
        found: list[str] = []
        until(lambda: len(self.list_all(request_id, found)) == count, f"{count} servers", 900)
        return found

    def list_all(self, request_id: str, found: list[str]) -> list[str]:
        """Fill `found` with the ids of all servers of a request that are ACTIVE."""
        found.clear()
        marker = ""
        while True:
            page = self.call("GET", f"/servers/detail?tags=hf:{request_id}&limit=100{marker}")["servers"]
            found += [one["id"] for one in page if one["status"] == "ACTIVE"]
            if not page:
                return found
            marker = f"&marker={page[-1]['id']}"

    def show(self, server_id: str) -> dict[str, Any] | None:
        """Return Nova's record, `None` if the server is gone."""
        found = self.call("GET", f"/servers/{server_id}")
        return found["server"] if found else None

    def has_status(self, server_id: str, status: str | None) -> bool:
        """Tell whether Nova shows a server in a status; `None` for a server that is gone."""
        return (self.show(server_id) or {}).get("status") == status

    def wait(self, ids: list[str], status: str = "ACTIVE") -> list[dict[str, Any]]:
        """Wait until Nova shows the servers in a status, with addresses if they are to have some."""
        for server_id in ids:
            until(partial(self.has_status, server_id, status), f"{server_id} {status}")
        return [found for found in map(self.show, ids) if found]

    def wait_gone(self, ids: list[str]) -> None:
        """Wait until Nova does not know the servers any more."""
        for server_id in ids:
            until(partial(self.has_status, server_id, None), f"{server_id} to be gone")

    def delete(self, ids: list[str]) -> None:
        """Delete servers."""
        for server_id in ids:
            self.call("DELETE", f"/servers/{server_id}")

    def act(self, server_id: str, action: str, argument: object = None) -> None:
        """Call one of Nova's server actions."""
        self.call("POST", f"/servers/{server_id}/action", {action: argument})

    def floating_ip(self, server_id: str) -> str:
        """Give a server a floating IP and wait until Nova shows it."""
        port = next(iter(self.connection.network.ports(device_id=server_id)))
        fixed = next(ip["ip_address"] for ip in port.fixed_ips if "." in ip["ip_address"])
        made = self.connection.network.create_ip(
            floating_network_id=self.external, port_id=port.id, fixed_ip_address=fixed
        )
        address: str = made.floating_ip_address
        until(lambda: address in json.dumps((self.show(server_id) or {})["addresses"]), "the floating IP")
        return address

    def taken(self) -> dict[str, str]:
        """Return the descriptions of the floating IPs that hfstack took, by their addresses."""
        found = {one.floating_ip_address: str(one.description) for one in self.connection.network.ips()}
        return {address: text for address, text in found.items() if text.startswith("hfstack ")}

    def clear(self) -> None:
        """Delete every server that was made here, and what hfstack took for them."""
        self.knobs()
        for one in list(self.connection.network.ips()):
            if str(one.description).startswith("hfstack "):
                self.connection.network.delete_ip(one)
        made, self.made = self.made, []
        for server_id in made:
            self.restore(server_id)
        self.delete(made)
        self.wait_gone(made)

    def issue_token(self) -> str:
        """Return a fresh token of the member."""
        self.session.invalidate()
        return str(self.session.get_token())

    def revoke_token(self, token: str) -> None:
        """Revoke a token, and log in anew if it was our own."""
        identity = str(self.session.get_endpoint(service_type="identity")).rstrip("/").removesuffix("/v3")
        url = f"{identity}/v3/auth/tokens"
        self.session.delete(url, headers={"X-Subject-Token": token})
        self.session.invalidate()

    @contextmanager
    def down(self, service: str) -> Iterator[None]:
        """Have a service stopped for a while."""
        self.stop(service)
        try:
            yield
        finally:
            self.start(service)

    @abstractmethod
    def close(self) -> None:
        """Let go of the cloud."""

    @abstractmethod
    def restore(self, server_id: str) -> None:
        """Make a server that was forced into a state deletable again."""

    @abstractmethod
    def force(self, server_id: str, vm_state: str, task_state: str | None = None, power_state: int = 1) -> None:
        """Put a server into a state, whatever it takes."""

    @abstractmethod
    def age(self, server_id: str, seconds: int) -> None:
        """Make a server look as if it had been created and launched some time ago."""

    @abstractmethod
    def hide_addresses(self, server_id: str) -> None:
        """Empty Nova's address cache of a server; Neutron still knows."""

    @abstractmethod
    def knobs(self, **knobs: object) -> None:
        """Set spawn_delay, destroy_delay, spawn_fail, destroy_fail; those that are not named go back to normal.

        A delay that ends so ends for servers that wait already: a scenario sets a long one, looks, and lets go.
        """

    @abstractmethod
    def stop(self, service: str) -> None:
        """Stop a service: keystone, nova, neutron, database."""

    @abstractmethod
    def start(self, service: str) -> None:
        """Start a service again."""

    @abstractmethod
    def token_for(self, seconds: int) -> str:
        """Return a token that is good for some seconds only."""

    @abstractmethod
    def forget_tokens(self) -> None:
        """Wait until the services ask Keystone again about tokens that they have seen."""

    @abstractmethod
    def older(self, max_microversion: str) -> AbstractContextManager[None]:
        """Have Nova know no more than a microversion, as an older release would, as a context."""

    @abstractmethod
    def hang(self, service: str) -> AbstractContextManager[None]:
        """Have a service accept connections and say nothing, as a context."""

    @abstractmethod
    def cell_down(self, server_id: str) -> AbstractContextManager[None]:
        """Have the cell of a server down, as a context."""
