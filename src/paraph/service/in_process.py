"""The calls of a host, carried out in this process: the backend of `Zoom`, and its handles."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import urlencode

from paraph.calls.arguments import Filters, ZoomCall, caller_headers
from paraph.calls.asynchronous_handle import AsyncInstallationHandle
from paraph.errors import CallRefused, ResponseTooLarge
from paraph.former_names import FormerSecret, warn_former
from paraph.lifecycle import link, link_request
from paraph.lifecycle.hosted_installation import (
    REMOVED_BY_HOST,
    find_installation,
    get_installation,
    remove_installation,
)
from paraph.lifecycle.resource_call import ForwardedResponse, HostCall
from paraph.model.public_value import installation_value, receipt_value
from paraph.secret import Secret
from paraph.service.app import Service
from paraph.values import (
    AccessToken,
    Claim,
    Installation,
    LinkRequest,
    Page,
    Receipt,
    ZoomResponse,
)
from paraph.zoom.api_path import API_PREFIX, AllowList, parse_target

MAX_RESPONSE_BYTES = 16 << 20


class InProcess:
    """The running service, as the calls reach it. It returns values, never a record of the store.

    Args:
        service: the running service.
        allowed: the calls that `proxy_allow` covers.
        public_url: the URL at which browsers reach the service.
    """

    def __init__(self, service: Service, allowed: AllowList, public_url: str) -> None:
        self._service = service
        self._context = service.context
        self._allowed = allowed
        self._public_url = public_url

    async def request_link(self, subject: str, challenge: str, return_to: str) -> LinkRequest:
        """Store a link request."""
        code, expires_at = await link_request.request_link(
            self._context, subject=subject, challenge=challenge, return_to=return_to
        )
        url = f"{self._public_url}/install?request={code.reveal()}"
        return LinkRequest(url, expires_at)

    async def claim(self, handoff: str, verifier: str) -> Claim:
        """Open a handoff."""
        claimed = await link.claim(self._context, handoff=Secret(handoff), verifier=verifier)
        return claimed.public_value()

    async def confirm(self, claim: str, subject: str, *, move: bool) -> Installation:
        """Confirm a claim."""
        return installation_value(
            await link.confirm(self._context, claim=Secret(claim), subject=subject, move=move)
        )

    async def decline(self, claim: str) -> None:
        """Decline a claim."""
        await link.decline(self._context, claim=Secret(claim))

    async def page(self, filters: Filters, after: str, limit: int) -> Page[Installation]:
        """Return one page of the active installations, ordered by id."""
        async with self._context.store.reading() as tx:
            found = await tx.installations.page(
                self._context.client.client_id,
                subject=filters.subject,
                account_id=filters.account_id,
                user_id=filters.user_id,
                after=after,
                limit=limit + 1,
            )
        items = tuple(installation_value(one) for one in found[:limit])
        return Page(items, items[-1].id if len(found) > limit else None)

    async def find(self, subject: str) -> Installation:
        """Return the installation of a subject."""
        return installation_value(await find_installation(self._context, subject))

    async def get(self, installation_id: str) -> Installation:
        """Return an installation by its id."""
        return installation_value(await get_installation(self._context, installation_id))

    async def access_token(self, installation_id: str, subject: str) -> AccessToken:
        """Vend an access token."""
        access = await self._service.access.current(installation_id, subject=subject)
        return AccessToken(
            access_token=FormerSecret(access.access_token.reveal()),
            token_type="Bearer",
            expires_at=access.expires_at,
            scopes=tuple(access.scopes.split()),
            api_server=access.api_server,
        )

    async def remove(self, installation_id: str) -> Receipt:
        """Remove an installation."""
        return receipt_value(
            await remove_installation(self._context, installation_id, reason=REMOVED_BY_HOST)
        )

    async def request(self, installation_id: str, subject: str, call: ZoomCall) -> ZoomResponse:
        """Call Zoom's REST API.

        Raises:
            ResponseTooLarge: the response is longer than 16 MiB.
        """
        headers, body = {"accept": "application/json", **call.headers}, call.content or b""
        if call.json is not None:
            body = json.dumps(call.json).encode()
            headers["content-type"] = "application/json"
        async with self.stream(
            installation_id,
            subject,
            (call.method, call.path, call.query),
            headers=headers,
            body=body,
        ) as passed:
            pieces, size = [], 0
            async for piece in passed.response.pieces():
                size += len(piece)
                if size > MAX_RESPONSE_BYTES:
                    raise ResponseTooLarge(
                        "a response is longer than 16 MiB, the limit of request(): use stream()"
                    )
                pieces.append(piece)
        return ZoomResponse(passed.status, dict(passed.headers), b"".join(pieces))

    @asynccontextmanager
    async def stream(
        self,
        installation_id: str,
        subject: str,
        request: tuple[str, str, Mapping[str, str | int]],
        *,
        headers: Mapping[str, str],
        body: bytes | AsyncIterator[bytes],
    ) -> AsyncIterator[ForwardedResponse]:
        """Call Zoom's REST API and stream both bodies.

        Args:
            installation_id: the installation whose access token is used.
            subject: the subject that the installation must have.
            request: the method, the path, and the query.
            headers: further headers.
            body: the body, whole or in pieces.

        Raises:
            CallRefused: path or query are malformed, or `proxy_allow` does not cover the call.
        """
        method, path, query = request
        whole = path if path.startswith(API_PREFIX) else f"/v2{path}"
        try:
            target = parse_target(whole.encode("ascii"), urlencode(query).encode("ascii"))
        except UnicodeEncodeError:
            raise CallRefused("the path is not ASCII: percent-encode it") from None
        call = self._allowed.permit(method, target)
        outgoing = tuple((name.lower(), value) for name, value in headers.items())
        async with self._service.caller.call(
            installation_id, HostCall(call, outgoing, body), subject=subject
        ) as passed:
            yield passed


class SubjectInstallation(AsyncInstallationHandle):
    """The handle that `Zoom.installation` returns: with `stream`, which only runs in process.

    Example:
        jane = zoom.installation("acct_42")
        response = await jane.get("/users/me")
    """

    async def call(self, method: str, path: str, **more: Any) -> ZoomResponse:
        """Call Zoom's REST API; the former name of `request`, deprecated."""
        warn_former("call()", "request()")
        return await self.request(method, path, **more)

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
        """Call Zoom's REST API and stream both bodies, for files.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: the encoded path behind `/v2`.
            query: query parameters.
            headers: further headers; credentials and cookies are refused.
            body: the body, whole or in pieces.

        Raises:
            ParaphError: as for `request`.

        Example:
            async with zoom.installation("acct_42").stream("GET", "/users/me") as passed:
                async for piece in passed.response.pieces():
                    size = len(piece)
        """
        installation_id, subject = await self._ids()
        backend = cast("InProcess", self._backend())
        checked = caller_headers(headers or {})
        async with backend.stream(
            installation_id, subject, (method, path, query or {}), headers=checked, body=body
        ) as passed:
            yield passed
