"""Logs outgoing requests that got no response."""

from __future__ import annotations

import asyncio
from collections import Counter

from paraph.errors import TransportError
from paraph.logs import get_logger

LOG_SECONDS = 10.0

_log = get_logger("outgoing")


class FailureLog:
    """Writes one line for each destination and cause, at most every `LOG_SECONDS`.

    A destination that is down fails hundreds of requests a second. Each line states the number of
    failures since the previous line.

    Attributes:
        by_cause: the number of failures of each cause.
    """

    def __init__(self) -> None:
        self.by_cause: Counter[str] = Counter()
        self._since_line: Counter[tuple[str, str]] = Counter()
        self._logged_at: dict[tuple[str, str], float] = {}

    def note(self, error: TransportError, *, peer: str) -> None:
        """Count a failure, and log it if its last line is old enough.

        Args:
            error: the failure; its text holds nothing secret.
            peer: the origin of the request.
        """
        kind = (peer, error.cause)
        self._since_line[kind] += 1
        self.by_cause[str(error.cause)] += 1
        now = asyncio.get_running_loop().time()
        if kind in self._logged_at and now - self._logged_at[kind] < LOG_SECONDS:
            return
        self._logged_at[kind] = now
        _log.warning(
            "outgoing.failed",
            peer=peer,
            cause=str(error.cause),
            why=error.detail,
            remedy=error.remedy,
            failures=self._since_line.pop(kind),
        )
