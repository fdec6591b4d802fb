"""Counters, logs and samples of the webhook endpoint, whose hot path only adds numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from paraph.errors import DeliveryRejected
from paraph.http.refusals import Refusals
from paraph.logs import get_logger
from paraph.secret import Secret
from paraph.zoom.webhook_verification import measure_stale_delivery

# At most this many stale deliveries are checked completely in this many seconds.
SAMPLES = 20
SAMPLE_SECONDS = 1.0

_log = get_logger("webhook")


class WebhookWatch:
    """Counters, the summary of floods, and the clock alarm.

    A genuine delivery that is out of time means that this clock is wrong, or that deliveries are
    held up for hours on their way. Zoom never resends a refused delivery, so an operator must be
    told. An attacker who captured one delivery could cause this too by replaying it, so the alarm
    has no other effect.

    Args:
        clock: returns epoch seconds.
        secrets: the ring of webhook secrets.
    """

    def __init__(self, clock: Callable[[], float], secrets: Sequence[Secret]) -> None:
        self._clock = clock
        self._secrets = tuple(secrets)
        self._sampled_at = 0.0
        self._sampled = 0
        self._alarmed_at = 0.0
        self._refusals = Refusals(_log, "deliveries.refused")
        self.late = 0
        self.late_by: int | None = None
        self.old_secret = 0

    @property
    def refused(self) -> Counter[str]:
        """Refusals by reason."""
        return self._refusals.by_reason

    def refuse(self, reason: str) -> None:
        """Count a refusal."""
        self._refusals.note(reason)

    def close(self) -> None:
        """Log the summary that is due."""
        self._refusals.close()

    def wants_sample(self, now: float) -> bool:
        """Return true if a stale delivery arriving now is to be checked completely."""
        return self._sampled < SAMPLES or not _is_within(now, self._sampled_at)

    def note_sample(self) -> None:
        """Count a stale delivery that is being checked."""
        now = self._clock()
        if not _is_within(now, self._sampled_at):
            self._sampled_at, self._sampled = now, 0
        self._sampled += 1

    def measure_stale(self, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> int | None:
        """Raise the alarm if a stale delivery is genuine.

        Returns:
            The delivery's timestamp; None if it is not genuine.
        """
        try:
            timestamp = measure_stale_delivery(headers, body, secrets=self._secrets)
        except DeliveryRejected:
            return None
        now = self._clock()
        self.late += 1
        self.late_by = round(now - timestamp)
        if not _is_within(now, self._alarmed_at):
            self._alarmed_at = now
            _log.error(
                "clock.alarm",
                seconds=self.late_by,
                why="a genuine delivery is out of time: this clock is wrong, or deliveries are "
                "held up",
                remedy="Synchronise this machine's clock (NTP); /readyz shows its difference.",
            )
        return timestamp

    def note_secret(self, index: int) -> None:
        """Note that an older secret of the ring is still in use: the rotation is not over."""
        if index:
            self.old_secret += 1


def _is_within(now: float, since: float) -> bool:
    # A clock that was set back must not end the sampling.
    return 0 <= now - since < SAMPLE_SECONDS
