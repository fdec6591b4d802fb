"""Notices to the host: rows that are written in the same transaction as the fact they report.

Lifecycle never calls anybody; `paraph.events` delivers the rows. Each notice carries its
position among all notices of its Zoom user (`sequence`). By it a host recognises a notice that
comes late or twice, and one that never came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypedDict, cast

import msgspec

from paraph.lifecycle.context import Context
from paraph.oauth.phase import Phase
from paraph.oauth.strict_json import parse_json_object
from paraph.storage.protocols import Transaction
from paraph.storage.records import Grant, Installation, KeptEvent

NoticeKind = Literal[
    "installation.activated",
    "installation.moved",
    "installation.removed",
    "installation.needs_reauthorization",
]
NEEDS_REAUTHORIZATION: NoticeKind = "installation.needs_reauthorization"
# The phase of the installation after the fact that the notice reports.
PHASES: Mapping[NoticeKind, Phase] = {
    "installation.activated": Phase.ACTIVE,
    "installation.moved": Phase.ENDED,
    "installation.removed": Phase.ENDED,
    NEEDS_REAUTHORIZATION: Phase.NEEDS_REAUTHORIZATION,
}
# A stale notice that waits for a later attempt holds up those behind it for this long at most.
# Longer than any claim, so that an attempt that is under way ends first: `event_timeout` is at most
# 900 seconds.
STALE_SECONDS = 960


class _Told(TypedDict):
    """The part of a notice's body that is read again here."""

    sequence: int


async def notify_host(
    tx: Transaction,
    context: Context,
    kind: NoticeKind,
    installation: Installation,
    *,
    reason: str,
    ordered_with: str | None = None,
) -> None:
    """Queue one notice about an installation. The host learns ids, never tokens.

    Args:
        tx: writes the notice.
        context: of the app.
        kind: the name of the notice.
        installation: as it is after the fact that the notice reports.
        reason: why, in a few words.
        ordered_with: the subject whose earlier notices are delivered first; the installation's
            unless it had another one before.
    """
    identity, subject = installation.grant.identity, installation.link.subject
    now = context.now()
    subject_key = context.identifier(subject if ordered_with is None else ordered_with)
    count = await tx.notices.count(
        context.tombstone_hash(identity),
        kind,
        subject_key=subject_key,
        ends=kind == "installation.removed",
        now=now,
    )
    if count.sequence > 1:
        await tx.notices.hasten(
            account_id=identity.account_id,
            user_id=identity.user_id,
            name=NEEDS_REAUTHORIZATION,
            at=now + STALE_SECONDS,
        )
    mend = {"mend_url": context.mend_url} if kind == NEEDS_REAUTHORIZATION else {}
    body = msgspec.json.encode(
        {
            "installation": {
                "id": installation.link.link_id,
                "subject": subject,
                "zoom": {"user_id": identity.user_id, "account_id": identity.account_id},
                "phase": PHASES[kind].value,
                "generation": count.generation,
                "sequence": count.sequence,
                "reason": reason,
            },
            "reason": reason,
            **mend,
        }
    )
    await tx.events.add(
        KeptEvent(
            event_id=f"notice-{context.new_id()}",
            name=kind,
            received_at=now,
            body=body,
            account_id=identity.account_id,
            user_id=identity.user_id,
            notice=True,
            next_attempt_at=now,
            arrival=count.arrival,
            subject_key=subject_key,
        )
    )


async def notify_recovery(tx: Transaction, context: Context, grant: Grant, *, reason: str) -> None:
    """Tell the host that a grant works again, if the last notice told that it does not."""
    last = await tx.notices.last(context.tombstone_hash(grant.identity))
    if last is None or last.last_name != NEEDS_REAUTHORIZATION:
        return
    link = await tx.links.active_for_grant(grant.grant_id)
    if link is not None:
        await notify_host(
            tx, context, "installation.activated", Installation(grant, link), reason=reason
        )


async def is_stale(tx: Transaction, context: Context, notice: KeptEvent) -> bool:
    """Say whether a later notice made this one untrue; only `needs_reauthorization` can be."""
    if not notice.notice or notice.name != NEEDS_REAUTHORIZATION or notice.body is None:
        return False
    told = cast("_Told", parse_json_object(notice.body)["installation"])
    identity = context.identity(notice.account_id, notice.user_id)
    last = await tx.notices.last(context.tombstone_hash(identity))
    # Notices of an older version have no sequence, and are delivered.
    return last is not None and last.sequence > told.get("sequence", last.sequence)
