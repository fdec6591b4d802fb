"""Answers as a browser shows them, and bytes over a bare socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from paraph.checks.harness.browser import Sender
from paraph.checks.harness.response import Answer


def page(text: str, *headers: tuple[str, str]) -> Answer:
    """An answer with this body."""
    given = list(headers) or [("content-type", "text/html; charset=utf-8")]
    return Answer("GET", "http://app.example/a", 200, given, text.encode())


@contextmanager
def server(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that sends one answer for each three bytes that it receives."""
    received: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            for answer in answers:
                received.append(connection.recv(3))
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", received
        thread.join(10)


def sender() -> Sender:
    """A client whose exchanges are not recorded."""
    return Sender("", lambda _answer: None)


EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


def test_raw_bytes_are_sent_in_pieces() -> None:
    """The second piece is sent after the pause."""
    with server(b"HTTP/1.1 200 OK\r\n", b"content-length: 0\r\n\r\n") as (url, received):
        answer = sender().raw(url, b"one", b"two", pause=0.05)
    assert [b"one", b"two"] == received
    assert 200 == answer.status
    assert answer.seconds >= 0.05


def test_all_answers_are_read_on_demand() -> None:
    """A second answer stands behind the first body, or is not waited for."""
    with server(EMPTY, EMPTY) as (url, _):
        assert EMPTY == sender().raw(url, b"one", b"two", pause=0.05, whole=True).body
    with server(EMPTY) as (url, _):
        assert b"" == sender().raw(url, b"one").body


def test_a_narrow_connection_is_not_made_to_another_machine() -> None:
    """The reach of a sender holds for its bare connections as well."""
    with pytest.raises(OSError, match="not this machine"):
        sender().connect_narrow("http://192.0.2.1/")


def test_a_narrow_connection_announces_a_small_window() -> None:
    """A peer that does not read is felt after a few kilobytes."""
    with server(EMPTY) as (url, _), sender().connect_narrow(url) as connection:
        window = connection.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        connection.sendall(b"x")
    assert window < 65536


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("text/html; charset=utf-8", "plain", True),
        ("application/xhtml+xml", "<p>", True),
        ("", " <b>guessed</b>", True),
        ("", "words", False),
        ("text/plain", "<b>not shown as markup</b>", False),
    ],
)
def test_a_browser_guesses_where_no_type_is_named(kind: str, text: str, *, expected: bool) -> None:
    """So a page without a type can carry scripts."""
    assert expected is page(text, ("content-type", kind)).is_html
