"""The search page: finds an event or installations by an id that was copied from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from paraph.admin.operator_request import OperatorRequest
from paraph.admin.page import nothing_here, see_other
from paraph.errors import NotFound
from paraph.events.redelivery import find_event
from paraph.lifecycle.context import Context
from paraph.model.event import KeptEvent
from paraph.model.installation import Installation

PAGE = 25
_LONGEST = 255


class SearchPage:
    """The search by the id of an installation, a user, an account, a subject or an event."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def show(self, request: OperatorRequest) -> Response:
        """Show what has this id; redirect to it if it is only one thing."""
        wanted = request.query.one("id").strip()
        if len(wanted) > _LONGEST or not wanted.isprintable():
            raise nothing_here()
        event = await self._event(wanted) if wanted else None
        found = await self._installations(wanted) if wanted else []
        if event is not None and not found:
            return see_other(f"/admin/events/{event.event_id}")
        if event is None and len(found) == 1:
            return see_other(f"/admin/installations/{found[0].link.link_id}")
        return request.page(
            "search.html",
            wanted=wanted,
            event=event,
            installations=found[:PAGE],
            more=len(found) > PAGE,
        )

    async def _event(self, wanted: str) -> KeptEvent | None:
        try:
            return await find_event(self._context, wanted)
        except NotFound:
            return None

    async def _installations(self, wanted: str) -> Sequence[Installation]:
        client_id = self._context.client.client_id
        async with self._context.store.reading() as tx:
            one = await tx.installations.get(wanted)
            found = [one] if one is not None and one.grant.identity.client_id == client_id else []
            for field in ("user_id", "account_id", "subject"):
                found += await tx.installations.page(client_id, limit=PAGE + 1, **{field: wanted})
        return list({one.link.link_id: one for one in found}.values())
