"""The real OpenStack as a scenario's cloud: SQL and signals bring about what no OpenStack API can."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.scenarios.clouds import Cloud, until
from tests.tools.openstack.cloud import RealOpenStack


class RealCloud(Cloud):
    """The running OpenStack on loopback (`make openstack`)."""

    name = "openstack"

    def __init__(self) -> None:
        super().__init__()
        self.real = RealOpenStack()
        self.real.start()
        self.clouds_yaml = self.real.clouds_yaml
        self.connect()

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
        self.real.knobs(**knobs)  # type: ignore[arg-type]

    def stop(self, service: str) -> None:
        self.real.stop_service(service)

    def start(self, service: str) -> None:
        self.real.start_service(service)

    def token_for(self, seconds: int) -> str:
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
        self.real.configure(max_microversion=max_microversion)
        try:
            yield
        finally:
            self.real.configure(max_microversion="")

    @contextmanager
    def hang(self, service: str) -> Iterator[None]:
        pid = self.real.running()[service]
        assert pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @contextmanager
    def cell_down(self, server_id: str) -> Iterator[None]:  # noqa: ARG002 - there is one cell
        self.real.break_cell()
        try:
            yield
        finally:
            self.real.mend_cell()
