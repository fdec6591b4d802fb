"""Which users of a waiting event are still there, decided by the data keys that seal its body.

A removal destroys the data key of its user. So a user whose key has gone was removed after the
arrival of the event, even if they have installed the app again with a new key. A user without a key
at the arrival had no installation. They receive the event if they have installed the app since,
unless a removal was recorded after the arrival.
"""

from __future__ import annotations

from collections.abc import Collection, Container

from paraph.model.event import KeptEvent
from paraph.model.installation import Recipient


def remaining_users(
    event: KeptEvent, users: tuple[str, ...], keys: Container[str]
) -> tuple[str, ...]:
    """Return the users without those whose data key was destroyed after the arrival.

    Args:
        event: the claimed event; its data keys are in the order of the users.
        users: whom the event concerns.
        keys: the ids of its data keys that exist.
    """
    sealed_for = event.sealed_for or ()
    gone = {user for user, key in zip(users, sealed_for, strict=False) if key and key not in keys}
    return tuple(user for user in users if user not in gone)


def has_its_key(event: KeptEvent, one: Recipient, owners: Collection[tuple[str, str]]) -> bool:
    """Return True if the data key of an installation, or of its account, still exists.

    It is also true for a body without data keys, which a removal deletes.

    Args:
        event: the claimed event.
        one: an active installation of a concerned user, or of the account.
        owners: of the data keys of the event that exist.
    """
    if event.sealed_for is None or (event.account_id, "") in owners:
        return True
    return (event.account_id, one.user_id) in owners


def had_no_key(event: KeptEvent, user_id: str) -> bool:
    """Return True if a concerned user had no data key when the event arrived."""
    return (user_id, None) in zip(event.concerned or (), event.sealed_for or (), strict=False)
