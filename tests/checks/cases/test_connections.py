"""Requests to upgrade, and their answers."""

from __future__ import annotations

import pytest

from paraph.checks.cases.connections import UPGRADES, answered_twice, upgrade

INNER = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize("protocol", list(UPGRADES))
def test_the_inner_request_is_the_body_of_the_outer_one(protocol: str) -> None:
    """A server that reads the declared body finds no second request."""
    head, body = upgrade("http://127.0.0.1:1/a", "GET", protocol, INNER, chunked=False)
    assert head.endswith(b"\r\n\r\n")
    assert f"content-length: {len(body)}\r\n".encode() in head
    assert INNER == body

    head, body = upgrade("http://127.0.0.1:1/a", "POST", protocol, INNER, chunked=True)
    assert b"transfer-encoding: chunked\r\n" in head
    size, _, rest = body.partition(b"\r\n")
    assert INNER + b"\r\n0\r\n\r\n" == rest
    assert len(INNER) == int(size, 16)


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (b"", False),
        (b"HTTP/1.1 200 OK\r\n", False),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 200 OK\r\n", False),
        (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 400 Bad Request\r\n", False),
        (b"HTTP/1.1 404 Not Found\r\n\r\nHTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.1 303 See Other\r\n\r\nHTTP/1.1 401 Unauthorized\r\n", True),
    ],
)
def test_a_second_answer_is_told_from_a_refusal(received: bytes, *, expected: bool) -> None:
    """Only an answer to the inner request shows that it was run."""
    assert expected is answered_twice(received)
