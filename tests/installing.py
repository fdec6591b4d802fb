"""Installations put into a store directly, as installing leaves them."""

from __future__ import annotations

from paraph.lifecycle.context import Context
from paraph.model.grant import Grant, Tokens, ZoomIdentity
from paraph.model.link import Link
from paraph.model.phase import Phase
from paraph.secret import Secret


async def install(context: Context, number: int) -> str:
    """An active installation of the subject "s"; gives its id."""
    now = context.now()
    identity = ZoomIdentity(context.client.client_id, "account", f"user-{number}")
    tokens = Tokens(
        access_token=Secret(f"access-token-{number}"),
        refresh_token=Secret(f"refresh-token-{number}"),
        access_expires_at=now + 3600,
        scopes=frozenset({"user:read:user"}),
        api_server=context.resource_server.allowed[0],
        received_at=now,
        zoom_time=now,
    )
    grant = Grant(context.new_id(), identity, Phase.ACTIVE, tokens, 1, "", "", now, now)
    link = Link(
        context.new_id(), grant.grant_id, identity.client_id, "s", Phase.ACTIVE, (), now, now
    )
    async with context.store.transaction() as tx:
        await tx.grants.add(grant)
        await tx.links.add(link)
    return link.link_id
