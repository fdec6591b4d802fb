"""API keys: made by command, shown once, kept as hashes, scoped by act and by subjects.

paraph_<key id>_<secret>      the secret part has 256 bits, so a plain SHA-256 keeps it
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection
from enum import StrEnum

from paraph.errors import NotAllowed, NotFound, UsageError
from paraph.lifecycle import audit
from paraph.lifecycle.context import Context
from paraph.secret import Secret
from paraph.storage.encryption import secret_hash
from paraph.storage.records import ApiKey

_KEY = re.compile(r"paraph_([A-Za-z0-9]{12})_([A-Za-z0-9_-]{43})")
_TOUCH_SECONDS = 60


class Scope(StrEnum):
    """What a key may do."""

    LINK = "link"
    READ = "read"
    VEND = "vend"
    PROXY = "proxy"
    REMOVE = "remove"


async def create_key(
    context: Context, *, label: str, scopes: Collection[str], subject_prefix: str = ""
) -> Secret:
    """Make a key; the result is the only time that it is seen.

    Raises:
        UsageError: no scope, an unknown scope, or no label.
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
            ApiKey(
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


async def recognise_key(context: Context, presented: str) -> ApiKey | None:
    """The live key that was presented, or None: unknown, wrong and revoked look alike."""
    match = _KEY.fullmatch(presented)
    if match is None:
        return None
    async with context.store.reading() as tx:
        key = await tx.api_keys.get(match[1])
    known = b"\0" * 32 if key is None else key.secret_hash
    same = hmac.compare_digest(secret_hash(Secret(match[2])), known)
    if key is None or not same or key.revoked_at is not None:
        return None
    now = context.now()
    if key.last_used_at is None or now - key.last_used_at >= _TOUCH_SECONDS:
        async with context.store.transaction() as tx:
            await tx.api_keys.touch(key.key_id, now=now)
    return key


def require_scope(key: ApiKey, scope: Scope) -> None:
    """`NotAllowed` unless the key has the scope."""
    if scope.value not in key.scopes:
        raise NotAllowed(
            f"the key lacks the scope {scope.value}",
            remedy=f"Create a key with it: paraph api-keys create --scope {scope.value}",
        )


def require_subject(key: ApiKey, subject: str) -> None:
    """`NotFound`, as if it did not exist, for a subject outside the key's prefix."""
    if not subject.startswith(key.subject_prefix):
        raise NotFound("the subject lies outside the key's prefix")


async def revoke_key(context: Context, key_id: str) -> None:
    """End a key at once. `NotFound` when there is no live one."""
    async with context.store.transaction() as tx:
        if not await tx.api_keys.revoke(key_id, now=context.now()):
            raise NotFound(f"there is no live key {key_id}", remedy="paraph api-keys list")
        await audit.record(tx, context, "api_key.revoked", key_id=key_id)
