"""The values in which a host sees records: without tokens, and never the record itself."""

from __future__ import annotations

from paraph import values
from paraph.model.installation import Installation
from paraph.model.removal import Receipt


def person_value(installation: Installation) -> values.ZoomPerson:
    """Return the Zoom side of an installation."""
    grant = installation.grant
    return values.ZoomPerson(
        user_id=grant.identity.user_id,
        account_id=grant.identity.account_id,
        email=grant.email,
        display_name=grant.display_name,
    )


def replaced_value(installation: Installation) -> values.Replaced:
    """Describe an installation that would be replaced, by ids."""
    identity = installation.grant.identity
    return values.Replaced(
        installation_id=installation.link.link_id,
        subject=installation.link.subject,
        zoom=values.ZoomIds(identity.user_id, identity.account_id),
    )


def installation_value(installation: Installation) -> values.Installation:
    """Describe an installation with its proofs."""
    grant, link = installation.grant, installation.link
    return values.Installation(
        id=link.link_id,
        subject=link.subject,
        phase=str(installation.phase.value),
        reason=grant.reason,
        zoom=person_value(installation),
        scopes=tuple(sorted(grant.tokens.scopes)),
        installed_at=link.confirmed_at or link.created_at,
        proofs=tuple(values.Proof(one.name, one.held_at, one.word) for one in link.proofs),
    )


def receipt_value(receipt: Receipt) -> values.Receipt:
    """Describe the receipt of a removal."""
    return values.Receipt(
        id=receipt.receipt_id,
        installation_id=receipt.installation_id,
        reason=receipt.reason,
        requested_at=receipt.requested_at,
        completed_at=receipt.completed_at,
        destroyed=dict(receipt.destroyed),
    )
