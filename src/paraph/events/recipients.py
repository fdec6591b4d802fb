"""Selects the installations that an event is forwarded with, for handlers and for HTTP alike."""

from __future__ import annotations

from dataclasses import dataclass

from paraph.lifecycle.context import Context
from paraph.model.event import KeptEvent
from paraph.model.installation import Recipient
from paraph.storage.stores.events.event_columns import users_of_body
from paraph.zoom.concerned_users import Selection, select


@dataclass(frozen=True, slots=True)
class Recipients:
    """The installations of one event, and the rule that selected them.

    Attributes:
        installations: active ones, ordered by id; empty for a notice.
        selected_by: the rule.
        concerned_users: the Zoom users whom the event concerns, without those who were removed.
    """

    installations: tuple[Recipient, ...] = ()
    selected_by: Selection = Selection.NO_INSTALLATION
    concerned_users: tuple[str, ...] = ()

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
    """
    client_id = context.client.client_id
    if event.notice:
        found = await context.store.read_recipients(event, client_id=client_id, user_ids=())
        return None if found is None else Recipients()
    users = event.concerned
    if users is None:
        users = users_of_body(event.body)
    selected_by = select(event.account_id, users, level=context.level)
    wanted = None if selected_by is Selection.ACCOUNT else users
    found = await context.store.read_recipients(event, client_id=client_id, user_ids=wanted)
    return None if found is None else Recipients(tuple(found), selected_by, users)
