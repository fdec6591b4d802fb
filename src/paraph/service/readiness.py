"""Whether this process can do its work: the store answers, and its clock agrees with Zoom's.

A clock that is wrong by more than the freshness window refuses every genuine webhook, and Zoom
never sends a refused one again.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import JSONResponse

from paraph.errors import StorageError
from paraph.oauth.messages import Response
from paraph.storage.protocols import Store


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

    def observe(self, response: Response) -> None:
        """Take the skew from a response; positive means that our clock is ahead."""
        date = response.date()
        if date is not None:
            self._skew = round(self._clock() - date)

    async def answer(self) -> JSONResponse:
        """200 when ready, else 503; either says what was found, and nothing secret."""
        try:
            await self._store.ping()
        except StorageError:
            kept = False
        else:
            kept = True
        on_time = self._skew is None or abs(self._skew) <= self._tolerance
        return JSONResponse(
            {"ready": kept and on_time, "database": kept, "clock_skew_seconds": self._skew},
            status_code=200 if kept and on_time else 503,
        )
