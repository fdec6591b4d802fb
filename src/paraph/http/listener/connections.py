"""The connections of one listener: their number, and how long one may make no progress.

When a limit is reached, the connections that have waited longest for their peer are ended, so that
new clients are served whatever others hold open. A connection whose request is being answered is
never ended for another one. Trusted proxies carry the connections of all users: only the total
limit applies to them.

All connections are checked once a second. A connection whose peer does not read its response for
`WRITE_SECONDS` is ended, also after it was closed with bytes left to send.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

try:
    import fcntl
    import termios

    _TELLS_UNSENT = True
except ImportError:  # Not on Windows.
    _TELLS_UNSENT = False

from paraph.http.client_address import counted_address, is_trusted, wider_networks
from paraph.http.forwarded import parse_address
from paraph.logs import get_logger
from paraph.settings.validation import Network

WRITE_SECONDS = 30.0
# Fewer bytes than this in that time are no progress: a peer could read a byte now and then forever.
WRITE_BYTES = 4096
LOG_SECONDS = 10.0
# One /48 may hold as many connections as this many addresses.
_NETWORK_FACTOR = 4

_log = get_logger("service")


class Transport(Protocol):
    """The part of a socket's interface that is used here."""

    def is_closing(self) -> bool:
        """Return true after `close`, perhaps with bytes left to write."""

    def get_write_buffer_size(self) -> int:
        """Return the number of bytes left to write."""

    def get_extra_info(self, name: str) -> Any:
        """Return its `socket`, if there is one."""

    def abort(self) -> None:
        """Close it and drop the unsent bytes."""


class Connection(Protocol):
    """The part of a protocol's interface that is used here.

    Attributes:
        has_received: set when bytes arrive; reset by `Connections`.
        has_written: set when most of the waiting bytes were written; reset by `Connections`.
    """

    has_received: bool
    has_written: bool

    @property
    def client(self) -> tuple[str, int] | None:
        """Return address and port of the peer; None if they are not known."""

    @property
    def transport(self) -> Transport:
        """Return the socket."""

    @property
    def is_write_paused(self) -> bool:
        """Return true while the write buffer is full."""

    @property
    def waits_for_peer(self) -> bool:
        """Return true while the connection can only continue after the peer sends or reads."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The largest number of connections of a listener, in total and for one address."""

    in_all: int = 10_000
    per_address: int = 1024


class _Watched:
    """The record of one connection."""

    __slots__ = ("active_at", "groups", "still_since", "unwritten")

    def __init__(self, groups: Sequence[str], now: float) -> None:
        self.groups = groups
        self.active_at = now
        self.still_since: float | None = None
        self.unwritten = 0


class Connections:
    """All connections of one listener.

    Args:
        limits: the largest numbers of connections.
        trusted: networks whose connections are not limited by address.

    Attributes:
        is_draining: set when the listener is about to end; each response then ends its connection.
        on_first: called when a connection is added to an empty listener.
    """

    def __init__(self, limits: ConnectionLimits, *, trusted: Sequence[Network] = ()) -> None:
        self._limits = limits
        self._trusted = trusted
        self._watched: dict[Connection, _Watched] = {}
        self._groups: dict[str, dict[Connection, None]] = {}
        self._logged_at: float | None = None
        self.ended = 0
        self.is_draining = False
        self.on_first: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        return len(self._watched)

    def add(self, connection: Connection) -> None:
        """Add a new connection. If there are too many, end others or this one."""
        if not self._watched:
            self.on_first()
        now = asyncio.get_running_loop().time()
        watched = self._watched[connection] = _Watched(self._groups_of(connection), now)
        for place, name in enumerate(watched.groups):
            group = self._groups.setdefault(name, {})
            group[connection] = None
            limit = self._limits.per_address * (_NETWORK_FACTOR if place else 1)
            if len(group) > limit:
                self._make_room(group, limit, newest=connection)
        if len(self._watched) > self._limits.in_all:
            self._make_room(self._watched, self._limits.in_all, newest=connection)

    def remove(self, connection: Connection) -> None:
        """Remove a connection; it may have been removed already."""
        watched = self._watched.pop(connection, None)
        if watched is None:
            return
        for name in watched.groups:
            group = self._groups[name]
            del group[connection]
            if not group:
                del self._groups[name]

    def _groups_of(self, connection: Connection) -> tuple[str, ...]:
        address = parse_address(connection.client[0]) if connection.client else None
        if address is None or is_trusted(address, self._trusted):
            return ()
        counted = counted_address(address)
        return (counted, *wider_networks(counted)[-1:])

    def _make_room(
        self, connections: Iterable[Connection], limit: int, *, newest: Connection
    ) -> None:
        """End those that waited longest, several at a time, because finding them scans all."""
        waiting = [one for one in connections if one is not newest and one.waits_for_peer]
        waiting.sort(key=lambda one: self._watched[one].active_at)
        chosen = waiting[: 1 + limit // 16] or [newest]
        for connection in chosen:
            self.remove(connection)
            connection.transport.abort()
        self.ended += len(chosen)
        self._log_limit(limit)

    def _log_limit(self, limit: int) -> None:
        now = asyncio.get_running_loop().time()
        if self._logged_at is not None and now - self._logged_at < LOG_SECONDS:
            return
        self._logged_at = now
        _log.warning(
            "connections.limit_reached",
            limit=limit,
            open=len(self._watched),
            ended=self.ended,
            remedy="Idle connections were closed. If these are connections of your own proxy, name "
            "it in trusted_proxies; for more in all, raise the limit of open files (ulimit -n, "
            "LimitNOFILE= of systemd).",
        )

    def look_after(self, now: float) -> None:
        """Note which connections made progress, and end stalled ones. Called once a second."""
        for connection, watched in list(self._watched.items()):
            if connection.has_received:
                connection.has_received = False
                watched.active_at = now
            transport = connection.transport
            if not (connection.is_write_paused or transport.is_closing()):
                watched.still_since = None
                continue
            unwritten = transport.get_write_buffer_size() + _unsent(transport)
            got_on = connection.has_written or unwritten <= watched.unwritten - WRITE_BYTES
            if watched.still_since is None or got_on:
                watched.still_since, watched.unwritten = now, unwritten
                connection.has_written = False
            elif now - watched.still_since >= WRITE_SECONDS:
                self.remove(connection)
                self.ended += 1
                transport.abort()


def _unsent(transport: Transport) -> int:
    """Return how many bytes the system holds that the peer has not taken.

    The system may hold megabytes and takes more only when a third of them is gone. Without this
    count a slow reader would look like one that does not read.
    """
    connected = transport.get_extra_info("socket")
    if connected is None or not _TELLS_UNSENT:
        return 0
    held = bytearray(4)
    try:
        fcntl.ioctl(connected.fileno(), termios.TIOCOUTQ, held)
    except OSError:
        return 0
    return int.from_bytes(held, sys.byteorder)
