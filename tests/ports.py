"""Ports for servers that must keep theirs over a restart, or that cannot take port 0.

Everything else binds port 0 and reads the port back. A port from here belongs to this process
until it ends: a locked file per port keeps other test processes away from it, and it lies below
the range that the system gives to outgoing connections.
"""

from __future__ import annotations

import fcntl
import random
import socket
import tempfile
from pathlib import Path
from typing import IO

_RANGE = range(12_000, 30_000)
_LOCKS = Path(tempfile.gettempdir()) / "paraph-test-ports"
_held: list[IO[bytes]] = []


def reserve_ports(count: int) -> list[int]:
    """Reserve free ports on loopback for the life of this process."""
    _LOCKS.mkdir(exist_ok=True)
    found: list[int] = []
    while len(found) < count:
        port = random.choice(_RANGE)
        lock = (_LOCKS / str(port)).open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        _held.append(lock)
        found.append(port)
    return found
