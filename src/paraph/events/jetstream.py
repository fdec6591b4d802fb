"""JetStream as the inbox: a delivery gets its 200 when the stream has stored it.

    events_url = "nats://one:4222,two:4222,three:4222"               three replicas
    events_url = "nats://one:4222?replicas=1&monitor=http://one:8222" one, flushed per message

The stream accepts deliveries while the database is down or slow. A carrier copies them into the
table, in batches of one transaction, and only then acknowledges them to the stream. The table
remains the outbox, with its dead letters, retention and purges. Both recognise duplicates: the
stream by message id for as long as a delivery is fresh, the table for longer.

By default JetStream acknowledges before it flushes. So an acknowledged event survives only if
another server has it too (three replicas), or if the server flushes first
(`sync_interval: always`). A weaker set-up is refused at start. Three replicas lose events if all
their sites lose power within two minutes; to survive that, set both.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import nats
import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext, api
from nats.js.errors import APIError
from nats.js.errors import Error as JetStreamError

from paraph.errors import (
    ConfigurationError,
    EventInvalid,
    ParaphError,
    SealBroken,
    StorageError,
    UnknownEncryptionKey,
)
from paraph.events.drops import DroppedEvents
from paraph.events.inbox import Inbox, reopen_event
from paraph.events.stream_pull import Pull
from paraph.events.stream_setup import CONSUMERS, StreamUrl, connect, prepare
from paraph.lifecycle.context import Context
from paraph.logs import get_logger
from paraph.model.event import EventStatus, KeptEvent, Outcome
from paraph.outgoing.route import DIRECT, OutgoingRoute
from paraph.sealing.key_ring import DAY_SECONDS

PUBLISH_SECONDS = 2.0
RETRY_SECONDS = 1.0
_ENVELOPE_BYTES = 2048
_USE = "stream"

_log = get_logger("jetstream")


class _Envelope(msgspec.Struct, array_like=True):
    """The encrypted content of one message."""

    name: str
    received_at: int
    body: bytes
    account_id: str
    user_id: str
    arrival: int
    trace: str
    # When it was kept as delivered, because the host wants no events; None if it waits.
    handed_on_at: int | None = None
    signed_at: int | None = None


class JetStreamInbox:
    """Stores events in a stream, and runs the carriers that copy them into the table."""

    def __init__(self, context: Context, client: Client, name: str) -> None:
        self._context = context
        self._client = client
        self._name = name
        self._dropped = DroppedEvents()
        self._stream: JetStreamContext = client.jetstream(
            timeout=PUBLISH_SECONDS, publish_async_max_pending=4096
        )

    async def keep_events(self, events: Sequence[KeptEvent], *, client_id: str) -> list[Outcome]:
        """Publish all events at once; return when every one is acknowledged.

        Raises:
            StorageError: an event was not acknowledged in time. The stream may have it even so,
                and then the retry is a duplicate.
        """
        limit = self._client.max_payload - _ENVELOPE_BYTES
        # Too large for the server: these few go straight into the table.
        large = [one for one in events if len(one.body or b"") > limit]
        stored: Sequence[Outcome] = ()
        if large:
            stored = await self._context.store.keep_events(large, client_id=client_id)
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                acks = [await self._publish(one) for one in events if len(one.body or b"") <= limit]
                receipts = await asyncio.gather(*acks)
        except (TimeoutError, nats.errors.Error, JetStreamError, OSError) as error:
            name = type(error).__name__
            raise StorageError(f"the event stream did not accept an event: {name}") from None
        published = (Outcome.DUPLICATE if one.duplicate else Outcome.KEPT for one in receipts)
        rest = iter(stored)
        return [next(published) if len(one.body or b"") <= limit else next(rest) for one in events]

    async def _publish(self, event: KeptEvent) -> asyncio.Future[api.PubAck]:
        envelope = _Envelope(
            event.name,
            event.received_at,
            event.body or b"",
            event.account_id,
            event.user_id,
            event.arrival,
            event.trace,
            event.handed_on_at,
            event.signed_at,
        )
        sealed = self._context.ring.seal(
            _USE,
            msgspec.msgpack.encode(envelope),
            associated_data=self._bound(event.event_id, urgent=event.urgent),
            day=event.received_at // DAY_SECONDS,
        )
        return await self._stream.publish_async(
            f"{self._name}.{CONSUMERS[event.urgent]}",
            sealed,
            headers={"Nats-Msg-Id": event.event_id},
        )

    def _bound(self, event_id: str, *, urgent: bool) -> bytes:
        parts = [self._context.store.database_id, self._name, CONSUMERS[urgent], event_id]
        return "\n".join(parts).encode()

    async def waiting(self) -> int:
        """Return the number of events that are in the stream and not in the table yet."""
        return (await self._stream.stream_info(self._name)).state.messages

    async def carry(self, inbox: Inbox) -> None:
        """Copy urgent and other events into the table until cancelled.

        Args:
            inbox: woken for waiting events, and told which events were dropped.
        """
        self._dropped = inbox.dropped
        async with asyncio.TaskGroup() as tasks:
            for urgent in (True, False):
                tasks.create_task(self._carry(inbox.arrived[urgent], urgent=urgent))

    async def _carry(self, arrived: asyncio.Event, *, urgent: bool) -> None:
        pull = Pull(self._client, self._name, CONSUMERS[urgent])
        try:
            while True:
                await self._carry_some(pull, arrived, urgent=urgent)
        finally:
            await pull.close()

    async def _carry_some(self, pull: Pull, arrived: asyncio.Event, *, urgent: bool) -> None:
        try:
            messages = await pull.fetch()
        except (nats.errors.Error, JetStreamError, OSError) as error:
            _log.warning("stream.interrupted", why=type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)
            return
        try:
            waits = await self._store(messages, urgent=urgent)
        except Exception as error:  # noqa: BLE001 - Whatever failed, the carrier continues.
            # Not acknowledged, so the stream delivers the messages again. Nothing is lost.
            why = error.detail if isinstance(error, ParaphError) else type(error).__name__
            _log.warning("stream.not_carried", count=len(messages), why=why)
            await self._give_back(messages)
            pull.settled()
            await asyncio.sleep(RETRY_SECONDS)
        else:
            pull.settled()
            if waits:
                arrived.set()

    async def _store(self, messages: Sequence[Any], *, urgent: bool) -> bool:
        """Store messages in the table. Return True if any of them waits to be delivered now."""
        opened = []
        for message in messages:
            event = await self._open(message, urgent=urgent)
            if event is not None and not urgent:
                event = await self._read_again(message, event)
            if event is not None:
                opened.append((message, event))
        if not opened:
            return False
        outcomes = await self._context.store.keep_events(
            [event for _, event in opened], client_id=self._context.client.client_id
        )
        for (_, event), outcome in zip(opened, outcomes, strict=True):
            if outcome.is_dropped:
                self._dropped.note(outcome, event_name=event.shown_name, event_id=event.event_id)
        for message, _ in opened:
            # If the acknowledgement is lost the message comes again, and the table knows it.
            with suppress(nats.errors.Error, OSError):
                await message.ack()
        return any(
            event.status is EventStatus.RECEIVED and not outcome.is_dropped
            for (_, event), outcome in zip(opened, outcomes, strict=True)
        )

    async def _open(self, message: Any, *, urgent: bool) -> KeptEvent | None:
        event_id = (message.headers or {}).get("Nats-Msg-Id", "")
        try:
            plain = self._context.ring.open(
                _USE, message.data, associated_data=self._bound(event_id, urgent=urgent)
            )
            one = msgspec.msgpack.decode(plain, type=_Envelope)
        except UnknownEncryptionKey:
            await message.nak(delay=60)
            return None
        except (SealBroken, msgspec.MsgspecError):
            # Not written by paraph: it would return for ever, and must not block the others.
            _log.error("stream.foreign_message", event_id=event_id[:16])
            await message.term()
            return None
        return KeptEvent(
            event_id,
            one.name,
            one.received_at,
            one.body,
            account_id=one.account_id,
            user_id=one.user_id,
            urgent=urgent,
            status=EventStatus.RECEIVED if one.handed_on_at is None else EventStatus.FORWARDED,
            handed_on_at=one.handed_on_at,
            next_attempt_at=one.received_at,
            arrival=one.arrival,
            trace=one.trace,
            signed_at=one.signed_at,
        )

    async def _read_again(self, message: Any, event: KeptEvent) -> KeptEvent | None:
        """Read the users from the body again, as an earlier version may have published it."""
        try:
            return reopen_event(event, self._context)
        except EventInvalid:
            # It was a valid event when it was published; trying again would not help.
            _log.error("stream.unreadable_event", event_id=event.event_id[:16])
            await message.term()
            return None

    async def _give_back(self, messages: Sequence[Any]) -> None:
        for message in messages:
            with suppress(nats.errors.Error, OSError):
                await message.nak(delay=RETRY_SECONDS)


@asynccontextmanager
async def open_jetstream(
    context: Context, events_url: str, *, fresh_seconds: int, route: OutgoingRoute = DIRECT
) -> AsyncIterator[JetStreamInbox]:
    """Connect, create or check the stream, and close the connection at the end.

    Args:
        context: the store, the keys and the clock.
        events_url: the servers, in the form that the module shows.
        fresh_seconds: how long a delivery may be repeated; duplicates are recognised for longer.
        route: its certificate authorities; a proxy carries HTTP only.

    Raises:
        ConfigurationError: the stream could lose an acknowledged event.
        StorageError: the stream cannot be reached.
    """
    url = StreamUrl.parse(events_url)
    client = await connect(url, route)
    try:
        digest = hashlib.blake2b(context.client.client_id.encode(), digest_size=6).hexdigest()
        name = f"paraph-{digest}"
        try:
            await prepare(client, url, name, fresh_seconds=fresh_seconds)
        except (nats.errors.Error, JetStreamError, TimeoutError) as error:
            words = error.description if isinstance(error, APIError) else type(error).__name__
            raise ConfigurationError(
                [f"events_url: the stream cannot be made there: {words}"],
                remedy="Three replicas need a cluster of three servers with JetStream.",
            ) from None
        yield JetStreamInbox(context, client, name)
    finally:
        with suppress(nats.errors.Error, OSError):
            await client.close()
