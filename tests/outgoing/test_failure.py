"""Causes of direct connections that fail, the same words for every way out."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from outgoing.conftest import Authority
from outgoing.doors import DOORS, SECRET, Door, Way, peer
from paraph.lifecycle.context import Context
from paraph.outgoing.failure import Cause, cause_of, failure
from ports import reserve_ports

pytestmark = pytest.mark.anyio

every_door = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port that answers no connection: its queue is full."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(server.getsockname())
            waiting.append(one)
        yield server.getsockname()[1]
        for one in waiting:
            one.close()


@every_door
async def test_connections_that_are_not_made(door: Door, context: Context) -> None:
    """A refused connection, an unknown name, and a connection that takes too long."""
    with full_backlog() as port:
        for host, cause, seconds in (
            (f"127.0.0.1:{reserve_ports(1)[0]}", Cause.CONNECTION_REFUSED, 20),
            (f"localhost:{reserve_ports(1)[0]}", Cause.CONNECTION_REFUSED, 20),
            ("nowhere.invalid", Cause.NAME_NOT_RESOLVED, 20),
            (f"127.0.0.1:{port}", Cause.CONNECT_TIMEOUT, 0.5),
        ):
            found = await door(context, f"https://{host}", Way(), seconds)
            assert cause == found.cause, (host, found)
            assert host in found.text
            assert "outgoing_proxy" in found.remedy
            assert SECRET not in found.text


@every_door
async def test_certificates_that_are_refused(
    door: Door, context: Context, authority: Authority
) -> None:
    """Each reason has a cause of its own, and no byte of the request is sent."""
    for name, days, trusted, cause in (
        ("127.0.0.1", 1, True, ""),
        ("127.0.0.1", 1, False, Cause.CERTIFICATE_UNTRUSTED),
        ("127.0.0.2", 1, True, Cause.CERTIFICATE_WRONG_NAME),
        ("localhost", 1, True, Cause.CERTIFICATE_WRONG_NAME),
        ("127.0.0.1", -1, True, Cause.CERTIFICATE_EXPIRED),
    ):
        async with peer(authority.tls(name, days=days)) as server:
            way = Way(ca_file=authority.file if trusted else "")
            found = await door(context, f"https://127.0.0.1:{server.port}", way, 5)
        assert (cause, 0 if cause else 1) == (found.cause, len(server.lines)), (name, found)


@every_door
async def test_a_port_without_tls_and_a_response_that_is_none(
    door: Door, context: Context, authority: Authority
) -> None:
    """Plain http behind https, silence, an end too early, and something that is not HTTP."""
    async with peer() as server:
        found = await door(context, f"https://127.0.0.1:{server.port}", Way(), 0.4)
        assert found.cause in {Cause.TLS_FAILED, Cause.CONNECT_TIMEOUT}, found
    # A slow machine may need longer than a short timeout for the connection alone.
    for seconds in (0.4, 3, 20):
        async with peer(authority.tls("127.0.0.1"), answer=None) as server:
            way = Way(ca_file=authority.file)
            found = await door(context, f"https://127.0.0.1:{server.port}", way, seconds)
        if found.cause is not Cause.CONNECT_TIMEOUT:
            break
    assert Cause.READ_TIMEOUT == found.cause, found
    for answer in (
        b" ",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort",
    ):
        async with peer(authority.tls("127.0.0.1"), answer=answer) as server:
            way = Way(ca_file=authority.file)
            found = await door(context, f"https://127.0.0.1:{server.port}", way, 20)
        assert Cause.RESPONSE_INCOMPLETE == found.cause, (answer, found)


def test_every_cause_has_words() -> None:
    """A detail that names the peer or the proxy, a remedy, and nothing unfilled in either."""
    for cause in Cause:
        error = failure(cause, peer="https://zoom.us", proxy="http://p:1", seconds=2, extra="x")
        assert cause == error.cause
        assert "https://zoom.us" in error.detail or "http://p:1" in error.detail
        assert not any(mark in error.detail + error.remedy for mark in "{}")


def test_the_system_below_any_library_is_read() -> None:
    """The innermost error counts, also in a group and behind an error that was raised from None."""
    inner = OSError(errno.ENETUNREACH, "x")
    outer = RuntimeError("the library's")
    outer.__cause__ = ExceptionGroup("several", [ValueError(), inner])
    assert Cause.UNREACHABLE == cause_of(outer, proxied=False, tls=True)[0]
    assert Cause.PROXY_UNREACHABLE == cause_of(outer, proxied=True, tls=True)[0]
    hidden = RuntimeError("the library's")
    hidden.__context__ = ssl.SSLError(errno.EPERM, "a number of OpenSSL's")
    assert Cause.TLS_FAILED == cause_of(hidden, proxied=False, tls=True)[0]
    assert Cause.RESPONSE_INCOMPLETE == cause_of(RuntimeError(), proxied=False, tls=False)[0]
