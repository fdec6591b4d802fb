"""The database's clock, used by every replica."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from paraph.errors import StorageError
from paraph.lifecycle.shared_clock import SharedClock
from paraph.storage.database import open_store
from storage import sample

pytestmark = pytest.mark.anyio


class Server:
    """A store whose clock a test sets."""

    def __init__(self) -> None:
        self.time: float | None = None
        self.is_away = False

    async def read_clock(self) -> float | None:
        """The time of the server."""
        if self.is_away:
            raise StorageError
        return self.time


async def compared(clock: SharedClock, server: Any) -> float:
    """The time after a comparison."""
    await clock.compare(server)
    return clock()


async def test_the_difference_is_corrected_and_followed() -> None:
    """Ahead or behind, and right again: the time is the server's."""
    server = Server()
    clock = SharedClock(lambda: 1000.0, system=lambda: 1000.0)
    for there in (1090.0, 910.0, 1000.0):
        server.time = there
        assert there == await compared(clock, server)


async def test_noise_is_no_difference() -> None:
    """The time that a question takes does not make the clock tremble."""
    server = Server()
    clock = SharedClock(lambda: 1000.0, system=lambda: 1000.0)
    for there in (1000.4, 999.7):
        server.time = there
        assert 1000.0 == await compared(clock, server)


async def test_without_a_response_the_last_difference_stands() -> None:
    """A server that is away, or answers too slowly to be believed, changes nothing."""
    server = Server()
    system = iter([1000.0, 1000.0, 1000.0, 1000.0, 1005.0])
    clock = SharedClock(lambda: 1000.0, system=lambda: next(system))
    server.time = 1090.0
    await clock.compare(server)  # type: ignore[arg-type]
    server.is_away = True
    assert 1090.0 == await compared(clock, server)
    server.is_away, server.time = False, 2000.0
    assert 1090.0 == await compared(clock, server)


async def test_a_clock_that_was_moved_on_purpose_stays_moved() -> None:
    """The machine's clock is compared, so that a test's clock is not corrected away."""
    server = Server()
    server.time = 1000.0
    clock = SharedClock(lambda: 1660.0, system=lambda: 1000.0)
    assert 1660.0 == await compared(clock, server)


async def test_each_kind_of_store_tells_its_clock(database_url: str) -> None:
    """A server tells its time; SQLite has the machine's."""
    store = await open_store(database_url, sample.ring(), randomness=os.urandom)
    there = await store.read_clock()
    await store.close()
    if database_url.startswith("sqlite"):
        assert there is None
    else:
        assert there is not None
        assert abs(there - time.time()) < 5
