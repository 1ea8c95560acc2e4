"""Act on the answer of a poll: record facts, and delete our servers that nobody will use.

A fact that cannot be recorded is a warning in the log. A server that cannot be deleted now is deleted by a later poll.
No failed machine is deleted before its failure is on record, and HostFactory gets no machine before the end of its
request is on record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

from hfstack import states
from hfstack._typing import TYPE_CHECKING
from hfstack.actions.record import attempt
from hfstack.errors import explain
from hfstack.rules import deletion
from hfstack.rules.server_record import ENDED_TAG, wants_floating_ip
from hfstack.store.facts import Ready, is_ended, recorded_end
from hfstack.store.write import write_ended, write_failed, write_gone, write_polled, write_ready

if TYPE_CHECKING:
    from hfstack.cloud.connection import Cloud
    from hfstack.cloud.nova import Nova
    from hfstack.context import Context
    from hfstack.rules.server_record import Server
    from hfstack.rules.status import LookedUp
    from hfstack.schema import RequestStatus
    from hfstack.store.facts import AcquireRequest, ReturnRequest


UNRECORDED = "this cannot be recorded in the work directory: see the log"

CHANGED = "another call has changed the record of this request at the same time: the next poll answers"


class Cleanup:
    """Records and deletes for one request. `cloud` opens the cloud, to release floating IPs with their servers."""

    def __init__(self, context: Context, cloud: Callable[[], Cloud]) -> None:
        self.context = context
        self.request_id = context.request_id
        self.cloud = cloud
        self.log = context.log
        self.workdir = context.environment.workdir

    def polled(self) -> bool | None:
        """Record that HostFactory has polled a request for machines: it knows the request.

        Returns `False` if that was on record already, `None` if it cannot be recorded.
        """
        return self.attempt(partial(write_polled, self.workdir, self.request_id, self.context.now()))

    def of_acquire(
        self, nova: Nova, request: AcquireRequest, records: Sequence[Server], looked_up: LookedUp, answer: RequestStatus
    ) -> RequestStatus:
        """Record and delete the machines that failed, and record those that are usable; return the answer.

        `records` are the servers that Nova shows, `looked_up` those that it was queried for by id.
        """
        provider = self.context.environment.provider
        failures = deletion.of_acquire(self.request_id, provider, request, records, answer["machines"])
        lost = deletion.lost(request, looked_up, answer["machines"], failures.values())
        recorded = [
            failed
            for failed in (*failures.values(), *lost)
            if self.attempt(partial(write_failed, self.workdir, self.request_id, failed)) is not None
        ]
        if recorded and is_ended(self.workdir, self.request_id):
            # another call has told HostFactory the end, and these failures came too late
            return {**answer, "status": "running", "message": CHANGED}
        reasons = {server_id: failed.message for server_id, failed in failures.items() if failed in recorded}
        replaced = deletion.replaced(self.request_id, provider, request, records)
        reasons |= dict.fromkeys(replaced, "it found no host and was replaced")
        # a server that was replaced has left its floating IP to the other server
        owners = [record for record in records if record["id"] not in request.replaced]
        answer = self.delete(nova, reasons, owners, answer)
        self.ready(request, answer)
        failed_keys = {failed.key for failed in (*request.failed, *recorded)}
        return self.of_end(nova, failed_keys, answer)

    def ready(self, request: AcquireRequest, answer: RequestStatus) -> None:
        """Record what HostFactory is told of the machines that are usable for the first time."""
        told = {machine.machine_id for machine in request.ready}
        machines = [
            Ready(machine["machineId"], machine["name"], machine["privateIpAddress"], machine["launchtime"])
            for machine in answer["machines"]
            if machine["result"] == states.SUCCEED and machine["machineId"] not in told
        ]
        # another poll may record some of them at the same time, under the same name
        while machines and self.attempt(partial(write_ready, self.workdir, self.request_id, machines)) is False:
            machines = machines[1:]

    def of_end(self, nova: Nova, failed_keys: AbstractSet[str], answer: RequestStatus) -> RequestStatus:
        """Record the end of a request that is complete, and mark its servers; return the answer.

        HostFactory gets the machines only when the end is on record: if a record shows neither a poll nor an end,
        housekeeping concludes that HostFactory never learned of the request, and deletes its servers.
        """
        if answer["status"] == "running":
            return answer
        is_recorded = self.ended(answer, failed_keys)
        if is_recorded is None:
            return {**answer, "status": "running", "message": UNRECORDED}
        # of two calls at the same time, one may have ended the request, and the other failed a machine
        ids, recorded_keys = recorded_end(self.workdir, self.request_id)
        if ids != {machine["machineId"] for machine in answer["machines"]} or recorded_keys != failed_keys:
            return {**answer, "status": "running", "message": CHANGED}
        usable = [machine["machineId"] for machine in answer["machines"] if machine["result"] == states.SUCCEED]
        trouble = nova.tag_all(usable, ENDED_TAG)
        if trouble is not None:
            self.log.info(f"not every server could be marked with the tag {ENDED_TAG}: {explain(trouble)}")
        return answer

    def of_return(
        self, nova: Nova, request: ReturnRequest, seen: LookedUp, now: float, answer: RequestStatus
    ) -> RequestStatus:
        """Record which machines are gone, and delete again those that are not; return the answer.

        `now` is by the clock of the file system.
        """
        for server_id, how in deletion.gone(request, seen).items():
            self.attempt(partial(write_gone, self.workdir, self.request_id, server_id, how, self.context.now()))
        stuck = deletion.of_return(self.context.environment.provider, request, seen, now)
        records = [record for record in seen.values() if record]
        answer = self.delete(nova, dict.fromkeys(stuck, "HostFactory returned it"), records, answer)
        if not request.ended and answer["status"] != "running":
            self.ended(answer)
        return answer

    def delete(
        self, nova: Nova, reasons: Mapping[str, str], records: Sequence[Server], answer: RequestStatus
    ) -> RequestStatus:
        """Delete servers by their ids, with their floating IPs; return the answer, which names any trouble.

        `records` are these servers and the others of their request.
        """
        if not reasons:
            return answer
        outcomes, trouble = nova.delete_all(reasons)
        for server_id, outcome in outcomes.items():
            self.log.info(f"asked Nova to delete {server_id} ({outcome.value}): {reasons[server_id]}")
        if any(map(wants_floating_ip, records)):
            from hfstack.actions.floating_ips import release_going

            release_going(self.cloud(), records, outcomes)
        if trouble is None:
            return answer
        message = f"a server could not be deleted: {explain(trouble)}"
        return {**answer, "message": f"{answer['message']}; {message}" if answer["message"] else message}

    def ended(self, answer: RequestStatus, failed_keys: AbstractSet[str] | None = None) -> bool | None:
        """Record the end of a request; return `False` if it was on record, `None` if it cannot be recorded."""
        ids = [machine["machineId"] for machine in answer["machines"]]
        failed = None if failed_keys is None else sorted(failed_keys)
        write = partial(write_ended, self.workdir, self.request_id, answer["status"], ids, self.context.now(), failed)
        return self.attempt(write)

    def attempt(self, write: Callable[[], bool]) -> bool | None:
        """Record a fact; return what the writer returns, `None` if it cannot write."""
        return attempt(write, self.log)
