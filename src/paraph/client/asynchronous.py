"""The asynchronous client."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

import httpx

from paraph.client import calls, types
from paraph.client.calls import Call, Result
from paraph.client.connection import Connection, result_of, zoom_response_of
from paraph.client.request_path import http_method
from paraph.values import ZoomResponse

TIMEOUT_SECONDS = 30.0


class AsyncClient:
    """A client of the management API for asyncio.

    Args:
        url: the URL of the private listener, like "http://127.0.0.1:8001".
        api_key: an API key from `paraph api-keys create`.
        timeout: the timeout of one call in seconds.
        outgoing_proxy: the URL of an HTTP proxy, as http://USER:PASSWORD@HOST:PORT. Loopback
            addresses are reached without it; proxies of the environment are never used.
        ca_file: a PEM file of additional certificate authorities.
        transport: an HTTP transport to use in place of the network.

    Every method raises a `ServiceProblem` if the service refuses the call. An id or a path that
    could name another call raises `Refused` with status 0, and nothing is sent. Each POST has its
    own idempotency key, so a call without a response is safely repeated once.
    """

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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def request_link(
        self, subject: str, *, nonce: str, return_to: str = ""
    ) -> types.LinkRequest:
        """Begin to link the signed-in user.

        Args:
            subject: the local account of the signed-in user.
            nonce: ASCII text that stays in this user's session; only its hash is sent.
            return_to: an identifier of the host's own, returned at the end; never a URL.
        """
        return await self._do(calls.request_link(subject, nonce, return_to))

    async def claim(self, handoff: str, *, nonce: str) -> types.Claim:
        """Open the handoff that the browser delivered.

        Args:
            handoff: the query parameter `handoff` of the host's `link_url`.
            nonce: the nonce of the session that requested the link.

        Raises:
            Missing: the handoff is unknown, expired or used, or the nonce is wrong.
        """
        return await self._do(calls.claim_handoff(handoff, nonce))

    async def confirm(self, claim: str, *, subject: str, move: bool = False) -> types.Installation:
        """Confirm a claim: the user agreed to both accounts.

        Args:
            claim: the claim that `claim()` returned.
            subject: the subject that requested the link.
            move: True if the user also agreed to end the links in `replaces`.

        Raises:
            AlreadyLinked: the subject or the Zoom user is linked, and `move` is not set.
            Missing: the claim does not exist, or it is another subject's.
        """
        return await self._do(calls.confirm_claim(claim, subject, move=move))

    async def decline(self, claim: str) -> None:
        """Decline a claim: the user refused."""
        await self._do(calls.decline_claim(claim))

    async def installations(
        self,
        *,
        subject: str | None = None,
        account_id: str | None = None,
        user_id: str | None = None,
        page_size: int = 100,
    ) -> AsyncIterator[types.Installation]:
        """Iterate over all matching installations; pages are fetched as needed.

        Args:
            subject: only of this local account.
            account_id: only of this Zoom account.
            user_id: only of this Zoom user.
            page_size: installations in each request, at most 200.
        """
        after: str | None = ""
        while after is not None:
            page = await self._do(
                calls.list_installations(subject, account_id, user_id, after, page_size)
            )
            for one in page.items:
                yield one
            after = page.next

    async def installation(self, installation_id: str) -> types.Installation:
        """Return one installation.

        Raises:
            Missing: it does not exist, or the key may not see it.
        """
        return await self._do(calls.get_installation(installation_id))

    async def access_token(self, installation_id: str, *, subject: str) -> types.AccessToken:
        """Return a valid access token of an active installation; request one for each use.

        Raises:
            NeedsNewConsent: Zoom ended the grant; send the user to its `reauthorize_url`.
            Missing: the installation does not exist, or has another subject.
        """
        return await self._do(calls.vend(installation_id, subject))

    async def remove(self, installation_id: str) -> types.Receipt:
        """End an installation: its tokens stop working here at once, and soon after at Zoom.

        Raises:
            Missing: it does not exist, or the key may not see it.
        """
        return await self._do(calls.remove_installation(installation_id))

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
        """Call Zoom's REST API through the service; return Zoom's response with any status.

        Args:
            installation_id: the installation whose access token is used.
            method: GET, POST, PUT, PATCH or DELETE.
            path: the encoded path, like "/users/me" or "/v2/users/me".
            subject: the subject that the installation must have.
            query: query parameters.
            json: a value to send as the body.
            content: the body, in place of `json`.
            headers: further headers; only those that the proxy permits reach Zoom.

        Raises:
            NotCovered: the allow-list of the proxy does not cover the call.
            NeedsNewConsent: Zoom ended the grant; send the user to its `reauthorize_url`.
        """
        response = await self._send(
            http_method(method),
            calls.zoom_url(installation_id, path),
            params=dict(query or {}) or None,
            json=json,
            content=content,
            headers=calls.zoom_headers(headers, subject),
        )
        return zoom_response_of(response)

    async def audit(
        self, *, after: int = 0, page_size: int = 200
    ) -> AsyncIterator[types.AuditEntry]:
        """Iterate over the audit entries after a sequence number, oldest first."""
        cursor: str | None = str(after)
        while cursor is not None:
            page = await self._do(calls.list_audit(cursor, page_size))
            for one in page.items:
                yield one
            cursor = page.next

    async def verify_audit(self, heads: Mapping[int, str] | None = None) -> types.Verdict:
        """Verify the audit chain, and compare it with heads kept outside the database."""
        return await self._do(calls.verify_audit(heads or {}))

    async def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        return await self._do(calls.openapi())

    async def _do(self, call: Call[Result]) -> Result:
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
