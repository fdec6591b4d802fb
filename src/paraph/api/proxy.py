"""`/v1/installations/{id}/zoom/…`: Zoom's REST API for the host; no access token is returned.

The check reads the raw path, as it stood in the request and as it will be sent, never a decoded
one. Responses of Zoom's carry `paraph-answer: zoom`, so that a 404 of Zoom's and a 404 of this API
are not confused. Errors of this API are problem documents.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import unquote_to_bytes

from starlette.types import Receive, Scope, Send

from paraph.api.own_headers import ANSWER_HEADER, SUBJECT_HEADER
from paraph.api.problem import TOO_LONG, problem_answer
from paraph.errors import NotFound
from paraph.http.body import BodyTooLong, pieces_of
from paraph.lifecycle.api_key import ApiKeys, require_scope
from paraph.lifecycle.api_key import Scope as KeyScope
from paraph.lifecycle.resource_call import HostCall, PassedOn, ResourceCaller
from paraph.logs import get_logger
from paraph.remote.streaming import Headers
from paraph.zoom.api_path import AllowList, parse_target

MAX_BODY_BYTES = 64 << 20
REPEATABLE_BYTES = 1 << 20
_BODILESS = frozenset({204, 304})

_log = get_logger("api")


class ProxyEndpoint:
    """Forwards permitted calls to Zoom.

    Args:
        keys: the API keys that may call.
        caller: makes the calls.
        allowed: the allow-list of calls.
    """

    def __init__(self, keys: ApiKeys, caller: ResourceCaller, allowed: AllowList) -> None:
        self._keys = keys
        self._caller = caller
        self._allowed = allowed

    async def answer(
        self, installation_id: str, path: bytes, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer one call; errors are raised, and the caller turns them into responses."""
        key = await self._keys.admit(scope["headers"])
        require_scope(key, KeyScope.PROXY)
        call = self._allowed.permit(
            scope["method"], parse_target(path, scope.get("query_string", b""))
        )
        subject = _subject_of(scope)
        if _announced(scope) > MAX_BODY_BYTES:
            await problem_answer(TOO_LONG)(scope, receive, send)
            return
        try:
            body = await _body(receive)
            async with self._caller.call(
                installation_id,
                HostCall(call, _headers_of(scope), body),
                subject=subject,
                subject_prefix=key.subject_prefix,
            ) as passed:
                await _pass_on(passed, send)
        except BodyTooLong:
            await problem_answer(TOO_LONG)(scope, receive, send)


def _subject_of(scope: Scope) -> str | None:
    values = [value for name, value in scope["headers"] if name == SUBJECT_HEADER]
    if not values:
        return None
    try:
        return unquote_to_bytes(values[0]).decode() if len(values) == 1 else _no_subject()
    except UnicodeDecodeError:
        return _no_subject()


def _no_subject() -> str:
    raise NotFound("the subject header is not percent-encoded UTF-8, or is repeated")


def _announced(scope: Scope) -> int:
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() and len(lengths[0]) < 16 else 0


def _headers_of(scope: Scope) -> Headers:
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
    )


async def _body(receive: Receive) -> bytes | AsyncIterator[bytes]:
    """Return a short body as a whole, so that it can be sent again; else yield it as it arrives."""
    pieces = pieces_of(receive, limit=MAX_BODY_BYTES)
    begun = bytearray()
    async for piece in pieces:
        begun += piece
        if len(begun) > REPEATABLE_BYTES:
            return _rest(bytes(begun), pieces)
    return bytes(begun)


async def _rest(begun: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield begun
    async for piece in pieces:
        yield piece


async def _pass_on(passed: PassedOn, send: Send) -> None:
    headers = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in passed.headers
        # A 304 may announce the length that the body of a 200 would have (RFC 9110 section 15.4.5).
        if not (passed.status in _BODILESS and name == "content-length")
    ]
    await send(
        {
            "type": "http.response.start",
            "status": passed.status,
            "headers": [*headers, (ANSWER_HEADER, b"zoom")],
        }
    )
    async for piece in passed.answer.pieces():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
