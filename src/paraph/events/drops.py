"""Counts verified events that were dropped, by reason, and logs them without a flood.

No event is dropped silently. The first one of each reason in an interval is logged with its name;
a summary at the end of the interval gives the number.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from paraph.logs import get_logger
from paraph.model.event import Outcome

SUMMARY_SECONDS = 10.0

_WHY = {
    Outcome.OTHER_CLIENT: "the deauthorization names another client id",
    Outcome.REMOVED_ACCOUNT: "the app was removed from its account",
    Outcome.REMOVED_USER: "it concerns a removed user and no user with an installation",
    Outcome.OLDER_THAN_GRANT: "it is older than the present installation of a removed user",
    Outcome.UNDATED: "it has no event_ts and concerns a user who was removed a short time ago",
}

_log = get_logger("inbox")


class DroppedEvents:
    """Counts dropped events by reason, and logs them."""

    def __init__(self) -> None:
        self.by_reason: Counter[str] = Counter()
        self._said: Counter[str] = Counter()
        self._fresh: set[str] = set()
        self._summary: asyncio.TimerHandle | None = None

    def note(self, outcome: Outcome, *, event_name: str, event_id: str) -> None:
        """Count one dropped event; log the first of its reason in each interval."""
        reason = outcome.value
        self.by_reason[reason] += 1
        if reason not in self._fresh:
            self._fresh.add(reason)
            self._said[reason] += 1
            _log.warning(
                "event.dropped",
                reason=reason,
                why=_WHY[outcome],
                event_name=event_name,
                event_id=event_id[:16],
            )
        if self._summary is None:
            loop = asyncio.get_running_loop()
            self._summary = loop.call_later(SUMMARY_SECONDS, self._summarise)

    def _summarise(self) -> None:
        self._summary = None
        self._fresh.clear()
        more = self.by_reason - self._said
        self._said = self.by_reason.copy()
        if more:
            _log.warning(
                "events.dropped", count=more.total(), seconds=SUMMARY_SECONDS, reasons=dict(more)
            )

    def close(self) -> None:
        """Log the drops that were counted and not logged yet."""
        if self._summary is not None:
            self._summary.cancel()
            self._summarise()
