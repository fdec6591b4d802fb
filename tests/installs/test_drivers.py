"""The two drivers on real sockets: Zoom is simulated, or a socket that misbehaves."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.cookies import SimpleCookie

import httpx
import pytest

from installs.install_kit import SEALING_KEY, UsedStates
from paraph import installs
from paraph.errors import TransportError
from paraph.installs import InstallFlow
from paraph.outgoing.failure import Cause
from paraph.simulator.running import SimulatedZoom
from ports import reserve_ports


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> float:
    """A timeout that a test can wait for."""
    monkeypatch.setattr("paraph.installs.app._TIMEOUTS", (0.1, 60.0))
    return 0.3


@pytest.fixture(scope="module")
def zoom() -> Iterator[SimulatedZoom]:
    """A simulated Zoom for the tests of this file."""
    with SimulatedZoom() as running:
        yield running


def flow_at(url: str, **more: object) -> InstallFlow:
    """A flow of the simulated app."""
    arguments = {
        "client_id": "MbK0lSJlRLmjSpCCOlFoXQ",
        "client_secret": "k3Jf8sLq2Wx9Zr5Tb7Yh",
        "redirect_uri": "http://127.0.0.1:8000/oauth/redirect",
        "sealing_key": SEALING_KEY,
        "use_state": UsedStates().use,
        "authorization_server": url,
        "api_servers": [url],
    }
    return InstallFlow(**{**arguments, **more})  # type: ignore[arg-type]  # Any argument may be spoiled.


@pytest.mark.parametrize("way", ["finish", "afinish"])
def test_an_install_refreshed_and_revoked(zoom: SimulatedZoom, way: str) -> None:
    """A whole install, a refresh and a revocation at the simulated Zoom, both ways."""
    zoom.reset()
    zoom.consent("approve")
    app = zoom.app
    flow = flow_at(
        zoom.url,
        client_id=app.client_id,
        client_secret=app.client_secret,
        redirect_uri=app.redirect_uris[0],
        required_scopes=["user:read:user"],
    )
    begun = flow.start("acct_42")
    returned = httpx.get(begun.location).headers["location"]
    cookie = SimpleCookie(begun.set_cookie).output(header="", attrs=[]).strip()

    if way == "finish":
        result = flow.finish(returned, cookie)
        tokens = flow.refresh(result.tokens.refresh_token or "")
        flow.revoke(tokens.access_token)
        with pytest.raises(installs.InvalidGrant):
            flow.refresh(tokens.refresh_token or "")
    else:

        async def story() -> installs.InstallResult:
            result = await flow.afinish(returned, cookie)
            tokens = await flow.arefresh(result.tokens.refresh_token or "")
            owner = await flow.aowner_of(tokens)
            assert zoom.user.id == owner.user_id
            await flow.arevoke(tokens.access_token)
            return result

        result = asyncio.run(story())
    assert (zoom.user.id, zoom.user.account_id) == (result.user_id, result.account_id)
    assert [] == zoom.grants()


def refreshed(flow: InstallFlow, way: str) -> installs.Tokens:
    """Refresh, waiting or awaiting."""
    if way == "refresh":
        return flow.refresh("refresh-of-jane")
    return asyncio.run(flow.arefresh("refresh-of-jane"))


@contextmanager
def misbehaving(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server whose connections are served by a function; its origin."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with suppress(OSError), connection:
                serve(connection)
                # Closed at once, unread bytes of the request would reset the connection.
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def dripping(connection: socket.socket) -> None:
    """Send a header byte by byte, each well within the timeout of one read."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
    while True:
        connection.sendall(b"y")
        time.sleep(0.05)


@pytest.mark.parametrize("way", ["refresh", "arefresh"])
def test_one_deadline_covers_the_whole_request(way: str, short: float) -> None:
    """A server that sends a byte now and then holds no thread and no task."""
    with misbehaving(dripping) as url:
        flow = flow_at(url, timeout=short)
        started = time.monotonic()
        with pytest.raises(TransportError) as caught:
            refreshed(flow, way)
    assert Cause.READ_TIMEOUT == caught.value.cause
    assert time.monotonic() - started < 5


def redirecting(connection: socket.socket) -> None:
    """Redirect the token request to another server."""
    connection.recv(65536)
    connection.sendall(
        b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\n"
        b"content-length: 0\r\n\r\n"
    )


def oversized(connection: socket.socket) -> None:
    """Send more than a response of the protocol may have."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n" + b"x" * 2_000_000)


def compressed(connection: socket.socket) -> None:
    """Send a compressed body, although none was asked for."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}")


@pytest.mark.parametrize(
    ("serve", "cause"),
    [
        (redirecting, Cause.REDIRECT),
        (oversized, Cause.RESPONSE_TOO_LARGE),
        (compressed, Cause.RESPONSE_COMPRESSED),
    ],
)
@pytest.mark.parametrize("way", ["refresh", "arefresh"])
def test_unsafe_responses_are_refused(
    serve: Callable[[socket.socket], None], cause: Cause, way: str
) -> None:
    """Redirects, compressed and oversized responses: the same refusals as in the service."""
    with misbehaving(serve) as url, pytest.raises(TransportError) as caught:
        refreshed(flow_at(url), way)
    assert cause == caught.value.cause


@pytest.mark.parametrize("way", ["refresh", "arefresh"])
def test_nothing_listens(way: str) -> None:
    """A refused connection has its own cause."""
    (port,) = reserve_ports(1)
    flow = flow_at(f"http://127.0.0.1:{port}")
    with pytest.raises(TransportError) as caught:
        refreshed(flow, way)
    assert Cause.CONNECTION_REFUSED == caught.value.cause


def test_a_slow_store_is_not_waited_for(short: float) -> None:
    """An asynchronous store that does not answer within the timeout stops the install."""

    async def use_state(_hash: str, _expires_at: int) -> bool:
        await asyncio.Event().wait()
        return True

    flow = flow_at("http://127.0.0.1:9", use_state=use_state, timeout=short)
    begun = flow.start("acct_42")
    state = httpx.URL(begun.location).params["state"]
    cookie = begun.set_cookie.partition(";")[0]
    with pytest.raises(installs.StateStoreUnavailable):
        asyncio.run(flow.afinish(f"/?code=c&state={state}", cookie))
