"""`POST /v1/installations/{id}/access-token`: vending, without a framework in between.

The hottest call of this API: a host asks before each of its own calls. So it is plain ASGI.
The refresh token never leaves.
"""

from __future__ import annotations

import msgspec
from starlette.types import Receive, Scope, Send

from paraph.api.keys import ApiKeys, present, require_scope, require_subject
from paraph.api.keys import Scope as KeyScope
from paraph.api.patience import Patience
from paraph.api.problem import MALFORMED, TOO_LONG, problem_answer
from paraph.api.request_body import BodyTooLong, read_whole
from paraph.lifecycle.active_access import Access, ActiveAccess
from paraph.storage.protocols import Store

MAX_BODY_BYTES = 4096


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    subject: str


class _Answer(msgspec.Struct):
    access_token: str
    token_type: str
    expires_at: int
    scopes: list[str]
    api_server: str


_decoder = msgspec.json.Decoder(_Body)
_encoder = msgspec.json.Encoder()


class AccessTokenEndpoint:
    """Vends valid access tokens of active installations."""

    def __init__(
        self, store: Store, keys: ApiKeys, access: ActiveAccess, patience: Patience
    ) -> None:
        self._patience = patience
        self._store = store
        self._keys = keys
        self._access = access

    async def answer(
        self, installation_id: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer one call; errors are raised for the caller of this to write."""
        presented = present(scope["headers"])
        try:
            raw = await read_whole(receive, limit=MAX_BODY_BYTES, patience=self._patience)
        except BodyTooLong:
            await problem_answer(TOO_LONG)(scope, receive, send)
            return
        # Read when all of the request is here: what it says must be true as late as can be.
        row = await self._store.read_live(presented.key_id, installation_id)
        key = self._keys.recognise(presented, row)
        require_scope(key, KeyScope.VEND)
        try:
            body = _decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            remedy = 'Send {"subject": "…"} and nothing else.'
            await problem_answer(MALFORMED, remedy=remedy)(scope, receive, send)
            return
        require_subject(key, body.subject)
        access = await self._access.current_in(row, installation_id, subject=body.subject)
        await _send(send, _encode(access))


def _encode(access: Access) -> bytes:
    return _encoder.encode(
        _Answer(
            access_token=access.access_token.reveal(),
            token_type="Bearer",
            expires_at=access.expires_at,
            scopes=access.scopes.split(),
            api_server=access.api_server,
        )
    )


async def _send(send: Send, body: bytes) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
