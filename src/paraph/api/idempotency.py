"""Idempotency keys: a repeated POST gets the response of the first one.

A caller that lost a response cannot know whether its call succeeded. With an `Idempotency-Key` it
can repeat the call safely. The response of a success is stored, sealed, for a day, under the API
key and the idempotency key. A refusal changed nothing, so it is not stored. The same key with
another request is a 409, and so is one whose first call is still under way.

The export of a user's data is never stored, because it would outlive a removal and be repeated
without an audit entry. It changes nothing, so it can be repeated as it is.
"""

from __future__ import annotations

import hashlib
import re

from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from paraph.api.problem import MALFORMED, problem_response
from paraph.encoding import with_lengths
from paraph.http.body import replayed
from paraph.http.problems import Problem
from paraph.lifecycle.api_key import ApiKeys
from paraph.lifecycle.context import Context
from paraph.storage.scope import Scope

KEPT_SECONDS = 86400
# A call ends in seconds. After this long its process must have died, and it may be repeated.
_ABANDONED_SECONDS = 120
_NEVER_STORED = frozenset({"/v1/user-export"})
_KEY = re.compile(rb"[\x21-\x7e]{1,255}")

_OTHER = Problem(
    409,
    "idempotency_key_reused",
    "This idempotency key was used with another request.",
    "Make a new key for each new request.",
)
_UNDER_WAY = Problem(
    409,
    "idempotency_key_in_use",
    "The first request with this idempotency key is still under way.",
    "Wait a moment, then send it again.",
)


class Idempotency:
    """Runs before FastAPI and repeats the responses of repeated POSTs itself."""

    def __init__(self, framework: ASGIApp, keys: ApiKeys, context: Context) -> None:
        self._framework = framework
        self._keys = keys
        self._context = context

    async def respond(self, body: bytes, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Respond to a request whose body was read already.

        Raises:
            ApiKeyMissing: a POST with an idempotency key presents no live API key.
        """
        values = [value for name, value in scope["headers"] if name == b"idempotency-key"]
        if scope["method"] != "POST" or not values or scope["path"] in _NEVER_STORED:
            await self._framework(scope, replayed(body, receive), send)
            return
        if len(values) > 1 or not _KEY.fullmatch(values[0]):
            remedy = "Idempotency-Key is 1 to 255 visible ASCII characters, once."
            await problem_response(MALFORMED, remedy=remedy)(scope, receive, send)
            return
        key = await self._keys.admit(scope["headers"])
        response_id = _digest(key.key_id.encode(), values[0]).hex()
        request_hash = _digest(scope["path"].encode(), scope.get("query_string", b""), body)
        now = self._context.now()
        async with self._context.store.transaction(_scope(response_id)) as tx:
            given = await tx.idempotency.begin(
                response_id,
                request_hash=request_hash,
                now=now,
                expires_at=now + KEPT_SECONDS,
                abandoned_before=now - _ABANDONED_SECONDS,
            )
        if given is None:
            await self._first(response_id, body, scope, receive, send)
        elif given.request_hash != request_hash:
            await problem_response(_OTHER)(scope, receive, send)
        elif given.body is None or given.status is None:
            await problem_response(_UNDER_WAY, headers={"retry-after": "1"})(scope, receive, send)
        else:
            await _send(send, given.status, given.body)

    async def _first(
        self, response_id: str, body: bytes, scope: AsgiScope, receive: Receive, send: Send
    ) -> None:
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        kept = False
        try:
            await self._framework(scope, replayed(body, receive), keep)
            status: int = messages[0]["status"]
            if 200 <= status < 300:
                content = b"".join(message.get("body", b"") for message in messages[1:])
                async with self._context.store.transaction(_scope(response_id)) as tx:
                    await tx.idempotency.finish(response_id, status=status, body=content)
                kept = True
        finally:
            if not kept:
                async with self._context.store.transaction(_scope(response_id)) as tx:
                    await tx.idempotency.drop(response_id)
        for message in messages:
            await send(message)


def _scope(response_id: str) -> Scope:
    return Scope(("given answer", response_id))


def _digest(*parts: bytes) -> bytes:
    return hashlib.sha256(with_lengths(parts)).digest()


async def _send(send: Send, status: int, body: bytes) -> None:
    headers = [(b"idempotent-replay", b"true")]
    if body:
        headers.append((b"content-type", b"application/json"))
    if status != 204:
        # A 204 must not have a body (RFC 9110 section 8.6).
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
