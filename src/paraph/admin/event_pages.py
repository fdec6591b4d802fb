"""The event pages: waiting events, dead letters with their cause, redelivery, and the pause.

They show no bodies.
"""

from __future__ import annotations

import math
import re

from starlette.responses import Response

from paraph.admin.event_filters import EventFilters
from paraph.admin.operator_request import OperatorRequest
from paraph.admin.page import nothing_here, see_other
from paraph.errors import NotFound, UsageError
from paraph.events.pausing import pause_forwarding, resume_forwarding
from paraph.events.redelivery import find_event, redeliver, redeliver_dead
from paraph.lifecycle.context import Context
from paraph.model.event import Backlog, EventPosition, EventStatus, KeptEvent

PAGE = 25
_CURSOR = re.compile(r"[A-Za-z0-9_-]{0,80}")
# The failure text of an event whose body a removal has deleted.
_PURGED = "purged"
# The maximum values of the bars.
_MOST_EVENTS = 1_000_000
_LONGEST_SECONDS = 3 * 86_400


class EventPages:
    """The pages of events."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def show_all(self, request: OperatorRequest) -> Response:
        """Show a page of events, newest first, with every status or with one."""
        chosen, after = request.query.one("status"), request.query.one("after")
        known = {status.value for status in EventStatus}
        if (chosen and chosen not in known) or not _CURSOR.fullmatch(after):
            raise nothing_here()
        status = EventStatus(chosen) if chosen else None
        filters = EventFilters.of(request.query)
        async with self._context.store.reading() as tx:
            found = await tx.events.page(
                status=status,
                matching=filters.matching,
                after=EventPosition.parse(after) or after,
                limit=PAGE + 1,
            )
            backlog = await tx.events.backlog()
        page = found[:PAGE]
        return request.page(
            "events.html",
            events=page,
            chosen=chosen,
            filters=filters,
            after=after,
            older=EventPosition.of(page[-1]) if len(found) > PAGE else "",
            backlog=backlog,
            bars=_bars(backlog, request.now),
            redelivered=request.count("redelivered"),
            refused=request.count("refused"),
            further=_position(request.query.one("further")) or "",
        )

    async def show_one(self, request: OperatorRequest) -> Response:
        """Show one event with the cause of its failure."""
        event = await find_event(self._context, request.argument)
        if event.event_id != request.argument:
            # The path has a prefix of the id, as lists show it: redirect to the full id.
            return see_other(f"/admin/events/{event.event_id}")
        return self._page(request, event)

    async def redeliver_one(self, request: OperatorRequest) -> Response:
        """Deliver one event again, or show why that is refused."""
        event = await find_event(self._context, request.argument)
        try:
            await redeliver(self._context, event.event_id, operator=request.session.key.key_id)
        except NotFound:
            raise
        except UsageError as error:
            event = await find_event(self._context, event.event_id)
            return self._page(request, event, refused=error)
        return see_other(f"/admin/events/{event.event_id}?redelivered=1")

    async def redeliver_shown(self, request: OperatorRequest) -> Response:
        """Redeliver the dead letters that a page has shown, and count the refused ones."""
        done = refused = 0
        for event_id in request.form.all("event")[:PAGE]:
            try:
                await redeliver(
                    self._context, event_id, operator=request.session.key.key_id, dead_only=True
                )
                done += 1
            except UsageError:
                refused += 1
        return see_other(f"/admin/events?status=dead&redelivered={done}&refused={refused}")

    async def redeliver_matching(self, request: OperatorRequest) -> Response:
        """Redeliver the dead letters of a filter, oldest first, a number of them at once.

        The next call continues after them: refused ones stay dead letters, and must not be in its
        way.
        """
        filters = EventFilters.of(request.form)
        some = await redeliver_dead(
            self._context,
            filters.matching,
            operator=request.session.key.key_id,
            after=_position(request.form.one("further")),
        )
        result = {
            "redelivered": some.done,
            "refused": some.refused,
            "further": some.after or "",
        }
        return see_other(f"/admin/events?{filters.query(status='dead', **result)}")

    async def pause(self, request: OperatorRequest) -> Response:
        """Pause the forwarding of events, on all replicas."""
        await pause_forwarding(self._context, operator=request.session.key.key_id)
        return see_other("/admin/events")

    async def resume(self, request: OperatorRequest) -> Response:
        """Resume the forwarding of events."""
        await resume_forwarding(self._context, operator=request.session.key.key_id)
        return see_other("/admin/events?status=received")

    @staticmethod
    def _page(
        request: OperatorRequest, event: KeptEvent, refused: UsageError | None = None
    ) -> Response:
        return request.page(
            "event.html",
            status=200 if refused is None else refused.status,
            event=event,
            hindrance=_hindrance(event),
            refused=refused,
            redelivered=request.count("redelivered"),
        )


def _position(text: str) -> EventPosition | None:
    position = EventPosition.parse(text)
    if text and position is None:
        raise nothing_here()
    return position


def _hindrance(event: KeptEvent) -> str:
    """Return the reason why an event cannot be redelivered; "" if its row shows none."""
    if event.urgent:
        return "The service retries a deauthorization by itself. It cannot be redelivered by hand."
    if event.failure == _PURGED:
        return (
            "Its body was deleted when its installation was removed. Events of a removed"
            " installation are not delivered."
        )
    return ""


def _bars(backlog: Backlog, now: int) -> dict[str, float]:
    """Compute the lengths of the bars in percent.

    The scale is logarithmic, so that one event is visible and a thousand differ from a million.
    """
    oldest = backlog.oldest_received_at
    return {
        "waiting": _bar(backlog.waiting, _MOST_EVENTS),
        "oldest": 0 if oldest is None else _bar(now - oldest, _LONGEST_SECONDS),
        "dead": _bar(backlog.dead, _MOST_EVENTS),
    }


def _bar(value: int, most: int) -> float:
    return round(100 * min(1, math.log1p(max(0, value)) / math.log1p(most)), 1)
