"""The installation of one local account, for calls from inside a Python app."""

from __future__ import annotations

import json as json_module
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from paraph.errors import CallRefused, ResponseTooLarge
from paraph.lifecycle.active_access import Access
from paraph.lifecycle.removal import remove_installation
from paraph.lifecycle.resource_call import ForwardedResponse, HostCall
from paraph.model.removal import Receipt
from paraph.service.app import Service
from paraph.values import ZoomResponse
from paraph.zoom.api_path import API_PREFIX, AllowList, parse_target

MAX_RESPONSE_BYTES = 16 << 20


class SubjectInstallation:
    """The installation of one subject. Every use checks that it is active.

    Args:
        running: returns the running service, or raises `UsageError`.
        allowed: the calls that `proxy_allow` covers.
        subject: the local account.
    """

    def __init__(self, running: Callable[[], Service], allowed: AllowList, subject: str) -> None:
        self._running = running
        self._allowed = allowed
        self._subject = subject

    async def access_token(self) -> Access:
        """Return a valid access token, for requests that the methods here do not make.

        Raises:
            NotFound: the subject has no active installation.
            NeedsReauthorization: Zoom ended the grant; the user has to consent again.
            BeingDecided: Zoom announced a removal that is being verified; try again.
            PeerError, TransportError: Zoom refused the refresh, or cannot be reached.
        """
        access = self._running().access
        installation_id = await access.installation_of(self._subject)
        return await access.current(installation_id, subject=self._subject)

    async def remove(self) -> Receipt:
        """Remove the installation: unusable here at once, and revoked at Zoom soon after.

        Raises:
            NotFound: the subject has no installation.
        """
        service = self._running()
        return await remove_installation(
            service.context,
            await service.access.installation_of(self._subject),
            reason="removed by the host",
        )

    async def get(self, path: str, **query: str | int) -> ZoomResponse:
        """Send GET to a path of Zoom's REST API, like "/users/me"."""
        return await self.call("GET", path, query=query)

    async def post(self, path: str, json: Any = None) -> ZoomResponse:
        """Send JSON by POST to a path."""
        return await self.call("POST", path, json=json)

    async def put(self, path: str, json: Any = None) -> ZoomResponse:
        """Send JSON by PUT to a path."""
        return await self.call("PUT", path, json=json)

    async def patch(self, path: str, json: Any = None) -> ZoomResponse:
        """Send JSON by PATCH to a path."""
        return await self.call("PATCH", path, json=json)

    async def delete(self, path: str, **query: str | int) -> ZoomResponse:
        """Send DELETE to a path."""
        return await self.call("DELETE", path, query=query)

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> ZoomResponse:
        """Call Zoom's REST API and return its response, whatever its status.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: the encoded path behind `/v2`, like "/users/me/meetings".
            query: parameters.
            json: sent as the body.
            headers: further headers; credentials and cookies are not forwarded.

        Raises:
            CallRefused: path or query are malformed, or `proxy_allow` does not cover the call.
            ResponseTooLarge: the response is longer than 16 MiB; use `stream`.
            NotFound: the subject has no active installation.
            NeedsReauthorization: Zoom ended the grant; the user has to consent again.
            BeingDecided: Zoom announced a removal that is being verified; try again.
            PeerError, TransportError: Zoom refused the refresh, or cannot be reached.
        """
        outgoing, body = {"accept": "application/json", **(headers or {})}, b""
        if json is not None:
            body = json_module.dumps(json).encode()
            outgoing["content-type"] = "application/json"
        async with self.stream(method, path, query=query, headers=outgoing, body=body) as passed:
            pieces, size = [], 0
            async for piece in passed.response.pieces():
                size += len(piece)
                if size > MAX_RESPONSE_BYTES:
                    raise ResponseTooLarge(
                        "a response is longer than 16 MiB, the limit of call(): use stream()"
                    )
                pieces.append(piece)
        return ZoomResponse(passed.status, dict(passed.headers), b"".join(pieces))

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | AsyncIterator[bytes] = b"",
    ) -> AsyncIterator[ForwardedResponse]:
        """Call Zoom's REST API and stream both bodies.

        Args:
            method: as for `call`.
            path: as for `call`.
            query: as for `call`.
            headers: as for `call`.
            body: the body, whole or in pieces.

        Raises:
            ParaphError: as for `call`.
        """
        whole = path if path.startswith(API_PREFIX) else f"/v2{path}"
        try:
            target = parse_target(whole.encode("ascii"), urlencode(query or {}).encode("ascii"))
        except UnicodeEncodeError:
            raise CallRefused("the path is not ASCII: percent-encode it") from None
        call = self._allowed.permit(method, target)
        service = self._running()
        installation_id = await service.access.installation_of(self._subject)
        outgoing = tuple((name.lower(), value) for name, value in (headers or {}).items())
        async with service.caller.call(
            installation_id, HostCall(call, outgoing, body), subject=self._subject
        ) as passed:
            yield passed
