"""Remove what nobody will use, once getReturnRequests has its answer."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from hfstack.actions.record import attempt
from hfstack.environment import full_timeout
from hfstack.errors import CloudTrouble, FactsUnwritable, explain
from hfstack.rules import leftovers
from hfstack.rules.leftovers import DAY, Clocks, Leftover, Patience
from hfstack.store.facts import AcquireRequest
from hfstack.store.folders import file_system_time
from hfstack.store.request_list import RecordedRequest
from hfstack.store.write import forget, write_failed, write_reaped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hfstack.cloud.connection import Cloud
    from hfstack.cloud.nova import Nova
    from hfstack.context import Context
    from hfstack.rules.server_record import Server


class Housekeeping:
    """Deletes servers and floating IPs that nobody will use, and old records, as far as it can.

    `recorded` are the requests that were made in this place.
    """

    def __init__(self, context: Context, cloud: Cloud, nova: Nova, recorded: Sequence[RecordedRequest]) -> None:
        self.context = context
        self.workdir = context.environment.workdir
        self.cloud = cloud
        self.nova = nova
        self.recorded = recorded
        unfinished = 2 * full_timeout(context.environment, context.settings.actionTimeout)
        unpolled = max(context.settings.unpolledTimeout, unfinished)
        self.patience = Patience(unfinished, unpolled, context.settings.historyDays * DAY)

    def clean_up(self, seen: Mapping[str, Server | None]) -> None:
        """Clean up; `seen` is Nova's answer for every server that is listed or known."""
        file_system = file_system_time(os.path.join(self.workdir, "requests")) if self.recorded else None
        if file_system is None:
            return
        clocks = Clocks(file_system, self.nova.now(self.context.now()))
        alive = [server for server in seen.values() if server]
        self.reap(alive, clocks)
        self.delete_leftovers(alive)
        keep = self.release_abandoned(alive, clocks.file_system)
        history = leftovers.history(self.recorded, alive, clocks.file_system, self.patience)
        self.forget([request_id for request_id in history if request_id not in keep])

    def reap(self, alive: Sequence[Server], clocks: Clocks) -> None:
        """Close the requests that HostFactory never learned of: a later poll is told that they failed."""
        provider = self.context.environment.provider
        closed: dict[str, str] = {}
        for unpolled in leftovers.unpolled(self.recorded, alive, provider, clocks, self.patience):
            request_id = unpolled.request_id
            if unpolled.contradiction:
                self.context.log.warning(
                    f"{request_id}: the records say that HostFactory never polled it, but {unpolled.contradiction}; "
                    "its servers are left alone: was an old copy of the work directory restored?"
                )
                continue
            write = partial(write_reaped, self.workdir, request_id, self.context.now(), unpolled.reason)
            # if HostFactory polls now, one of the two is first, and the other leaves the servers alone
            if attempt(write, self.context.log):
                closed[request_id] = unpolled.reason
        if closed:
            self.recorded = [reaped(recorded, closed.get(recorded.request_id, "")) for recorded in self.recorded]

    def delete_leftovers(self, alive: Sequence[Server]) -> None:
        """Delete the servers that nobody will use, with their floating IPs."""
        now = self.context.now()
        found = leftovers.leftovers(self.recorded, alive, self.context.environment.provider)
        to_delete = {str(leftover.server["id"]): leftover for leftover in found if self.may_delete(leftover, now)}
        outcomes, trouble = self.nova.delete_all(to_delete) if to_delete else ({}, None)
        for server_id, outcome in outcomes.items():
            request_id, reason = to_delete[server_id].request_id, to_delete[server_id].reason
            self.context.log.info(f"{request_id}: asked Nova to delete {server_id} ({outcome.value}): {reason}")
        if trouble is not None:
            self.context.log.warning(f"a server could not be deleted: {explain(trouble)}")
        if outcomes:
            # HostFactory calls this command often, and it hardly ever deletes
            from hfstack.actions.floating_ips import release_going

            release_going(self.cloud, alive, outcomes)

    def release_abandoned(self, alive: Sequence[Server], now: float) -> set[str]:
        """Release the floating IPs that no server waits for.

        Returns the requests whose floating IPs may still exist. Only the record of a request shows that they are ours.
        """
        provider = self.context.environment.provider
        owned = leftovers.owners(self.recorded, provider)
        if not owned:
            return set()
        try:
            neutron = self.cloud.neutron()
            shown = neutron.floating_ips_of({owner.request.floating_network for owner in owned.values()})
            unused = leftovers.abandoned(shown, owned, alive, provider, now, self.patience)
            # a server in a cell that is down is not seen, and its floating IP may not be attached yet
            if unused and not self.nova.has_cell_down():
                neutron.release(unused)
        except CloudTrouble as trouble:
            self.context.log.warning(f"unused floating IPs could not be released: {explain(trouble)}")
            return {owner.request_id for owner in owned.values()}
        descriptions = {floating_ip.description for floating_ip in shown}
        return {owner.request_id for description, owner in owned.items() if description in descriptions}

    def may_delete(self, leftover: Leftover, now: float) -> bool:
        """Record why a server is deleted, if needed; return `False` if that fails."""
        if not leftover.key:
            return True
        failed = leftovers.failure(leftover, now)
        write = partial(write_failed, self.workdir, leftover.request_id, failed)
        return attempt(write, self.context.log) is not None

    def forget(self, request_ids: Sequence[str]) -> None:
        """Remove the records of requests, unless a cell that is down may hide their servers."""
        try:
            if not request_ids or self.nova.has_cell_down():
                return
        except CloudTrouble as trouble:
            self.context.log.warning(explain(trouble))
            return
        for request_id in request_ids:
            try:
                forget(self.workdir, request_id)
            except FactsUnwritable as error:
                self.context.log.warning(str(error))
            else:
                self.context.log.info(f"{request_id}: its record is older than historyDays and was removed")


def reaped(recorded: RecordedRequest, reason: str) -> RecordedRequest:
    """Return the record of a request after housekeeping has closed it; unchanged without a reason."""
    request = recorded.request
    if not reason or not isinstance(request, AcquireRequest):
        return recorded
    return recorded._replace(request=request._replace(reaped=reason))
