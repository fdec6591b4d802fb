"""Whether this process can do its work: the store answers, and its clock agrees with Zoom's.

A process that was told to stop is not ready, although it still answers: new requests belong to
another one.

A clock that is wrong by more than the freshness window refuses every genuine webhook, and Zoom
never sends a refused one again.

Anybody can ask, and asking the store takes the turn of a writer: one look in a while answers
all who ask meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.responses import JSONResponse

from paraph.errors import StorageError
from paraph.oauth.messages import Response
from paraph.service.webhook_watch import WebhookWatch
from paraph.storage.protocols import Store

LOOK_SECONDS = 1.0


class Readiness:
    """Answers `/readyz`; told of every response from Zoom, whose `Date` it compares.

    Args:
        store: must answer and be writable.
        clock: epoch seconds.
        tolerance: seconds of skew beyond which this process is not ready.
    """

    def __init__(self, store: Store, *, clock: Callable[[], float], tolerance: int) -> None:
        self._store = store
        self._clock = clock
        self._tolerance = tolerance
        self._skew: int | None = None
        self._deliveries: WebhookWatch | None = None
        self._looking = asyncio.Lock()
        self._looked_at: float | None = None
        self._kept = False
        self._is_draining = False

    def drain(self) -> None:
        """Be ready no more: the process is about to end."""
        self._is_draining = True

    def watch(self, deliveries: WebhookWatch) -> None:
        """Show what is known of genuine deliveries that were out of time."""
        self._deliveries = deliveries

    def observe(self, response: Response) -> None:
        """Take the skew from a response; positive means that our clock is ahead."""
        date = response.date()
        if date is not None:
            self._skew = round(self._clock() - date)

    async def answer(self) -> JSONResponse:
        """200 when ready, else 503; either says what was found, and nothing secret."""
        kept = await self._store_works()
        on_time = self._skew is None or abs(self._skew) <= self._tolerance
        late = self._deliveries
        ready = kept and on_time and not self._is_draining
        return JSONResponse(
            {
                "ready": ready,
                "draining": self._is_draining,
                "database": kept,
                "clock_skew_seconds": self._skew,
                # Told, and not judged: a replay of one captured delivery could cause it as well.
                "late_deliveries": 0 if late is None else late.late,
                "late_by_seconds": None if late is None else late.late_by,
            },
            status_code=200 if ready else 503,
        )

    async def _store_works(self) -> bool:
        async with self._looking:
            now = self._clock()
            # A clock that was set back must not make an old look last.
            if self._looked_at is None or not 0 <= now - self._looked_at < LOOK_SECONDS:
                try:
                    await self._store.ping()
                except StorageError:
                    self._kept = False
                else:
                    self._kept = True
                self._looked_at = now
            return self._kept
