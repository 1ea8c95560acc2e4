"""Create the servers of a request: one POST per server, never repeated, and the template's alternatives in turn.

If an answer does not say whether the server exists, the request's tag shows it, now or in a later poll. Nova reports
only after its answer, in the server's fault, that there is no valid host. So if there is another flavor or zone to try,
hfstack waits for the scheduler, deletes each server without a host, and replaces it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from hfstack.cloud.client import in_threads
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
"""How long to wait for Nova's scheduler if there is something else to try (seconds); usually it takes under one."""

PAUSE = 0.5
"""Seconds between two looks at the scheduler's decision."""

NO_HOST = "No valid host was found"
"""How Nova's fault begins (NoValidHost in nova/exception.py)."""


class Created(NamedTuple):
    """The result of one POST."""

    name: str
    machine_id: str = ""
    message: str = ""
    """Why there is no server."""
    code: RefusalCode | None = None
    """The reason in one word, for LSF."""
    unclear: str = ""
    """What came instead of a clear answer, if it is unknown whether the server exists; else ""."""


class ServerCreator:
    """Creates the servers of one request."""

    def __init__(self, nova: Nova, context: Context) -> None:
        self.nova = nova
        self.context = context
        self.replaced: list[str] = []
        """Ids of the servers that found no host and were replaced by others."""
        self.warnings: list[str] = []
        """What HostFactory's log should say, although the request goes on."""
        self.has_posted = False
        """Whether a server may exist that only this request's id leads to."""

    def create(self, alternatives: Sequence[Documents]) -> list[Created]:
        """Create a server for each name, by the first alternative that finds a host for it; in the order of the names.

        The last alternative is not waited for: the polls report its outcome.
        """
        created: dict[str, Created] = {}
        names = list(alternatives[0])
        for number, documents in enumerate(alternatives):
            if number:
                names = self.without_host(list(created.values()))
                if not names or self.context.budget.left() <= 0:
                    break
                self.replace(created, names, f"{number + 1} of {len(alternatives)}")
            created |= {server.name: server for server in self.settle(self.post_all(documents, names))}
        return [created[name] for name in alternatives[0]]

    def post_all(self, documents: Documents, names: Sequence[str]) -> list[Created]:
        """Send the POSTs, a few at a time, until this call runs out of time."""
        created: dict[str, Created] = {}

        def post(name: str) -> None:
            created[name] = self.post(name, documents[name])

        problem = in_threads(post, names, self.context.settings.createConcurrency)
        if problem:
            self.warn(f"the machines were requested with fewer threads than createConcurrency: {problem}")
        return [created[name] for name in names]

    def warn(self, warning: str) -> None:
        """Log a warning, and keep it for the answer."""
        self.context.log.warning(warning)
        self.warnings.append(warning)

    def post(self, name: str, document: Mapping[str, Any]) -> Created:
        """Send one POST."""
        if self.context.budget.left() <= 0:
            return Created(name, message="it was not requested: the call ran out of time", code="Timeout")
        self.has_posted = True
        try:
            return Created(name, machine_id=self.nova.create(document))
        except Refusal as refusal:
            return Created(name, message=str(refusal), code=refusal.code)
        except CloudTrouble as trouble:
            self.context.log.warning(f"{name}: it is unknown whether the server exists: {explain(trouble)}")
            return Created(name, unclear=explain(trouble))

    def settle(self, created: Sequence[Created]) -> list[Created]:
        """Find the servers of unclear POSTs by the request's tag. Servers that appear later are found by the polls."""
        if not any(server.unclear for server in created):
            return list(created)
        try:
            ids = {str(record.get("name")): str(record["id"]) for record in self.servers()}
        except CloudTrouble:
            return list(created)
        found = {server.name for server in created if server.unclear and server.name in ids}
        return [
            server._replace(machine_id=ids[server.name], unclear="") if server.name in found else server
            for server in created
        ]

    def servers(self) -> list[Server]:
        """Return the request's servers, without those that were replaced. Raises `CloudTrouble`."""
        records = self.nova.servers_of(server_record.request_tag(self.context.request_id))
        return [record for record in records if record["id"] not in self.replaced]

    def without_host(self, created: Sequence[Created]) -> list[str]:
        """Return the names to try the next alternative for, once the scheduler has decided or taken too long."""
        refused = [server.name for server in created if server.code == ZONE_UNAVAILABLE]
        names = {server.machine_id: server.name for server in created if server.machine_id}
        patience = min(SCHEDULER_PATIENCE, self.context.budget.left() / 2)
        end = self.context.budget.left() - patience
        while True:
            try:
                seen = [record for record in self.servers() if record["id"] in names] if names else []
            except CloudTrouble as trouble:
                self.context.log.warning(f"cannot find out whether the servers found hosts: {explain(trouble)}")
                return refused
            undecided = len(names) - len([record for record in seen if is_decided(record)])
            if not undecided or self.context.budget.left() <= end:
                return refused + [names[str(record["id"])] for record in seen if has_no_host(record)]
            self.context.budget.sleep(PAUSE)

    def replace(self, created: Mapping[str, Created], names: Sequence[str], which: str) -> None:
        """Delete the servers that found no host, before others replace them. A poll deletes what is not deleted now."""
        ids = [created[name].machine_id for name in names if created[name].machine_id]
        self.replaced += ids
        self.context.log.info(f"no host for {', '.join(names)}: trying the template's alternative {which}")
        _, trouble = self.nova.delete_all(ids) if ids else ({}, None)
        if trouble is not None:
            self.context.log.warning(f"a server without a host could not be deleted: {explain(trouble)}")


def is_decided(record: Server) -> bool:
    """Tell whether the scheduler has decided about a server."""
    return record.get("status") != "BUILD" or record.get("OS-EXT-STS:task_state") != "scheduling"


def has_no_host(record: Server) -> bool:
    """Tell whether there was no valid host for a server."""
    return record.get("status") == "ERROR" and server_record.fault(record).startswith(NO_HOST)
