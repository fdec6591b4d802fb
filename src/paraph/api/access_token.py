"""`POST /v1/installations/{id}/access-token`: returns access tokens, without a framework.

This is the hottest call of the API: a host makes it before each of its own calls. So it is a
function of the request's parts, and both paths call it. The refresh token is never returned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from paraph.api.problem import MALFORMED, problem_response
from paraph.http.response import Answer, Fields
from paraph.lifecycle.active_access import Access, ActiveAccess
from paraph.lifecycle.api_key import ApiKeys, Presented, require_scope, require_subject
from paraph.lifecycle.api_key import Scope as KeyScope
from paraph.model.records import LiveRow
from paraph.storage.transaction import Store

MAX_BODY_BYTES = 4096


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    subject: str


class _Vended(msgspec.Struct, gc=False):
    access_token: str
    token_type: str
    expires_at: int
    scopes: Sequence[str]
    api_server: str


_FIELDS = Fields((b"content-type", b"application/json"))
_decoder = msgspec.json.Decoder(_Body)
_encoder = msgspec.json.Encoder()


class AccessTokenEndpoint:
    """Returns valid access tokens of active installations."""

    def __init__(self, store: Store, keys: ApiKeys, access: ActiveAccess) -> None:
        self._store = store
        self._keys = keys
        self._access = access

    async def vend(self, presented: Presented, installation_id: str, body: bytes) -> Answer:
        """Answer one call, which has arrived completely.

        Raises:
            ParaphError: the reason why there is no access token.
        """
        # Read only after the whole request has arrived: the state must be as recent as possible.
        row = await self._store.read_live(presented.key_id, installation_id)
        subject = self._subject(presented, row, body)
        if subject is None:
            return _malformed()
        return _answer_of(await self._access.current_in(row, installation_id, subject=subject))

    def ask(
        self, calls: Sequence[tuple[Presented, str]]
    ) -> Sequence[LiveRow] | asyncio.Future[Sequence[LiveRow]]:
        """Query the rows that `at_hand` decides by, after each whole request has arrived.

        Args:
            calls: presented keys, and ids of installations.
        """
        return self._store.ask_live([(presented.key_id, one) for presented, one in calls])

    def at_hand(
        self, row: LiveRow, presented: Presented, installation_id: str, body: bytes
    ) -> Answer | None:
        """Answer without asking Zoom, or return None if Zoom has to be asked. Raises as `vend`."""
        subject = self._subject(presented, row, body)
        if subject is None:
            return _malformed()
        access = self._access.at_hand(row, installation_id, subject=subject)
        return None if access is None else _answer_of(access)

    def _subject(self, presented: Presented, row: LiveRow, body: bytes) -> str | None:
        """Return the subject of an authorised call; None if the body does not name one.

        Raises:
            ApiKeyMissing, NotAllowed, NotFound: the key is not live, or lacks the permission.
        """
        key = self._keys.recognise(presented, row)
        require_scope(key, KeyScope.VEND)
        try:
            subject = _decoder.decode(body).subject
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        require_subject(key, subject)
        return subject


def _malformed() -> Answer:
    return Answer.of(problem_response(MALFORMED, remedy='Send {"subject": "…"} and nothing else.'))


@lru_cache(maxsize=256)
def _one_by_one(scopes: str) -> tuple[str, ...]:
    return tuple(scopes.split())


def _answer_of(access: Access) -> Answer:
    body = _encoder.encode(
        _Vended(
            access.access_token.reveal(),
            "Bearer",
            access.expires_at,
            _one_by_one(access.scopes),
            access.api_server,
        )
    )
    return Answer(200, _FIELDS, body)
