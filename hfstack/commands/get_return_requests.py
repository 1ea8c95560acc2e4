"""getReturnRequests: which machines are to be given back, because the cloud took them away or somebody marked them.

The servers of this provider instance are listed, and the known machines that the list lacks are asked for by id.
Without a whole answer nothing is reported. What is tidied up afterwards does not change the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hfstack import facts, housekeeping, machine, reading, reclaimed
from hfstack.cloud.services import Cloud
from hfstack.errors import CloudTrouble, FactsUnreadable, FactsUnwritable, NothingReported, explain
from hfstack.housekeeping import DAY, Leftover, Patience
from hfstack.recording import forget, record
from hfstack.stored import Stored, load_stored, stored_requests
from hfstack.surroundings import full_timeout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hfstack import wire
    from hfstack.call import Call
    from hfstack.cloud.nova import Nova
    from hfstack.machine import Record

NAME = "getReturnRequests"


def run(document: object, name: str, call: Call) -> wire.ReturnRequestsDocument:
    """Answer HostFactory's document. Raises `InputError`, `ConfigError` and `NothingReported`."""
    wanted = reading.known_machines(document, name)
    try:
        stored = load(call)
        cloud = Cloud(call)
        nova = cloud.nova("")
        ours = nova.servers_of(machine.provider_tag(call.around.provider))
        listed = {str(server["id"]): server for server in ours}
        known = reclaimed.held(stored) if wanted is None else reclaimed.named(wanted, stored, listed.values())
        given_back = reclaimed.given_back(stored)
        known = [one for one in known if one.machine_id not in given_back]
        rest, trouble = nova.servers(one.machine_id for one in known if one.machine_id not in listed)
        if trouble is not None:
            raise trouble
    except (CloudTrouble, FactsUnreadable) as error:
        raise NothingReported(explain(error)) from None
    seen: dict[str, Record | None] = {**listed, **rest}
    found = reclaimed.requests(known, seen, call.around.provider, call.settings.reclaimedStates)
    message = f"{len(found)} of {len(known)} machines are to be given back"
    call.log.info(message + "".join(f"; {one['machineId']} in {one['gracePeriod']} s" for one in found))
    Housekeeping(call, cloud, nova, stored).tidy(seen)
    return {"status": "complete", "message": message, "requests": found}


def load(call: Call) -> list[Stored]:
    """Load all that is recorded. A request for machines that cannot be read is left out, a return must not be.

    Another process may be removing what is history. Raises `FactsUnreadable`.
    """
    stored = []
    for request_id in stored_requests(call.around.workdir):
        try:
            stored.append(load_stored(call.around.workdir, request_id))
        except FactsUnreadable as error:
            if facts.find_folder(call.around.workdir, request_id) is None:
                continue
            if request_id.startswith("ret-"):
                raise
            call.log.warning(f"{request_id} is left out: {error}")
    return stored


class Housekeeping:
    """Deletes servers that nobody will use, releases floating IPs, and removes old records, as far as it can."""

    def __init__(self, call: Call, cloud: Cloud, nova: Nova, stored: Sequence[Stored]) -> None:
        self.call = call
        self.cloud = cloud
        self.nova = nova
        self.stored = stored
        self.patience = Patience(
            2 * full_timeout(call.around, call.settings.actionTimeout),
            call.settings.unpolledTimeout,
            call.settings.historyDays * DAY,
        )

    def tidy(self, seen: Mapping[str, Record | None]) -> None:
        """Tidy up; `seen` is what Nova said of all servers that are listed or known."""
        alive = [server for server in seen.values() if server]
        now = self.call.now()
        found = housekeeping.leftovers(self.stored, alive, self.call.around.provider, now, self.patience)
        reasons = {str(one.record["id"]): one for one in found if self.is_recorded(one)}
        outcomes, trouble = self.nova.delete_all(reasons) if reasons else ({}, None)
        for server_id, outcome in outcomes.items():
            one = reasons[server_id]
            self.call.log.info(f"{one.request_id}: asked Nova to delete {server_id} ({outcome.value}): {one.reason}")
        if trouble is not None:
            self.call.log.warning(f"a server could not be deleted: {explain(trouble)}")
        if outcomes:
            # this command is asked often, and hardly ever deletes
            from hfstack.addressing import release_going

            release_going(self.cloud, "", alive, outcomes)
        taken_for = self.release_abandoned(alive, now)
        history = housekeeping.history(self.stored, alive, now, self.patience)
        self.forget([request_id for request_id in history if request_id not in taken_for])

    def release_abandoned(self, alive: Sequence[Record], now: float) -> set[str]:
        """Release the floating IPs that no server waits for.

        Returns the requests whose floating IPs may be there still: without its record, nothing shows one to be ours.
        """
        provider = self.call.around.provider
        owned = housekeeping.owners(self.stored, provider)
        if not owned:
            return set()
        try:
            floating_ips = self.cloud.floating_ips("")
            shown = floating_ips.of_networks({owner.request.floating_network for owner in owned.values()})
            doomed = housekeeping.abandoned(shown, owned, alive, provider, now, self.patience)
            # a server in such a cell is not seen, and its floating IP may lead nowhere yet
            if doomed and not self.nova.has_cell_down():
                floating_ips.delete_all(doomed)
        except CloudTrouble as trouble:
            self.call.log.warning(f"floating IPs that nobody uses could not be released: {explain(trouble)}")
            return {owner.request_id for owner in owned.values()}
        return {owned[one.description].request_id for one in shown if one.description in owned}

    def is_recorded(self, one: Leftover) -> bool:
        """Have it on record why a server is deleted, where that is wanted; `False`, with a warning, if it cannot be."""
        if not one.key:
            return True
        fact = housekeeping.failure(one, self.call.now())
        try:
            record(self.call.around.workdir, one.request_id, f"failed-{one.key}.json", fact)
        except FactsUnwritable as error:
            self.call.log.warning(str(error))
            return False
        return True

    def forget(self, request_ids: Sequence[str]) -> None:
        """Remove what is recorded of requests, unless servers may be hidden by a cell that is down."""
        try:
            if not request_ids or self.nova.has_cell_down():
                return
        except CloudTrouble as trouble:
            self.call.log.warning(explain(trouble))
            return
        for request_id in request_ids:
            try:
                forget(self.call.around.workdir, request_id)
            except FactsUnwritable as error:
                self.call.log.warning(str(error))
            else:
                self.call.log.info(f"{request_id}: what was recorded of it is older than historyDays, and removed")
