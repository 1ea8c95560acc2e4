"""Nova's verbs: list servers by tag, show a server, list the servers changed since a time, create, delete.

The microversion is pinned. Without one Nova silently ignores tag filters and returns every server of the project. 2.79
(Train) has both tags at creation (since 2.52) and a 400 for an unknown query (since 2.75).
"""

from __future__ import annotations

import os
import re
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum

from hfstack._typing import TYPE_CHECKING
from hfstack.cloud.client import ServiceClient, error_message, in_parallel, openstack_ids, rows
from hfstack.cloud.transport import Reply, Unreachable
from hfstack.errors import CloudTrouble, Refusal, counted
from hfstack.rules import server_record
from hfstack.rules.server_record import Server

if TYPE_CHECKING:
    from typing import Any, Final

    from hfstack.errors import RefusalCode

MICROVERSION = "2.79"

HEADERS = {"OpenStack-API-Version": f"compute {MICROVERSION}", "X-OpenStack-Nova-API-Version": MICROVERSION}

PAGE = 1000
"""Servers per page; Nova's own `max_limit` unless the site lowered it."""

CLOCK_SKEW = 300
"""Seconds by which this host's clock and the cloud's may differ."""

NO_ZONE = "availability zone is not available"
"""What Nova says of a zone that does not exist or has no running host (nova/compute/api.py)."""

ZONE_UNAVAILABLE: Final = "ZoneUnavailable"
"""The code of that refusal: another zone may work."""

PLAIN_NAME = r"[A-Za-z0-9-]+\Z"
"""Text with the same meaning in every database's regular expressions."""


class Deletion(Enum):
    """Nova's reply to a DELETE."""

    ACCEPTED = "accepted"
    """The server is being deleted, or was already."""
    GONE = "gone"
    """The server does not exist."""
    CONFLICT = "conflict"
    """Not now: the server is locked, or something else prevents it."""


class Nova:
    """The compute service of one cloud."""

    def __init__(self, service: ServiceClient) -> None:
        self.service = service
        self.cell_down: bool | None = None
        """Whether a cell is down; `None` until this call has looked."""

    def servers_of(self, tag: str) -> list[Server]:
        """Return the servers that carry the tag, as the records themselves show it. Raises `CloudTrouble`."""
        listed = list(self.pages({"tags": tag}))
        carrying = [server for server in listed if server_record.carries(server, tag)]
        if len(carrying) < len(listed):
            others = counted(len(listed) - len(carrying), "server")
            self.service.log.warning(f"Nova listed {others} without the tag {tag}: ignored")
        return carrying

    def servers_of_project(self) -> list[Server]:
        """Return every server of the project, whoever created it. Raises `CloudTrouble`."""
        return list(self.pages({}))

    def has_cell_down(self) -> bool:
        """Tell whether the project's servers show that a cell is down. Raises `CloudTrouble`.

        A list with any filter or limit silently omits the servers of such a cell; a list without them shows the servers
        as UNKNOWN (`_is_cell_down_supported` in nova/api/openstack/compute/servers.py).
        """
        if self.cell_down is None:
            document, reply = self.service.get_json("/servers")
            self.cell_down = any(record.get("status") == "UNKNOWN" for record in records(document, reply))
        return self.cell_down

    def changed_since(self, moment: float, names: Sequence[str]) -> list[Server]:
        """Return servers changed or deleted since a time (epoch seconds), including those of `names` that fit the page.

        This is the only list that shows deleted servers, as DELETED records without tags. The filter is the common
        prefix of the names: Nova escapes the | of a regular expression (nova/db/utils.py), so it cannot name them all.
        There is only one page: Nova answers 500 to a marker that never reached a cell (nova/compute/instance_list.py),
        such as a server that was deleted while building. Raises `CloudTrouble`.
        """
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(max(moment - CLOCK_SKEW, 0)))
        query = {"changes-since": since, "limit": str(PAGE)}
        prefix = os.path.commonprefix(list(names))  # noqa: RUF071 - of characters, not of folders
        if re.match(PLAIN_NAME, prefix):
            query["name"] = f"^{prefix}"
        document, reply = self.service.get_json("/servers/detail?" + urllib.parse.urlencode(query))
        self.check_microversion(reply)
        return list(records(document, reply))

    def pages(self, query: dict[str, str]) -> Iterator[Server]:
        """Yield the records of all pages.

        Paged by limit and marker: Nova's `next` links have their own scheme and host, which must not receive the token.
        They only show that there is another page.
        """
        seen: set[str] = set()
        marker: dict[str, str] = {}
        while True:
            path = "/servers/detail?" + urllib.parse.urlencode({**query, "limit": str(PAGE), **marker})
            document, reply = self.service.get_json(path)
            self.check_microversion(reply)
            page = [record for record in records(document, reply) if record["id"] not in seen]
            yield from page
            if not page or not any(link.get("rel") == "next" for link in rows(document, "servers_links")):
                return
            seen.update(record["id"] for record in page)
            marker = {"marker": page[-1]["id"]}

    def server(self, server_id: str) -> Server | None:
        """Return one server; `None` only if Nova itself says that it does not exist. Raises `CloudTrouble`.

        Nova is not queried for what cannot be a server's id.
        """
        if server_id and not server_record.SERVER_ID.match(server_id):
            return None
        reply = self.service.get("/servers/" + urllib.parse.quote(server_id, safe=""))
        if reply.status == 404 and is_not_found(self.service.parsed(reply)):
            return None
        if reply.status != 200:
            raise self.service.refusal(reply)
        self.check_microversion(reply)
        record = self.service.parsed(reply).get("server")
        if not isinstance(record, dict) or record.get("id") != server_id:
            raise CloudTrouble("Nova's answer is not the requested server", openstack_ids(reply))
        return record

    def servers(self, ids: Iterable[str]) -> tuple[dict[str, Server | None], CloudTrouble | None]:
        """Query servers by id, a few at a time.

        Returns the servers (`None` for one that is proven gone), and the first trouble, if any: servers whose query
        failed are then absent.
        """
        return in_parallel(self.server, ids, stop_at=CloudTrouble)

    def tag(self, server_id: str, tag: str) -> None:
        """Put a tag on a server. Raises `CloudTrouble`."""
        path = f"/servers/{urllib.parse.quote(server_id, safe='')}/tags/{urllib.parse.quote(tag, safe='')}"
        reply = self.service.with_retries("PUT", path)
        if reply.status not in {201, 204}:
            raise self.service.refusal(reply)

    def tag_all(self, ids: Iterable[str], tag: str) -> CloudTrouble | None:
        """Put a tag on servers, a few at a time; return the first trouble, if any.

        Trouble with one server does not stop the others, unless Nova cannot be reached at all.
        """
        return in_parallel(lambda server_id: self.tag(server_id, tag), ids, stop_at=Unreachable)[1]

    def now(self, otherwise: float) -> float:
        """Return the cloud's time, as Nova's last reply says it (seconds since 1970), else the given one."""
        import email.utils

        try:
            return email.utils.parsedate_to_datetime(self.service.date).timestamp()
        except (ValueError, OverflowError):
            return otherwise

    def delete(self, server_id: str) -> Deletion:
        """Delete a server, and return Nova's reply. A DELETE may be repeated. Raises `CloudTrouble`."""
        if not server_record.SERVER_ID.match(server_id):
            return Deletion.GONE
        reply = self.service.with_retries("DELETE", "/servers/" + urllib.parse.quote(server_id, safe=""))
        if reply.status == 204:
            return Deletion.ACCEPTED
        if reply.status == 404 and is_not_found(self.service.parsed(reply)):
            return Deletion.GONE
        if reply.status == 409:
            return Deletion.CONFLICT
        raise self.service.refusal(reply)

    def delete_all(self, ids: Iterable[str]) -> tuple[dict[str, Deletion], CloudTrouble | None]:
        """Delete servers, a few at a time; return Nova's replies by id, and the first trouble, if any.

        Trouble with one server does not stop the others, unless Nova cannot be reached at all.
        """
        return in_parallel(self.delete, ids, stop_at=Unreachable)

    def create(self, document: Mapping[str, Any]) -> str:
        """Request one server, once, and return its id; `document` is the body of `POST /servers`.

        Raises `Refusal` if Nova says that it created none, and `CloudTrouble` if it may have: a timeout, a cut
        connection and a 5xx can leave a server behind. Then only the list by tag can tell.
        """
        reply = self.service.once("POST", "/servers", document)
        if 400 <= reply.status < 500:
            raise refused(reply)
        if reply.status != 202:
            raise self.service.refusal(reply)
        server = self.service.parsed(reply).get("server")
        if not isinstance(server, dict) or not isinstance(server.get("id"), str):
            raise CloudTrouble("Nova's answer does not describe a new server", openstack_ids(reply))
        return str(server["id"])

    def check_microversion(self, reply: Reply) -> None:
        """Raise `CloudTrouble` unless Nova says that it applied the pinned microversion."""
        if not has_microversion(reply):
            raise CloudTrouble(
                f"the compute endpoint {self.service.endpoint} ignores microversion {MICROVERSION}, "
                "so its lists cannot be trusted: is it Nova's v2.1 endpoint?",
                openstack_ids(reply),
            )


def has_microversion(reply: Reply) -> bool:
    """Tell whether Nova says that it applied the pinned microversion: of its errors, too. No other service does."""
    applied = reply.headers.get("openstack-api-version", "").removeprefix("compute ").strip()
    return MICROVERSION in (applied, reply.headers.get("x-openstack-nova-api-version", "").strip())


def refused(reply: Reply) -> Refusal:
    """Classify a refusal. Nova uses 403 for both quotas and permissions, so its message decides."""
    words = error_message(reply)
    if reply.status == 403 and ("quota" in words.lower() or "exceeded" in words.lower()):
        return Refusal(f"the project's quota is exceeded: {words}", "QuotaExceeded")
    meanings: dict[int, tuple[str, RefusalCode]] = {
        401: ("Nova refuses the token, even after a new login", "Unauthorized"),
        403: ("this account is not allowed to create the server", "Forbidden"),
        406: (f"Nova does not know microversion {MICROVERSION}: it is too old for hfstack", "NotAcceptable"),
        413: ("Nova reports too many requests", "TooManyRequests"),
        429: ("Nova reports too many requests", "TooManyRequests"),
    }
    meaning, code = meanings.get(reply.status, ("Nova refuses this server definition", "BadRequest"))
    code = ZONE_UNAVAILABLE if NO_ZONE in words else code
    return Refusal(f"{meaning}: {reply.status} {words}".rstrip(), code)


def records(document: dict[str, Any], reply: Reply) -> list[dict[str, Any]]:
    """Return the server records of a page. Raises `CloudTrouble` if it is not a list of servers."""
    found = document.get("servers")
    if not isinstance(found, list) or not all(isinstance(r, dict) and isinstance(r.get("id"), str) for r in found):
        raise CloudTrouble("Nova's answer is not a list of servers", openstack_ids(reply))
    return found


def is_not_found(document: dict[str, Any]) -> bool:
    """Distinguish Nova's own 404 from that of a proxy or a wrong endpoint."""
    return isinstance(document.get("itemNotFound"), dict)
