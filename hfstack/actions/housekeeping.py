"""Clears away what nobody will use, after getReturnRequests has its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hfstack.environment import full_timeout
from hfstack.errors import CloudTrouble, FactsUnwritable, explain
from hfstack.rules import leftovers
from hfstack.rules.leftovers import DAY, Leftover, Patience
from hfstack.store.request_list import RecordedRequest
from hfstack.store.write import forget, write_failed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hfstack.cloud.connection import Cloud
    from hfstack.cloud.nova import Nova
    from hfstack.context import Context
    from hfstack.rules.server_record import Server


class Housekeeping:
    """Deletes servers that nobody will use, releases floating IPs, and removes old records, as far as it can."""

    def __init__(self, context: Context, cloud: Cloud, nova: Nova, stored: Sequence[RecordedRequest]) -> None:
        self.context = context
        self.cloud = cloud
        self.nova = nova
        self.stored = stored
        self.patience = Patience(
            2 * full_timeout(context.environment, context.settings.actionTimeout),
            context.settings.unpolledTimeout,
            context.settings.historyDays * DAY,
        )

    def tidy(self, seen: Mapping[str, Server | None]) -> None:
        """Tidy up; `seen` is what Nova said of all servers that are listed or known."""
        alive = [server for server in seen.values() if server]
        now = self.context.now()
        found = leftovers.leftovers(self.stored, alive, self.context.environment.provider, now, self.patience)
        reasons = {str(one.server["id"]): one for one in found if self.is_recorded(one)}
        outcomes, trouble = self.nova.delete_all(reasons) if reasons else ({}, None)
        for server_id, outcome in outcomes.items():
            one = reasons[server_id]
            self.context.log.info(f"{one.request_id}: asked Nova to delete {server_id} ({outcome.value}): {one.reason}")
        if trouble is not None:
            self.context.log.warning(f"a server could not be deleted: {explain(trouble)}")
        if outcomes:
            # this command is asked often, and hardly ever deletes
            from hfstack.actions.floating_ips import release_going

            release_going(self.cloud, alive, outcomes)
        taken_for = self.release_abandoned(alive, now)
        history = leftovers.history(self.stored, alive, now, self.patience)
        self.forget([request_id for request_id in history if request_id not in taken_for])

    def release_abandoned(self, alive: Sequence[Server], now: float) -> set[str]:
        """Release the floating IPs that no server waits for.

        Returns the requests whose floating IPs may be there still: without its record, nothing shows one to be ours.
        """
        provider = self.context.environment.provider
        owned = leftovers.owners(self.stored, provider)
        if not owned:
            return set()
        try:
            neutron = self.cloud.neutron()
            shown = neutron.floating_ips_of({owner.request.floating_network for owner in owned.values()})
            doomed = leftovers.abandoned(shown, owned, alive, provider, now, self.patience)
            # a server in such a cell is not seen, and its floating IP may lead nowhere yet
            if doomed and not self.nova.has_cell_down():
                neutron.release(doomed)
        except CloudTrouble as trouble:
            self.context.log.warning(f"floating IPs that nobody uses could not be released: {explain(trouble)}")
            return {owner.request_id for owner in owned.values()}
        return {owned[one.description].request_id for one in shown if one.description in owned}

    def is_recorded(self, one: Leftover) -> bool:
        """Have it on record why a server is deleted, where that is wanted; `False`, with a warning, if it cannot be."""
        if not one.key:
            return True
        try:
            write_failed(self.context.environment.workdir, one.request_id, leftovers.failure(one, self.context.now()))
        except FactsUnwritable as error:
            self.context.log.warning(str(error))
            return False
        return True

    def forget(self, request_ids: Sequence[str]) -> None:
        """Remove what is recorded of requests, unless servers may be hidden by a cell that is down."""
        try:
            if not request_ids or self.nova.has_cell_down():
                return
        except CloudTrouble as trouble:
            self.context.log.warning(explain(trouble))
            return
        for request_id in request_ids:
            try:
                forget(self.context.environment.workdir, request_id)
            except FactsUnwritable as error:
                self.context.log.warning(str(error))
            else:
                self.context.log.info(f"{request_id}: what was recorded of it is older than historyDays, and removed")
