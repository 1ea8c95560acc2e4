"""Act on the answer of a poll: record facts, and delete our servers that nobody will use.

A fact that cannot be recorded is a warning in the log. A server that cannot be deleted now is deleted by a later poll.
No failed machine is deleted before its failure is on record, and HostFactory gets no machine before the end of its
request is on record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from hfstack._typing import TYPE_CHECKING
from hfstack.errors import FactsUnwritable, explain
from hfstack.rules import deletion
from hfstack.rules.server_record import wants_floating_ip
from hfstack.store.write import write_ended, write_failed, write_gone, write_polled

if TYPE_CHECKING:
    from hfstack.cloud.connection import Cloud
    from hfstack.cloud.nova import Nova
    from hfstack.context import Context
    from hfstack.rules.server_record import Server
    from hfstack.rules.status import LookedUp
    from hfstack.schema import RequestStatus
    from hfstack.store.facts import AcquireRequest, ReturnRequest


class Cleanup:
    """Records and deletes for one request. `cloud` opens the cloud, to release floating IPs with their servers."""

    def __init__(self, context: Context, cloud: Callable[[], Cloud]) -> None:
        self.context = context
        self.request_id = context.request_id
        self.cloud = cloud
        self.log = context.log
        self.workdir = context.environment.workdir

    def polled(self) -> None:
        """Record that HostFactory has polled a request for machines: it knows the request."""
        self.is_recorded(partial(write_polled, self.workdir, self.request_id, self.context.now()))

    def of_acquire(
        self, nova: Nova, request: AcquireRequest, records: Iterable[Server], answer: RequestStatus
    ) -> RequestStatus:
        """Record and delete the machines that failed; return the answer."""
        provider, records = self.context.environment.provider, list(records)
        reasons = {
            failed.machine_id: failed.message
            for failed in deletion.of_acquire(self.request_id, provider, request, records, answer["machines"])
            if self.is_recorded(partial(write_failed, self.workdir, self.request_id, failed))
        }
        replaced = deletion.replaced(self.request_id, provider, request, records)
        reasons |= dict.fromkeys(replaced, "it found no host and was replaced")
        # a server that was replaced has left its floating IP to the other server
        owners = [record for record in records if record["id"] not in request.replaced]
        answer = self.delete(nova, reasons, owners, answer)
        if self.ended(request, answer):
            return answer
        # if a record shows neither a poll nor an end, housekeeping concludes that HostFactory never learned of the
        # request, and deletes its servers: so machines are handed over only when the end is on record
        return {**answer, "status": "running", "message": "this cannot be recorded in the work directory: see the log"}

    def of_return(self, nova: Nova, request: ReturnRequest, seen: LookedUp, answer: RequestStatus) -> RequestStatus:
        """Record which machines are gone, and delete again those that are not; return the answer."""
        now = self.context.now()
        for server_id, how in deletion.gone(request, seen).items():
            self.is_recorded(partial(write_gone, self.workdir, self.request_id, server_id, how, now))
        stuck = deletion.of_return(self.context.environment.provider, request, seen, now)
        records = [record for record in seen.values() if record]
        answer = self.delete(nova, dict.fromkeys(stuck, "HostFactory returned it"), records, answer)
        self.ended(request, answer)
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

    def ended(self, request: AcquireRequest | ReturnRequest, answer: RequestStatus) -> bool:
        """Record the end of a request that is complete; return `False` if it cannot be recorded."""
        if request.ended or answer["status"] == "running":
            return True
        ids = [machine["machineId"] for machine in answer["machines"]]
        return self.is_recorded(
            partial(write_ended, self.workdir, self.request_id, answer["status"], ids, self.context.now())
        )

    def is_recorded(self, write: Callable[[], bool]) -> bool:
        """Record a fact, if it is not on record; return `False`, and log a warning, if that fails."""
        try:
            write()
        except FactsUnwritable as error:
            self.log.warning(str(error))
            return False
        return True
