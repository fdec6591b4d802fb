"""The handle of an installation inside a Python app: the shared calls, and streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

from paraph.async_calls import AsyncInstallationHandle
from paraph.call_arguments import caller_headers
from paraph.former_names import warn_former
from paraph.lifecycle.resource_call import ForwardedResponse
from paraph.service.in_process import InProcess
from paraph.values import ZoomResponse


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
