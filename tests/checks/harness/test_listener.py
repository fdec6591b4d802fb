"""The server of the check that runs in a thread."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from starlette.applications import Starlette

from paraph.checks.harness.certificates import CertificateAuthority
from paraph.checks.harness.listener import Listener


def test_an_open_tls_connection_is_no_error_at_the_end(tmp_path: Path) -> None:
    """An attacked app holds its connections open; an exception in the thread, or a leak, fails."""
    authority = CertificateAuthority(tmp_path / "certificates")
    listener = Listener(Starlette(), certificate=authority.issue("localhost"))
    listener.start()
    trusting = ssl.create_default_context(cafile=str(authority.file))
    port = int(listener.url.rsplit(":", 1)[1])
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        trusting.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 404"
        listener.stop()
