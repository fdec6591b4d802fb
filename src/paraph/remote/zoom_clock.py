"""This machine's clock compared with Zoom's.

Every response of Zoom's carries its time. If a delivery is stale by our clock and fresh by Zoom's,
our clock is wrong. Zoom never resends a delivery that was refused with 401, so such a delivery
gets a 503. Old deliveries stay stale by Zoom's clock, so an attacker cannot use one for longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from paraph.errors import ParaphError
from paraph.oauth.messages import Response
from paraph.zoom.webhook_verification import Freshness

# Zoom's time has whole seconds, and its response was in transit for some time.
PRECISION_SECONDS = 5
# Zoom is asked at most once in this time.
ASK_SECONDS = 10.0
# A clock that was right this long ago may have been changed, or have stopped with its machine.
OLD_SECONDS = 60.0


class ZoomClock:
    """Learns the difference from responses, and can request one.

    Args:
        clock: returns this machine's time in epoch seconds.
        monotonic: seconds, for durations.
        freshness: the window for deliveries.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        monotonic: Callable[[], float],
        freshness: Freshness,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._freshness = freshness
        # Zoom's time minus the monotonic clock, which is unaffected by changes of the system time.
        self._zoom_ahead: float | None = None
        self._observed_at = 0.0
        self._ask: Callable[[], Awaitable[object]] | None = None
        self._asked_at: float | None = None
        self._asking: asyncio.Task[None] | None = None

    def ask_by(self, ask: Callable[[], Awaitable[object]]) -> None:
        """Set the request to Zoom whose response is observed."""
        self._ask = ask

    def now(self) -> float:
        """Return epoch seconds by this machine's clock."""
        return self._clock()

    def observe(self, response: Response) -> None:
        """Read Zoom's time from a response."""
        date = response.date()
        if date is not None:
            self._observed_at = self._monotonic()
            self._zoom_ahead = date - self._observed_at

    @property
    def skew(self) -> int | None:
        """Return the seconds by which this clock is ahead; None until Zoom has responded."""
        exact = self._exact
        return None if exact is None else round(exact)

    @property
    def _exact(self) -> float | None:
        if self._zoom_ahead is None:
            return None
        return self._clock() - self._monotonic() - self._zoom_ahead

    @property
    def is_off(self) -> bool:
        """Return true if this clock is known to differ from Zoom's."""
        exact = self._exact
        return exact is not None and abs(exact) > PRECISION_SECONDS

    @property
    def is_within_settings(self) -> bool:
        """Return true unless this clock is known to be wrong by more than the settings allow."""
        exact = self._exact
        return exact is None or abs(exact) <= max(self._freshness.future, PRECISION_SECONDS)

    def explains(self, timestamp: int) -> bool:
        """Return true if a delivery that is stale by this clock is fresh by Zoom's.

        Args:
            timestamp: the signed time of the delivery, in epoch seconds.
        """
        age = self._age_at_zoom(timestamp) if self.is_off else None
        return age is not None and self._freshness.allows(age)

    def contradicts(self, timestamp: int) -> bool:
        """Return true if a delivery that is fresh by this clock is too old by Zoom's.

        Replays are recognised for longer than a delivery is fresh, but not for as long as a clock
        can be wrong.

        Args:
            timestamp: the signed time of the delivery, in epoch seconds.
        """
        age = self._age_at_zoom(timestamp)
        return age is not None and age > self._freshness.past and not self.is_within_settings

    def _age_at_zoom(self, timestamp: int) -> float | None:
        return (
            None if self._zoom_ahead is None else self._monotonic() + self._zoom_ahead - timestamp
        )

    async def refresh(self, *, wait: float, older_than: float = 0.0) -> None:
        """Ask Zoom for its time, unless it was asked recently. Never raises.

        Args:
            wait: seconds to wait; after them the request continues in the background.
            older_than: seconds; a younger observation is sufficient.
        """
        now = self._monotonic()
        # Some wrong clocks affect the monotonic one too: that must not end the requests.
        if self._zoom_ahead is not None and 0 <= now - self._observed_at < older_than:
            return
        if self._asking is None:
            if self._ask is None or (
                self._asked_at is not None and 0 <= now - self._asked_at < ASK_SECONDS
            ):
                return
            self._asked_at = now
            self._asking = asyncio.create_task(self._ask_once(self._ask), name="zoom clock")
        await asyncio.wait((self._asking,), timeout=wait)

    async def _ask_once(self, ask: Callable[[], Awaitable[object]]) -> None:
        try:
            await ask()
        except ParaphError:
            return
        finally:
            self._asking = None

    async def close(self) -> None:
        """Cancel a request that is under way."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait((self._asking,))
