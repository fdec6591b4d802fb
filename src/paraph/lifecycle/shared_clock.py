"""One clock for all replicas: that of the database.

The lifetimes of flows, handoffs, leases and claims are written by one replica and checked by
another. Machine clocks differ: that of a suspended container may be minutes behind. So every
replica measures the difference between its clock and the database's, and corrects it. With
SQLite all processes share one machine and its clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from paraph.errors import StorageError
from paraph.logs import get_logger
from paraph.storage.database import Database

# Below this, the difference cannot be told from the duration of the query.
_NOISE_SECONDS = 0.5
# A slower response says too little about the database's clock.
_SLOW_SECONDS = 2.0
_WORTH_A_LINE = 5.0

_log = get_logger("clock")


def _system_clock() -> float:
    """Return this machine's time, even if a test replaced `time.time`."""
    return time.time_ns() / 1e9


class SharedClock:
    """Epoch seconds by the database's clock, as of the last comparison.

    Args:
        clock: the clock that is corrected.
        system: this machine's clock, which is compared. The two differ if a test moved `clock`;
            the correction keeps that shift.
    """

    def __init__(
        self, clock: Callable[[], float], *, system: Callable[[], float] = _system_clock
    ) -> None:
        self._clock = clock
        self._system = system
        self.ahead = 0.0
        """Seconds by which the database's clock is ahead of this machine's."""

    def __call__(self) -> float:
        """Return the time in epoch seconds, by the database's clock."""
        return self._clock() + self.ahead

    async def compare(self, store: Database) -> None:
        """Measure the difference again. If the database does not respond, keep the last one."""
        before = self._system()
        try:
            there = await store.read_clock()
        except StorageError:
            return
        after = self._system()
        if there is None or not 0 <= after - before <= _SLOW_SECONDS:
            return
        ahead = there - (before + after) / 2
        if abs(ahead) < _NOISE_SECONDS:
            ahead = 0.0
        if abs(ahead - self.ahead) < _NOISE_SECONDS:
            return
        if max(abs(ahead), abs(self.ahead)) >= _WORTH_A_LINE:
            _log.warning(
                "clock.differs_from_database",
                seconds=round(-ahead),
                remedy="Synchronise the clocks of this machine and of the database server (NTP).",
            )
        self.ahead = ahead
