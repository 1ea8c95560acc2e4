"""Glance v2: one image."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from hfstack.sandbox import inventory
from hfstack.sandbox.identity import authenticate, request_id
from hfstack.sandbox.routing import Answer, HttpError, Request, Routes, answer_json
from hfstack.sandbox.state import Cloud

ROUTES = Routes()

_VERSIONS = tuple(f"v2.{minor}" for minor in range(18, -1, -1) if minor != 8)

_IMAGE: dict[str, Any] = {
    "name": inventory.IMAGE_NAME,
    "disk_format": "raw",
    "container_format": "bare",
    "visibility": "public",
    "size": 1024,
    "virtual_size": 1024,
    "status": "active",
    "checksum": "7265f4d211b56873a381d321f586e4a9",
    "protected": False,
    "min_ram": 0,
    "min_disk": 0,
    "owner": inventory.fixed_hex("project", "admin"),
    "os_hidden": False,
    "os_hash_algo": "sha512",
    "os_hash_value": inventory.fixed_hex("image") * 4,
    "id": inventory.IMAGE_ID,
    "created_at": inventory.BIRTH,
    "updated_at": inventory.BIRTH,
    "tags": [],
    "self": f"/v2/images/{inventory.IMAGE_ID}",
    "file": f"/v2/images/{inventory.IMAGE_ID}/file",
    "schema": "/v2/schemas/image",
}


def answer(cloud: Cloud, request: Request) -> Answer:
    """Answer one request to Glance."""
    if request.path in {"/", "/versions"}:
        return _versions(request)
    authenticate(cloud, request, "glance")
    handler = ROUTES.find(request) or _nowhere
    try:
        found = handler(request)
    except HttpError as error:
        found = error.answer
    found.headers.append(("x-openstack-request-id", request_id()))
    return found


def _versions(request: Request) -> Answer:
    link = {"rel": "self", "href": f"{request.base_url}/v2/"}
    shown = [{"id": version, "status": "SUPPORTED", "links": [link]} for version in _VERSIONS]
    shown[0]["status"] = "CURRENT"
    return answer_json(300, {"versions": shown})


def _nowhere(_: Request) -> Answer:
    raise _not_found("The resource could not be found.")


def _not_found(message: str) -> HttpError:
    error = {"message": f"{message}<br /><br />\n\n\n", "code": "404 Not Found", "title": "Not Found"}
    return HttpError(answer_json(404, error))


@ROUTES.add("GET", "/v2/images")
def list_images(request: Request) -> Answer:
    """The images, filtered by equality; an `in:` filter names several."""
    images = [_IMAGE]
    for key, value in request.args():
        if key in _IMAGE and not isinstance(_IMAGE[key], list):
            wanted = value.removeprefix("in:").split(",") if value.startswith("in:") else [value]
            images = [image for image in images if str(image[key]) in wanted]
    first = "/v2/images" + (f"?{quote(request.query, safe='=&%')}" if request.query else "")
    return answer_json(200, {"images": images, "first": first, "schema": "/v2/schemas/images"})


@ROUTES.add("GET", "/v2/images/{image_id}")
def show_image(_: Request, image_id: str) -> Answer:
    """One image."""
    if image_id != inventory.IMAGE_ID:
        raise _not_found(f"No image found with ID {image_id}")
    return answer_json(200, _IMAGE)
