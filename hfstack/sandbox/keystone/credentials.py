"""Application credentials."""

from __future__ import annotations

import secrets
import uuid
from typing import Any

from hfstack.sandbox import inventory
from hfstack.sandbox.keystone.api import MALFORMED, ROUTES, caller, refused
from hfstack.sandbox.routing import Answer, Request, answer_json
from hfstack.sandbox.state import ApplicationCredential, Cloud


@ROUTES.add("POST", "/v3/users/{user_id}/application_credentials")
def create_credential(cloud: Cloud, request: Request, user_id: str) -> Answer:
    """Create an application credential: only for oneself, and not with another application credential."""
    token = caller(cloud, request)
    denied = "You are not authorized to perform the requested action: "
    if token.credential:
        raise refused(
            403,
            f"{denied}Using method 'application_credential' is not allowed for managing additional application"
            " credentials..",
        )
    if token.user.id != user_id:
        raise refused(403, f"{denied}identity:create_application_credential.")
    try:
        wanted = request.json()["application_credential"]
        name = wanted["name"]
    except (ValueError, KeyError, TypeError):
        raise refused(400, MALFORMED) from None
    if any(known.name == name and known.user == token.user for known in cloud.credentials.values()):
        raise refused(
            409,
            f"Conflict occurred attempting to store application_credential - Duplicate entry found with name {name}.",
        )
    credential = ApplicationCredential(
        uuid.uuid4().hex,
        name,
        wanted.get("secret") or secrets.token_urlsafe(64),
        token.user,
        wanted.get("description"),
    )
    cloud.credentials[credential.id] = credential
    document = {**_credential_document(request, credential), "secret": credential.secret}
    return answer_json(201, {"application_credential": document})


@ROUTES.add("GET", "/v3/users/{user_id}/application_credentials")
def list_credentials(cloud: Cloud, request: Request, user_id: str) -> Answer:
    """The caller's application credentials, without their secrets."""
    token = caller(cloud, request)
    mine = [known for known in cloud.credentials.values() if known.user.id == user_id == token.user.id]
    return answer_json(200, {"application_credentials": [_credential_document(request, known) for known in mine]})


def _credential_document(request: Request, credential: ApplicationCredential) -> dict[str, Any]:
    return {
        "id": credential.id,
        "name": credential.name,
        "description": credential.description,
        "user_id": credential.user.id,
        "project_id": credential.user.project.id,
        "system": None,
        "expires_at": None,
        "unrestricted": None,
        "roles": [
            {
                "id": inventory.fixed_hex("role", role),
                "name": role,
                "domain_id": None,
                "description": None,
                "options": {"immutable": True},
            }
            for role in credential.user.roles
        ],
        "links": {"self": f"{request.base_url}/v3/application_credentials/{credential.id}"},
    }
