"""`GET /servers` and `/servers/detail`: which filters count, which are ignored, and how pages are cut."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlencode

from hfstack.sandbox.lifecycle import Phase, vm_states_of
from hfstack.sandbox.nova import views
from hfstack.sandbox.nova.api import ROUTES, Call, bad_request, forbidden, policy
from hfstack.sandbox.routing import Answer, answer_json
from hfstack.sandbox.state import Server

Filters = dict[str, str]

_PAGING = {"limit", "marker", "sort_key", "sort_dir"}
_JOINED = {
    "block_device_mapping",
    "services",
    "metadata",
    "system_metadata",
    "info_cache",
    "security_groups",
    "pci_devices",
}
_REGEX = {
    *("kernel_id", "ramdisk_id", "hostname", "key_name", "power_state", "node", "flavor", "reservation_id"),
    *("launched_at", "terminated_at", "availability_zone", "name", "display_name", "description", "locked_by"),
    *("display_description", "root_device_name", "config_drive", "access_ip_v4", "access_ip_v6", "progress"),
    *("auto_disk_config", "ip", "ip6", "created_at"),
}
_KNOWN = {
    *("user_id", "project_id", "tenant_id", "launch_index", "image_ref", "image", "vm_state", "task_state"),
    *("host", "uuid", "all_tenants", "soft_deleted", "deleted", "status", "changes-since"),
    *_REGEX,
    *_JOINED,
    *_PAGING,
}
_TAG_FILTERS = {"tags", "tags-any", "not-tags", "not-tags-any"}

# What an ordinary user may filter by, and from which microversion on. Nova ignores everything else silently.
_MEMBERS = {
    1: {"reservation_id", "name", "status", "image", "flavor", "ip", "changes-since", "all_tenants"},
    5: {"ip6"},
    26: _TAG_FILTERS,
    66: {"changes-before"},
    73: {"locked"},
    83: {"availability_zone", "key_name", "power_state", "task_state", "vm_state", "created_at", "launched_at"},
}


@ROUTES.add("GET", "/v2.1/servers")
def list_servers(call: Call) -> Answer:
    """The servers of the project: names and ids."""
    page, more = _page(call)
    return _document(call, [views.brief(call, server) for server in page], more)


@ROUTES.add("GET", "/v2.1/servers/detail")
def list_details(call: Call) -> Answer:
    """The servers of the project, with details."""
    page, more = _page(call)
    return _document(call, views.details(call, page), more)


def _document(call: Call, records: list[views.Record], more: bool) -> Answer:
    document: dict[str, object] = {"servers": records}
    if more:
        query = [(key, value) for key, value in call.request.args() if key != "marker"]
        query.append(("marker", records[-1]["id"]))
        next_page = f"{call.request.base_url}{call.request.path}?{urlencode(query)}"
        document["servers_links"] = [{"rel": "next", "href": next_page}]
    return answer_json(200, document)


def _page(call: Call) -> tuple[list[Server], bool]:
    """The servers of the requested page, and whether it has a link to a next one."""
    _check_keys(call)
    filters = _filters(call)
    limit = _limit(call)
    window = _moment("changes-since", filters), _moment("changes-before", filters)
    found = [server for server in _candidates(call, filters) if _matches(call, server, filters, window)]
    # newest first, and within a second by id: created_at has no fractions in the database
    found.sort(key=lambda server: (-int(server.created), server.id))
    marker = call.request.arg("marker")
    if marker is not None:
        found = found[_position(found, marker, call) :]
    page = _lossy(call, found, limit) if call.cloud.knobs.lose_records else found[:limit]
    return page, bool(page) and len(page) == limit


def _lossy(call: Call, found: list[Server], limit: int) -> list[Server]:
    """Nova's quirk: a server being scheduled has a build request and a record in its cell.

    Both count toward the limit and are then merged into one, so a full page comes out short and without a next link.
    """
    page, room = [], limit
    for server in found:
        room -= 2 if server.at(call.now).scheduling else 1
        if room < 0:
            break
        page.append(server)
    return page


def _check_keys(call: Call) -> None:
    """Refuse an unknown query key from 2.75 on; before that, Nova ignores it."""
    known = set(_KNOWN)
    known |= _TAG_FILTERS if call.minor >= 26 else set()
    known |= {"changes-before"} if call.minor >= 66 else set()
    known |= {"locked"} if call.minor >= 73 else set()
    regexes = _REGEX | (_TAG_FILTERS if call.minor >= 26 else set())
    unknown = []
    for key, value in call.request.args():
        if key not in known and not key.startswith("_"):
            unknown.append(key)
        elif key in regexes:
            _check_regex(key, value)
    if unknown and call.minor >= 75:
        names = ", ".join(f"'{key}'" for key in sorted(set(unknown)))
        verb = "does" if len(set(unknown)) == 1 else "do"
        raise bad_request(f"{names} {verb} not match any of the regexes: '^_'")


def _check_regex(key: str, value: str) -> None:
    try:
        re.compile(value)
    except re.error:
        valid = False
    else:
        valid = value != ""
    if not valid:
        raise bad_request(f"Invalid input for query parameters {key}. Value: {value}. '{value}' is not a 'regex'")


def _filters(call: Call) -> Filters:
    """The filters that apply for this caller."""
    given = {key: value for key, value in call.request.args() if key not in _PAGING}
    if not call.token.is_admin:
        allowed = set().union(*(keys for minor, keys in _MEMBERS.items() if call.minor >= minor))
        given = {key: value for key, value in given.items() if key in allowed}
    for key in given:
        if key in _JOINED or key.startswith("_"):
            raise bad_request(f"Invalid filter field: {key}.")
    if "all_tenants" in given and not call.token.is_admin:
        view = "detail" if call.request.path.endswith("detail") else "index"
        raise policy(f"servers:{view}:get_all_tenants")
    _check_status(call, given)
    return given


def _check_status(call: Call, given: Filters) -> None:
    status = given.get("status")
    if status is None:
        return
    if not vm_states_of(status) and call.minor >= 38:
        raise bad_request("Invalid status value")
    if status.upper() == "DELETED" and not call.token.is_admin:
        raise forbidden("Only administrators may list deleted instances")


def _limit(call: Call) -> int:
    given = call.request.arg("limit")
    longest = call.cloud.knobs.max_limit
    if given is None:
        return longest
    if not re.fullmatch("[0-9]*", given):
        raise bad_request(
            f"Invalid input for query parameters limit. Value: {given}. '{given}' does not match '^[0-9]*$'"
        )
    return min(int(given or longest), longest)


def _position(found: list[Server], marker: str, call: Call) -> int:
    """The index at which the page after the marker begins."""
    server = call.cloud.servers.get(marker)
    if server is None:
        raise bad_request(f"marker [{marker}] not found")
    key = (-int(server.created), server.id)
    return sum((-int(other.created), other.id) <= key for other in found)


def _candidates(call: Call, filters: Filters) -> list[Server]:
    """The servers to filter: those of the project, in cells that answer."""
    everyone = call.token.is_admin and filters.get("all_tenants", "").lower() in {"1", "true", "yes"}
    # with any filter or paging Nova omits the cells that are down (_is_cell_down_supported)
    partial = call.minor >= 69 and not set(filters) - {"all_tenants"}
    partial = partial and not any(key in _PAGING for key, _ in call.request.args())
    return [
        server
        for server in call.cloud.servers.values()
        if (everyone or server.project_id == call.token.project.id) and (partial or not server.down)
    ]


Test = Callable[[Server, Phase, str], bool]


def _regex(value: str, text: object) -> bool:
    """Whether MySQL would find a match: anywhere, ignoring case. Nova takes "|" literally."""
    return re.search(value.replace("|", r"\|"), str(text), re.IGNORECASE) is not None


def _has_address(server: Server, value: str, version: int) -> bool:
    return any(_regex(value, address) for port in server.ports for address in port.addresses(version))


def _tags(server: Server, phase: Phase) -> set[str]:
    return set() if phase.deleted else set(server.tags)


_TESTS: dict[str, Test] = {
    "tags": lambda server, phase, value: set(value.split(",")) <= _tags(server, phase),
    "tags-any": lambda server, phase, value: not _tags(server, phase).isdisjoint(value.split(",")),
    "not-tags": lambda server, phase, value: not set(value.split(",")) <= _tags(server, phase),
    "not-tags-any": lambda server, phase, value: _tags(server, phase).isdisjoint(value.split(",")),
    "name": lambda server, _, value: _regex(value, server.name),
    "reservation_id": lambda server, _, value: _regex(value, server.reservation_id),
    "status": lambda _, phase, value: phase.vm_state in vm_states_of(value),
    "vm_state": lambda _, phase, value: phase.vm_state == value,
    "task_state": lambda _, phase, value: phase.task_state == value,
    "power_state": lambda _, phase, value: str(phase.power_state) == value,
    "locked": lambda server, _, value: server.locked == (value.lower() in {"1", "true", "yes", "on"}),
    "image": lambda server, _, value: server.image_id == value,
    "flavor": lambda _, phase, value: phase.flavor.id == value,
    "key_name": lambda server, _, value: _regex(value, server.key_name or ""),
    "availability_zone": lambda server, _, value: _regex(value, server.zone or ""),
    "ip": lambda server, _, value: _has_address(server, value, 4),
    "ip6": lambda server, _, value: _has_address(server, value, 6),
    "uuid": lambda server, _, value: server.id == value,
    "project_id": lambda server, _, value: server.project_id == value,
}


def _matches(call: Call, server: Server, filters: Filters, window: tuple[float | None, float | None]) -> bool:
    phase = server.at(call.now)
    since, before = window
    wants_deleted = phase.deleted and filters.get("status", "").upper() == "DELETED"
    if phase.hidden and window == (None, None) and not wants_deleted:
        return False
    updated = int(server.updated(call.now))
    if (since is not None and updated < since) or (before is not None and updated > before):
        return False
    return all(_TESTS[key](server, phase, value) for key, value in filters.items() if key in _TESTS)


def _moment(key: str, filters: Filters) -> float | None:
    """The time in a filter; without a zone it is UTC."""
    value = filters.get(key)
    if value is None:
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise bad_request(
            f"Invalid input for query parameters {key}. Value: {value}. '{value}' is not a 'date-time'"
        ) from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
