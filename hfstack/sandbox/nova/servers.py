"""One server: show, rename, delete; its tags, its metadata, its history."""

from __future__ import annotations

from typing import Any

from hfstack.sandbox.nova import actions, views
from hfstack.sandbox.nova.api import ROUTES, Call, bad_request, naive, no_instance, not_found, unexpected
from hfstack.sandbox.nova.schema import check_metadata, check_tags
from hfstack.sandbox.routing import JSON, Answer, answer_json
from hfstack.sandbox.state import Server

_EMPTY = [("Content-Type", JSON)]


@ROUTES.add("GET", "/v2.1/servers/{server_id}")
def show(call: Call, server_id: str) -> Answer:
    """Show one server; from 2.69 on also what is known of one whose cell does not answer."""
    server = call.any_server(server_id)
    if server.down and not server.at(call.now).deleted:
        if call.minor < 69:
            raise unexpected("nova.exception.NovaException")
        return answer_json(200, {"server": views.partial_by_id(call, server)})
    server, _ = call.server(server_id)
    return answer_json(200, {"server": views.detail(call, server)})


@ROUTES.add("PUT", "/v2.1/servers/{server_id}")
def update(call: Call, server_id: str) -> Answer:
    """Change a server's name, description or access addresses."""
    changes = call.body("server")
    server, _ = call.server(server_id)
    server.name = changes.get("name", server.name)
    if call.minor >= 19:
        server.description = changes.get("description", server.description)
    server.access.update({key: changes[key] for key in ("accessIPv4", "accessIPv6") if key in changes})
    server.touched = call.now
    return answer_json(200, {"server": views.detail(call, server)})


@ROUTES.add("DELETE", "/v2.1/servers/{server_id}")
def delete(call: Call, server_id: str) -> Answer:
    """Delete a server."""
    server, phase = call.server(server_id)
    actions.check_lock(call, server)
    actions.delete(call, server, phase)
    actions.record_action(call, server, "delete")
    return Answer(204, headers=list(_EMPTY))


def _tagged(call: Call, server_id: str) -> Server:
    call.needs(26)
    server, _ = call.server(server_id)
    return server


@ROUTES.add("GET", "/v2.1/servers/{server_id}/tags")
def list_tags(call: Call, server_id: str) -> Answer:
    """A server's tags."""
    return answer_json(200, {"tags": sorted(_tagged(call, server_id).tags)})


@ROUTES.add("PUT", "/v2.1/servers/{server_id}/tags")
def replace_tags(call: Call, server_id: str) -> Answer:
    """Replace all tags."""
    server, tags = _tagged(call, server_id), call.body("tags")
    check_tags(tags)
    server.tags = list(dict.fromkeys(tags))
    return answer_json(200, {"tags": sorted(server.tags)})


@ROUTES.add("DELETE", "/v2.1/servers/{server_id}/tags")
def clear_tags(call: Call, server_id: str) -> Answer:
    """Remove all tags."""
    _tagged(call, server_id).tags = []
    return Answer(204, headers=list(_EMPTY))


@ROUTES.add("GET", "/v2.1/servers/{server_id}/tags/{tag}")
def has_tag(call: Call, server_id: str, tag: str) -> Answer:
    """Whether a server has a tag."""
    if tag not in _tagged(call, server_id).tags:
        raise not_found(f"Server {server_id} has no tag '{tag}'")
    return Answer(204, headers=list(_EMPTY))


@ROUTES.add("PUT", "/v2.1/servers/{server_id}/tags/{tag}")
def add_tag(call: Call, server_id: str, tag: str) -> Answer:
    """Add one tag."""
    server = _tagged(call, server_id)
    check_tags([tag])
    if tag in server.tags:
        return Answer(204)
    if len(server.tags) >= 50:
        raise bad_request("The number of tags exceeded the per-server limit 50")
    server.tags.append(tag)
    location = f"{call.request.base_url}{call.request.path}"
    return Answer(201, headers=[("Content-Type", "text/html; charset=UTF-8"), ("Location", location)])


@ROUTES.add("DELETE", "/v2.1/servers/{server_id}/tags/{tag}")
def remove_tag(call: Call, server_id: str, tag: str) -> Answer:
    """Remove one tag."""
    server = _tagged(call, server_id)
    if tag not in server.tags:
        raise not_found(f"Instance {server_id} has no tag '{tag}'")
    server.tags.remove(tag)
    return Answer(204, headers=list(_EMPTY))


@ROUTES.add("GET", "/v2.1/servers/{server_id}/metadata")
def show_metadata(call: Call, server_id: str) -> Answer:
    """A server's metadata."""
    return answer_json(200, {"metadata": call.server(server_id)[0].metadata})


@ROUTES.add("POST", "/v2.1/servers/{server_id}/metadata")
def merge_metadata(call: Call, server_id: str) -> Answer:
    """Add to the metadata."""
    return _set_metadata(call, server_id, call.body("metadata"), keep=True)


@ROUTES.add("PUT", "/v2.1/servers/{server_id}/metadata")
def replace_metadata(call: Call, server_id: str) -> Answer:
    """Replace the metadata."""
    return _set_metadata(call, server_id, call.body("metadata"), keep=False)


def _set_metadata(call: Call, server_id: str, metadata: dict[str, Any], *, keep: bool) -> Answer:
    server, _ = call.server(server_id)
    check_metadata(metadata)
    server.metadata = {**(server.metadata if keep else {}), **metadata}
    return answer_json(200, {"metadata": server.metadata})


@ROUTES.add("GET", "/v2.1/servers/{server_id}/metadata/{key}")
def show_item(call: Call, server_id: str, key: str) -> Answer:
    """One item of the metadata."""
    return answer_json(200, {"meta": {key: _item(call.server(server_id)[0], key)}})


@ROUTES.add("PUT", "/v2.1/servers/{server_id}/metadata/{key}")
def set_item(call: Call, server_id: str, key: str) -> Answer:
    """Set one item of the metadata."""
    item = call.body("meta")
    _set_metadata(call, server_id, item, keep=True)
    return answer_json(200, {"meta": {key: item[key]}})


@ROUTES.add("DELETE", "/v2.1/servers/{server_id}/metadata/{key}")
def remove_item(call: Call, server_id: str, key: str) -> Answer:
    """Remove one item of the metadata."""
    server, _ = call.server(server_id)
    _item(server, key)
    del server.metadata[key]
    return Answer(204, headers=list(_EMPTY))


def _item(server: Server, key: str) -> str:
    if key not in server.metadata:
        raise not_found("Metadata item was not found")
    return server.metadata[key]


@ROUTES.add("GET", "/v2.1/servers/{server_id}/os-instance-actions")
def history(call: Call, server_id: str) -> Answer:
    """The actions on a server, newest first; from 2.21 on also those of a deleted one."""
    server = call.any_server(server_id)
    if server.at(call.now).deleted and call.minor < 21:
        raise no_instance(server_id)
    entries = [
        {
            "action": action.name,
            "instance_uuid": server.id,
            "request_id": action.request_id,
            "user_id": action.user_id,
            "project_id": server.project_id,
            "start_time": naive(action.at),
            "message": None,
        }
        for action in reversed(server.actions)
    ]
    return answer_json(200, {"instanceActions": entries})
