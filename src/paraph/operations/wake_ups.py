"""Wakes background work when it is due, so that an idle process does next to nothing.

The due times are read after each write of this process and whenever another one announces work. In
between, this task sleeps until the next of them. Work within this process that cannot wait has
signals of its own, such as `Inbox.arrived`.

Announcements may be lost, and a process that ends announces nothing. So the due times are also read
every POLL_SECONDS. Where no announcements arrive (SQLite, behind a pooler), the version of the
database is compared once a second instead: it changes with the commit of any process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from paraph.errors import ParaphError
from paraph.lifecycle.context import Context
from paraph.logs import get_logger
from paraph.storage.hot_reads.due_times import DueTimes

# The due times are read at most once in this time, and due work is woken again after it.
TICK_SECONDS = 1.0
POLL_SECONDS = 30.0

_log = get_logger("service")

DueOf = Callable[[DueTimes], int | None]


class WakeUps:
    """Compares the due times with the clock.

    Args:
        context: the store and the clock.
        replica_id: the replica whose last report is among the due times.
    """

    def __init__(self, context: Context, replica_id: str) -> None:
        self._context = context
        self._replica_id = replica_id
        self._version: object = None
        self._times: DueTimes | None = None
        self._read_at = 0.0
        self._was_due = False
        self._failure = ""
        self._wanted: list[tuple[DueOf, asyncio.Event]] = []
        self._heard = asyncio.Event()

    def wake(self, signal: asyncio.Event, due: DueOf) -> asyncio.Event:
        """Set a signal when its work is due, and each second until it is done; return the signal.

        Args:
            signal: the signal.
            due: returns epoch seconds, or None if there is no work.
        """
        self._wanted.append((due, signal))
        # It may be due already.
        self._heard.set()
        return signal

    async def run(self) -> None:
        """Wake work until cancelled."""
        self._context.store.listen(self._heard.set)
        try:
            while True:
                await self._look_and_wait()
        finally:
            self._context.store.listen(None)

    async def _look_and_wait(self) -> None:
        try:
            await self.look()
        except ParaphError as error:
            self._wake_all(error.code, error.detail)
        except Exception as error:  # noqa: BLE001 - Without this task no work would be done.
            self._wake_all("unexpected", type(error).__name__)
        else:
            self._failure = ""
            await self._wait()
            return
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
        may_have_changed = await self._may_have_changed()
        if self._times is None or may_have_changed:
            # Cleared and compared before: a commit during this read is seen again.
            self._heard.clear()
            self._times = await self._context.store.read_due_times(self._replica_id)
            self._read_at = asyncio.get_running_loop().time()
        now = self._context.now()
        self._was_due = False
        for due, signal in self._wanted:
            at = due(self._times)
            if at is not None and at <= now:
                signal.set()
                self._was_due = True

    async def _may_have_changed(self) -> bool:
        store = self._context.store
        if store.hears_others:
            waited = asyncio.get_running_loop().time() - self._read_at
            # Due work may have been done since, by another service too.
            return self._heard.is_set() or self._was_due or waited >= POLL_SECONDS
        before, self._version = self._version, await store.read_version()
        return self._heard.is_set() or before != self._version

    async def _wait(self) -> None:
        """Wait until work is due, a write was heard of, or it is time to look for one."""
        try:
            async with asyncio.timeout(self.seconds_to_next()):
                await self._heard.wait()
        except TimeoutError:
            return
        since = asyncio.get_running_loop().time() - self._read_at
        await asyncio.sleep(max(0.0, TICK_SECONDS - since))

    def seconds_to_next(self) -> float:
        """Return the seconds to wait for a write before the next look."""
        store = self._context.store
        if self._times is None or store.is_failing or not store.hears_others:
            return TICK_SECONDS
        next_at = earliest(*(due(self._times) for due, _ in self._wanted))
        if next_at is None:
            return POLL_SECONDS
        # Work that is due already has been woken, and is woken again while it is not done.
        left = next_at - self._context.clock()
        return min(left, POLL_SECONDS) if left > 0 else TICK_SECONDS


def earliest(*times: int | None) -> int | None:
    """Return the earliest of some times, or None for no time at all."""
    return min((one for one in times if one is not None), default=None)


def after(at: int | None, seconds: int) -> int | None:
    """Return a time that is some seconds later; None stays None."""
    return None if at is None else at + seconds
