"""getRequestStatus: the progress of requests for machines and of returns.

One answer per request id, decided by the records, by what Nova shows, and by the clock. Trouble with the cloud is
`running`, with the reason, and does not affect the other requests. Records and deletions follow the answer and do not
change it.
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
"""Seconds that an ACTIVE server may show no fixed address before Neutron is queried."""


def run(document: object, name: str, context: Context) -> schema.StatusDocument:
    """Answer HostFactory's document; messages call it `name`.

    Raises `InputError` before anything is sent, and `ConfigError`.
    """
    ids, as_list = inputs.request_ids(document, name)

    @cache
    def connection() -> Connection:
        # one login for all ids; imported only when the cloud may know one of them
        from hfstack.cloud.connection import Connection

        return Connection(context)

    answers = [Poll(context.for_request(request_id), connection).answer() for request_id in ids]
    return {"requests": answers if as_list else answers[0]}


class Poll:
    """Answers for one request. `connection` opens the connection to the cloud when it is first needed."""

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
        """Records and deletes; imported only when needed, which is rare."""
        from hfstack.actions.cleanup import Cleanup

        return Cleanup(self.context, lambda: self.cloud)

    def answer(self) -> schema.RequestStatus:
        """Answer, and log the answer."""
        if not TAGGABLE.match(self.request_id):
            answer = status.unknown(self.request_id, "this is not the id of an hfstack request")
        elif self.request_id.startswith("ret-"):
            answer = self.of_return()
        else:
            answer = self.of_acquire()
        results = [machine["result"] for machine in answer["machines"]]
        counts = ", ".join(f"{results.count(result)} {result}" for result in dict.fromkeys(results)) or "no machines"
        self.log.info(f"{answer['status']}: {counts}" + (f"; {answer['message']}" if answer["message"] else ""))
        return answer

    def of_acquire(self) -> schema.RequestStatus:
        """Answer for an acquire request."""
        request = None
        try:
            request = facts.load_acquire(self.context.environment.workdir, self.request_id)
            if request and not request.polled:
                self.cleanup.polled()
            nova = self.cloud.nova()
            servers = nova.servers_of(server_record.request_tag(self.request_id))
            if request is None and not servers and nova.has_cell_down():
                return status.unanswered(self.request_id, None, "a cell of the cloud is down: its servers show no tags")
            looked_up, trouble = self.missing(nova, request, servers)
            servers, floating_ip_trouble = self.with_floating_ips([self.with_addresses(server) for server in servers])
        except (CloudTrouble, FactsUnreadable) as error:
            return status.unanswered(self.request_id, request, explain(error))
        answer = status.acquire(
            self.request_id, request, servers, looked_up, floating_ip_trouble, self.rules, self.context.now()
        )
        if trouble is not None:
            answer = {**answer, "message": explain(trouble)}
        if request is None or request.ended or not needs_cleanup(request, answer):
            return answer
        shown = [*servers, *(server for server in looked_up.values() if server is not status.GONE)]
        return self.cleanup.of_acquire(nova, request, shown, answer)

    def of_return(self) -> schema.RequestStatus:
        """Answer for a return request."""
        request = None
        try:
            request = facts.load_return(self.context.environment.workdir, self.request_id)
            if request is None:
                return status.unknown(self.request_id, "there is no record of this return")
            left = [machine for machine in request.machines if machine.machine_id not in request.gone]
            if not left:
                answer = status.returned(self.request_id, request, {}, self.context.now())
                self.cleanup.ended(request, answer)
                return answer
            nova = self.cloud.nova()
            seen: dict[str, Server | None] = {}
            if len(left) > 1:
                ids = {machine.machine_id for machine in left}
                changed = nova.changed_since(request.requested_at, [machine.name for machine in left])
                seen = {server["id"]: server for server in changed if server["id"] in ids}
            rest, trouble = nova.servers(machine.machine_id for machine in left if machine.machine_id not in seen)
        except (CloudTrouble, FactsUnreadable) as error:
            return status.unanswered(self.request_id, request, explain(error))
        seen.update(rest)
        answer = status.returned(self.request_id, request, seen, self.context.now())
        if trouble is not None:
            answer = {**answer, "message": explain(trouble)}
        return self.cleanup.of_return(nova, request, seen, answer)

    def missing(
        self, nova: Nova, request: facts.AcquireRequest | None, servers: Sequence[Server]
    ) -> tuple[status.LookedUp, CloudTrouble | None]:
        """Query the expected machines that the list lacks by their ids: a short list proves nothing."""
        if request is None:
            return {}, None
        accounted = {server["id"] for server in servers} | {failure.machine_id for failure in request.failed}
        expected = [planned.machine_id for planned in request.machines if planned.machine_id]
        absent = [machine_id for machine_id in expected if machine_id not in accounted]
        return nova.servers(absent) if absent else ({}, None)

    def with_addresses(self, server: Server) -> Server:
        """Query Neutron for the addresses of a server that has been up for a while and shows none."""
        if server_record.private_address(server):
            return server
        up_since = server_record.epoch(server.get("OS-SRV-USG:launched_at"))
        is_up = server_record.row(server).acquire[0] == states.SUCCEED
        if not is_up or up_since is None or self.context.now() - up_since < ADDRESS_PATIENCE:
            return server
        try:
            from_neutron = self.cloud.neutron().addresses(server["id"])
        except CloudTrouble as trouble:
            self.log.warning(f"{server['id']} shows no address, and querying Neutron failed: {trouble}")
            return server
        shown = server.get("addresses")
        merged = dict(shown) if isinstance(shown, Mapping) else {}
        for network, fixed in from_neutron.items():
            entries = merged.get(network)
            merged[network] = [*fixed, *(entries if isinstance(entries, list) else [])]
        return {**server, "addresses": merged}

    def with_floating_ips(self, servers: list[Server]) -> tuple[list[Server], Mapping[str, str]]:
        """Attach the floating IPs of servers that are up and show none; also returns, by server id, what failed."""
        if not any(map(server_record.lacks_floating_ip, servers)):
            return servers, {}
        from hfstack.actions.floating_ips import attached

        return attached(self.cloud, servers, self.rules.networks)


def needs_cleanup(request: facts.AcquireRequest, answer: schema.RequestStatus) -> bool:
    """Tell whether there may be something to record or delete after the answer."""
    failed = any(machine["result"] == states.FAIL for machine in answer["machines"])
    return failed or answer["status"] != "running" or bool(request.replaced)
