"""`/v1/installations/{id}/zoom/…`: Zoom's REST API for the host; no access token is returned.

The check reads the raw path, as it stood in the request and as it will be sent, never a decoded
one. Responses of Zoom's carry `paraph-answer: zoom`, so that a 404 of Zoom's and a 404 of this API
are not confused. Errors of this API are problem documents.

`paraph-subject` binds a call to a subject. On a call that does not read it the header is refused:
the caller would rely on a check that does not happen. A client library that rewrites a path can
cause this, because a bound call of Zoom's API then becomes another call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from urllib.parse import unquote_to_bytes

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from paraph.api.problem import MALFORMED, TOO_LONG, problem_response
from paraph.errors import NotFound
from paraph.http.body import BodyTooLong, pieces_of
from paraph.lifecycle.api_key import ApiKeys, require_scope
from paraph.lifecycle.api_key import Scope as KeyScope
from paraph.lifecycle.resource_call import ForwardedResponse, HostCall, ResourceCaller
from paraph.logs import get_logger
from paraph.remote.streaming import Headers
from paraph.zoom.api_path import AllowList, parse_target

MAX_BODY_BYTES = 64 << 20
REPEATABLE_BYTES = 1 << 20
SUBJECT_HEADER = b"paraph-subject"
SOURCE_HEADER = b"paraph-answer"
_OWN_HEADERS = frozenset({SUBJECT_HEADER, SOURCE_HEADER})
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

    async def respond(
        self, installation_id: str, path: bytes, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Respond to one call.

        Args:
            installation_id: as written in the path.
            path: the raw path behind `…/zoom`.
            scope: the request's head, by ASGI.
            receive: reads the body, by ASGI.
            send: sends the response, by ASGI.

        Raises:
            ParaphError: the reason why there is no response of Zoom's.
        """
        key = await self._keys.admit(scope["headers"])
        require_scope(key, KeyScope.PROXY)
        call = self._allowed.permit(
            scope["method"], parse_target(path, scope.get("query_string", b""))
        )
        subject = _subject_of(scope)
        if _announced(scope) > MAX_BODY_BYTES:
            await problem_response(TOO_LONG)(scope, receive, send)
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
            await problem_response(TOO_LONG)(scope, receive, send)


def holds_own_header(names: Iterable[bytes]) -> bool:
    """Return True if one of the names, in lower case, is a header that only the proxy reads."""
    return not _OWN_HEADERS.isdisjoint(names)


def misplaced() -> JSONResponse:
    """Return the response to a call with such a header outside the proxy."""
    return problem_response(
        MALFORMED,
        remedy="paraph-subject binds calls below …/zoom/ only: leave it out of other calls, "
        "and check that nothing has changed the path of this one.",
    )


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


async def _pass_on(passed: ForwardedResponse, send: Send) -> None:
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
            "headers": [*headers, (SOURCE_HEADER, b"zoom")],
        }
    )
    async for piece in passed.response.pieces():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
