"""Closes a listening socket without losing a connection that its peer believes to be open.

The system completes connections by itself and queues them. Connections in the queue are reset when
the listening socket is closed, and their requests are lost: a proxy may not repeat a POST that it
has sent. On Linux a packet filter on the socket first drops requests for new connections.
All connections completed before are then accepted. A peer whose request was dropped repeats it
after a second, finds the port closed and goes to another replica; it has sent nothing yet.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
from collections.abc import Iterable

# linux/filter.h and asm-generic/socket.h
_SO_ATTACH_FILTER = 26
_FLAGS_OF_TCP_HEADER, _SYN, _SYN_AND_ACK = 13, 0x02, 0x12
_DROP, _KEEP = 0, 0xFFFFFFFF
_PROGRAM = (
    (0x30, 0, 0, _FLAGS_OF_TCP_HEADER),  # Load a byte.
    (0x54, 0, 0, _SYN_AND_ACK),  # Mask it.
    (0x15, 0, 1, _SYN),  # Is SYN set, and ACK not?
    (0x06, 0, 0, _DROP),
    (0x06, 0, 0, _KEEP),
)


def accept_no_more(sockets: Iterable[socket.socket]) -> bool:
    """Stop completing connections on listening sockets; completed ones can still be accepted.

    Args:
        sockets: listening TCP sockets, which will be closed soon.

    Returns:
        False if the system has no such filter: connections of the last moment may be reset.
    """
    if not sys.platform.startswith("linux"):
        return False
    code = b"".join(struct.pack("HBBI", *one) for one in _PROGRAM)
    held = ctypes.create_string_buffer(code, len(code))
    argument = struct.pack("HL", len(_PROGRAM), ctypes.addressof(held))
    try:
        for one in sockets:
            # The sockets of uvloop have no `setsockopt`.
            with socket.socket(fileno=os.dup(one.fileno())) as same:
                same.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, argument)
    except OSError:
        return False
    return True
