"""Single requests, and bytes over a bare socket."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from paraph.checks.harness.http.sender import Sender


@contextmanager
def server(*responses: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that sends one response for each three bytes that it receives."""
    received: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            for response in responses:
                received.append(connection.recv(3))
                connection.sendall(response)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", received
        thread.join(10)


def sender() -> Sender:
    """A client whose exchanges are not recorded."""
    return Sender("", lambda _response: None)


EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


def test_raw_bytes_are_sent_in_pieces() -> None:
    """The second piece is sent after the pause."""
    with server(b"HTTP/1.1 200 OK\r\n", b"content-length: 0\r\n\r\n") as (url, received):
        response = sender().raw(url, b"one", b"two", pause=0.05)
    assert [b"one", b"two"] == received
    assert 200 == response.status
    assert response.seconds >= 0.05


def test_all_responses_are_read_on_demand() -> None:
    """With `whole` a second response follows the first body; without it only one is read."""
    with server(EMPTY, EMPTY) as (url, _):
        assert EMPTY == sender().raw(url, b"one", b"two", pause=0.05, whole=True).body
    with server(EMPTY) as (url, _):
        assert b"" == sender().raw(url, b"one").body


def test_a_narrow_connection_is_not_made_to_another_machine() -> None:
    """The reach of a sender holds for its bare connections as well."""
    with pytest.raises(OSError, match="not this machine"):
        sender().connect("http://192.0.2.1/", narrow=True)


def test_a_narrow_connection_announces_a_small_window() -> None:
    """The receive buffer is small, so the server's writes block after a few kilobytes."""
    with server(EMPTY) as (url, _), sender().connect(url, narrow=True) as connection:
        window = connection.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        connection.sendall(b"x")
    assert window < 65536


def _reset(connection: socket.socket) -> None:
    """Close a connection so that its peer sees a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize(("kept", "statuses"), [(True, [200, 200]), (False, [0])])
def test_only_a_request_on_a_kept_connection_is_sent_again(
    *, kept: bool, statuses: list[int]
) -> None:
    """A server may close a kept connection at any time; a reset of a new one is an observation."""

    def serve() -> None:
        first, _ = listener.accept()
        first.recv(4096)
        if kept:
            first.sendall(EMPTY)
            first.recv(4096)
        _reset(first)
        if kept:
            second, _ = listener.accept()
            with second:
                second.recv(4096)
                second.sendall(EMPTY)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        client = sender()
        assert statuses == [client.send("GET", url).status for _ in statuses]
        client.close()
        thread.join(10)
