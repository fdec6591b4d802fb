"""File descriptors: how many this process may have, and how both listeners share them.

The private side, the database, the connections to Zoom and the accept queues have reserved shares
that no flood can use up. The public side is open to everybody and gets the rest.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from paraph.http.listener.connections import LOG_SECONDS, ConnectionLimits
from paraph.logs import get_logger

# The limit used where the system says "unlimited".
_ENOUGH = 65_536
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE})

_log = get_logger("service")


@dataclass(frozen=True, slots=True)
class Shares:
    """The number of connections of each side, and how many may wait to be accepted on each."""

    public: ConnectionLimits
    private: ConnectionLimits
    backlog: int


def raise_limit() -> int:
    """Raise the soft limit of open files to the hard one, as every user may, and return it."""
    try:
        import resource
    except ImportError:  # Windows has no such limit.
        return _ENOUGH
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # macOS refuses more than its own maximum, which it does not report.
        for one in (wanted, 10_240):
            with suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (max(one, soft), hard))
                break
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _ENOUGH if soft == resource.RLIM_INFINITY else soft


def shares_of(limit: int) -> Shares:
    """Divide this many descriptors between the sides."""
    backlog = _between(16, limit // 8, 2048)
    own = _between(32, limit // 4, 512)
    private = _between(16, limit // 8, 2048)
    # All queued connections may be accepted at once, before the first of them is counted.
    public = _between(16, limit - own - private - 2 * backlog, 10_000)
    return Shares(
        ConnectionLimits(public, _between(16, public // 4, 1024)),
        ConnectionLimits(private, private),
        backlog,
    )


def _between(least: int, value: int, most: int) -> int:
    return max(least, min(value, most))


class ExhaustionLog:
    """Logs "too many open files" with its remedy, at most once in an interval.

    asyncio reports the error to its exception handler, stops accepting for a second, and continues.
    uvloop closes connections that it cannot accept and reports nothing. So `probe` opens a file at
    intervals.
    """

    def __init__(self) -> None:
        self._logged_at: float | None = None
        self._before: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None = None

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch the errors of an event loop; all others are handled as before."""
        self._before = loop.get_exception_handler()
        loop.set_exception_handler(self._handle)

    def _handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in _EXHAUSTED:
            self._log(error, loop.time())
        elif self._before is None:
            loop.default_exception_handler(context)
        else:
            self._before(loop, context)

    def probe(self, now: float) -> None:
        """Open a file to see whether one is still available."""
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._log(error, now)

    def _log(self, error: OSError, now: float) -> None:
        if self._logged_at is not None and now - self._logged_at < LOG_SECONDS:
            return
        self._logged_at = now
        _log.error(
            "files.exhausted",
            why=errno.errorcode[error.errno or 0],
            remedy="No further connection or file can be opened: raise the limit of open files "
            "(ulimit -n, LimitNOFILE= of systemd), or limit connections at the proxy.",
        )
