"""Installations as a host or an operator addresses them: looked up and removed by id or subject.

A removed installation's local tokens are unusable when the transaction ends. It also queues their
revocation at Zoom, which is retried until Zoom confirms it.
"""

from __future__ import annotations

from paraph.errors import NotFound
from paraph.lifecycle.context import Context
from paraph.lifecycle.removal import Removal, remove_grant
from paraph.model.installation import Installation
from paraph.model.phase import Phase
from paraph.model.removal import Receipt
from paraph.storage.transaction import Transaction

REMOVED_BY_HOST = "removed by the host"


async def get_installation(
    context: Context, installation_id: str, *, subject_prefix: str = ""
) -> Installation:
    """Return an installation with an active link.

    Args:
        context: the app's store.
        installation_id: the id of the installation.
        subject_prefix: the installation's subject must begin with this.

    Raises:
        NotFound: there is no such installation, or it is not the caller's.
    """
    async with context.store.reading() as tx:
        return await _visible(tx, context, installation_id, subject_prefix)


async def find_installation(context: Context, subject: str) -> Installation:
    """Return the installation of a subject. Raise `NotFound` without one."""
    async with context.store.reading() as tx:
        link = await tx.links.active_for_subject(context.client.client_id, subject)
        if link is None:
            raise NotFound("no active installation of this subject")
        return await _visible(tx, context, link.link_id, "")


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
        found = await _visible(tx, context, installation_id, subject_prefix)
        receipt = await remove_grant(
            tx, context, found.grant, Removal(reason, context.now(), revoke=True)
        )
    if receipt is None:
        raise NotFound("no such installation")
    return receipt


async def _visible(
    tx: Transaction, context: Context, installation_id: str, subject_prefix: str
) -> Installation:
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
    return found
