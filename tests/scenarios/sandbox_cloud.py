"""The sandbox as a scenario's cloud: its own controls bring about what no OpenStack API can."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hfstack.sandbox import Sandbox
from hfstack.sandbox.lifecycle import Phase
from tests.scenarios.clouds import Cloud

PAGE = 20
"""Servers per page at the most, as in the real cloud's configuration."""

NORMAL = {"spawn_delay": 0, "destroy_delay": 0, "spawn_fail": "", "destroy_fail": ""}


def begun(phase: Phase, now: float) -> Phase:
    """Return a phase of a server's life that has begun, whenever it was to begin."""
    names = ("at", "addresses_at", "launched_at", "terminated_at")
    return replace(phase, **{name: min(time, now) for name in names if (time := getattr(phase, name)) is not None})


class SandboxCloud(Cloud):
    """A sandbox in this process, on free ports."""

    name = "sandbox"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.sandbox = Sandbox()
        self.sandbox.start()
        self.clouds_yaml = folder / "clouds.yaml"
        self.sandbox.write_clouds_yaml(str(self.clouds_yaml))
        self.control("PUT", "/knobs", {"max_limit": PAGE})
        self.connect()

    def close(self) -> None:
        """Stop the sandbox."""
        self.connection.close()
        self.sandbox.stop()

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Use the sandbox's control port; return what it answers."""
        request = urllib.request.Request(
            self.sandbox.control_url + path, json.dumps(body or {}).encode(), method=method
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.loads(reply.read() or b"null")

    def restore(self, server_id: str) -> None:
        if server_id not in self.sandbox.cloud.servers:
            return  # it was deleted before a host had it, which leaves no row
        self.control("PUT", f"/servers/{server_id}", {"vm_state": "active", "task_state": None, "down": False})

    def force(self, server_id: str, vm_state: str, task_state: str | None = None, power_state: int = 1) -> None:
        state = {"vm_state": vm_state, "task_state": task_state, "power_state": power_state}
        self.control("PUT", f"/servers/{server_id}", state)

    def age(self, server_id: str, seconds: int) -> None:
        then = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - seconds))
        self.control("PUT", f"/servers/{server_id}", {"created": then + "Z", "launched_at": then + ".000000"})

    def hide_addresses(self, server_id: str) -> None:
        self.control("PUT", f"/servers/{server_id}", {"addresses": {}})

    def knobs(self, **knobs: object) -> None:
        self.control("PUT", "/knobs", {**NORMAL, **knobs})
        if not {"spawn_delay", "destroy_delay"} & set(knobs):
            with self.sandbox.cloud.lock:
                now = self.sandbox.cloud.now()
                for server in self.sandbox.cloud.servers.values():
                    server.phases = [begun(phase, now) for phase in server.phases]

    def stop(self, service: str) -> None:
        self.control("POST", f"/services/{service}/stop")

    def start(self, service: str) -> None:
        self.control("POST", f"/services/{service}/start")

    def token_for(self, seconds: int) -> str:
        self.control("PUT", "/knobs", {"token_ttl": seconds})
        token = self.issue_token()
        self.control("PUT", "/knobs", {"token_ttl": 3600})
        self.session.invalidate()
        return token

    def forget_tokens(self) -> None:
        """Nothing to wait for: the sandbox refuses a revoked token at once."""

    @contextmanager
    def older(self, max_microversion: str) -> Iterator[None]:
        self.control("PUT", "/knobs", {"max_microversion": max_microversion})
        try:
            yield
        finally:
            self.control("PUT", "/knobs", {"max_microversion": "2.104"})

    @contextmanager
    def hang(self, service: str) -> Iterator[None]:
        self.control("POST", "/faults", {"service": service, "times": -1, "delay": 3, "drop": "before"})
        try:
            yield
        finally:
            self.control("DELETE", "/faults")

    @contextmanager
    def cell_down(self, server_id: str) -> Iterator[None]:
        self.control("PUT", f"/servers/{server_id}", {"down": True})
        try:
            yield
        finally:
            self.control("PUT", f"/servers/{server_id}", {"down": False})
