"""The real OpenStack as a scenario's cloud: SQL and signals bring about what no OpenStack API can."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.scenarios.clouds import Cloud, until
from tests.tools.openstack.cloud import RealOpenStack

TENANTS = {"": "member", "gw0": "member", "gw1": "second"}
"""Which tenant each of pytest's workers is: scenarios may count all that is in a project."""


class RealCloud(Cloud):
    """The running OpenStack on loopback (`make openstack`)."""

    name = "openstack"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.real = RealOpenStack()
        self.real.start()
        self.worker = os.environ.get("PYTEST_XDIST_WORKER", "")
        self.clouds_yaml = folder / "clouds.yaml"
        self.write_clouds()
        self.connect()

    def write_clouds(self) -> None:
        """Write clouds.yaml; pytest's second worker gets a tenant of its own as `member`."""
        document = yaml.safe_load(self.real.clouds_yaml.read_text(encoding="utf-8"))
        clouds = document["clouds"]
        second = clouds.pop("second")
        if TENANTS[self.worker] == "second":
            clouds["member"] = second
            self.clouds_yaml.write_text(yaml.safe_dump(document), encoding="utf-8")
            self.connect()
            clouds["appcred"]["auth"] = self.make_credential("a-secret-for-the-second-worker")
            self.connection.close()
        self.clouds_yaml.write_text(yaml.safe_dump(document), encoding="utf-8")

    def check_serial(self) -> None:
        """Fail a scenario that would disrupt those of another worker."""
        assert not self.worker, "mark this scenario as `disruptive`: it changes the whole cloud"

    def close(self) -> None:
        """Leave the cloud running, for the next scenario run."""
        self.connection.close()

    def restore(self, server_id: str) -> None:
        # a record that was forced to look deleted, or busy, would not be deleted
        self.force(server_id, "active")

    def force(self, server_id: str, vm_state: str, task_state: str | None = None, power_state: int = 1) -> None:
        task = f"'{task_state}'" if task_state else "NULL"
        self.real.sql(
            f"UPDATE nova.instances SET vm_state='{vm_state}', task_state={task}, power_state={power_state} "
            f"WHERE uuid='{server_id}'"
        )

    def age(self, server_id: str, seconds: int) -> None:
        self.real.sql(
            f"UPDATE nova.instances SET created_at=UTC_TIMESTAMP() - INTERVAL {seconds} SECOND, "
            f"launched_at=UTC_TIMESTAMP() - INTERVAL {seconds} SECOND WHERE uuid='{server_id}'"
        )

    def hide_addresses(self, server_id: str) -> None:
        # a trigger, as Neutron's notifications, which are late by seconds, would fill the cache again
        self.real.sql(
            "CREATE OR REPLACE TRIGGER nova.hide_addresses BEFORE UPDATE ON nova.instance_info_caches FOR EACH ROW "
            f"SET NEW.network_info = IF(NEW.instance_uuid='{server_id}', '[]', NEW.network_info)"
        )
        self.real.sql(f"UPDATE nova.instance_info_caches SET network_info='[]' WHERE instance_uuid='{server_id}'")

    def knobs(self, **knobs: object) -> None:
        self.real.knobs(project=str(self.session.get_project_id()), **knobs)  # type: ignore[arg-type]

    def stop(self, service: str) -> None:
        self.check_serial()
        self.real.stop_service(service)

    def start(self, service: str) -> None:
        self.real.start_service(service)

    def token_for(self, seconds: int) -> str:
        self.check_serial()
        self.real.configure(token_ttl=seconds)
        token = self.issue_token()
        self.real.configure(token_ttl=3600)
        self.session.invalidate()
        return token

    def forget_tokens(self) -> None:
        def refused() -> bool:
            headers = {"X-Auth-Token": self.revoked}
            return bool(
                self.session.get(
                    self.compute + "/servers", authenticated=False, headers=headers, raise_exc=False
                ).status_code
                == 401
            )

        until(refused, "Nova to forget the token")

    def revoke_token(self, token: str) -> None:
        super().revoke_token(token)
        self.revoked = token

    @contextmanager
    def older(self, max_microversion: str) -> Iterator[None]:
        self.check_serial()
        self.real.configure(max_microversion=max_microversion)
        try:
            yield
        finally:
            self.real.configure(max_microversion="")

    @contextmanager
    def hang(self, service: str) -> Iterator[None]:
        self.check_serial()
        pid = self.real.running()[service]
        assert pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @contextmanager
    def cell_down(self, server_id: str) -> Iterator[None]:  # noqa: ARG002 - there is one cell
        self.check_serial()
        self.real.break_cell()
        try:
            yield
        finally:
            self.real.mend_cell()
