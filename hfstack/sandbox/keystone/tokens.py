"""Logging in, and what Keystone says about a token."""

from __future__ import annotations

import time
from typing import Any, TypeVar

from hfstack.sandbox import inventory
from hfstack.sandbox.inventory import Project, User
from hfstack.sandbox.keystone.api import MALFORMED, ROUTES, caller, refused, unauthorized
from hfstack.sandbox.routing import Answer, Request, answer_json
from hfstack.sandbox.state import Cloud, Token

Named = TypeVar("Named", User, Project)

_DOMAIN = {"id": "default", "name": "Default"}
_CATALOG = (
    ("compute", "nova", "nova", "/v2.1"),
    ("image", "glance", "glance", ""),
    ("network", "neutron", "neutron", ""),
    ("identity", "keystone", "keystone", "/v3"),
)
"""Type, name, service of the sandbox, path."""


@ROUTES.add("POST", "/v3/auth/tokens")
def log_in(cloud: Cloud, request: Request) -> Answer:
    """Issue a token for a password, an application credential or another token."""
    try:
        auth = request.json()["auth"]
        identity = auth["identity"]
        method = identity["methods"][0]
        proof = identity[method]
    except ValueError:
        raise refused(400, MALFORMED) from None
    except (KeyError, IndexError, TypeError) as missing:
        raise refused(400, f"{missing} is a required property") from None
    token = _METHODS.get(method, _unknown_method)(cloud, proof)
    _check_scope(cloud, token.user, auth.get("scope") or {})
    return answer_json(201, token_document(cloud, token), ("X-Subject-Token", token.id))


def _by_password(cloud: Cloud, proof: dict[str, Any]) -> Token:
    given = proof.get("user", {})
    user = _named(inventory.USERS, given)
    if user is None or given.get("password") != user.password:
        raise unauthorized(cloud)
    return cloud.issue_token(user, ["password"], [])


def _by_credential(cloud: Cloud, proof: dict[str, Any]) -> Token:
    owner = _named(inventory.USERS, proof.get("user", {}))
    for credential in cloud.credentials.values():
        wanted = credential.id == proof.get("id") or (credential.name == proof.get("name") and credential.user == owner)
        if wanted and credential.secret == proof.get("secret"):
            return cloud.issue_token(credential.user, ["application_credential"], [], credential)
    raise unauthorized(cloud)


def _by_token(cloud: Cloud, proof: dict[str, Any]) -> Token:
    old = cloud.valid_token(proof.get("id"))
    if old is None:
        raise unauthorized(cloud)
    methods = [*dict.fromkeys(["token", *old.methods])]
    token = cloud.issue_token(old.user, methods, old.audit_ids, old.credential)
    token.expires_at = old.expires_at
    return token


def _unknown_method(cloud: Cloud, _: dict[str, Any]) -> Token:
    raise unauthorized(cloud)


_METHODS = {"password": _by_password, "application_credential": _by_credential, "token": _by_token}


def _named(known: tuple[Named, ...], given: dict[str, Any]) -> Named | None:
    """The user or project with this id, or with this name and domain."""
    domain = given.get("domain", {})
    in_default = "default" in {domain.get("id"), str(domain.get("name", "")).lower()}
    for thing in known:
        if given.get("id") == thing.id or (in_default and given.get("name") == thing.name):
            return thing
    return None


def _check_scope(cloud: Cloud, user: User, scope: dict[str, Any]) -> None:
    """The user's one project, which a login without a scope gets, too."""
    wanted = scope.get("project")
    if wanted is not None and _named(inventory.PROJECTS, wanted) != user.project:
        raise unauthorized(cloud)


def token_document(cloud: Cloud, token: Token) -> dict[str, Any]:
    """A token as Keystone shows it."""
    document: dict[str, Any] = {
        "methods": token.methods,
        "user": {
            "domain": _DOMAIN,
            "id": token.user.id,
            "name": token.user.name,
            "password_expires_at": None,
        },
        "audit_ids": token.audit_ids,
        "expires_at": _stamp(token.expires_at),
        "issued_at": _stamp(token.issued_at),
        "project": {"domain": _DOMAIN, "id": token.project.id, "name": token.project.name},
        "is_domain": False,
        "roles": [{"id": inventory.fixed_hex("role", role), "name": role} for role in token.user.roles],
        "catalog": _catalog(cloud),
    }
    if token.credential:
        credential = token.credential
        document["application_credential"] = {
            "id": credential.id,
            "name": credential.name,
            "restricted": True,
        }
    return {"token": document}


def _stamp(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(at))


def _catalog(cloud: Cloud) -> list[dict[str, Any]]:
    return [
        {
            "endpoints": [
                {
                    "id": inventory.fixed_hex("endpoint", region, kind, interface),
                    "interface": interface,
                    "region_id": region,
                    "url": urls[service] + path,
                    "region": region,
                }
                for region, urls in cloud.regions.items()
                for interface in ("internal", "admin", "public")
            ],
            "id": inventory.fixed_hex("service", kind),
            "type": kind,
            "name": name,
        }
        for kind, name, service, path in _CATALOG
    ]


def _subject(cloud: Cloud, request: Request) -> Token:
    token = cloud.valid_token(request.headers.get("X-Subject-Token"))
    if token is None:
        raise refused(404, "Could not recognize Fernet token")
    return token


@ROUTES.add("GET", "/v3/auth/tokens")
def validate(cloud: Cloud, request: Request) -> Answer:
    """Show a token."""
    caller(cloud, request)
    token = _subject(cloud, request)
    return answer_json(200, token_document(cloud, token), ("X-Subject-Token", token.id))


@ROUTES.add("DELETE", "/v3/auth/tokens")
def revoke(cloud: Cloud, request: Request) -> Answer:
    """Revoke a token."""
    caller(cloud, request)
    _subject(cloud, request).revoked = True
    return Answer(204)


@ROUTES.add("GET", "/v3/auth/projects")
def own_projects(cloud: Cloud, request: Request) -> Answer:
    """The projects that the caller may log in to."""
    project = caller(cloud, request).project
    links = {"next": None, "self": f"{request.base_url}/v3/auth/projects", "previous": None}
    return answer_json(200, {"projects": [_project_document(request, project)], "links": links})


def _project_document(request: Request, project: Project) -> dict[str, Any]:
    return {
        "id": project.id,
        "name": project.name,
        "domain_id": "default",
        "description": "",
        "enabled": True,
        "parent_id": "default",
        "is_domain": False,
        "tags": [],
        "options": {},
        "links": {"self": f"{request.base_url}/v3/projects/{project.id}"},
    }
