"""Readiness of this process: the store answers, and its clock agrees with Zoom's.

A process that was told to stop is not ready, although it still answers: new requests belong to
another replica.

If the clock is wrong by more than the freshness window, every genuine webhook is stale.

The endpoint is open to everybody, and a check of the store takes its write lock. So one check
answers all requests for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.responses import JSONResponse

from paraph.endpoints.webhook_stats import WebhookWatch
from paraph.errors import StorageError
from paraph.events.pausing import read_pause
from paraph.lifecycle.shared_clock import SharedClock
from paraph.remote.zoom_clock import OLD_SECONDS, ZoomClock
from paraph.storage.database import Database

LOOK_SECONDS = 1.0
# Below the one second that Kubernetes waits for a probe.
CLOCK_WAIT_SECONDS = 0.7


class Readiness:
    """Answers `/readyz`.

    Args:
        store: the store that must answer and be writable.
        monotonic: seconds, for durations.
        zoom_clock: knows how far this clock is from Zoom's.
        shared_clock: knows how far this clock is from the database's.
    """

    def __init__(
        self,
        store: Database,
        *,
        monotonic: Callable[[], float],
        zoom_clock: ZoomClock,
        shared_clock: SharedClock,
    ) -> None:
        self._store = store
        self._monotonic = monotonic
        self.zoom_clock = zoom_clock
        self.shared_clock = shared_clock
        self._deliveries: WebhookWatch | None = None
        self._looking = asyncio.Lock()
        self._looked_at: float | None = None
        self._kept = False
        self._paused_at: int | None = None
        self._is_draining = False

    def drain(self) -> None:
        """Report not ready from now on: the process is about to end."""
        self._is_draining = True

    def watch(self, deliveries: WebhookWatch) -> None:
        """Also report whether genuine deliveries were stale."""
        self._deliveries = deliveries

    async def answer(self) -> JSONResponse:
        """Return 200 when ready, else 503; both say what was found, and nothing secret."""
        kept = await self._store_works()
        # A replica without traffic to Zoom has to notice a wrong clock as well.
        await self.zoom_clock.refresh(wait=CLOCK_WAIT_SECONDS, older_than=OLD_SECONDS)
        on_time = self.zoom_clock.is_within_settings
        late = self._deliveries
        ready = kept and on_time and not self._is_draining
        return JSONResponse(
            {
                "ready": ready,
                "draining": self._is_draining,
                "database": kept,
                "clock_skew_seconds": self.zoom_clock.skew,
                # Without effect: deliveries are accepted while forwarding is paused.
                "forwarding_paused_since": self._paused_at,
                "database_clock_ahead_seconds": round(self.shared_clock.ahead),
                # False behind a pooler and on SQLite: their work is then looked for once a second.
                "hears_other_processes": self._store.hears_others,
                # Reported without effect: a replay of one captured delivery could cause it too.
                "late_deliveries": 0 if late is None else late.late,
                "late_by_seconds": None if late is None else late.late_by,
            },
            status_code=200 if ready else 503,
        )

    async def _store_works(self) -> bool:
        async with self._looking:
            now = self._monotonic()
            if self._looked_at is None or not 0 <= now - self._looked_at < LOOK_SECONDS:
                try:
                    await self._store.ping()
                    pause = await read_pause(self._store)
                except StorageError:
                    self._kept = False
                else:
                    self._kept = True
                    self._paused_at = None if pause is None else pause.paused_at
                self._looked_at = now
            return self._kept
