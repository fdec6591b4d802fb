"""Begins a new epoch in a restored database, because some of its facts are out of date.

- Its refresh tokens may be spent. Every grant is suspended until one refresh proves it, and
  needs reauthorization if Zoom refuses it.
- Users who were removed since the backup are still in it. Their removals are repeated, from the
  receipts in the receipt book.
- API keys that were revoked since are live in it. All keys are ended; create new ones.
- Codes that were used since are unused in it. Every flow in progress has to begin again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from paraph.errors import InvalidGrant, PeerError
from paraph.lifecycle import audit
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.context import Context
from paraph.lifecycle.grant import require_reauthorization
from paraph.lifecycle.removal import Removal, remove_grant
from paraph.logs import get_logger
from paraph.model.grant import Grant, GrantEvent
from paraph.model.management import ApiKey
from paraph.model.phase import Phase
from paraph.model.removal import UNKNOWN_TIME, Receipt
from paraph.operations.receipt_export import heads_of
from paraph.storage.backup.receipt_book import Line, ReceiptLine, TombstoneLine
from paraph.storage.transaction import Transaction

BATCH = 100
REASON = "restored from a backup; a refresh has to prove it"


_log = get_logger("restore")


@dataclass(frozen=True, slots=True)
class NewEpoch:
    """The effects of a new epoch.

    Attributes:
        number: the number of the epoch.
        suspended: the number of suspended grants.
        removed: the number of grants that were removed again.
        receipts, tombstones: the numbers of lines taken from the receipt book.
        ended_keys: the API keys that were live.
    """

    number: int
    suspended: int
    removed: int
    receipts: int
    tombstones: int
    ended_keys: tuple[ApiKey, ...]


async def begin_epoch(tx: Transaction, context: Context, lines: Iterable[Line]) -> NewEpoch:
    """Mark the database as restored, in the transaction that restored it.

    Args:
        tx: the transaction.
        context: the app's store, keys and clock.
        lines: the lines of the receipt book.

    Raises:
        StorageError: the database failed; nothing is changed.
    """
    lines, now = list(lines), context.now()
    known = [epoch for epoch, _ in heads_of(lines)]
    number = max([context.store.epoch.number, *known]) + 1
    await tx.tables.begin_epoch(number, now=now)
    await audit.record(tx, context, audit.RESTORED, epoch=str(number))
    await tx.tables.end_pending(now=now)
    ended = [key for key in await tx.api_keys.all() if key.revoked_at is None]
    for key in ended:
        await tx.api_keys.revoke(key.key_id, now=now)
        await audit.record(tx, context, "api_key.revoked", key_id=key.key_id)
    tombstones = [line for line in lines if isinstance(line, TombstoneLine)]
    for line in tombstones:
        await _bury(tx, line)
    receipts, removed = await _remove_again(tx, context, lines)
    suspended = await tx.tables.suspend_grants(reason=REASON)
    return NewEpoch(number, suspended, removed, receipts, len(tombstones), tuple(ended))


async def _bury(tx: Transaction, line: TombstoneLine) -> None:
    time = None if line.zoom_time == UNKNOWN_TIME else line.zoom_time
    await tx.removals.add_tombstone(
        bytes.fromhex(line.identity), zoom_time=time, now=line.created_at
    )


async def _remove_again(
    tx: Transaction, context: Context, lines: Iterable[Line]
) -> tuple[int, int]:
    """Repeat every removal whose receipt this database lacks."""
    receipts = {line.receipt_id: line for line in lines if isinstance(line, ReceiptLine)}
    missing = [
        line for line in receipts.values() if not await tx.removals.knows_receipt(line.receipt_id)
    ]
    grants = {
        context.tombstone_hash(identity).hex(): grant_id
        for grant_id, identity in (await tx.tables.identities()).items()
    }
    removed = 0
    for line in missing:
        grant = await _removed_grant(tx, grants, line)
        if grant is not None:
            removal = Removal(f"{line.reason} (before a restore)", line.requested_at, revoke=True)
            await remove_grant(tx, context, grant, removal)
            removed += 1
        # Keep the receipt itself: a second restore with the same book finds the removal done.
        await tx.removals.add_receipt(
            Receipt(
                receipt_id=line.receipt_id,
                installation_id=line.installation_id,
                reason=line.reason,
                requested_at=line.requested_at,
                completed_at=line.completed_at,
                destroyed=line.destroyed,
            ),
            identity_hash=bytes.fromhex(line.identity),
        )
    return len(missing), removed


async def _removed_grant(
    tx: Transaction, grants: Mapping[str, str], line: ReceiptLine
) -> Grant | None:
    """Return the grant of a removal: its Zoom user's, or the one that served the installation.

    The Zoom user may have been moved to another account between the backup and the removal, or an
    administrator replaced. Then the identities differ, and the installation is the same.
    """
    grant_id = grants.get(line.identity)
    if grant_id is None and line.installation_id:
        link = await tx.links.get(line.installation_id)
        grant_id = None if link is None else link.grant_id
    return None if grant_id is None else await tx.grants.get(grant_id)


async def prove_suspended(context: Context, refresher: Refresher) -> None:
    """Prove some suspended grants, each by a refresh. Grants that Zoom refuses are given up.

    Raises:
        TransportError: Zoom cannot be reached; the grants stay suspended.
    """
    async with context.store.reading() as tx:
        # Only grants that are due: those without a response from Zoom must not block the others.
        suspended = await tx.grants.in_phase(Phase.SUSPENDED, now=context.now(), limit=BATCH)
    for grant in suspended:
        try:
            await refresher.refresh(grant.grant_id)
        except InvalidGrant as error:
            await _give_up(context, grant, error.detail)
        except PeerError as error:
            _log.warning("grant.not_proved", error_code=error.code, why=error.detail)


async def has_suspended(context: Context) -> bool:
    """Return True if a grant is still to be proved, now or later.

    Raises:
        StorageError: the database failed.
    """
    async with context.store.reading() as tx:
        return await tx.grants.has_phase(Phase.SUSPENDED)


async def _give_up(context: Context, grant: Grant, reason: str) -> None:
    async with context.store.transaction() as tx:
        current = await tx.grants.get(grant.grant_id)
        if current is None or current.phase is not Phase.SUSPENDED:
            return
        await require_reauthorization(
            tx, context, current, GrantEvent.REFRESH_REFUSED, reason=reason
        )
