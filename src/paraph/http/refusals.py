"""Counts refusals by reason, and logs a summary at intervals.

A flood must not become a flood of log lines: each refusal only increases a counter, and one line
for each interval names the reasons.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Protocol

SUMMARY_SECONDS = 10.0


class _Log(Protocol):
    def warning(self, event: str, **fields: object) -> object:
        """Log an event."""


class Refusals:
    """Refusals of one endpoint.

    Args:
        log: receives the summary.
        event: the name of the summary's log event.
        reasons: reasons that the metric shows from the start, so that their first increase is seen.
    """

    def __init__(self, log: _Log, event: str, *, reasons: Iterable[str] = ()) -> None:
        self._log = log
        self._event = event
        self._said: Counter[str] = Counter()
        self._summary: asyncio.TimerHandle | None = None
        self.by_reason: Counter[str] = Counter(dict.fromkeys(reasons, 0))

    def note(self, reason: str) -> None:
        """Count a refusal; the log names its reason within the interval."""
        self.by_reason[reason] += 1
        if self._summary is None:
            loop = asyncio.get_running_loop()
            self._summary = loop.call_later(SUMMARY_SECONDS, self._summarise)

    def _summarise(self) -> None:
        self._summary = None
        fresh = self.by_reason - self._said
        self._said = self.by_reason.copy()
        self._log.warning(
            self._event, count=fresh.total(), seconds=SUMMARY_SECONDS, reasons=dict(fresh)
        )

    def close(self) -> None:
        """Log the summary that is due."""
        if self._summary is not None:
            self._summary.cancel()
            self._summarise()
