"""Machines whose POST had no clear answer: which of them have a server after all, and which never got one. Pure.

Nova's 5xx, a timeout and a connection that breaks leave it open whether the server exists. Only the list by the
request's tag can tell, and a list that lacks the server proves something only after some time.
"""

from __future__ import annotations

from hfstack._typing import TYPE_CHECKING
from hfstack.rules import server_record, status

if TYPE_CHECKING:
    from hfstack.rules.status import Rules
    from hfstack.schema import RequestStatus
    from hfstack.store.facts import AcquireRequest, Planned


def with_told_ids(request: AcquireRequest) -> AcquireRequest:
    """Return the request with the ids of those machines whose server appeared, as HostFactory was told."""
    told = {ready.name: ready.machine_id for ready in request.ready}
    failed = {failure.key for failure in request.failed}

    def with_id(planned: Planned) -> Planned:
        found = told.get(server_record.sanitized(planned.name), "")
        is_told = found and planned.unclear and planned.name not in failed
        return planned._replace(machine_id=found, unclear="") if is_told else planned

    return request._replace(machines=tuple(map(with_id, request.machines)))


def absent(request: AcquireRequest, answer: RequestStatus, rules: Rules, now: float) -> list[str]:
    """Return the planned names of the machines that never got a server, if the list behind the answer is whole.

    The list must not be older than `now`, which is by the clock of the file system. While the answers to the POSTs are
    not on record, requestMachines may still be running, and nothing is concluded.
    """
    if request.created_at is None or now < request.created_at + rules.unseen_timeout:
        return []
    return [machine["machineId"] for machine in status.unconfirmed(request, answer["machines"])]
