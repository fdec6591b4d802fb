"""The addresses of an app that has finished starting, read from its processes."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

# Seconds between two looks at the processes.
_INTERVAL = 0.4
# Seconds in which an app must neither work nor change its addresses to count as started.
_SETTLED_AFTER = 3.0
# The part of one core below which an app waits; servers that watch their files use some of it.
_IDLE = 0.15
_WORKING = {"running", "disk-sleep"}

Address = tuple[str, int]


class StartWatch:
    """Watches the processes of an app that does not respond yet.

    An app that listens and has nothing to do is not starting any more. An app that still works, or
    listens nowhere, may become ready.

    Args:
        process_id: the first process of the app; None if the check did not start it.
        url: the URL at which the app is expected.
        others: further ports that the app was given; it may listen on them first.
    """

    def __init__(self, process_id: int | None, url: str, others: Collection[int] = ()) -> None:
        expected = urlsplit(url)
        self._port = expected.port
        self._is_ipv4 = expected.hostname == "127.0.0.1"
        self._process_id = process_id
        self._others: set[int | None] = set(others)
        self._looked_at = self._since = 0.0
        self._used = 0.0
        self._seen: list[Address] = []
        self._is_here = False

    def settled(self, now: float) -> list[Address]:
        """Return the other addresses of the app once it has finished starting; until then [].

        Args:
            now: seconds of a monotonic clock.
        """
        looked = self._look(now)
        return self._seen if looked and now - self._since >= _SETTLED_AFTER else []

    def idle_seconds(self, now: float) -> float:
        """Return for how long the app has listened at the expected address and done nothing.

        Args:
            now: seconds of a monotonic clock.
        """
        self._look(now)
        return now - self._since if self._is_here else 0.0

    def _look(self, now: float) -> bool:
        """Look at the processes, unless that was done a moment ago; return True if it was done."""
        elapsed = now - self._looked_at
        if self._process_id is None or elapsed < _INTERVAL:
            return False
        found, used, is_working = _processes(self._process_id)
        is_here = any(port == self._port and self._reaches(address) for address, port in found)
        seen = [] if is_here else self._elsewhere(found)
        rests = not is_working and used - self._used < _IDLE * elapsed
        if (seen, is_here) != (self._seen, self._is_here) or not rests:
            self._since = now
        self._looked_at, self._used = now, used
        self._seen, self._is_here = seen, is_here
        return True

    def _elsewhere(self, found: Collection[Address]) -> list[Address]:
        """Return the addresses that are not expected."""
        # An expected port that the app was not given is a mistake, and its own one shows that.
        known = self._others if self._port in self._others else set()
        return sorted(
            {
                (_destination(one), port)
                for one, port in found
                if port == self._port or port not in known
            }
        )

    def _reaches(self, address: str) -> bool:
        """Return True if a connection to the expected host may arrive at `address`."""
        listens = ipaddress.ip_address(address)
        return listens.is_unspecified or listens.version == 4 or not self._is_ipv4


def _destination(address: str) -> str:
    """Return the host of a URL that leads to a socket that listens on `address`."""
    listens = ipaddress.ip_address(address)
    if listens.version == 4:
        return "127.0.0.1" if listens.is_unspecified else address
    return "[::1]" if listens.is_unspecified else f"[{address}]"


def _processes(process_id: int) -> tuple[set[Address], float, bool]:
    """Return the addresses, the CPU seconds and the activity of a process and its children."""
    import psutil  # type: ignore[import-untyped]  # Its stubs are a package of their own.

    addresses: set[Address] = set()
    used, is_working = 0.0, False
    try:
        first = psutil.Process(process_id)
        family: list[Any] = [first, *first.children(recursive=True)]
    except psutil.Error:
        return addresses, used, True
    for one in family:
        try:
            times = one.cpu_times()
            used += times.user + times.system
            is_working = is_working or one.status() in _WORKING
            for connection in one.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    addresses.add((str(connection.laddr.ip), int(connection.laddr.port)))
        except psutil.Error:
            # It has ended, or belongs to another user: what it does is unknown.
            is_working = True
    return addresses, used, is_working
