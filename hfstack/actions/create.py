"""Having the servers of a request made: one POST per server, never repeated, and the template's alternatives in turn.

An answer that leaves open whether there is a server is settled by the request's tag, now or by a later poll. Nova says
only after its answer that there is no valid host, in the server's fault: where there is another flavor or zone to try,
the scheduler is waited for, and a server without a host is deleted and replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from hfstack.cloud.nova import ZONE_UNAVAILABLE
from hfstack.errors import CloudTrouble, Refusal, explain
from hfstack.rules import server_record

if TYPE_CHECKING:
    from hfstack.cloud.nova import Nova
    from hfstack.context import Context
    from hfstack.errors import RefusalCode
    from hfstack.rules.server_record import Server

Documents = Mapping[str, Mapping[str, Any]]
"""By server name: the document of its POST."""

SCHEDULER_PATIENCE = 60
"""Seconds that Nova's scheduler is waited for, where there is something else to try; it usually takes less than one."""

PAUSE = 0.5
"""Seconds between two looks at what the scheduler decided."""

NO_HOST = "No valid host was found"
"""How Nova's fault begins (NoValidHost in nova/exception.py)."""


class Created(NamedTuple):
    """What came of one POST. Neither id nor message: it is not known whether there is a server."""

    name: str
    machine_id: str = ""
    message: str = ""
    """Why there is no server."""
    code: RefusalCode | None = None
    """The same in one word."""


class ServerCreator:
    """Makes the servers of one request."""

    def __init__(self, nova: Nova, context: Context) -> None:
        self.nova = nova
        self.context = context
        self.replaced: list[str] = []
        """Ids of servers that found no host, and for which another was asked for."""

    def make(self, alternatives: Sequence[Documents]) -> list[Created]:
        """Have a server made for each name, by the first alternative that finds a host for it; in the names' order.

        The last alternative is not waited for: what comes of it is for the polls to tell.
        """
        made: dict[str, Created] = {}
        without_host = list(alternatives[0])
        for number, documents in enumerate(alternatives):
            if number:
                without_host = self.without_host(list(made.values()))
                if not without_host or self.context.budget.left() <= 0:
                    break
                self.replace(made, without_host, f"{number + 1} of {len(alternatives)}")
            made |= {one.name: one for one in self.settle(self.post_all(documents, without_host))}
        return [made[name] for name in alternatives[0]]

    def post_all(self, documents: Documents, names: Sequence[str]) -> list[Created]:
        """Send the POSTs, some at a time, and no more of them when the time of this call is used up."""
        with ThreadPoolExecutor(self.context.settings.createConcurrency) as pool:
            return list(pool.map(lambda name: self.post(name, documents[name]), names))

    def post(self, name: str, document: Mapping[str, Any]) -> Created:
        """Send one POST."""
        if self.context.budget.left() <= 0:
            return Created(name, message="it was not asked for: the time of the call was used up", code="Timeout")
        try:
            return Created(name, machine_id=self.nova.create(document))
        except Refusal as refusal:
            return Created(name, message=str(refusal), code=refusal.code)
        except CloudTrouble as trouble:
            self.context.log.warning(f"{name}: it is not known whether there is a server: {explain(trouble)}")
            return Created(name)

    def settle(self, made: Sequence[Created]) -> list[Created]:
        """Look for the servers of unclear POSTs by the request's tag. Those not seen may still appear: polls look."""
        if all(one.machine_id or one.message for one in made):
            return list(made)
        try:
            seen = {str(server.get("name")): str(server["id"]) for server in self.servers()}
        except CloudTrouble:
            return list(made)
        return [
            one if one.machine_id or one.message else one._replace(machine_id=seen.get(one.name, "")) for one in made
        ]

    def servers(self) -> list[Server]:
        """Return the request's servers, without those that were replaced. Raises `CloudTrouble`."""
        found = self.nova.servers_of(server_record.request_tag(self.context.request_id))
        return [one for one in found if one["id"] not in self.replaced]

    def without_host(self, made: Sequence[Created]) -> list[str]:
        """Return the names for which something else is to be tried; the scheduler has decided, or took too long."""
        refused = [one.name for one in made if one.code == ZONE_UNAVAILABLE]
        names = {one.machine_id: one.name for one in made if one.machine_id}
        patience = min(SCHEDULER_PATIENCE, self.context.budget.left() / 2)
        end = self.context.budget.left() - patience
        while True:
            try:
                seen = [one for one in self.servers() if one["id"] in names] if names else []
            except CloudTrouble as trouble:
                self.context.log.warning(f"it cannot be told whether the servers found hosts: {explain(trouble)}")
                return refused
            undecided = len(names) - len([one for one in seen if is_decided(one)])
            if not undecided or self.context.budget.left() <= end:
                return refused + [names[str(one["id"])] for one in seen if has_no_host(one)]
            self.context.budget.sleep(PAUSE)

    def replace(self, made: Mapping[str, Created], names: Sequence[str], which: str) -> None:
        """Delete the servers that found no host: another is asked for. A poll deletes what cannot be deleted now."""
        ids = [made[name].machine_id for name in names if made[name].machine_id]
        self.replaced += ids
        self.context.log.info(f"no host for {', '.join(names)}: trying the template's alternative {which}")
        _, trouble = self.nova.delete_all(ids) if ids else ({}, None)
        if trouble is not None:
            self.context.log.warning(f"a server without a host could not be deleted: {explain(trouble)}")


def is_decided(record: Server) -> bool:
    """Tell whether the scheduler is done with a server, one way or the other."""
    return record.get("status") != "BUILD" or record.get("OS-EXT-STS:task_state") != "scheduling"


def has_no_host(record: Server) -> bool:
    """Tell a server for which there was no valid host."""
    return record.get("status") == "ERROR" and server_record.fault(record).startswith(NO_HOST)
