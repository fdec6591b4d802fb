"""What the host must hear: a row in the same transaction as the fact itself.

Lifecycle never calls anybody; `paraph.events` carries the rows.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from paraph.lifecycle.context import Context
from paraph.storage.protocols import Transaction
from paraph.storage.records import Installation, KeptEvent

NoticeKind = Literal[
    "installation.activated",
    "installation.moved",
    "installation.removed",
    "installation.needs_reauthorization",
]


async def notify_host(
    tx: Transaction, context: Context, kind: NoticeKind, installation: Installation, *, reason: str
) -> None:
    """Queue one notice about an installation. The host learns ids, never tokens."""
    identity = installation.grant.identity
    now = context.now()
    mend = {"mend_url": context.mend_url} if kind == "installation.needs_reauthorization" else {}
    body = msgspec.json.encode(
        {
            "installation": {
                "id": installation.link.link_id,
                "subject": installation.link.subject,
                "zoom": {"user_id": identity.user_id, "account_id": identity.account_id},
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
        )
    )
