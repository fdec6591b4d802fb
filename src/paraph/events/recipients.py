"""Selects the installations that an event is forwarded with, for handlers and for HTTP alike."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from paraph.lifecycle.context import Context
from paraph.model.event import KeptEvent
from paraph.model.installation import Recipient
from paraph.model.remaining_users import had_no_key, has_its_key, remaining_users
from paraph.storage.stores.events.event_columns import users_of_body
from paraph.zoom.concerned_users import Selection, select


@dataclass(frozen=True, slots=True)
class Recipients:
    """The installations of one event, and the rule that selected them.

    Attributes:
        installations: active ones, ordered by id; empty for a notice.
        selected_by: the rule.
        concerned_users: the Zoom users whom the event concerns, without those who were removed.
        body: the content of the event; None if a removal has destroyed it.
    """

    installations: tuple[Recipient, ...] = ()
    selected_by: Selection = Selection.NO_INSTALLATION
    concerned_users: tuple[str, ...] = ()
    body: bytes | None = field(default=None, repr=False)

    @property
    def lacking(self) -> str:
        """The reason why there is no installation, for the metric; "" if there is one."""
        if self.installations:
            return ""
        return "no_installation" if self.selected_by is not Selection.NO_INSTALLATION else "no_user"


async def find_recipients(context: Context, event: KeptEvent) -> Recipients | None:
    """Look up the current recipients of a claimed event.

    Returns:
        None if this claim no longer holds: the event was deleted with a removal, or another
        worker has claimed it.

    Raises:
        StorageError: the database did not respond.
        UnknownEncryptionKey, SealBroken: the body cannot be opened.
    """
    client_id = context.client.client_id
    if event.notice:
        found = await context.store.read_recipients(event, client_id=client_id, user_ids=())
        return None if found is None else Recipients(body=event.body)
    users = event.concerned
    if users is None:
        users = users_of_body(event.body)
    selected_by = select(event.account_id, users, level=context.level)
    wanted = None if selected_by is Selection.ACCOUNT else users
    found = await context.store.read_recipients(event, client_id=client_id, user_ids=wanted)
    if found is None:
        return None
    body = context.store.open_body(event, found.keys)
    owners = {key.owner for key in found.keys.values()}
    still = [one for one in found.installations if await _is_still_for(context, one, event, owners)]
    return Recipients(tuple(still), selected_by, remaining_users(event, users, found.keys), body)


async def _is_still_for(
    context: Context, one: Recipient, event: KeptEvent, owners: Collection[tuple[str, str]]
) -> bool:
    """Return False if the user was removed after the arrival, even if they installed again."""
    if has_its_key(event, one, owners):
        return True
    return had_no_key(event, one.user_id) and not await _is_removed_since(context, one, event)


async def _is_removed_since(context: Context, one: Recipient, event: KeptEvent) -> bool:
    """Return True if a removal of the user is as late as the arrival, or later."""
    identity = context.identity(one.account_id, one.user_id)
    async with context.store.reading() as tx:
        for mark in context.marks_of_user(identity):
            removal = await tx.removals.find_tombstone(mark)
            if removal is not None and removal.reported_at >= event.received_at:
                return True
    return False
