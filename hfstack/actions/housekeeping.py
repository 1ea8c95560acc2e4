"""Remove what nobody will use, once getReturnRequests has its answer."""

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
    """Deletes servers and floating IPs that nobody will use, and old records, as far as it can."""

    def __init__(self, context: Context, cloud: Cloud, nova: Nova, recorded: Sequence[RecordedRequest]) -> None:
        self.context = context
        self.cloud = cloud
        self.nova = nova
        self.recorded = recorded
        self.patience = Patience(
            2 * full_timeout(context.environment, context.settings.actionTimeout),
            context.settings.unpolledTimeout,
            context.settings.historyDays * DAY,
        )

    def clean_up(self, seen: Mapping[str, Server | None]) -> None:
        """Clean up; `seen` is Nova's answer for every server that is listed or known."""
        alive = [server for server in seen.values() if server]
        now = self.context.now()
        found = leftovers.leftovers(self.recorded, alive, self.context.environment.provider, now, self.patience)
        to_delete = {str(leftover.server["id"]): leftover for leftover in found if self.is_recorded(leftover)}
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
        keep = self.release_abandoned(alive, now)
        history = leftovers.history(self.recorded, alive, now, self.patience)
        self.forget([request_id for request_id in history if request_id not in keep])

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

    def is_recorded(self, leftover: Leftover) -> bool:
        """Record why a server is deleted, if needed; return `False`, and log a warning, if that fails."""
        if not leftover.key:
            return True
        try:
            write_failed(
                self.context.environment.workdir, leftover.request_id, leftovers.failure(leftover, self.context.now())
            )
        except FactsUnwritable as error:
            self.context.log.warning(str(error))
            return False
        return True

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
                forget(self.context.environment.workdir, request_id)
            except FactsUnwritable as error:
                self.context.log.warning(str(error))
            else:
                self.context.log.info(f"{request_id}: its record is older than historyDays and was removed")
