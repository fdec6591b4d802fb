"""Data keys in the database: added with a grant, destroyed with the last grant of their owner.

A grant of a user in an account stands behind three owners: itself, its account, and its user for
events that name no account.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, and_, delete, exists, select

from paraph.model.grant import ZoomIdentity
from paraph.sealing.data_key import NEW_KEY_BYTES, Owner
from paraph.sealing.row import Sealing
from paraph.storage.connection import Connection
from paraph.storage.tables import data_keys, grants


def owners_behind(identity: ZoomIdentity) -> tuple[Owner, Owner, Owner]:
    """Return the owners that a grant stands behind."""
    account_id, user_id = identity.account_id, identity.user_id
    return Owner(account_id, user_id), Owner(account_id, ""), Owner("", user_id)


class DataKeyStore:
    """The keys that seal event bodies."""

    def __init__(self, connection: Connection, sealing: Sealing) -> None:
        self._connection = connection
        self._sealing = sealing

    async def add_missing(self, identity: ZoomIdentity, randomness: Callable[[int], bytes]) -> int:
        """Add a key for each owner behind a grant that lacks one. Return their number.

        Args:
            identity: of the grant.
            randomness: returns a number of random bytes of the operating system.
        """
        client_id = identity.client_id
        known = await self._connection.execute(
            select(data_keys.c.account_id, data_keys.c.user_id).where(_behind(identity))
        )
        present = {(row.account_id, row.user_id) for row in known}
        added = 0
        for owner in owners_behind(identity):
            if owner in present:
                continue
            key = self._sealing.bodies.new_key(
                client_id, owner, randomness=randomness(NEW_KEY_BYTES)
            )
            # A user's key may be added at this moment with a grant in another account.
            once = self._connection.insert(data_keys).on_conflict_do_nothing()
            added += (await self._connection.execute(once, key._asdict())).rowcount
        return added

    async def has_unowned(self) -> bool:
        """Return True if there is a key without a grant."""
        for unowned in _unowned():
            found = select(data_keys.c.key_id).where(unowned).limit(1)
            if (await self._connection.execute(found)).first() is not None:
                return True
        return False

    async def destroy_unowned(self) -> int:
        """Destroy the keys without a grant. Return their number."""
        done = [
            await self._connection.execute(delete(data_keys).where(unowned))
            for unowned in _unowned()
        ]
        return sum(one.rowcount for one in done)

    async def has_grant(self, identity: ZoomIdentity) -> bool:
        """Return True if there is a grant of this identity."""
        found = select(grants.c.grant_id).where(
            grants.c.client_id == identity.client_id,
            grants.c.account_id == identity.account_id,
            grants.c.user_id == identity.user_id,
        )
        return (await self._connection.execute(found)).first() is not None

    async def grants_without(self, *, limit: int) -> Sequence[ZoomIdentity]:
        """Return some grants of which an owner has no key."""
        account, user = grants.c.account_id, grants.c.user_id
        keyed = [
            exists().where(
                data_keys.c.client_id == grants.c.client_id,
                data_keys.c.account_id == account_id,
                data_keys.c.user_id == user_id,
            )
            for account_id, user_id in ((account, user), (account, ""), ("", user))
        ]
        rows = await self._connection.execute(
            select(grants.c.client_id, account, user).where(~and_(*keyed)).limit(limit)
        )
        return [ZoomIdentity(row.client_id, row.account_id, row.user_id) for row in rows]


async def destroy_data_keys(connection: Connection, identity: ZoomIdentity) -> int:
    """Destroy the keys of the owners behind a deleted grant that have no other grant.

    Return their number. From the commit on, bodies with no other owner cannot be opened.
    """
    of_client = grants.c.client_id == identity.client_id
    of_account = grants.c.account_id == identity.account_id
    of_user = grants.c.user_id == identity.user_id
    done = 0
    for owner, behind in zip(
        owners_behind(identity), ((of_account, of_user), (of_account,), (of_user,)), strict=True
    ):
        statement = delete(data_keys).where(
            data_keys.c.client_id == identity.client_id,
            data_keys.c.account_id == owner.account_id,
            data_keys.c.user_id == owner.user_id,
            ~exists(select(grants.c.grant_id).where(of_client, *behind)),
        )
        done += (await connection.execute(statement)).rowcount
    return done


def _unowned() -> list[ColumnElement[bool]]:
    """Build the condition of a key without a grant, for each kind of owner."""
    account, user = data_keys.c.account_id, data_keys.c.user_id
    of_account, of_user = grants.c.account_id == account, grants.c.user_id == user
    kinds = (
        ((account != "") & (user != ""), (of_account, of_user)),
        ((account != "") & (user == ""), (of_account,)),
        ((account == "") & (user != ""), (of_user,)),
    )
    of_client = grants.c.client_id == data_keys.c.client_id
    return [kind & ~exists().where(of_client, *behind) for kind, behind in kinds]


def _behind(identity: ZoomIdentity) -> ColumnElement[bool]:
    account_id, user_id = identity.account_id, identity.user_id
    account, user = data_keys.c.account_id, data_keys.c.user_id
    return (data_keys.c.client_id == identity.client_id) & (
        ((account == account_id) & user.in_([user_id, ""])) | ((account == "") & (user == user_id))
    )
