"""An OpenAPI document of the simulator, made from its routes: what the fuzzing starts from."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.routing import Route

from paraph.simulator.app import create_app
from paraph.simulator.apps.administration import AppOrder, ApprovalOrder
from paraph.simulator.engine import Simulator
from paraph.simulator.state.world import World
from paraph.simulator.steering.control import (
    ClockOrder,
    ConsentOrder,
    DeauthorizationOrder,
    EventOrder,
)
from paraph.simulator.steering.hooks_control import (
    ContextOrder,
    EventUrlOrder,
    InClientOrder,
    OpeningOrder,
)

_ORDERS: dict[tuple[str, str], Any] = {
    ("PUT", "/_simulator/world"): World,
    ("PUT", "/_simulator/consent"): ConsentOrder,
    ("POST", "/_simulator/clock"): ClockOrder,
    ("POST", "/_simulator/events"): EventOrder,
    ("POST", "/_simulator/deauthorize"): DeauthorizationOrder,
    ("POST", "/_simulator/validate-url"): AppOrder,
    ("PUT", "/_simulator/approvals"): ApprovalOrder,
    ("POST", "/_simulator/event-url"): EventUrlOrder,
    ("POST", "/_simulator/app-context"): ContextOrder,
    ("POST", "/_simulator/open-home"): OpeningOrder,
    ("POST", "/_simulator/in-client-authorize"): InClientOrder,
}
_GRANTS = [
    *("authorization_code", "refresh_token", "client_credentials", "account_credentials"),
    "urn:ietf:params:oauth:grant-type:device_code",
]
_PARAMETERS = [
    *("response_type", "client_id", "redirect_uri", "state", "code_challenge", "code", "token"),
    *("code_challenge_method", "code_verifier", "refresh_token", "client_secret", "account_id"),
    *("device_code", "user_code", "transaction", "decision", "user_id", "scope", "since", "seen"),
    *("key", "fragment", "event", "seconds", "preset", "name", "on", "times", "delivery", "auto"),
]


def routes_of(simulator: Simulator) -> list[tuple[str, str]]:
    """Every method and path that the simulator answers."""
    app: Any = create_app(simulator)
    while not isinstance(app, Starlette):
        app = app._app
    found = []
    for route in app.routes:
        assert isinstance(route, Route)
        found += [(method, route.path) for method in sorted(route.methods or ())]
    return found


def openapi_of(simulator: Simulator) -> dict[str, Any]:
    """The document: every route, with the shapes that its own code reads bodies by."""
    _, components = msgspec.json.schema_components(
        _ORDERS.values(), ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for method, path in routes_of(simulator):
        if method == "HEAD":
            continue
        plain = re.sub(r"\{(\w+):\w+\}", r"{\1}", path)
        operation = _operation(simulator, method, path)
        operation["operationId"] = f"{method} {plain}"
        paths.setdefault(plain, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "The simulated Zoom", "version": "1"},
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(simulator: Simulator, method: str, path: str) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _text(_values(simulator, name))}
        for name in re.findall(r"\{(\w+)(?::\w+)?\}", path)
    ]
    operation: dict[str, Any] = {"responses": {"default": {"description": "anything but 500"}}}
    if method == "GET":
        parameters += [
            {"name": name, "in": "query", "schema": _text(_values(simulator, name))}
            for name in _PARAMETERS
        ]
    elif (method, path) in _ORDERS:
        reference = f"#/components/schemas/{_ORDERS[method, path].__name__}"
        operation["requestBody"] = _body("application/json", {"$ref": reference})
    elif path.startswith(("/_simulator", "/v2")):
        operation["requestBody"] = _body("application/json", {"type": "object"})
    else:
        fields = {name: _text(_values(simulator, name)) for name in ("grant_type", *_PARAMETERS)}
        form = {"type": "object", "properties": fields}
        operation["requestBody"] = _body("application/x-www-form-urlencoded", form)
    operation["parameters"] = parameters
    return operation


def _values(simulator: Simulator, name: str) -> list[str]:
    """Values that lead further than chance would."""
    app = simulator.world.apps[0]
    users = [user.id for user in simulator.world.users]
    known = {
        "grant_type": _GRANTS,
        "response_type": ["code"],
        "client_id": [app.client_id],
        "client_secret": [app.client_secret],
        "redirect_uri": app.redirect_uris,
        "code_challenge_method": ["plain", "S256"],
        "user_id": ["me", *users],
        "name": ["zoom.css", *(one["name"] for one in simulator.faults.listing())],
        "decision": ["allow", "deny"],
        "act": ["event", "clock", "fault", "repeat", "reset", "reveal", "consent", "validate"],
    }
    return known.get(name, [])


def _text(values: list[str]) -> dict[str, Any]:
    anything = {"type": "string"}
    return {"anyOf": [anything, {"enum": values}]} if values else anything


def _body(media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {media_type: {"schema": schema}}}
