"""`POST /v1/installations/{id}/access-token`: returns access tokens, without a framework.

This is the hottest call of the API: a host makes it before each of its own calls. So it is a
generator that both paths run. The refresh token is never returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from paraph.api.problem import MALFORMED, TOO_LONG, Problems, problem_response
from paraph.errors import ParaphError
from paraph.http.body import READ_SECONDS, BodyTooLong
from paraph.http.endpoint import ReadBody, ReadTogether, Steps, Wait
from paraph.http.response import CompleteResponse, Fields
from paraph.lifecycle.active_access import Access, ActiveAccess
from paraph.lifecycle.api_key import (
    ApiKeys,
    Presented,
    parse_authorization,
    require_scope,
    require_subject,
)
from paraph.lifecycle.api_key import Scope as KeyScope
from paraph.model.installation import AccessRow
from paraph.storage.database import Database

MAX_BODY_BYTES = 4096
_READ_BODY = ReadBody(MAX_BODY_BYTES, READ_SECONDS)


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

    def __init__(
        self, store: Database, keys: ApiKeys, access: ActiveAccess, problems: Problems
    ) -> None:
        self._store = store
        self._keys = keys
        self._access = access
        self._problems = problems

    def answer(self, installation_id: str, authorization: bytes) -> Steps:
        """Answer one call: with the token, or with a problem; see `paraph.http.endpoint`.

        Args:
            installation_id: as written in the path.
            authorization: the value of the one `Authorization` header; b"" without one.

        Raises:
            BodyTooSlow, CallerGone: the body did not arrive.
        """
        try:
            presented = parse_authorization(authorization)
            # The row is read after the whole request has arrived: as recently as possible.
            body, row = yield ReadTogether(
                self._store.look_up_access, (presented.key_id, installation_id), _READ_BODY
            )
            subject = self._subject(presented, row, body)
            if subject is None:
                return _malformed()
            access = self._access.stored(row, installation_id, subject=subject)
            if access is None:
                # Zoom has to be asked first.
                access = yield Wait(self._access.current_in(row, installation_id, subject=subject))
        except BodyTooLong:
            return CompleteResponse.of(problem_response(TOO_LONG))
        except ParaphError as error:
            return CompleteResponse.of(self._problems.of(error))
        return _response_of(access)

    def _subject(self, presented: Presented, row: AccessRow, body: bytes) -> str | None:
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


def _malformed() -> CompleteResponse:
    return CompleteResponse.of(
        problem_response(MALFORMED, remedy='Send {"subject": "…"} and nothing else.')
    )


@lru_cache(maxsize=256)
def _one_by_one(scopes: str) -> tuple[str, ...]:
    return tuple(scopes.split())


def _response_of(access: Access) -> CompleteResponse:
    body = _encoder.encode(
        _Vended(
            access.access_token.reveal(),
            "Bearer",
            access.expires_at,
            _one_by_one(access.scopes),
            access.api_server,
        )
    )
    return CompleteResponse(200, _FIELDS, body)
