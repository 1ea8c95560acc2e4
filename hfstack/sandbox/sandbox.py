"""The sandbox: the cloud's services and the control port on loopback, started and stopped together."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

from hfstack.sandbox import glance, inventory, keystone, neutron, nova
from hfstack.sandbox.control import Control
from hfstack.sandbox.faults import Faults, Journal
from hfstack.sandbox.http_server import Service, tls_context
from hfstack.sandbox.routing import Answer, Request
from hfstack.sandbox.state import ApplicationCredential, Cloud

_ANSWERS: dict[str, Callable[[Cloud, Request], Answer]] = {
    "keystone": keystone.answer,
    "nova": nova.answer,
    "neutron": neutron.answer,
    "glance": glance.answer,
}


class Sandbox:
    """A small OpenStack on loopback.

    `cloud` is its state, `faults` are injected into requests, `journal` lists the requests. Other processes reach the
    same through the control port (see `control`).
    """

    def __init__(
        self,
        port_base: int = 0,
        tls: tuple[str, str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare a sandbox.

        `port_base`: the first of five ports (keystone, nova, neutron, glance, control); 0 for any that are free.
        `tls`: certificate and key file, for all but the control port. `clock`: seconds since the epoch.
        """
        self.cloud, self.faults, self.journal = Cloud(clock), Faults(), Journal()
        self._certificate = tls[0] if tls else None
        ports = [port_base + number if port_base else 0 for number in range(len(_ANSWERS) + 1)]
        context = tls_context(tls)
        self._services = {
            name: Service(name, partial(self._respond, name), port, context)
            for name, port in zip(_ANSWERS, ports, strict=False)
        }
        control = Control(self.cloud, self._services, self.faults, self.journal)
        self._control = Service("control", control.answer, ports[-1])
        owner = inventory.USERS[0]
        self._credential = ApplicationCredential(
            inventory.fixed_hex("credential"), "sandbox", inventory.fixed_hex("secret"), owner
        )
        self.cloud.credentials[self._credential.id] = self._credential

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything. Raises `OSError` if a port is taken; nothing runs then."""
        try:
            for service in (*self._services.values(), self._control):
                service.start()
        except OSError:
            self.stop()
            raise
        self.cloud.urls.update({name: service.url for name, service in self._services.items()})

    def stop(self) -> None:
        """Stop everything and cut all connections."""
        self.faults.release()
        for service in (self._control, *self._services.values()):
            service.stop()

    @property
    def ports(self) -> dict[str, int]:
        """The port of each service, including `control`."""
        return {service.name: service.port for service in (*self._services.values(), self._control)}

    def url(self, service: str) -> str:
        """The URL of a service, without a path."""
        return self._services[service].url

    @property
    def control_url(self) -> str:
        """The URL of the control port."""
        return self._control.url

    def write_clouds_yaml(self, path: str, secrets: str | None = None) -> None:
        """Write a clouds.yaml with the clouds member, other, admin and appcred, which only the owner can read.

        With `secrets`, passwords go to that file instead, as in a secure.yaml.
        """
        clouds: dict[str, Any] = {
            "member": self._login("demo", "demo"),
            "other": self._login("other", "other"),
            "admin": self._login("admin", "demo"),
            "appcred": self._cloud(
                {
                    "application_credential_id": self._credential.id,
                    "application_credential_secret": self._credential.secret,
                }
            ),
        }
        clouds["appcred"]["auth_type"] = "v3applicationcredential"
        if secrets is not None:
            _write_private(secrets, {"clouds": {name: _take_secrets(cloud) for name, cloud in clouds.items()}})
        _write_private(path, {"clouds": clouds})

    def _login(self, name: str, project: str) -> dict[str, Any]:
        user = next(user for user in inventory.USERS if user.name == name)
        return self._cloud(
            {
                "username": name,
                "password": user.password,
                "user_domain_id": "default",
                "project_name": project,
                "project_domain_id": "default",
            }
        )

    def _cloud(self, auth: dict[str, str]) -> dict[str, Any]:
        found: dict[str, Any] = {
            "auth": {"auth_url": f"{self.url('keystone')}/v3", **auth},
            "region_name": inventory.REGION,
        }
        if self._certificate:
            found["cacert"] = self._certificate
        return found

    def _respond(self, name: str, request: Request) -> Answer:
        def act() -> Answer:
            with self.cloud.lock:
                return _ANSWERS[name](self.cloud, request)

        answer = self.faults.apply(name, request, act)
        self.journal.note(name, request, answer)
        return answer


def _take_secrets(cloud: dict[str, Any]) -> dict[str, Any]:
    auth = cloud["auth"]
    keys = [key for key in auth if key in {"password", "application_credential_secret"}]
    return {"auth": {key: auth.pop(key) for key in keys}}


def _write_private(path: str, document: object) -> None:
    """Write YAML, of which JSON is a part, in a file that only the owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        os.chmod(path, 0o600)
        file.write(json.dumps(document, indent=2) + "\n")
