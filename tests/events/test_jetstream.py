"""The stream as an inbox: where it is accepted, and what it survives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import nats
import pytest
import trustme
from nats.js import api

from databases import new_sqlite
from events.inbox_kit import keep, kept, meeting, open_context
from nats_server import NatsServer
from paraph.errors import ConfigurationError, StorageError
from paraph.events.inbox import Inbox
from paraph.events.jetstream import JetStreamInbox, open_jetstream
from paraph.events.stream_setup import StreamUrl
from paraph.lifecycle.context import Context
from paraph.model.event import Outcome
from paraph.outgoing.route import OutgoingRoute
from ports import reserve_ports

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def flushed() -> Iterator[NatsServer]:
    """One server that flushes before it acknowledges."""
    server = NatsServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
async def context(tmp_path: Path) -> AsyncIterator[Context]:
    """A context with one installation, in a file."""
    async with open_context(new_sqlite(tmp_path / "paraph.db")) as opened:
        yield opened


@asynccontextmanager
async def carrying(stream: JetStreamInbox) -> AsyncIterator[None]:
    """Carry the stream into the table for the length of a block."""
    work = asyncio.create_task(stream.carry(Inbox(stream._context)))
    yield
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work


async def until_carried(stream: JetStreamInbox) -> None:
    """Wait until the stream is empty."""
    while True:
        if not await stream.waiting():
            return
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("nats://a:1,b:2,c:3", StreamUrl(("nats://a:1", "nats://b:2", "nats://c:3"), 3, "")),
        ("tls://u:p@a:1?replicas=5", StreamUrl(("tls://u:p@a:1",), 5, "")),
        ("nats://a?replicas=1&monitor=http://a:8", StreamUrl(("nats://a",), 1, "http://a:8")),
    ],
)
def test_the_url_names_servers_replicas_and_monitor(value: str, expected: StreamUrl) -> None:
    """Several servers share one scheme and one user; three replicas unless it says otherwise."""
    assert expected == StreamUrl.parse(value)


@pytest.mark.parametrize(
    "value", ["nats://", "http://a:1", "nats://a?replicas=2", "nats://a?sync=1", "", "canary"]
)
def test_any_other_url_is_refused(value: str) -> None:
    """With words of ours only."""
    with pytest.raises(ConfigurationError) as caught:
        StreamUrl.parse(value)
    assert "canary" not in str(caught.value)


async def test_one_replica_that_does_not_flush_is_refused(context: Context) -> None:
    """It would lose what it acknowledged; the error says what to do."""
    server = NatsServer(flushed=False)
    try:
        await asyncio.to_thread(server.start)
        for url in (server.events_url, server.events_url.partition("&")[0]):
            with pytest.raises(ConfigurationError, match="sync_interval: always"):
                async with open_jetstream(context, url, fresh_seconds=60):
                    raise AssertionError
    finally:
        server.stop()


async def test_three_replicas_need_three_servers(context: Context, flushed: NatsServer) -> None:
    """A single server cannot keep what is asked for, and says so at start."""
    url = f"nats://127.0.0.1:{flushed.ports[0]}"
    flushed.delete_streams()
    with pytest.raises(ConfigurationError, match="replicas > 1 not supported"):
        async with open_jetstream(context, url, fresh_seconds=60):
            raise AssertionError


async def test_a_stream_with_a_private_authority(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ca_file` is trusted; without it, and where nothing listens, a start ends and says why."""
    monkeypatch.setattr("paraph.events.stream_setup.FIRST_CONNECT_SECONDS", 1.0)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    pem = tmp_path / "nats.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
    server = NatsServer(pem=pem)
    known = OutgoingRoute(ca_file=str(tmp_path / "ca.pem"))
    closed = f"tls://user:canary@127.0.0.1:{reserve_ports(1)[0]}"
    try:
        await asyncio.to_thread(server.start)
        url = server.events_url
        async with open_jetstream(context, url, fresh_seconds=60, route=known) as stream:
            assert Outcome.KEPT is await keep(Inbox(context, stream), meeting())
        for address, words, remedy in (
            (url, "not signed by a trusted authority", "ca_file"),
            (closed, "refused the connection", "a server listens there"),
        ):
            with pytest.raises(StorageError, match=words) as caught:
                async with open_jetstream(context, address, fresh_seconds=60):
                    raise AssertionError
            assert remedy in caught.value.remedy
            assert "canary" not in caught.value.detail
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"storage": api.StorageType.MEMORY}, "kept in memory"),
        ({"discard": api.DiscardPolicy.OLD}, "deletes the oldest"),
        ({"max_age": 100.0}, "deletes by age"),
        ({"duplicate_window": 2.0}, "window is too short"),
    ],
)
async def test_a_stream_that_would_lose_or_double_is_refused(
    context: Context, flushed: NatsServer, changes: dict[str, object], words: str
) -> None:
    """Also one that somebody made before us, with each weakness named."""
    flushed.delete_streams()
    async with open_jetstream(context, flushed.events_url, fresh_seconds=60) as made:
        name = made._name
    client = await nats.connect(f"nats://127.0.0.1:{flushed.ports[0]}")
    stream = client.jetstream()
    config = (await stream.stream_info(name)).config
    await stream.delete_stream(name)
    await stream.add_stream(replace(config, **changes))  # type: ignore[arg-type]  # Names and values of the table above.
    await client.close()
    with pytest.raises(ConfigurationError, match=words):
        async with open_jetstream(context, flushed.events_url, fresh_seconds=60):
            raise AssertionError
    flushed.delete_streams()


async def test_bodies_are_sealed_in_the_stream(context: Context, flushed: NatsServer) -> None:
    """What the server writes holds no topic, no account, no name."""
    flushed.delete_streams()
    async with open_jetstream(context, flushed.events_url, fresh_seconds=60) as stream:
        assert Outcome.KEPT is await keep(Inbox(context, stream), meeting())
        assert 1 == await stream.waiting()
        content = flushed.everything()
    assert b"Nats-Msg-Id" in content
    assert b"canary" not in content and b"meeting.ended" not in content


async def test_a_foreign_message_blocks_no_other(context: Context, flushed: NatsServer) -> None:
    """Somebody else's bytes on our subject are put aside; the event behind them is carried."""
    flushed.delete_streams()
    async with open_jetstream(context, flushed.events_url, fresh_seconds=60) as stream:
        client = await nats.connect(f"nats://127.0.0.1:{flushed.ports[0]}")
        await client.jetstream().publish(f"{stream._name}.event", b"forged")
        await client.close()
        await keep(Inbox(context, stream), meeting())
        async with carrying(stream):
            await until_carried(stream)
    assert 1 == len(await kept(context))


async def test_while_the_server_is_away_nothing_is_answered_200(context: Context) -> None:
    """Refused in time while it is down, kept once it is back, and what it had is still there."""
    server = NatsServer()
    try:
        await asyncio.to_thread(server.start)
        async with open_jetstream(context, server.events_url, fresh_seconds=60) as stream:
            inbox = Inbox(context, stream)
            assert Outcome.KEPT is await keep(inbox, meeting("before"))
            server.kill_member(0)
            with pytest.raises(StorageError):
                await keep(inbox, meeting("during"))
            await asyncio.to_thread(server.start)
            while True:
                with suppress(StorageError):
                    await keep(inbox, meeting("after"))
                    break
                await asyncio.sleep(0.1)
            assert Outcome.DUPLICATE is await keep(inbox, meeting("before"))
            async with carrying(stream):
                await until_carried(stream)
    finally:
        server.stop()
    topics = b"".join(one.body or b"" for one in await kept(context))
    assert b"topic-before" in topics and b"topic-after" in topics
    assert len(await kept(context)) in {2, 3}
