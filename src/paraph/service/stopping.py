"""Stops the service: drain, then no new connections, then the end within a stated time.

A load balancer learns from `/readyz` that this process is about to end, and needs seconds for it.
So after SIGTERM readiness becomes 503 at once, and requests are answered as usual for
`drain_seconds`. Each response then ends its connection, so that no proxy keeps one for later.
After that no new connection is accepted, and requests under way end.

Ctrl-C skips the drain: a developer has no load balancer. A second signal ends the process at once,
as does `END_SECONDS` after the drain. Nothing acknowledged is lost: the next start recovers as
after a crash.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable

from paraph.logs import get_logger

# After the drain: requests under way, then events under way.
END_SECONDS = 30.0

_log = get_logger("service")


def end_on_signals() -> None:
    """End the process on SIGTERM and SIGINT, until `Stopping.listen` takes over.

    The first process of a container ignores a signal without a handler. A start that waits for a
    database would go on until it is killed.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _end, 128 + number)


class Stopping:
    """Stops the service on a signal.

    Args:
        drain: called when readiness ends and each response has to end its connection.
        stop: called when no new connection may be accepted; repeated calls must do nothing.
        drain_seconds: seconds between the two on SIGTERM.
    """

    def __init__(
        self, *, drain: Callable[[], None], stop: Callable[[], None], drain_seconds: float
    ) -> None:
        self._drain = drain
        self._stop = stop
        self._drain_seconds = drain_seconds
        self._is_told = False

    def listen(self) -> None:
        """Handle SIGTERM and SIGINT from now on."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.tell, number)

    def tell(self, number: int) -> None:
        """Act on a signal; the second one ends the process at once."""
        if self._is_told:
            _log.warning("service.ended_at_once", signal=signal.Signals(number).name)
            _end(128 + number)
        self._is_told = True
        seconds = self._drain_seconds if number == signal.SIGTERM else 0.0
        _log.info("service.draining", seconds=seconds)
        self._drain()
        loop = asyncio.get_running_loop()
        loop.call_later(seconds + END_SECONDS, self._give_up)
        if seconds:
            loop.call_later(seconds, self._stop)
        else:
            self._stop()

    def _give_up(self) -> None:
        _log.error(
            "service.ended_late",
            seconds=END_SECONDS,
            remedy="Requests or events did not end in time; see docs/how-to/restarts.md.",
        )
        _end(1)


def _end(status: int) -> None:
    """End the process without waiting for anything."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
