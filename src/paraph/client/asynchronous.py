"""The asynchronous client. `synchronous.py` is generated from this file by `make docs`."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

import httpx

from paraph.calls.arguments import Filters, ZoomCall, caller_headers
from paraph.calls.asynchronous import AsyncCalls
from paraph.calls.asynchronous_handle import AsyncBackend
from paraph.client import calls
from paraph.client.calls import Call, Result
from paraph.client.connection import TIMEOUT_SECONDS, Connection, result_of, zoom_response_of
from paraph.client.former_handle import AsyncFormerHandle
from paraph.client.types import AuditEntry, Verdict
from paraph.errors import NotFound
from paraph.former_names import warn_former
from paraph.values import (
    AccessToken,
    Claim,
    Installation,
    LinkRequest,
    Page,
    Receipt,
    ZoomResponse,
)


class AsyncClient(AsyncCalls):
    """A client of the management API for asyncio.

    Args:
        url: the URL of the private listener, like "http://127.0.0.1:8001".
        api_key: an API key from `paraph api-keys create`.
        timeout: the timeout of one call in seconds.
        outgoing_proxy: the URL of an HTTP proxy, as http://USER:PASSWORD@HOST:PORT. Loopback
            addresses are reached without it; proxies of the environment are never used.
        ca_file: a PEM file of additional certificate authorities.
        transport: an HTTP transport to use in place of the network.

    Its exceptions are those of `Zoom`. In addition, each call raises `ApiKeyMissing` if the API
    key is invalid or revoked, and `ServiceUnreachable` if the service does not respond. A path or
    an id that could name another call is refused, and nothing is sent. Each POST has its own
    idempotency key, so a call without a response is safely repeated once.

    Raises:
        UsageError: the URL, the proxy or the file cannot be used.

    Example:
        async with AsyncClient(url, api_key) as zoom:
            response = await zoom.installation("acct_42").get("/users/me")
            assert response.json()["email"] == "jane@example.com"
    """

    _handle_class = AsyncFormerHandle

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        outgoing_proxy: str = "",
        ca_file: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._connection = Connection(
            url, api_key, outgoing_proxy=outgoing_proxy, ca_file=ca_file, timeout=timeout
        )
        self._http = httpx.AsyncClient(transport=transport, **self._connection.arguments)
        self._service = _AsyncService(self._connection, self._http)

    @property
    def _backend(self) -> AsyncBackend:
        return self._service

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections.

        Example:
            zoom = AsyncClient(url, api_key)
            await zoom.close()
        """
        await self._http.aclose()

    async def audit(self, *, after: int = 0, page_size: int = 200) -> AsyncIterator[AuditEntry]:
        """Iterate over the audit entries after a sequence number, oldest first.

        Args:
            after: the sequence number of the last entry that is known.
            page_size: entries in each request, at most 200.

        Raises:
            NotAllowed: the API key lacks the scope `read`, or is limited to some subjects.

        Example:
            async for entry in client.audit(after=0):
                print(entry.sequence, entry.action)
        """
        cursor: str | None = str(after)
        while cursor is not None:
            page = await self._service.do(calls.list_audit(cursor, page_size))
            for one in page.items:
                yield one
            cursor = page.next

    async def verify_audit(self, heads: Mapping[int, str] | None = None) -> Verdict:
        """Verify the audit chain, and compare it with heads kept outside the database.

        Args:
            heads: the digests that were kept elsewhere, by sequence number.

        Raises:
            NotAllowed: the API key lacks the scope `read`, or is limited to some subjects.

        Example:
            verdict = await client.verify_audit()
            assert verdict.whole
        """
        return await self._service.do(calls.verify_audit(heads or {}))

    async def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document of the management API.

        Raises:
            ApiKeyMissing: the API key is invalid or revoked.

        Example:
            document = await client.openapi()
            assert "/v1/installations" in document["paths"]
        """
        return await self._service.do(calls.openapi())

    # The forms of version 0.1, which work for one more version.

    async def access_token(self, installation_id: str, *, subject: str) -> AccessToken:
        """Return an access token; deprecated."""
        warn_former("access_token(id, subject=...)", "installation(subject).access_token()")
        handle = self.installation(subject, installation_id=installation_id)
        return await handle.access_token()

    async def remove(self, installation_id: str) -> Receipt:
        """End an installation; deprecated."""
        warn_former("remove(id)", "installation(subject).remove()")
        return await self._service.remove(installation_id)

    async def zoom(
        self,
        installation_id: str,
        method: str,
        path: str,
        *,
        subject: str | None = None,
        query: Mapping[str, str | int] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ZoomResponse:
        """Call Zoom's REST API through the service; deprecated."""
        warn_former("zoom(id, method, path)", "installation(subject).request(method, path)")
        call = ZoomCall(method, path, query or {}, json, content, caller_headers(headers or {}))
        return await self._service.request(installation_id, subject, call)


class _AsyncService:
    """The service behind the management API."""

    def __init__(self, connection: Connection, http: httpx.AsyncClient) -> None:
        self._connection = connection
        self._http = http

    async def request_link(self, subject: str, challenge: str, return_to: str) -> LinkRequest:
        return await self.do(calls.request_link(subject, challenge, return_to))

    async def claim(self, handoff: str, verifier: str) -> Claim:
        return await self.do(calls.claim_handoff(handoff, verifier))

    async def confirm(self, claim: str, subject: str, *, move: bool) -> Installation:
        return await self.do(calls.confirm_claim(claim, subject, move=move))

    async def decline(self, claim: str) -> None:
        await self.do(calls.decline_claim(claim))

    async def page(self, filters: Filters, after: str, limit: int) -> Page[Installation]:
        return await self.do(calls.list_installations(filters, after, limit))

    async def find(self, subject: str) -> Installation:
        """Return the installation of a subject. Raise `NotFound` without one."""
        page = await self.page(Filters(subject=subject), "", 1)
        if not page.items:
            raise NotFound("no active installation of this subject")
        return page.items[0]

    async def get(self, installation_id: str) -> Installation:
        return await self.do(calls.get_installation(installation_id))

    async def access_token(self, installation_id: str, subject: str) -> AccessToken:
        return await self.do(calls.vend(installation_id, subject))

    async def remove(self, installation_id: str) -> Receipt:
        return await self.do(calls.remove_installation(installation_id))

    async def request(
        self, installation_id: str, subject: str | None, call: ZoomCall
    ) -> ZoomResponse:
        method, path, more = calls.zoom_request(installation_id, subject, call)
        return zoom_response_of(await self._send(method, path, **more))

    async def do(self, call: Call[Result]) -> Result:
        headers = {"idempotency-key": str(uuid.uuid4())} if call.keyed else {}
        response = await self._send(
            call.method,
            call.path,
            again=call.repeatable,
            params=dict(call.query) or None,
            json=call.json,
            headers=headers,
        )
        return result_of(call, response)

    async def _send(
        self, method: str, path: str, *, again: bool = False, **more: Any
    ) -> httpx.Response:
        request = self._connection.check(self._http.build_request(method, path, **more), path)
        try:
            return await self._http.send(request)
        except httpx.TransportError as error:
            if not again:
                raise self._connection.failed(error) from None
        return await self._send(method, path, **more)
