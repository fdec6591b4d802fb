"""The handle of a client: which requests it sends, and that each names the subject."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from paraph import AsyncClient, Client, NotFound

SUBJECT = "tenant:jane doe"


class Service:
    """A service with one installation, whose id changes with each new installation."""

    def __init__(self) -> None:
        self.number = 1
        self.seen: list[tuple[str, str, str | None]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Respond as the management API does."""
        path = request.url.path
        self.seen.append((request.method, path, request.headers.get("paraph-subject")))
        if path == "/v1/installations":
            query = parse_qs(request.url.query.decode())
            assert [SUBJECT] == query["subject"]
            found = [] if self.number == 0 else [self._installation()]
            return httpx.Response(200, json={"installations": found, "next": None})
        if f"/i{self.number}/" not in path:
            return httpx.Response(404, json={"code": "not_found", "title": "t", "remedy": "r"})
        if path.endswith("/access-token"):
            assert {"subject": SUBJECT} == _json(request)
            content = {"access_token": "a", "token_type": "Bearer", "expires_at": 1}
            return httpx.Response(200, json={**content, "scopes": [], "api_server": "s"})
        return httpx.Response(404, json={"code": 3001}, headers={"paraph-answer": "zoom"})

    def _installation(self) -> dict[str, Any]:
        zoom = {"user_id": "u", "account_id": "a", "email": "e", "display_name": "d"}
        return {"id": f"i{self.number}", "subject": SUBJECT, "phase": "active", "reason": ""} | {
            "zoom": zoom,
            "scopes": [],
            "installed_at": 1,
            "proofs": [],
        }


def _json(request: httpx.Request) -> Any:
    return json.loads(request.content)


def synchronous(service: Service) -> Any:
    """A handle whose calls return."""
    return Client("http://service", "key", transport=httpx.MockTransport(service)).installation(
        SUBJECT
    )


class asynchronous:  # noqa: N801 - Used as the function above is.
    """A handle of the asynchronous client, driven to its end."""

    def __init__(self, service: Service) -> None:
        client = AsyncClient("http://service", "key", transport=httpx.MockTransport(service))
        self._handle = client.installation(SUBJECT)

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **more: asyncio.run(getattr(self._handle, name)(*args, **more))


BOTH = pytest.mark.parametrize("handle_of", [synchronous, asynchronous])
LOOKUP = ("GET", "/v1/installations", None)
NAMED = "tenant%3Ajane%20doe"


@BOTH
def test_the_id_is_looked_up_once_and_each_call_names_the_subject(handle_of: Any) -> None:
    """The service compares the subject again, whatever id was remembered."""
    service = Service()
    handle = handle_of(service)
    assert 404 == handle.get("/users/x").status
    handle.post("/users/me/meetings", {"topic": "x"})
    handle.access_token()
    base = "/v1/installations/i1"
    assert [
        LOOKUP,
        ("GET", f"{base}/zoom/v2/users/x", NAMED),
        ("POST", f"{base}/zoom/v2/users/me/meetings", NAMED),
        ("POST", f"{base}/access-token", None),
    ] == service.seen


@BOTH
def test_a_missing_installation_is_looked_up_once_more(handle_of: Any) -> None:
    """The user removed the app and installed it again: the next call uses the new id."""
    service = Service()
    handle = handle_of(service)
    handle.get("/users/me")
    service.number = 2
    service.seen.clear()
    handle.get("/users/me")
    assert ["i1", None, "i2"] == [_id_in(path) for _, path, _ in service.seen]
    service.number = 0
    service.seen.clear()
    for _ in range(2):
        with pytest.raises(NotFound):
            handle.get("/users/me")
    assert ["i2", None, None] == [_id_in(path) for _, path, _ in service.seen]


def _id_in(path: str) -> str | None:
    parts = path.split("/")
    return parts[3] if len(parts) > 3 else None
