"""The request of a WSGI server: its scope, and its body."""

from __future__ import annotations

import io
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from paraph.integrations.exchange import NoBody
from paraph.integrations.wsgi_request import (
    MOST_BODY_BYTES,
    body_of,
    drain,
    is_plainly_written,
    limited_time,
    scope_of,
)
from paraph.service.loop_thread import LoopThread


def environ(**changes: Any) -> dict[str, Any]:
    """The environment of a POST, as PEP 3333 describes it."""
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/webhook",
        "QUERY_STRING": "",
        "REMOTE_ADDR": "203.0.113.9",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(b""),
        **changes,
    }


def sent(body: bytes, announced: str | None = None) -> dict[str, Any]:
    """A request with a body."""
    length = str(len(body)) if announced is None else announced
    return environ(**{"CONTENT_LENGTH": length, "wsgi.input": io.BytesIO(body)})


def test_a_complete_body_is_read_to_its_announced_length() -> None:
    """Bytes behind the announced length belong to the next request."""
    assert b"abc" == body_of(sent(b"abcdef", "3"))
    assert b"" == body_of(sent(b""))


def test_a_body_that_breaks_off_is_no_body() -> None:
    """Fewer bytes than announced, or an exception of the server while it reads."""

    class Lost:
        def read(self, _most: int) -> bytes:
            raise ConnectionResetError

    assert NoBody.BROKEN_OFF is body_of(sent(b"abc", "10"))
    assert NoBody.BROKEN_OFF is body_of(environ(**{"CONTENT_LENGTH": "10", "wsgi.input": Lost()}))


@pytest.mark.parametrize("announced", ["x", "-1", "1_0", "٣", " 3", str(MOST_BODY_BYTES), "9" * 99])
def test_an_unreadable_or_excessive_length_reads_nothing(announced: str) -> None:
    """The service refuses such a request by its headers; nothing waits for the sender."""
    stream = io.BytesIO(b"abc")
    assert b"" == body_of(environ(**{"CONTENT_LENGTH": announced, "wsgi.input": stream}))
    assert 0 == stream.tell()


def test_a_body_in_chunks_is_read_where_the_server_ends_it() -> None:
    """Without an announced length the server says whether its stream ends with the body."""
    chunked = {"wsgi.input": io.BytesIO(b"abc"), "wsgi.input_terminated": True}
    assert b"abc" == body_of(environ(**chunked))
    endless = {**chunked, "wsgi.input": io.BytesIO(b"x" * (MOST_BODY_BYTES + 9))}
    assert b"x" * MOST_BODY_BYTES == body_of(environ(**endless))
    assert b"" == body_of(environ(**{"wsgi.input": io.BytesIO(b"abc")}))


def test_only_methods_with_a_body_are_read() -> None:
    """A GET with a body is answered as one without."""
    assert b"" == body_of({**sent(b"abc"), "REQUEST_METHOD": "GET"})


def test_the_scope_names_the_peer_and_what_it_sent() -> None:
    """Headers in lower case, once each; the address is the peer's, whatever a header says."""
    scope = scope_of(
        environ(
            SCRIPT_NAME="/app",
            QUERY_STRING="code=\xff",
            CONTENT_TYPE="application/json",
            CONTENT_LENGTH="",
            HTTP_CONTENT_TYPE="text/html",
            HTTP_X_FORWARDED_FOR="198.51.100.1",
            HTTP_X_ZM_SIGNATURE="v0=a,v0=b",
            HTTP_ODD="\u2603",
        )
    )
    assert ("203.0.113.9", 0) == scope["client"]
    assert "/app/webhook" == scope["path"]
    assert b"code=\xff" == scope["query_string"]
    assert [
        (b"content-type", b"application/json"),
        (b"odd", b"?"),
        (b"x-forwarded-for", b"198.51.100.1"),
        (b"x-zm-signature", b"v0=a,v0=b"),
    ] == sorted(scope["headers"])


def test_a_request_over_a_unix_socket_has_no_peer() -> None:
    """An empty address is none, not a client named by an empty text."""
    assert scope_of(environ(REMOTE_ADDR=""))["client"] is None


@pytest.mark.parametrize("name", ["RAW_URI", "REQUEST_URI"])
def test_a_percent_encoded_path_is_another_one(name: str) -> None:
    """A proxy that limits /webhook does not recognise it; its query may be encoded."""
    assert is_plainly_written(environ(**{name: "/webhook?a=%20"}))
    assert not is_plainly_written(environ(**{name: "/%77ebhook"}))
    assert is_plainly_written(environ())


def test_a_body_that_stalls_ends_after_its_time() -> None:
    """A sender of single bytes does not keep a thread of the server; the response still leaves."""

    @asynccontextmanager
    async def nothing() -> AsyncIterator[None]:
        yield

    thread = LoopThread(nothing)
    thread.start()
    ours, theirs = socket.socketpair()
    request = environ(
        **{
            "CONTENT_LENGTH": "9",
            "wsgi.input": ours.makefile("rb"),
            "gunicorn.socket": ours,
        }
    )
    theirs.sendall(b"abc")
    with limited_time(request, thread.loop, seconds=0.05):
        assert NoBody.BROKEN_OFF is body_of(request)
    drain(request, thread.loop)
    ours.sendall(b"response")
    assert b"response" == theirs.recv(9)
    thread.stop()
    theirs.close()
    request["wsgi.input"].close()
    ours.close()
