"""getRequestStatus: how far a request for machines, or a return of machines, has come.

One answer per request id: what is recorded, what Nova shows, and the clock decide it. Trouble with the cloud is
`running`, with the reason; one request's trouble does not spoil the others. What is recorded and deleted after an
answer does not change it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property

from hfstack import inputs, states
from hfstack._typing import TYPE_CHECKING
from hfstack.errors import CloudTrouble, FactsUnreadable, explain
from hfstack.rules import server_record, status
from hfstack.rules.status import Rules
from hfstack.store import facts

if TYPE_CHECKING:
    from hfstack import schema
    from hfstack.actions.cleanup import Cleanup
    from hfstack.cloud.connection import Cloud, Connection
    from hfstack.cloud.nova import Nova
    from hfstack.context import Context
    from hfstack.rules.server_record import Server

NAME = "getRequestStatus"

TAGGABLE = re.compile(r"[A-Za-z0-9._:-]{1,57}\Z")
"""Ids that `hf:<id>` can carry: a Nova tag has at most 60 characters, and no slash or comma."""

ADDRESS_PATIENCE = 60
"""Seconds that an ACTIVE server may show no fixed address before Neutron is asked."""


def run(document: object, name: str, context: Context) -> schema.StatusDocument:
    """Answer HostFactory's document; `name` is what messages call it.

    Raises `InputError` before anything is sent, and `ConfigError`.
    """
    ids, as_list = inputs.request_ids(document, name)

    @cache
    def connection() -> Connection:
        # one login for all ids; imported when the first id is one that the cloud can know
        from hfstack.cloud.connection import Connection

        return Connection(context)

    answers = [Poll(context.for_request(request_id), connection).answer() for request_id in ids]
    return {"requests": answers if as_list else answers[0]}


class Poll:
    """Answers for one request. `connection` opens the way into the cloud when it is first needed."""

    def __init__(self, context: Context, connection: Callable[[], Connection]) -> None:
        self.context = context
        self.request_id = context.request_id
        self.connection = connection
        self.log = context.log
        self.rules = Rules(context.settings.privateNetworks, context.settings.requestTimeout)

    @cached_property
    def cloud(self) -> Cloud:
        """The cloud's services."""
        from hfstack.cloud.connection import Cloud

        return Cloud(self.context, self.connection())

    @cached_property
    def cleanup(self) -> Cleanup:
        """What records and deletes, imported when there is something to do: most polls have nothing."""
        from hfstack.actions.cleanup import Cleanup

        return Cleanup(self.context, lambda: self.cloud)

    def answer(self) -> schema.RequestStatus:
        """Answer, and log the answer."""
        if not TAGGABLE.match(self.request_id):
            found = status.unknown(self.request_id, "this id names no request of hfstack")
        elif self.request_id.startswith("ret-"):
            found = self.of_return()
        else:
            found = self.of_acquire()
        results = [one["result"] for one in found["machines"]]
        counts = ", ".join(f"{results.count(result)} {result}" for result in dict.fromkeys(results)) or "no machines"
        self.log.info(f"{found['status']}: {counts}" + (f"; {found['message']}" if found["message"] else ""))
        return found

    def of_acquire(self) -> schema.RequestStatus:
        """Answer for a request for machines."""
        asked = None
        try:
            asked = facts.load_acquire(self.context.environment.workdir, self.request_id)
            if asked and not asked.polled:
                self.cleanup.polled()
            nova = self.cloud.nova()
            servers = nova.servers_of(server_record.request_tag(self.request_id))
            if asked is None and not servers and nova.has_cell_down():
                return status.unanswered(self.request_id, None, "a cell of the cloud is down: its servers show no tags")
            looked_up, trouble = self.missing(nova, asked, servers)
            servers = self.with_floating_ips([self.with_addresses(one) for one in servers])
        except (CloudTrouble, FactsUnreadable) as error:
            return status.unanswered(self.request_id, asked, explain(error))
        found = status.acquire(self.request_id, asked, servers, looked_up, self.rules, self.context.now())
        if trouble is not None:
            found = {**found, "message": explain(trouble)}
        records = [*servers, *(record for record in looked_up.values() if record is not status.GONE)]
        if asked is None or asked.ended or not is_news(asked, found):
            return found
        return self.cleanup.of_acquire(nova, asked, records, found)

    def of_return(self) -> schema.RequestStatus:
        """Answer for a return of machines."""
        asked = None
        try:
            asked = facts.load_return(self.context.environment.workdir, self.request_id)
            if asked is None:
                return status.unknown(self.request_id, "nothing is recorded of this return")
            left = [one for one in asked.machines if one.machine_id not in asked.gone]
            if not left:
                found = status.returned(self.request_id, asked, {}, self.context.now())
                self.cleanup.ended(asked, found)
                return found
            nova = self.cloud.nova()
            seen: dict[str, Server | None] = {}
            if len(left) > 1:
                wanted = {one.machine_id for one in left}
                changed = nova.changed_since(asked.requested_at, [one.name for one in left])
                seen = {record["id"]: record for record in changed if record["id"] in wanted}
            rest, trouble = nova.servers(one.machine_id for one in left if one.machine_id not in seen)
        except (CloudTrouble, FactsUnreadable) as error:
            return status.unanswered(self.request_id, asked, explain(error))
        seen.update(rest)
        found = status.returned(self.request_id, asked, seen, self.context.now())
        if trouble is not None:
            found = {**found, "message": explain(trouble)}
        return self.cleanup.of_return(nova, asked, seen, found)

    def missing(
        self, nova: Nova, asked: facts.AcquireRequest | None, servers: Sequence[Server]
    ) -> tuple[status.LookedUp, CloudTrouble | None]:
        """Ask by id for the expected machines that the list lacks: a short list is no proof of anything."""
        if asked is None:
            return {}, None
        known = {record["id"] for record in servers} | {one.machine_id for one in asked.failed}
        expected = [one.machine_id for one in asked.machines if one.machine_id]
        absent = [machine_id for machine_id in expected if machine_id not in known]
        return nova.servers(absent) if absent else ({}, None)

    def with_addresses(self, record: Server) -> Server:
        """Ask Neutron for the addresses of a server that has been up for a while and shows none."""
        if server_record.private_address(record):
            return record
        up_since = server_record.epoch(record.get("OS-SRV-USG:launched_at"))
        is_up = server_record.row(record).acquire[0] == states.SUCCEED
        if not is_up or up_since is None or self.context.now() - up_since < ADDRESS_PATIENCE:
            return record
        try:
            found = self.cloud.neutron().addresses(record["id"])
        except CloudTrouble as trouble:
            self.log.warning(f"{record['id']} shows no address, and Neutron cannot be asked: {trouble}")
            return record
        shown = record.get("addresses")
        merged = dict(shown) if isinstance(shown, Mapping) else {}
        for network, fixed in found.items():
            known = merged.get(network)
            merged[network] = [*fixed, *(known if isinstance(known, list) else [])]
        return {**record, "addresses": merged}

    def with_floating_ips(self, servers: list[Server]) -> list[Server]:
        """Have the floating IPs attached of the servers that are up and show none."""
        if not any(map(server_record.lacks_floating_ip, servers)):
            return servers
        from hfstack.actions.floating_ips import attached

        return attached(self.cloud, servers, self.rules.networks)


def is_news(asked: facts.AcquireRequest, found: schema.RequestStatus) -> bool:
    """Tell whether there may be something to record or to delete after an answer to a request that goes on."""
    failed = any(one["result"] == states.FAIL for one in found["machines"])
    return failed or found["status"] != "running" or bool(asked.replaced)
