"""What the webhook endpoint counts, says and samples, so that its hot path only adds numbers.

A flood must not become a flood of log lines: refusals are counted, and one line for each
interval says how many there were and why.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from paraph.errors import DeliveryRejected
from paraph.logs import get_logger
from paraph.secret import Secret
from paraph.zoom.webhook import measure_stale_delivery

SUMMARY_SECONDS = 10.0
# One stale delivery in this many seconds is checked to the end.
SAMPLE_SECONDS = 1.0

_log = get_logger("webhook")


class WebhookWatch:
    """Counters, the summary of floods, and the clock alarm.

    A delivery that is out of time and truly signed means that this clock is wrong, or that
    deliveries are held up for hours on their way: Zoom never sends again what was refused, so
    somebody must be told. Whoever captured one delivery could cause this too by replaying it, so
    it is an alarm for people, and decides nothing.

    Args:
        clock: epoch seconds.
        secrets: the ring.
    """

    def __init__(self, clock: Callable[[], float], secrets: Sequence[Secret]) -> None:
        self._clock = clock
        self._secrets = tuple(secrets)
        self._said: Counter[str] = Counter()
        self._summary: asyncio.TimerHandle | None = None
        self._sampled_at = 0.0
        self.refused: Counter[str] = Counter()
        self.late = 0
        self.late_by: int | None = None
        self.old_secret = 0

    def refuse(self, reason: str) -> None:
        """Count a refusal; say so within the interval."""
        self.refused[reason] += 1
        if self._summary is None:
            loop = asyncio.get_running_loop()
            self._summary = loop.call_later(SUMMARY_SECONDS, self._summarise)

    def _summarise(self) -> None:
        self._summary = None
        fresh = self.refused - self._said
        self._said = self.refused.copy()
        _log.warning(
            "deliveries.refused", count=fresh.total(), seconds=SUMMARY_SECONDS, reasons=dict(fresh)
        )

    def close(self) -> None:
        """Say what was not said yet."""
        if self._summary is not None:
            self._summary.cancel()
            self._summarise()

    def wants_sample(self, now: float) -> bool:
        """Whether a stale delivery that comes now is one to be checked."""
        # A clock that was set back must not end the sampling.
        return not 0 <= now - self._sampled_at < SAMPLE_SECONDS

    def note_sample(self) -> None:
        """It is being checked: the next one has its time."""
        self._sampled_at = self._clock()

    def judge_stale(self, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        """Raise the alarm if a stale delivery is genuine; it is refused in any case."""
        try:
            timestamp = measure_stale_delivery(headers, body, secrets=self._secrets)
        except DeliveryRejected:
            return
        self.late += 1
        self.late_by = round(self._clock() - timestamp)
        _log.error(
            "clock.alarm",
            seconds=self.late_by,
            why="a genuine delivery is out of time: this clock is wrong, or deliveries are held up",
        )

    def note_secret(self, index: int) -> None:
        """An older secret of the ring is still in use: the rotation is not over."""
        if index:
            self.old_secret += 1
