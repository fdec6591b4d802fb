"""Drafts of responses: built by an endpoint, changed by faults, then sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass(slots=True)
class ResponseDraft:
    """A draft of a response, which faults may change.

    Attributes:
        delay: seconds before anything is sent.
        drip: seconds between single bytes of the body; 0 sends it at once.
        cut: close the connection instead.
    """

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float = 0.0
    cut: bool = False

    @classmethod
    def of_json(cls, status: int, content: Any) -> ResponseDraft:
        """Build a JSON response as Zoom writes it."""
        body = json.dumps(content, separators=(",", ":")).encode()
        return cls(status, body, {"content-type": "application/json;charset=UTF-8"})

    def replace(self, status: int, body: bytes, media_type: str) -> None:
        """Replace status, body and content type; delays stay.

        Args:
            status: the HTTP status.
            body: the new body.
            media_type: its content type.
        """
        self.status, self.body, self.headers = status, body, {"content-type": media_type}

    def replace_json(self, status: int, content: Any) -> None:
        """Replace status and body by JSON as Zoom writes it; delays stay."""
        draft = ResponseDraft.of_json(status, content)
        self.status, self.body, self.headers = draft.status, draft.body, draft.headers

    def change(self, **fields: Any) -> None:
        """Set fields of a successful JSON object; any other response is left unchanged."""
        content = self.content()
        if content is not None:
            self.body = json.dumps({**content, **fields}, separators=(",", ":")).encode()

    def drop(self, *names: str) -> None:
        """Remove fields from a successful JSON object; any other response is left unchanged."""
        content = self.content()
        if content is not None:
            kept = {name: value for name, value in content.items() if name not in names}
            self.body = json.dumps(kept, separators=(",", ":")).encode()

    def content(self) -> dict[str, Any] | None:
        """Return the JSON object of a success; None for an error or an unreadable body."""
        if not 200 <= self.status < 300:
            return None
        try:
            content = json.loads(self.body)
        except ValueError:
            return None
        return content if isinstance(content, dict) else None


@dataclass(slots=True)
class AuthorizationResponse:
    """A draft of an authorization response (RFC 6749 section 4.1.2), which faults may change.

    Attributes:
        uri: the redirect URI, with the query that the app registered.
        parameters: Zoom's parameters, in this order; a name may be repeated.
        fragment: the part behind `#`; Zoom sends no fragment.
        primary_uri: the app's first redirect URI, for the fault that sends everything there.
    """

    uri: str
    parameters: list[tuple[str, str]]
    fragment: str = ""
    primary_uri: str = ""

    def value(self, name: str) -> str | None:
        """Return the first value of a parameter."""
        return next((value for key, value in self.parameters if key == name), None)

    def put(self, name: str, value: str) -> None:
        """Set a parameter where it is, or add it at the end."""
        if self.value(name) is None:
            self.parameters.append((name, value))
        else:
            self.parameters = [(k, value if k == name else v) for k, v in self.parameters]

    def drop(self, name: str) -> None:
        """Remove a parameter."""
        self.parameters = [(key, value) for key, value in self.parameters if key != name]

    def send(self) -> Response:
        """Return the redirect (302) to the app."""
        joined = "&" if urlsplit(self.uri).query else "?"
        fragment = f"#{self.fragment}" if self.fragment else ""
        location = f"{self.uri}{joined}{urlencode(self.parameters)}{fragment}"
        return RedirectResponse(location, status_code=302)


def as_endpoint(
    work: Callable[[Request], Awaitable[ResponseDraft]],
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that sends a draft as the faults have changed it."""

    async def endpoint(request: Request) -> Response:
        response = await work(request)
        if response.delay:
            await asyncio.sleep(response.delay)
        if response.cut:
            return _Cut()
        if response.drip:
            return _Dripping(response)
        return Response(response.body, status_code=response.status, headers=response.headers)

    return endpoint


_ASCII = "".join(map(chr, range(128)))


class Guard:
    """ASGI middleware that accepts raw query bytes, and ends connections that a fault cuts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, with forbidden query bytes percent-encoded, as a browser does."""
        if not scope.get("query_string", b"").isascii():
            scope = {**scope, "query_string": quote(scope["query_string"], safe=_ASCII).encode()}
        with suppress(_CutError):
            await self._app(scope, receive, send)


class _CutError(Exception):
    """The connection is closed without a response."""


class _Cut(Response):
    """Announces more than it sends, so that the server closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"application/json"), (b"content-length", b"999")],
            }
        )
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        raise _CutError


class _Dripping(Response):
    """Sends one byte at a time, so that no single wait is long."""

    def __init__(self, response: ResponseDraft) -> None:
        super().__init__(response.body, status_code=response.status, headers=response.headers)
        self._drip = response.drip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        for byte in bytes(self.body):
            await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
            if await _closed_within(self._drip, receive):
                return
        await send({"type": "http.response.body", "body": b""})


async def _closed_within(seconds: float, receive: Receive) -> bool:
    """Wait; return true if the peer closes the connection within this time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
            return True
    return False
