"""Hears of commits, so that background work need not ask the database every second.

A service is told of its own writes by `Database.listen`. A process without background work, such as
a command, announces its writes to every service, after their commit. Nothing depends on an
announcement that is lost or refused: a service also reads its due times at intervals
(`operations.wake_ups`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Heard = Callable[[], None]


class CommitListener(Protocol):
    """Announces commits, and hears of those of other processes."""

    @property
    def is_listening(self) -> bool:
        """True while announcements of other processes arrive."""

    def listen(self, heard: Heard | None) -> None:
        """Call `heard` for each announcement, from the next read of the due times on."""

    @property
    def failed(self) -> int:
        """The number of announcements that were refused, or not sent."""

    async def announce(self) -> None:
        """Wake the other services that listen. A failure raises nothing."""


class NoCommitListener:
    """SQLite: a process that writes cannot reach the others.

    They read the version of the file once a second, which costs microseconds.
    """

    is_listening = False
    failed = 0

    def listen(self, heard: Heard | None) -> None:
        """See `CommitListener`."""

    async def announce(self) -> None:
        """See `CommitListener`."""
