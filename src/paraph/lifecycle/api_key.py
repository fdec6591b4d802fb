"""API keys: created by command, shown once, stored as hashes, limited by scope and by subject.

paraph_<key id>_<secret>      the secret part has 256 bits, so a plain SHA-256 hash is safe
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import Collection, Iterable
from enum import StrEnum
from functools import lru_cache

import msgspec

from paraph.errors import ApiKeyMissing, NotAllowed, NotFound, StorageError, UsageError
from paraph.lifecycle import audit
from paraph.lifecycle.context import Context
from paraph.logs import get_logger
from paraph.model.installation import AccessRow
from paraph.model.management import ApiKey as StoredApiKey
from paraph.sealing.key_ring import secret_hash
from paraph.secret import Secret
from paraph.storage.scope import NOTHING_READ

_KEY = rb"paraph_([A-Za-z0-9]{12})_([A-Za-z0-9_-]{43})"
_ALONE = re.compile(_KEY)
_BEARER = re.compile(rb"[Bb]earer " + _KEY)
_TOUCH_SECONDS = 60
_NO_KEY_HASH = bytes(32)

_log = get_logger("api")


class Scope(StrEnum):
    """A permission that a key can have."""

    LINK = "link"
    READ = "read"
    VEND = "vend"
    PROXY = "proxy"
    REMOVE = "remove"


async def create_key(
    context: Context, *, label: str, scopes: Collection[str], subject_prefix: str = ""
) -> Secret:
    """Create a key. The returned key cannot be shown again.

    Raises:
        UsageError: there is no scope, an unknown scope, or no label.
    """
    unknown = sorted(set(scopes) - {scope.value for scope in Scope})
    if unknown or not scopes:
        known = ", ".join(scope.value for scope in Scope)
        raise UsageError(
            f"unknown scopes: {', '.join(unknown)}" if unknown else "a key needs a scope",
            remedy=f"Choose from {known}.",
        )
    if not label.strip():
        raise UsageError("a key needs a label, so that it can be told from others later")
    key_id = context.random_bytes(6).hex()
    secret = context.one_use_code()
    async with context.store.transaction() as tx:
        await tx.api_keys.add(
            StoredApiKey(
                key_id=key_id,
                secret_hash=secret_hash(secret),
                label=label,
                scopes=frozenset(scopes),
                subject_prefix=subject_prefix,
                created_at=context.now(),
            )
        )
        await audit.record(
            tx, context, "api_key.created", key_id=key_id, scopes=" ".join(sorted(scopes))
        )
    return Secret(f"paraph_{key_id}_{secret.reveal()}")


class Presented(msgspec.Struct, frozen=True, gc=False):
    """A key as a request presents it, before it is checked."""

    key_id: str
    secret: bytes


class ApiKey(msgspec.Struct, frozen=True, gc=False):
    """A live key and its permissions."""

    key_id: str
    scopes: frozenset[str]
    subject_prefix: str


class ApiKeys:
    """Checks the keys that requests present, and records when each was last used.

    Every request reads the key's row, so revoking a key takes effect at once on every replica. The
    last use is written at most once a minute for each key, without delaying the request.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._touched: dict[str, int] = {}
        self._writing: set[asyncio.Task[None]] = set()

    async def admit(self, headers: Iterable[tuple[bytes, bytes]]) -> ApiKey:
        """Return the live key that these headers present.

        Raises:
            ApiKeyMissing: no key, two keys, or one that is malformed, unknown, wrong or revoked:
                the response is the same.
        """
        presented = present(headers)
        row = await self._context.store.read_access(presented.key_id, "")
        return self.recognise(presented, row)

    def recognise(self, presented: Presented, row: AccessRow) -> ApiKey:
        """Check a presented key against a row that was read just now.

        Raises:
            ApiKeyMissing: the key is not live.
        """
        return self.recognise_hash(presented.key_id, hashlib.sha256(presented.secret).digest(), row)

    def recognise_hash(self, key_id: str, presented_hash: bytes, row: AccessRow) -> ApiKey:
        """Check a key that was presented earlier, of whose secret part only the hash was kept.

        Raises:
            ApiKeyMissing: the key is not live.
        """
        known = _NO_KEY_HASH if row.key_secret_hash is None else bytes(row.key_secret_hash)
        same = hmac.compare_digest(presented_hash, known)
        if not same or row.key_secret_hash is None or row.key_revoked_at is not None:
            raise ApiKeyMissing("the presented API key is not live")
        last_use = max(row.key_last_used_at or 0, self._touched.get(key_id, 0))
        if self._context.now() - last_use >= _TOUCH_SECONDS:
            self._note_use(key_id)
        return ApiKey(key_id, _scopes(row.key_scopes or ""), row.key_subject_prefix or "")

    def _note_use(self, key_id: str) -> None:
        now = self._context.now()
        self._touched[key_id] = now
        task = asyncio.create_task(self._touch(key_id, now))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _touch(self, key_id: str, now: int) -> None:
        try:
            async with self._context.store.transaction(NOTHING_READ) as tx:
                await tx.api_keys.touch(key_id, now=now)
        except StorageError as error:
            _log.warning("api_key.use_not_noted", why=error.detail)


def present(headers: Iterable[tuple[bytes, bytes]]) -> Presented:
    """Return the API key in these headers, not yet checked.

    Raises:
        ApiKeyMissing: there is no key, more than one, or a malformed one.
    """
    return parse_authorization(authorization_of(headers))


def authorization_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the value of the one `Authorization` header; b"" without one, or if it is repeated."""
    found: bytes | None = None
    for name, value in headers:
        if name == b"authorization":
            found = value if found is None else b""
    return found or b""


def parse_authorization(value: bytes) -> Presented:
    """Parse the API key in the one `Authorization` header of a request (RFC 6750 section 2.1).

    Raises:
        ApiKeyMissing: the header holds no API key.
    """
    match = _BEARER.fullmatch(value)
    if match is None:
        raise ApiKeyMissing("no API key was presented")
    return Presented(match[1].decode("ascii"), match[2])


def parse_key(text: str) -> Presented:
    """Parse an API key that a person typed or pasted; it is not yet checked.

    Raises:
        ApiKeyMissing: the text is not an API key.
    """
    match = _ALONE.fullmatch(text.encode("utf-8", "surrogatepass"))
    if match is None:
        raise ApiKeyMissing("no API key was presented")
    return Presented(match[1].decode("ascii"), match[2])


@lru_cache(maxsize=64)
def _scopes(text: str) -> frozenset[str]:
    return frozenset(text.split())


def require_scope(key: ApiKey, scope: Scope) -> None:
    """Raise `NotAllowed` unless the key has the scope."""
    # A member of a StrEnum is a str.
    if scope not in key.scopes:
        raise NotAllowed(
            f"the key lacks the scope {scope.value}",
            remedy=f"Create a key with it: paraph api-keys create --scope {scope.value}",
        )


def require_subject(key: ApiKey, subject: str) -> None:
    """Raise `NotFound`, as for an unknown subject, for one outside the key's prefix."""
    if not subject.startswith(key.subject_prefix):
        raise NotFound("the subject lies outside the key's prefix")


def require_unlimited(key: ApiKey) -> None:
    """Raise `NotAllowed` for a key that is limited to some subjects."""
    if key.subject_prefix:
        raise NotAllowed(
            "the key is limited to some subjects, and this request concerns all of them",
            remedy="Use a key without a subject prefix.",
        )


async def revoke_key(context: Context, key_id: str) -> None:
    """Revoke a key at once. Raise `NotFound` if no live key has this id."""
    async with context.store.transaction() as tx:
        if not await tx.api_keys.revoke(key_id, now=context.now()):
            raise NotFound(f"there is no live key {key_id}", remedy="paraph api-keys list")
        await audit.record(tx, context, "api_key.revoked", key_id=key_id)
