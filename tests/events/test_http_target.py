"""What leaves for the host, and what of its conduct is borne: against a host on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
import trustme
from msgspec.structs import replace
from standardwebhooks import Webhook

from paraph.errors import PeerUnavailable, TransportError
from paraph.events import http_target
from paraph.events.http_target import MOST_READ_BYTES, Forwarder
from paraph.events.recipients import Recipients
from paraph.lifecycle.context import Context
from paraph.model.installation import Recipient
from paraph.outgoing.failure import Cause
from paraph.outgoing.route import DIRECT, OutgoingRoute
from paraph.secret import Secret
from paraph.zoom.concerned_users import Selection
from storage import sample

pytestmark = pytest.mark.anyio

NEW, OLD = Secret("a-new-forwarding-key-4jT8"), Secret("an-old-forwarding-key-9sW")
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
EVENT = sample.event(body=b'{"event": "meeting.ended",  "payload": {}}', attempts=1)
CONCERNED = Recipients(
    (Recipient("link-1", "subject-1", "user-1", sample.ACCOUNT),), Selection.USERS, ("user-1",)
)


@dataclass
class Request:
    """One request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


Conduct = Callable[["Host", asyncio.StreamWriter], Awaitable[None]]


async def well(host: Host, writer: asyncio.StreamWriter) -> None:
    """204, and the connection stays."""
    del host
    writer.write(NO_CONTENT)


@dataclass
class Host:
    """Notes what it is posted, and then does as it likes."""

    conduct: Conduct = well
    requests: list[Request] = field(default_factory=list)
    connections: list[asyncio.StreamWriter] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                line, *rest = head.split("\r\n")
                pairs = (one.partition(": ") for one in rest if one)
                headers = {name.lower(): value for name, _, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.requests.append(Request(line, headers, body))
                await self.conduct(self, writer)
        writer.close()


@asynccontextmanager
async def listening(host: Host, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Host]:
    """A host on a socket."""
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    host.url = f"http{'s' if tls else ''}://127.0.0.1:{port}/hooks?from=paraph"
    try:
        yield host
    finally:
        server.close()
        for one in host.connections:
            one.close()


@asynccontextmanager
async def forwarding(
    context: Context, url: str, *, deadline: float = 5.0, route: OutgoingRoute = DIRECT
) -> AsyncIterator[Forwarder]:
    """A forwarder with two secrets."""
    forwarder = Forwarder(context, url=url, secrets=[NEW, OLD], deadline=deadline, route=route)
    try:
        yield forwarder
    finally:
        await forwarder.close()


async def test_what_the_host_is_posted(context: Context) -> None:
    """Signed with every secret, the event byte for byte, with the installations it concerns."""
    async with listening(Host()) as host, forwarding(context, host.url) as forwarder:
        trace = f"00-{'a' * 32}-{'b' * 16}-01"
        await forwarder.forward(replace(EVENT, trace=trace), CONCERNED)
        await forwarder.forward(
            sample.event("2", notice=True, name="installation.removed"), Recipients()
        )
    event, notice = host.requests
    assert "POST /hooks?from=paraph HTTP/1.1" == event.line
    assert ("application/json", EVENT.event_id, trace) == (
        event.headers["content-type"],
        event.headers["webhook-id"],
        event.headers["traceparent"],
    )
    for secret in (NEW, OLD):
        Webhook(secret.reveal().encode()).verify(event.body, event.headers)
    content = json.loads(event.body)
    expected = {
        "installations": [
            {
                "id": "link-1",
                "subject": "subject-1",
                "zoom": {"user_id": "user-1", "account_id": sample.ACCOUNT},
            }
        ],
        "selected_by": "concerned_users",
        "concerned_users": ["user-1"],
        "event": json.loads(EVENT.body or b""),
    }
    assert ("zoom.meeting.ended", expected) == (content["type"], content["data"])
    assert EVENT.body is not None and EVENT.body in event.body
    assert ("installation.removed", {"canary-body-2": True}) == (
        json.loads(notice.body)["type"],
        json.loads(notice.body)["data"],
    )
    assert "traceparent" not in notice.headers
    # One connection served both.
    assert 1 == len(host.connections)


async def test_an_event_of_a_notices_name_is_told_apart(context: Context) -> None:
    """Signed with a leaked webhook secret it keeps the prefix of Zoom's events."""
    async with listening(Host()) as host, forwarding(context, host.url) as forwarder:
        for name in ("installation.removed", "zoom.installation.removed"):
            await forwarder.forward(replace(EVENT, name=name), CONCERNED)
    types = [json.loads(one.body)["type"] for one in host.requests]
    assert ["zoom.installation.removed", "zoom.zoom.installation.removed"] == types


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect", "304 Not Modified",
                                    "400 Bad Request", "500 Internal Server Error"])  # fmt: skip
async def test_only_2xx_means_that_the_host_has_it(context: Context, status: str) -> None:
    """Anything else is told by its number; nobody is followed anywhere."""

    async def refuse(host: Host, writer: asyncio.StreamWriter) -> None:
        location = f"location: {host.url}\r\nset-cookie: canary=1\r\n"
        writer.write(f"HTTP/1.1 {status}\r\n{location}content-length: 0\r\n\r\n".encode())

    async with listening(Host(refuse)) as host, forwarding(context, host.url) as forwarder:
        for _ in range(2):
            with pytest.raises(PeerUnavailable) as caught:
                await forwarder.forward(EVENT, CONCERNED)
            assert status.split(maxsplit=1)[0] in caught.value.detail
    assert 2 == len(host.requests)
    # What it wanted remembered was not.
    assert "cookie" not in host.requests[1].headers


async def test_a_connection_that_was_closed_while_idle_costs_no_attempt(context: Context) -> None:
    """A host that closes after each answer, without a word, is handed every event at once."""

    async def close_later(_host: Host, writer: asyncio.StreamWriter) -> None:
        writer.write(NO_CONTENT)
        await writer.drain()
        writer.close()

    async with listening(Host(close_later)) as host, forwarding(context, host.url) as forwarder:
        for number in range(20):
            await forwarder.forward(replace(EVENT, event_id=f"event-{number}"), CONCERNED)
            # At once, a moment later: whenever the end of the connection is noticed.
            await asyncio.sleep(0.002 * (number % 3))
    ids = [one.headers["webhook-id"] for one in host.requests]
    assert [f"event-{number}" for number in range(20)] == list(dict.fromkeys(ids))


async def test_a_connection_that_is_closed_in_that_moment_costs_no_attempt(
    context: Context,
) -> None:
    """Taken while the host hangs up: once more on a new connection, under the same id."""

    async def hang_up(host: Host, writer: asyncio.StreamWriter) -> None:
        # The second request of the first connection is read and not answered.
        if len(host.requests) == 2:
            writer.close()
        else:
            writer.write(NO_CONTENT)

    async with listening(Host(hang_up)) as host, forwarding(context, host.url) as forwarder:
        await forwarder.forward(replace(EVENT, event_id="first"), CONCERNED)
        await forwarder.forward(replace(EVENT, event_id="second"), CONCERNED)
    assert ["first", "second", "second"] == [one.headers["webhook-id"] for one in host.requests]
    assert 2 == len(host.connections)


async def test_a_host_that_always_hangs_up_is_asked_twice_and_no_more(context: Context) -> None:
    """The attempt has failed then, and the error quotes nothing."""

    async def hang_up(_host: Host, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with listening(Host(hang_up)) as host, forwarding(context, host.url) as forwarder:
        with pytest.raises(TransportError) as caught:
            await forwarder.forward(EVENT, CONCERNED)
    assert 2 == len(host.requests)
    assert Cause.RESPONSE_INCOMPLETE == caught.value.cause


async def test_a_host_that_hangs_up_late_is_asked_once(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had the event in hand: what it broke on is not posted again before the store is asked."""
    monkeypatch.setattr(http_target, "MOMENT_SECONDS", 0.05)

    async def break_off(_host: Host, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        writer.close()

    async with listening(Host(break_off)) as host, forwarding(context, host.url) as forwarder:
        with pytest.raises(TransportError):
            await forwarder.forward(EVENT, CONCERNED)
    assert 1 == len(host.requests)


async def test_the_hosts_words_are_in_no_error(context: Context) -> None:
    """An answer that is no HTTP may hold anything; the class of the error says enough."""

    async def babble(_host: Host, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 canary-words-of-the-host\r\n\r\n")

    async with listening(Host(babble)) as host, forwarding(context, host.url) as forwarder:
        with pytest.raises(TransportError) as caught:
            await forwarder.forward(EVENT, CONCERNED)
    assert "canary" not in f"{caught.value.detail} {caught.value!r}"
    assert None is caught.value.__cause__


async def test_a_host_that_does_not_answer_is_given_up(context: Context) -> None:
    """After the deadline, also while a body trickles in; and nothing is posted once more."""

    async def trickle(host: Host, writer: asyncio.StreamWriter) -> None:
        if len(host.requests) == 1:
            await asyncio.sleep(30)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with (
        listening(Host(trickle)) as host,
        forwarding(context, host.url, deadline=0.1) as forwarder,
    ):
        for _ in range(2):
            with pytest.raises(TransportError):
                await forwarder.forward(EVENT, CONCERNED)
    assert 2 == len(host.requests)


async def test_both_posts_have_one_time_together(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second post has only the rest of the time, so the dispatcher's timeout is longer."""
    posts: list[object] = []

    async def slow(_self: Forwarder, session: object, *_request: object) -> int:
        posts.append(session)
        await asyncio.sleep(1.1)
        if len(posts) == 1:
            raise aiohttp.ServerDisconnectedError
        return 204

    monkeypatch.setattr(Forwarder, "_post", slow)
    monkeypatch.setattr("paraph.events.http_target.MOMENT_SECONDS", 60)
    async with forwarding(context, "http://127.0.0.1:9/", deadline=1.0) as forwarder:
        with pytest.raises(TransportError) as caught:
            await forwarder.forward(EVENT, CONCERNED)
    assert (2, Cause.READ_TIMEOUT) == (len(posts), caught.value.cause)


async def test_a_long_answer_is_not_read(context: Context) -> None:
    """The status counts. Of a body without end a little is read, and the connection is let go."""

    async def pour(_host: Host, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        while True:
            writer.write(chunk)
            await writer.drain()

    async with listening(Host(pour)) as host, forwarding(context, host.url) as forwarder:
        await forwarder.forward(EVENT, CONCERNED)
        await forwarder.forward(EVENT, CONCERNED)
    assert 2 == len(host.connections)


async def test_a_short_answer_keeps_the_connection(context: Context) -> None:
    """A body is read, in however many pieces it comes, so that the next event has a connection."""

    async def answer(_host: Host, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n")
        for _ in range(2):
            await writer.drain()
            await asyncio.sleep(0.01)
            writer.write(b"x" * 2000)

    assert 4000 < MOST_READ_BYTES
    async with listening(Host(answer)) as host, forwarding(context, host.url) as forwarder:
        for _ in range(3):
            await forwarder.forward(EVENT, CONCERNED)
    assert 1 == len(host.connections)


async def test_no_proxy_of_the_environment_is_asked(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sets a variable does not see the events."""
    async with listening(Host()) as proxy, listening(Host()) as host:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        async with forwarding(context, host.url) as forwarder:
            await forwarder.forward(EVENT, CONCERNED)
    assert (0, 1) == (len(proxy.connections), len(host.requests))


async def test_tls_is_verified(context: Context, tmp_path: Path) -> None:
    """A host whose certificate nobody vouches for is handed nothing; one that is known, is."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    known = OutgoingRoute(ca_file=str(tmp_path / "ca.pem"))
    async with listening(Host(), tls=server) as host:
        async with forwarding(context, host.url) as forwarder:
            with pytest.raises(TransportError) as caught:
                await forwarder.forward(EVENT, CONCERNED)
        assert (Cause.CERTIFICATE_UNTRUSTED, []) == (caught.value.cause, host.requests)
        async with forwarding(context, host.url, route=known) as forwarder:
            await forwarder.forward(EVENT, CONCERNED)
    assert 1 == len(host.requests)
