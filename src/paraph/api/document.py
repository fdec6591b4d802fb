"""The OpenAPI document: FastAPI's own, with the parts that FastAPI cannot know."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from paraph.api.problem import MEDIA_TYPE
from paraph.zoom.api_path import METHODS

_EVERYWHERE = {
    "401": "No live API key was presented.",
    "403": "The API key does not cover this.",
    "404": "The resource does not exist, or the key may not see it.",
    "422": "The request does not have the documented shape.",
    "500": "An error of the service itself.",
    "503": "The store or Zoom does not answer at the moment.",
}
_WITH_BODY = {"408": "The body did not arrive in time.", "413": "The body is too long."}
_MORE: dict[tuple[str, str], dict[str, str]] = {
    ("post", "/v1/link-requests"): {"400": "A value does not have the required shape."},
    ("post", "/v1/claims/{claim}/confirm"): {
        "409": "Linked elsewhere: moving needs an explicit yes. Or the grant is being decided."
    },
}
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong (RFC 9457), with what to do about it.",
    "required": ["type", "title", "status", "code", "remedy"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable; programs may rely on it."},
        "remedy": {"type": "string"},
        "reason": {"type": "string", "description": "With needs_reauthorization: why."},
        "reauthorize_url": {
            "type": "string",
            "description": "With needs_reauthorization: where the user installs again.",
        },
        "mend_url": {
            "type": "string",
            "description": "The name of reauthorize_url in version 0.1.",
            "deprecated": True,
        },
    },
}
_ID = {
    "name": "installation_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
}
_IDEMPOTENCY = {
    "name": "idempotency-key",
    "in": "header",
    "description": "The same request with the same key gets the same answer for a day.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
_REUSED = "The idempotency key was used with another request, or its first call is under way."
_SUBJECT: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    "description": "Must be the installation's.",
}


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """Return the document of the whole API."""
    document = app.openapi()
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    if "Problem" in schemas:
        return document
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    document["components"]["securitySchemes"] = {"apiKey": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"apiKey": []}]
    document["paths"]["/v1/installations/{installation_id}/access-token"] = {"post": _vending()}
    document["paths"]["/v1/installations/{installation_id}/zoom/v2/{path}"] = {
        method.lower(): _proxied(method) for method in METHODS
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method == "post" and "/installations/" not in path:
                operation.setdefault("parameters", []).append(_IDEMPOTENCY)
                operation["responses"].setdefault("409", _problem(_REUSED))
            _add_problems(operation, _MORE.get((method, path), {}))
    return document


def _add_problems(operation: dict[str, Any], more: dict[str, str]) -> None:
    body = _WITH_BODY if "requestBody" in operation else {}
    known = operation["responses"]
    for status, description in {**_EVERYWHERE, **body, **more}.items():
        if status == "422" or status not in known:
            known[status] = {
                "description": description,
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }


def _vending() -> dict[str, Any]:
    answer = {
        "type": "object",
        "required": ["access_token", "token_type", "expires_at", "scopes", "api_server"],
        "properties": {
            "access_token": {"type": "string"},
            "token_type": {"const": "Bearer"},
            "expires_at": {"type": "integer", "description": "Epoch seconds."},
            "scopes": {"type": "array", "items": {"type": "string"}},
            "api_server": {"type": "string", "description": "Where this token is to be sent."},
        },
    }
    body = {
        "type": "object",
        "required": ["subject"],
        "additionalProperties": False,
        "properties": {"subject": _SUBJECT},
    }
    return {
        "tags": ["access"],
        "operationId": "vend_access_token",
        "summary": "Vend Access Token",
        "description": "A valid access token of an installation that is active at this moment. "
        "It lives until Zoom ends it, even if the installation is removed meanwhile. Request one "
        "for each use: the service refreshes it when needed, and never twice.",
        "parameters": [_ID],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {
                "description": "The access token.",
                "content": {"application/json": {"schema": answer}},
            },
            **_access_problems(),
        },
    }


def _proxied(method: str) -> dict[str, Any]:
    path = {
        "name": "path",
        "in": "path",
        "required": True,
        "description": "Zoom's path behind /v2/, with its slashes, unchanged.",
        "schema": {"type": "string"},
    }
    subject = {
        "name": "paraph-subject",
        "in": "header",
        "description": "The subject that the installation must have, percent-encoded UTF-8.",
        "schema": {"type": "string"},
    }
    operation: dict[str, Any] = {
        "tags": ["access"],
        "operationId": f"zoom_{method.lower()}",
        "summary": f"{method} at Zoom",
        "description": "Forwarded to Zoom's REST API if `proxy_allow` covers it. A response of "
        "Zoom's, of any status, carries `paraph-answer: zoom`.",
        "parameters": [_ID, path, subject],
        "responses": {
            "default": {
                "description": "Zoom's answer.",
                "headers": {"paraph-answer": {"schema": {"const": "zoom"}}},
                "content": {"*/*": {}},
            },
            "400": _problem("A header to be forwarded is not visible ASCII."),
            "502": _problem("Zoom's response is larger than the limit."),
            **_access_problems(),
        },
    }
    if method in {"POST", "PUT", "PATCH"}:
        operation["requestBody"] = {"content": {"*/*": {}}}
    return operation


def _access_problems() -> dict[str, Any]:
    return {
        "409": _problem("Zoom ended the grant; the user must install again at `reauthorize_url`."),
        "424": _problem("Zoom refuses a request that it should accept."),
        "429": _problem("Too many requests at once."),
    }


def _problem(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
