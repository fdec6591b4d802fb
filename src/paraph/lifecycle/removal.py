"""Removing an installation at the host's or an operator's wish.

The local tokens are dead when the transaction ends; making them dead at Zoom as well is queued
in it, and tried until Zoom has said yes.
"""

from __future__ import annotations

from paraph.errors import NotFound
from paraph.lifecycle.context import Context
from paraph.lifecycle.grant import Removal, remove_grant
from paraph.oauth.phase import Phase
from paraph.storage.records import Receipt


async def remove_installation(
    context: Context, installation_id: str, *, reason: str, subject_prefix: str = ""
) -> Receipt:
    """End an installation: its grant, its link and what is kept of its events.

    Args:
        context: see there.
        installation_id: which.
        reason: for receipt, audit and notice.
        subject_prefix: the subject must begin so.

    Raises:
        NotFound: there is none, or it is not the caller's.
    """
    async with context.store.transaction() as tx:
        found = await tx.installations.get(installation_id)
        if (
            found is None
            # A link that is still to be confirmed is nobody's installation: with it would go what
            # another subject has of the same grant.
            or found.link.phase is not Phase.ACTIVE
            or found.grant.identity.client_id != context.client.client_id
            or not found.link.subject.startswith(subject_prefix)
        ):
            raise NotFound("no such installation")
        receipt = await remove_grant(
            tx, context, found.grant, Removal(reason, context.now(), revoke=True)
        )
    if receipt is None:
        raise NotFound("no such installation")
    return receipt
