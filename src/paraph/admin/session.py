"""The session of an operator: a sealed cookie that names an API key.

An operator enters an API key once, at sign-in. The cookie contains the key's id and a hash of its
secret part, as the database does; neither can be used as an API key. Each request checks in the
store that the key is still valid, so revoking it ends the session at once on every replica.
Signing out is stored too, because a copy of the cookie must not work afterwards (ASVS 7.4.1).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from paraph.cookies import SetCookie, host_cookie
from paraph.errors import ApiKeyMissing, NotAllowed, StorageError
from paraph.lifecycle import audit
from paraph.lifecycle.api_key import (
    ApiKey,
    ApiKeys,
    Scope,
    parse_key,
    require_scope,
    require_unlimited,
)
from paraph.lifecycle.context import Context
from paraph.sealing.cookie import open_cookie, seal_cookie
from paraph.storage.scope import NOTHING_READ

COOKIE = "__Host-paraph-operator"
LIFETIME_SECONDS = 3600
_CLOCK_TOLERANCE = 60
_USE = "operator"
_VALUE = re.compile(r"([0-9]{10})\.([A-Za-z0-9_-]{64,512})")


class _Sealed(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """The content of the cookie. Its associated data are the database, the client and the time."""

    session_id: str
    key_id: str
    key_hash: bytes


@dataclass(frozen=True, slots=True)
class Session:
    """The session of a signed-in operator."""

    session_id: str
    key: ApiKey
    expires_at: int

    @property
    def csrf_token(self) -> str:
        """The CSRF token of this session's forms; it does not reveal the session (ASVS 3.5.1)."""
        return hashlib.sha256(b"operator form:" + self.session_id.encode()).hexdigest()

    def made_form(self, token: str) -> bool:
        """Return True if a form has the CSRF token of this session."""
        return hmac.compare_digest(self.csrf_token.encode(), token.encode("utf-8", "replace"))

    @property
    def end_mark(self) -> bytes:
        """The key under which the store records that this session has ended."""
        return hashlib.sha256(b"operator session:" + self.session_id.encode()).digest()


class Sessions:
    """Begins, finds and ends sessions."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._keys = ApiKeys(context)

    async def begin(self, typed: str) -> SetCookie:
        """Sign in with an API key.

        Raises:
            ApiKeyMissing: the text is not a valid API key.
            NotAllowed: the key lacks the scope `read`, or has a subject prefix.
        """
        context = self._context
        presented = parse_key(typed)
        row = await context.store.read_access(presented.key_id, "")
        key = _operator_key(self._keys.recognise(presented, row))
        session_id = context.one_use_code().reveal()
        now = context.now()
        content = _Sealed(session_id, key.key_id, hashlib.sha256(presented.secret).digest())
        value = seal_cookie(
            context.ring,
            _USE,
            msgspec.json.encode(content),
            issued_at=now,
            associated_data=self._associated_data(now),
        )
        async with context.store.transaction(NOTHING_READ) as tx:
            await audit.record(tx, context, "operator.signed_in", key_id=key.key_id)
        return session_cookie(f"{now:010d}.{value}", max_age=LIFETIME_SECONDS)

    async def find(self, cookies: Sequence[tuple[str, str]]) -> Session | None:
        """Return the session of a browser; None without exactly one valid cookie.

        Raises:
            StorageError: the store is not available.
        """
        values = [value for name, value in cookies if name == COOKIE]
        match = _VALUE.fullmatch(values[0]) if len(values) == 1 else None
        if match is None:
            return None
        issued_at = int(match[1])
        # Check the lifetime first, so that no key is derived for an invented hour.
        if not -_CLOCK_TOLERANCE <= self._context.now() - issued_at < LIFETIME_SECONDS:
            return None
        content = self._open(match[2], issued_at)
        return None if content is None else await self._validate(content, issued_at)

    async def end(self, session: Session) -> SetCookie:
        """End a session on every replica; return the cookie header that deletes it."""
        async with self._context.store.transaction(NOTHING_READ) as tx:
            expires_at = session.expires_at + _CLOCK_TOLERANCE
            await tx.used_states.use(session.end_mark, expires_at=expires_at)
            await audit.record(tx, self._context, "operator.signed_out", key_id=session.key.key_id)
        return session_cookie("", max_age=0)

    def _open(self, value: str, issued_at: int) -> _Sealed | None:
        try:
            plaintext = open_cookie(
                self._context.ring,
                _USE,
                value,
                issued_at=issued_at,
                associated_data=self._associated_data(issued_at),
            )
            return msgspec.json.decode(plaintext, type=_Sealed)
        except (StorageError, ValueError):
            return None

    async def _validate(self, content: _Sealed, issued_at: int) -> Session | None:
        """Return the session if its API key is still valid and the session was not ended."""
        store = self._context.store
        row = await store.read_access(content.key_id, "")
        try:
            key = _operator_key(self._keys.recognise_hash(content.key_id, content.key_hash, row))
        except (ApiKeyMissing, NotAllowed):
            return None
        session = Session(content.session_id, key, issued_at + LIFETIME_SECONDS)
        async with store.reading() as tx:
            ended = await tx.used_states.is_used(session.end_mark)
        return None if ended else session

    def _associated_data(self, issued_at: int) -> bytes:
        place = self._context.store.database_id, self._context.client.client_id
        return "\n".join(("operator", *place, str(issued_at))).encode()


def _operator_key(key: ApiKey) -> ApiKey:
    """Check that a key has the scope `read` and no subject prefix: pages show all subjects."""
    require_scope(key, Scope.READ)
    require_unlimited(key)
    return key


def session_cookie(value: str, *, max_age: int) -> SetCookie:
    """Build the Set-Cookie header of a session: no other site leads to these pages with one."""
    return host_cookie(COOKIE, value, max_age=max_age, same_site="Strict")
