"""Notices to the host: rows written in the same transaction as the change that they report.

This layer makes no requests; `paraph.events` delivers the rows. Each notice carries its
position among all notices of its Zoom user (`sequence`). With it a host recognises a notice that
comes late or twice, and one that is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypedDict, cast

import msgspec

from paraph.lifecycle.context import Context
from paraph.model.event import KeptEvent, NoticeCount
from paraph.model.grant import Grant
from paraph.model.installation import Installation
from paraph.model.phase import Phase
from paraph.storage.transaction import Transaction
from paraph.strict_json import parse_json_object

NoticeKind = Literal[
    "installation.activated",
    "installation.moved",
    "installation.removed",
    "installation.needs_reauthorization",
]
NEEDS_REAUTHORIZATION: NoticeKind = "installation.needs_reauthorization"
# The phase of the installation after the change that the notice reports.
PHASES: Mapping[NoticeKind, Phase] = {
    "installation.activated": Phase.ACTIVE,
    "installation.moved": Phase.ENDED,
    "installation.removed": Phase.ENDED,
    NEEDS_REAUTHORIZATION: Phase.NEEDS_REAUTHORIZATION,
}
# The longest that a stale notice which waits for a retry delays the notices behind it. Longer than
# any claim, so that a running attempt ends first: `event_timeout` is at most 900 seconds.
STALE_SECONDS = 960


class _NoticeInstallation(TypedDict):
    """The part of a notice's body that this module reads again."""

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
        context: the app's keys and clock.
        kind: the name of the notice.
        installation: its state after the change.
        reason: the cause, in a few words.
        ordered_with: the subject whose earlier notices are delivered first. Give it if the
            installation had another subject before.
    """
    identity = installation.grant.identity
    now = context.now()
    subject = installation.link.subject if ordered_with is None else ordered_with
    subject_key = context.identifier(subject)
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
    await tx.events.add(
        KeptEvent(
            event_id=f"notice-{context.new_id()}",
            name=kind,
            received_at=now,
            body=_body(context, kind, installation, count, reason),
            account_id=identity.account_id,
            user_id=identity.user_id,
            notice=True,
            next_attempt_at=now,
            arrival=count.arrival,
            subject_key=subject_key,
        )
    )


def _body(
    context: Context, kind: NoticeKind, installation: Installation, count: NoticeCount, reason: str
) -> bytes:
    identity = installation.grant.identity
    more = context.reauthorization() if kind == NEEDS_REAUTHORIZATION else {}
    return msgspec.json.encode(
        {
            "installation": {
                "id": installation.link.link_id,
                "subject": installation.link.subject,
                "zoom": {"user_id": identity.user_id, "account_id": identity.account_id},
                "phase": PHASES[kind].value,
                "generation": count.generation,
                "sequence": count.sequence,
                "reason": reason,
            },
            "reason": reason,
            **more,
        }
    )


async def notify_recovery(tx: Transaction, context: Context, grant: Grant, *, reason: str) -> None:
    """Tell the host that a grant works again, if the last notice said that it does not."""
    last = await tx.notices.last(context.tombstone_hash(grant.identity))
    if last is None or last.last_name != NEEDS_REAUTHORIZATION:
        return
    link = await tx.links.active_for_grant(grant.grant_id)
    if link is not None:
        await notify_host(
            tx, context, "installation.activated", Installation(grant, link), reason=reason
        )


async def is_stale(tx: Transaction, context: Context, notice: KeptEvent) -> bool:
    """Return True if a later notice made this one untrue; only `needs_reauthorization` can be."""
    if not notice.notice or notice.name != NEEDS_REAUTHORIZATION or notice.body is None:
        return False
    installation = cast("_NoticeInstallation", parse_json_object(notice.body)["installation"])
    identity = context.identity(notice.account_id, notice.user_id)
    last = await tx.notices.last(context.tombstone_hash(identity))
    # Notices of an older version have no sequence, and are delivered.
    return last is not None and last.sequence > installation.get("sequence", last.sequence)
