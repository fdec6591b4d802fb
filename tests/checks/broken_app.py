"""Apps that no case can be run on: `python broken_app.py KIND PORT`."""

from __future__ import annotations

import socket
import sys
import threading
import time

KINDS = {
    "garbage": b"\x00\xffnothing like HTTP\r\n\r\n",
    "huge": b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n",
    "silent": b"",
}


def response(connection: socket.socket, kind: str) -> None:
    """Send the same bytes to every connection."""
    with connection:
        try:
            connection.recv(4096)
            connection.sendall(KINDS[kind])
            for _ in range(50 if kind == "huge" else 0):
                connection.sendall(b"x" * 1_000_000)
            if kind == "silent":
                time.sleep(60)
        except OSError:
            return


def main(kind: str, port: int) -> None:
    """Serve until killed; "dying" ends at once."""
    if kind == "dying":
        sys.exit(3)
    server = socket.create_server(("127.0.0.1", port))
    while True:
        connection, _ = server.accept()
        threading.Thread(target=response, args=(connection, kind), daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
