"""Wakes background work when it is due, so that an idle process does next to nothing.

Once a second the version of the database is read, which costs microseconds. Only if something was
committed, by whatever process or command, are the due times read again. Work within this process
that cannot wait a second has signals of its own, such as `Inbox.arrived`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from paraph.errors import ParaphError
from paraph.lifecycle.context import Context
from paraph.logs import get_logger
from paraph.storage.hot_reads.due_times import DueTimes

TICK_SECONDS = 1.0

_log = get_logger("service")

DueOf = Callable[[DueTimes], int | None]


class WakeUps:
    """Compares the due times with the clock once a second.

    Args:
        context: the store and the clock.
        replica_id: the replica whose last report is among the due times.
    """

    def __init__(self, context: Context, replica_id: str) -> None:
        self._context = context
        self._replica_id = replica_id
        self._version: object = None
        self._times: DueTimes | None = None
        self._failure = ""
        self._wanted: list[tuple[DueOf, asyncio.Event]] = []

    def wake(self, signal: asyncio.Event, due: DueOf) -> asyncio.Event:
        """Set a signal in each second in which its work is due, and return it.

        Args:
            signal: the signal.
            due: returns epoch seconds, or None if there is no work.
        """
        self._wanted.append((due, signal))
        return signal

    async def run(self) -> None:
        """Wake work until cancelled."""
        while True:
            try:
                await self.look()
            except ParaphError as error:
                self._wake_all(error.code, error.detail)
            except Exception as error:  # noqa: BLE001 - Without this task no work would be done.
                self._wake_all("unexpected", type(error).__name__)
            else:
                self._failure = ""
            await asyncio.sleep(TICK_SECONDS)

    def _wake_all(self, code: str, why: str) -> None:
        """Wake all work, which finds out by itself what is due; log each cause once."""
        if why != self._failure:
            _log.warning("wake_ups.interrupted", error_code=code, why=why)
        self._failure = why
        self._times = None
        for _, signal in self._wanted:
            signal.set()

    async def look(self) -> None:
        """Set the signal of each work that is due.

        Raises:
            StorageError: the database failed; no signal was set.
        """
        store = self._context.store
        version = await store.read_version()
        if self._times is None or version != self._version:
            # Read after the version: a commit in between is seen again in a second.
            self._times = await store.read_due_times(self._replica_id)
            self._version = version
        now = self._context.now()
        for due, signal in self._wanted:
            at = due(self._times)
            if at is not None and at <= now:
                signal.set()


def earliest(*times: int | None) -> int | None:
    """Return the earliest of some times, or None for no time at all."""
    return min((one for one in times if one is not None), default=None)


def after(at: int | None, seconds: int) -> int | None:
    """Return a time that is some seconds later; None stays None."""
    return None if at is None else at + seconds
