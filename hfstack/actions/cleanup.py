"""What follows from an answer: facts are recorded, and servers of ours that nobody will use are deleted.

What cannot be recorded is a warning in the log, and what cannot be deleted now is tried again by the next poll. Nothing
is deleted without its reason on record, and no machine is handed over before the end of its request is.
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
    """Records and deletes, after the questions of one request. `cloud` opens the cloud, for what goes with a server."""

    def __init__(self, context: Context, cloud: Callable[[], Cloud]) -> None:
        self.context = context
        self.request_id = context.request_id
        self.cloud = cloud
        self.log = context.log
        self.workdir = context.environment.workdir

    def polled(self) -> None:
        """Record that HostFactory knows of a request for machines: it asked."""
        self.is_recorded(partial(write_polled, self.workdir, self.request_id, self.context.now()))

    def of_acquire(
        self, nova: Nova, asked: AcquireRequest, records: Iterable[Server], found: RequestStatus
    ) -> RequestStatus:
        """Record and delete the machines that failed; returns the answer."""
        provider, records = self.context.environment.provider, list(records)
        reasons = {
            failed.machine_id: failed.message
            for failed in deletion.of_acquire(self.request_id, provider, asked, records, found["machines"])
            if self.is_recorded(partial(write_failed, self.workdir, self.request_id, failed))
        }
        replaced = deletion.replaced(self.request_id, provider, asked, records)
        reasons |= dict.fromkeys(replaced, "it found no host, and another was asked for")
        # the floating IP of a server that was replaced is that of the other
        owners = [one for one in records if one["id"] not in asked.replaced]
        told = self.delete(nova, reasons, owners, found)
        if self.ended(asked, found):
            return told
        # housekeeping takes a request that neither was polled nor has ended, on record, for one that HostFactory never
        # learned of: machines are handed over only when the end is on record
        return {**told, "status": "running", "message": "this cannot be recorded in the work directory: see the log"}

    def of_return(self, nova: Nova, asked: ReturnRequest, seen: LookedUp, found: RequestStatus) -> RequestStatus:
        """Record which machines are gone, and ask again for the deletion of those that live; returns the answer."""
        now = self.context.now()
        for server_id, how in deletion.gone(asked, seen).items():
            self.is_recorded(partial(write_gone, self.workdir, self.request_id, server_id, how, now))
        stuck = deletion.of_return(self.context.environment.provider, asked, seen, now)
        records = [one for one in seen.values() if one]
        told = self.delete(nova, dict.fromkeys(stuck, "it was given back"), records, found)
        self.ended(asked, found)
        return told

    def delete(
        self, nova: Nova, reasons: Mapping[str, str], records: Sequence[Server], found: RequestStatus
    ) -> RequestStatus:
        """Delete servers by their ids, with the floating IPs of `records`; returns the answer, with any trouble."""
        if not reasons:
            return found
        outcomes, trouble = nova.delete_all(reasons)
        for server_id, outcome in outcomes.items():
            self.log.info(f"asked Nova to delete {server_id} ({outcome.value}): {reasons[server_id]}")
        if any(map(wants_floating_ip, records)):
            from hfstack.actions.floating_ips import release_going

            release_going(self.cloud(), records, outcomes)
        if trouble is None:
            return found
        words = f"a server could not be deleted: {explain(trouble)}"
        return {**found, "message": f"{found['message']}; {words}" if found["message"] else words}

    def ended(self, asked: AcquireRequest | ReturnRequest, found: RequestStatus) -> bool:
        """Record that a request was answered as over; `False` if it is, and that cannot be recorded."""
        if asked.ended or found["status"] == "running":
            return True
        ids = [machine["machineId"] for machine in found["machines"]]
        return self.is_recorded(
            partial(write_ended, self.workdir, self.request_id, found["status"], ids, self.context.now())
        )

    def is_recorded(self, write: Callable[[], bool]) -> bool:
        """Record a fact unless it is on record already; `False`, with a warning in the log, if that fails."""
        try:
            write()
        except FactsUnwritable as error:
            self.log.warning(str(error))
            return False
        return True
