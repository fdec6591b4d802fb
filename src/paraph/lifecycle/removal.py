"""Removes an installation at the request of the host or an operator.

The local tokens are unusable when the transaction ends. It also queues their revocation at
Zoom, which is retried until Zoom confirms it.
"""

from __future__ import annotations

from paraph.errors import NotFound
from paraph.lifecycle.context import Context
from paraph.lifecycle.grant import Removal, remove_grant
from paraph.model.phase import Phase
from paraph.model.removal import Receipt


async def remove_installation(
    context: Context, installation_id: str, *, reason: str, subject_prefix: str = ""
) -> Receipt:
    """Remove an installation: its grant, its link and the stored bodies of its events.

    Args:
        context: the app's store, keys and clock.
        installation_id: the id of the installation.
        reason: written to the receipt, the audit chain and the notice.
        subject_prefix: the installation's subject must begin with this.

    Raises:
        NotFound: there is no such installation, or it is not the caller's.
    """
    async with context.store.transaction() as tx:
        found = await tx.installations.get(installation_id)
        if (
            found is None
            # A pending link is not an installation yet: removing it would also end what another
            # subject has of the same grant.
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
