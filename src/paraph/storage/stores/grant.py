"""Grants in the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, delete, exists, insert, select, update
from sqlalchemy.sql.elements import ColumnElement

from paraph.errors import Conflict
from paraph.model.grant import Grant, Tokens, ZoomIdentity
from paraph.model.link import LINK_TRANSITIONS, LinkEvent
from paraph.model.phase import Phase
from paraph.sealing.row import Sealing
from paraph.storage.connection import Connection
from paraph.storage.stores.data_key import destroy_data_keys
from paraph.storage.stores.sealed_columns import open_rows
from paraph.storage.tables import grants, links, refresh_attempts

ACCESS_TOKEN = "grants.access_token"
_REFRESH, _PROFILE = "grants.refresh_token", "grants.profile"


class GrantStore:
    """Grants, one row for each (client, account, user)."""

    def __init__(self, connection: Connection, sealing: Sealing) -> None:
        self._connection = connection
        self._sealing = sealing

    async def add(self, grant: Grant) -> None:
        """Insert a grant. Raise `Conflict` if its identity or its id exists."""
        await self._connection.execute(
            insert(grants).values(
                grant_id=grant.grant_id,
                client_id=grant.identity.client_id,
                account_id=grant.identity.account_id,
                user_id=grant.identity.user_id,
                reason=grant.reason,
                token_version=grant.token_version,
                **self._consent(grant),
            )
        )

    async def find(self, identity: ZoomIdentity) -> Grant | None:
        """Return a grant by identity, byte for byte."""
        return await self._one(
            grants.c.client_id == identity.client_id,
            grants.c.account_id == identity.account_id,
            grants.c.user_id == identity.user_id,
        )

    async def get(self, grant_id: str) -> Grant | None:
        """Return a grant by its id."""
        return await self._one(grants.c.grant_id == grant_id)

    async def in_account(self, client_id: str, account_id: str) -> Sequence[Grant]:
        """Return all grants of one Zoom account, oldest first."""
        return await self._all(grants.c.client_id == client_id, grants.c.account_id == account_id)

    async def of_user(self, client_id: str, user_id: str) -> Sequence[Grant]:
        """Return all grants of one Zoom user in any account, oldest first."""
        return await self._all(grants.c.client_id == client_id, grants.c.user_id == user_id)

    async def replace_tokens(
        self, grant_id: str, tokens: Tokens, *, expected_version: int, phase: Phase
    ) -> bool:
        """Write a token set and phase if the row exists at this version; increment the version.

        Return False if the row is gone or newer, and nothing was written.
        """
        done = await self._connection.execute(
            update(grants)
            .where(grants.c.grant_id == grant_id, grants.c.token_version == expected_version)
            .values(
                phase=phase.value,
                reason="",
                token_version=expected_version + 1,
                **self._tokens(grant_id, tokens),
            )
        )
        return done.rowcount == 1

    async def renew_consent(self, grant: Grant) -> None:
        """Write tokens, profile and both times of a new consent; increment the version.

        Raises:
            Conflict: the grant was removed meanwhile.
        """
        done = await self._connection.execute(
            update(grants)
            .where(grants.c.grant_id == grant.grant_id)
            .values(
                reason=grant.reason,
                token_version=grants.c.token_version + 1,
                **self._consent(grant),
            )
        )
        if done.rowcount != 1:
            raise Conflict("the grant was removed meanwhile")

    async def set_phase(
        self, grant_id: str, phase: Phase, *, reason: str = "", expected_version: int | None = None
    ) -> bool:
        """Change only the phase, if the row is at this version when one is given."""
        statement = update(grants).where(grants.c.grant_id == grant_id)
        if expected_version is not None:
            statement = statement.where(grants.c.token_version == expected_version)
        done = await self._connection.execute(statement.values(phase=phase.value, reason=reason))
        return done.rowcount == 1

    async def delete(self, grant_id: str) -> int | None:
        """Delete the row, its tokens, its links, and each data key without another grant.

        Return the number of destroyed data keys; None if there was no row.
        """
        owner = select(grants.c.client_id, grants.c.account_id, grants.c.user_id)
        row = (await self._connection.execute(owner.where(grants.c.grant_id == grant_id))).first()
        ending = [phase.value for phase in LINK_TRANSITIONS.before(LinkEvent.GRANT_ENDED)]
        await self._connection.execute(
            delete(links).where(links.c.grant_id == grant_id, links.c.phase.in_(ending))
        )
        await self._connection.execute(delete(grants).where(grants.c.grant_id == grant_id))
        if row is None:
            return None
        identity = ZoomIdentity(row.client_id, row.account_id, row.user_id)
        return await destroy_data_keys(self._connection, identity)

    async def idle_since(self, received_before: int, *, now: int, limit: int) -> Sequence[Grant]:
        """Return active grants without new tokens since then, whose refresh is due."""
        return await self._some(
            grants.c.received_at <= received_before,
            grants.c.phase == Phase.ACTIVE.value,
            grants.c.refresh_token.is_not(None),
            _refresh_is_due(now),
            order=grants.c.received_at,
            limit=limit,
        )

    async def in_phase(self, phase: Phase, *, now: int, limit: int) -> Sequence[Grant]:
        """Return some grants in a phase whose refresh is due, oldest first."""
        return await self._some(
            grants.c.phase == phase.value,
            _refresh_is_due(now),
            order=grants.c.granted_at,
            limit=limit,
        )

    async def has_phase(self, phase: Phase) -> bool:
        """Return True if any grant is in a phase."""
        found = select(grants.c.grant_id).where(grants.c.phase == phase.value).limit(1)
        return (await self._connection.execute(found)).first() is not None

    async def _all(self, *where: Any) -> Sequence[Grant]:
        rows = await self._connection.execute(
            select(grants).where(*where).order_by(grants.c.granted_at, grants.c.grant_id)
        )
        return [grant_of(row, self._sealing) for row in rows]

    async def _one(self, *where: Any) -> Grant | None:
        row = (await self._connection.execute(select(grants).where(*where))).first()
        return None if row is None else grant_of(row, self._sealing)

    async def _some(self, *where: Any, order: Any, limit: int) -> Sequence[Grant]:
        rows = await self._connection.execute(
            select(grants).where(*where).order_by(order).limit(limit)
        )
        return open_rows(rows, lambda row: grant_of(row, self._sealing))

    def _consent(self, grant: Grant) -> dict[str, Any]:
        profile = msgspec.json.encode([grant.email, grant.display_name])
        return {
            "phase": grant.phase.value,
            # Bound to the identity as well: a row that was assigned to another account or
            # client does not open.
            "profile": self._sealing.seal(
                _PROFILE, grant.grant_id, profile, *_owner(grant.identity)
            ),
            "granted_at": grant.granted_at,
            "granted_zoom_time": grant.granted_zoom_time,
            **self._tokens(grant.grant_id, grant.tokens),
        }

    def _tokens(self, grant_id: str, tokens: Tokens) -> dict[str, Any]:
        return {
            "access_token": self._sealing.seal_secret(ACCESS_TOKEN, grant_id, tokens.access_token),
            "refresh_token": self._sealing.seal_secret(_REFRESH, grant_id, tokens.refresh_token),
            "access_expires_at": tokens.access_expires_at,
            "scopes": " ".join(sorted(tokens.scopes)),
            "api_server": tokens.api_server,
            "received_at": tokens.received_at,
            "zoom_time": tokens.zoom_time,
        }


def _refresh_is_due(now: int) -> ColumnElement[bool]:
    """Build the condition that no refresh runs, and that none failed a moment ago."""
    return ~exists().where(
        refresh_attempts.c.grant_id == grants.c.grant_id,
        refresh_attempts.c.token_version == grants.c.token_version,
        (refresh_attempts.c.next_attempt_at > now) | (refresh_attempts.c.lease_until > now),
    )


def _owner(identity: ZoomIdentity) -> tuple[str, str, str]:
    return identity.client_id, identity.account_id, identity.user_id


def grant_of(row: Row[Any], sealing: Sealing) -> Grant:
    """Build a grant from a row of `grants`, and open its secrets."""
    sealed_refresh = row.refresh_token
    identity = ZoomIdentity(row.client_id, row.account_id, row.user_id)
    email, display_name = msgspec.json.decode(
        sealing.open(_PROFILE, row.grant_id, row.profile, *_owner(identity)),
        type=tuple[str, str],
    )
    return Grant(
        grant_id=row.grant_id,
        identity=identity,
        phase=Phase(row.phase),
        tokens=Tokens(
            access_token=sealing.open_secret(ACCESS_TOKEN, row.grant_id, row.access_token),
            refresh_token=None
            if sealed_refresh is None
            else sealing.open_secret(_REFRESH, row.grant_id, sealed_refresh),
            access_expires_at=row.access_expires_at,
            scopes=frozenset(row.scopes.split()),
            api_server=row.api_server,
            received_at=row.received_at,
            zoom_time=row.zoom_time,
        ),
        token_version=row.token_version,
        email=email,
        display_name=display_name,
        granted_at=row.granted_at,
        granted_zoom_time=row.granted_zoom_time,
        reason=row.reason,
    )
