"""What the webhook endpoint counts, says and samples, so that its hot path only adds numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from paraph.errors import DeliveryRejected
from paraph.logs import get_logger
from paraph.secret import Secret
from paraph.service.refusals import Refusals
from paraph.zoom.webhook import measure_stale_delivery

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
        self._sampled_at = 0.0
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
        """Write the summary that is due."""
        self._refusals.close()

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
