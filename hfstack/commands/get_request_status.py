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
from hfstack.store import facts, folders

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
        settings = context.settings
        self.rules = Rules(settings.privateNetworks, settings.requestTimeout, settings.unseenTimeout)

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
            request = self.load_acquire()
            if request and (elsewhere := self.cloud.elsewhere(request.place)):
                return self.unanswered_elsewhere(request, elsewhere)
            return self.acquired(self.cloud.nova(), request)
        except (CloudTrouble, FactsUnreadable) as error:
            return status.unanswered(self.request_id, request, explain(error))

    def acquired(self, nova: Nova, request: facts.AcquireRequest | None) -> schema.RequestStatus:
        """Answer for an acquire request by what Nova shows. Raises `CloudTrouble`, `FactsUnreadable`."""
        is_unclear = request is not None and any(machine.unclear for machine in request.machines)
        # a list is proof of a time that it is not older than
        now = self.file_system_time() if is_unclear else None
        servers = status.as_planned(request, nova.servers_of(server_record.request_tag(self.request_id)))
        if request is None and not servers:
            if nova.has_cell_down():
                raise CloudTrouble("a cell of the cloud is down: its servers show no tags")
            folders.check_never_recorded(self.context.environment.workdir, self.request_id)
        looked_up, trouble = self.missing(nova, request, servers)
        servers, floating_ip_trouble = self.with_floating_ips([self.with_addresses(nova, one) for one in servers])

        def answer_at(now: float, looked_up: status.LookedUp) -> schema.RequestStatus:
            return status.acquire(self.request_id, request, servers, looked_up, floating_ip_trouble, self.rules, now)

        answer = answer_at(status.BEFORE_ANY_DEADLINE, looked_up)
        if answer["status"] == "running":
            if now is None:
                now = self.file_system_time() if request else nova.now(self.context.now())
            answer = answer_at(now, looked_up)
            if request and is_unclear:
                absent, doubt = self.absent(nova, request, answer, now)
                looked_up, trouble = {**looked_up, **absent}, trouble or doubt
                answer = answer_at(now, looked_up)
            self.check_cells(nova, request, answer)
        if trouble is not None:
            answer = {**answer, "message": explain(trouble)}
        shown = [*servers, *(server for server in looked_up.values() if server is not status.GONE)]
        if request is None or request.ended or any(map(server_record.is_handed_over, shown)):
            # from the end of a request on, its machines are HostFactory's: an old copy of the record may not know that
            return answer
        if not needs_cleanup(request, answer):
            return answer
        return self.cleanup.of_acquire(nova, request, shown, looked_up, answer)

    def check_cells(self, nova: Nova, request: facts.AcquireRequest | None, answer: schema.RequestStatus) -> None:
        """Raise `CloudTrouble` if a request would fail for servers that a cell which is down may hide."""
        if answer["status"] != "running" and status.lacks_servers(request, answer) and nova.has_cell_down():
            raise CloudTrouble("a cell of the cloud is down: the servers that are missing may be there")

    def load_acquire(self) -> facts.AcquireRequest | None:
        """Load the record of an acquire request, which then says that HostFactory has polled it, or was too late.

        Raises `FactsUnreadable`.
        """
        workdir = self.context.environment.workdir
        request = facts.load_acquire(workdir, self.request_id)
        if request and not request.polled and self.cleanup.polled() is False:
            request = facts.load_acquire(workdir, self.request_id)
        if request and any(machine.unclear for machine in request.machines):
            from hfstack.rules.unclear import with_told_ids

            return with_told_ids(request)
        return request

    def of_return(self) -> schema.RequestStatus:
        """Answer for a return request."""
        # a poll of a request for machines does not load it
        from hfstack.rules.return_status import returned

        request = None
        try:
            request = facts.load_return(self.context.environment.workdir, self.request_id)
            if request is None:
                folders.check_never_recorded(self.context.environment.workdir, self.request_id)
                return status.unknown(self.request_id, "there is no record of this return")
            if all(machine.machine_id in request.gone or machine.message for machine in request.machines):
                provider = self.context.environment.provider
                answer = returned(self.request_id, request, {}, provider, status.BEFORE_ANY_DEADLINE)
                if not request.ended:
                    self.cleanup.ended(answer)
                return answer
            if elsewhere := self.cloud.elsewhere(request.place):
                return self.unanswered_elsewhere(request, elsewhere)
            return self.returned(self.cloud.nova(), request)
        except (CloudTrouble, FactsUnreadable) as error:
            return status.unanswered(self.request_id, request, explain(error))

    def returned(self, nova: Nova, request: facts.ReturnRequest) -> schema.RequestStatus:
        """Answer for a return request by what Nova shows. Raises `CloudTrouble`, `FactsUnreadable`."""
        from hfstack.rules.return_status import returned

        if not all(machine.machine_id or machine.message for machine in request.machines):
            # HostFactory returned machines by name that could not be found until now
            from hfstack.actions.find_machines import with_ids

            request = with_ids(self.cloud, nova, request, self.file_system_time() - request.recorded_at)
        seen, trouble = self.returned_servers(nova, request)
        provider, now = self.context.environment.provider, status.BEFORE_ANY_DEADLINE
        answer = returned(self.request_id, request, seen, provider, now)
        if answer["status"] == "running":
            now = self.file_system_time()
            answer = returned(self.request_id, request, seen, provider, now)
        if trouble is not None:
            answer = {**answer, "message": explain(trouble)}
        return self.cleanup.of_return(nova, request, seen, now, answer)

    def returned_servers(
        self, nova: Nova, request: facts.ReturnRequest
    ) -> tuple[dict[str, Server | None], CloudTrouble | None]:
        """Query the machines that are not proven gone; return their servers, and the first trouble, if any."""
        left = [
            machine
            for machine in request.machines
            if machine.machine_id and machine.machine_id not in request.gone and not machine.message
        ]
        seen: dict[str, Server | None] = {}
        if len(left) > 1:
            ids = {machine.machine_id for machine in left}
            changed = nova.changed_since(request.requested_at, [machine.name for machine in left])
            seen = {server["id"]: server for server in changed if server["id"] in ids}
        rest, trouble = nova.servers(machine.machine_id for machine in left if machine.machine_id not in seen)
        return {**seen, **rest}, trouble

    def unanswered_elsewhere(
        self, request: facts.AcquireRequest | facts.ReturnRequest, reason: str
    ) -> schema.RequestStatus:
        """Answer for a request that was made in another place than the configuration now names."""
        self.log.warning(reason)
        return status.unanswered(self.request_id, request, reason)

    def file_system_time(self) -> float:
        """Return the time that the request's deadline is measured by; without it, no deadline has come."""
        folder = folders.find_folder(self.context.environment.workdir, self.request_id) or ""
        now = folders.file_system_time(folder)
        if now is None:
            self.log.warning(f"cannot create a file in {folder}, so no deadline is applied")
        return status.BEFORE_ANY_DEADLINE if now is None else now

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

    def absent(
        self, nova: Nova, request: facts.AcquireRequest, answer: schema.RequestStatus, now: float
    ) -> tuple[status.LookedUp, CloudTrouble | None]:
        """Return the machines that never got a server, by their names, and what leaves that open, if anything does."""
        from hfstack.rules import unclear

        names = unclear.absent(request, answer, self.rules, now)
        try:
            return dict.fromkeys([] if names and nova.has_cell_down() else names, status.GONE), None
        except CloudTrouble as trouble:
            return {}, trouble

    def with_addresses(self, nova: Nova, server: Server) -> Server:
        """Query Neutron for the addresses of a server that has been up for a while and shows none."""
        if server_record.private_address(server):
            return server
        up_since = server_record.epoch(server.get("OS-SRV-USG:launched_at"))
        is_up = server_record.row(server).acquire[0] == states.SUCCEED
        if not is_up or up_since is None or nova.now(self.context.now()) - up_since < ADDRESS_PATIENCE:
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
    told = {machine.machine_id for machine in request.ready}
    return (
        answer["status"] != "running"
        or bool(request.replaced)
        or any(
            machine["result"] == states.FAIL
            or (machine["result"] == states.SUCCEED and machine["machineId"] not in told)
            for machine in answer["machines"]
        )
    )
