"""The session of an operator: a sealed cookie that names an API key and proves it anew each time.

Who signs in shows an API key once. The cookie holds its id and the hash of its secret part, as
the database does: nothing that could be used as an API key. Each page asks the store whether that
key is still live, so revoking it ends the session at once on every replica. Signing out is noted
in the store too: a copy of the cookie must not outlive it (ASVS 7.4.1).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

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
from paraph.storage.scope import NOTHING_READ

COOKIE = "__Host-paraph-operator"
LIFETIME_SECONDS = 3600
_CLOCK_TOLERANCE = 60
_HOUR = 3600
_VALUE = re.compile(r"([0-9]{10})\.([A-Za-z0-9_-]{64,512})")

SetCookie = tuple[bytes, bytes]


class _Sealed(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """The content of the cookie; database, client and time are its associated data."""

    session_id: str
    key_id: str
    key_hash: bytes


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in operator."""

    session_id: str
    key: ApiKey
    expires_at: int

    @property
    def form_proof(self) -> str:
        """What every form of this session carries; nobody finds the session by it (ASVS 3.5.1)."""
        return hashlib.sha256(b"operator form:" + self.session_id.encode()).hexdigest()

    def has_made(self, proof: str) -> bool:
        """Whether a form carries it."""
        return hmac.compare_digest(self.form_proof.encode(), proof.encode("utf-8", "replace"))

    @property
    def end_mark(self) -> bytes:
        """Under which the store remembers that this session was ended."""
        return hashlib.sha256(b"operator session:" + self.session_id.encode()).digest()


class Sessions:
    """Begins, finds and ends sessions."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._keys = ApiKeys(context)

    async def begin(self, typed: str) -> SetCookie:
        """Sign in with an API key.

        Raises:
            ApiKeyMissing: it is not live, or none at all.
            NotAllowed: it may not read, or speaks of some subjects only.
        """
        context = self._context
        presented = parse_key(typed)
        row = await context.store.read_live(presented.key_id, "")
        key = _operators(self._keys.recognise(presented, row))
        session_id = context.one_use_code().reveal()
        now = context.now()
        content = _Sealed(session_id, key.key_id, hashlib.sha256(presented.secret).digest())
        sealed = context.ring.seal(
            _use(now), msgspec.json.encode(content), associated_data=self._associated_data(now)
        )
        async with context.store.transaction(NOTHING_READ) as tx:
            await audit.record(tx, context, "operator.signed_in", key_id=key.key_id)
        value = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")
        return _cookie(f"{now:010d}.{value}", max_age=LIFETIME_SECONDS)

    async def of(self, cookies: Sequence[tuple[str, str]]) -> Session | None:
        """The live session of a browser; None where it has none, or two.

        Raises:
            StorageError: the store cannot say.
        """
        values = [value for name, value in cookies if name == COOKIE]
        match = _VALUE.fullmatch(values[0]) if len(values) == 1 else None
        if match is None:
            return None
        issued_at = int(match[1])
        # Outside the lifetime there is nothing to open: no key is derived for an invented hour.
        if not -_CLOCK_TOLERANCE <= self._context.now() - issued_at < LIFETIME_SECONDS:
            return None
        content = self._opened(match[2], issued_at)
        return None if content is None else await self._proved(content, issued_at)

    async def end(self, session: Session) -> SetCookie:
        """Sign out, on every replica."""
        async with self._context.store.transaction(NOTHING_READ) as tx:
            expires_at = session.expires_at + _CLOCK_TOLERANCE
            await tx.used_states.use(session.end_mark, expires_at=expires_at)
            await audit.record(tx, self._context, "operator.signed_out", key_id=session.key.key_id)
        return forgotten_cookie()

    def _opened(self, value: str, issued_at: int) -> _Sealed | None:
        try:
            plaintext = self._context.ring.open(
                _use(issued_at),
                base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True),
                associated_data=self._associated_data(issued_at),
            )
            return msgspec.json.decode(plaintext, type=_Sealed)
        except (StorageError, ValueError):
            return None

    async def _proved(self, content: _Sealed, issued_at: int) -> Session | None:
        """The session, if its key is still live and an operator's, and nobody has ended it."""
        store = self._context.store
        row = await store.read_live(content.key_id, "")
        try:
            key = _operators(self._keys.recognise_hash(content.key_id, content.key_hash, row))
        except (ApiKeyMissing, NotAllowed):
            return None
        session = Session(content.session_id, key, issued_at + LIFETIME_SECONDS)
        async with store.reading() as tx:
            ended = await tx.used_states.is_used(session.end_mark)
        return None if ended else session

    def _associated_data(self, issued_at: int) -> bytes:
        place = self._context.store.database_id, self._context.client.client_id
        return "\n".join(("operator", *place, str(issued_at))).encode()


def forgotten_cookie() -> SetCookie:
    """A Set-Cookie header that takes the session away from a browser."""
    return _cookie("", max_age=0)


def _operators(key: ApiKey) -> ApiKey:
    """These pages speak of all subjects, as events and the audit do on the management API."""
    require_scope(key, Scope.READ)
    require_unlimited(key)
    return key


def _use(issued_at: int) -> str:
    return f"operator/{issued_at // _HOUR}"


def _cookie(value: str, *, max_age: int) -> SetCookie:
    # SameSite=Strict: no other site has a reason to send an operator here signed in.
    attributes = f"Path=/; Max-Age={max_age}; Secure; HttpOnly; SameSite=Strict"
    return b"set-cookie", f"{COOKIE}={value}; {attributes}".encode("ascii")
