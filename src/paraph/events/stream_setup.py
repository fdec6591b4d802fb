"""Connects to JetStream, and creates or checks the stream that keeps events.

If an existing stream would lose or duplicate events, the service does not start.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import nats.errors
from nats.aio.client import Client
from nats.js import api
from nats.js.errors import NotFoundError

from paraph.errors import ConfigurationError, StorageError
from paraph.events.stream_pull import BATCH
from paraph.logs import get_logger
from paraph.outgoing.failure import Cause, cause_of, failure
from paraph.outgoing.route import OutgoingRoute

REPLICAS = 3
CONNECT_SECONDS = 5.0
# At start: two attempts for each of three servers that do not respond at all.
FIRST_CONNECT_SECONDS = 30.0
# After this the stream redelivers the messages of a carrier that died. A removal does not wait
# for them: the table recognises a duplicate, at the cost of one statement.
ACK_SECONDS = {True: 3.0, False: 10.0}
CONSUMERS = {True: "urgent", False: "event"}

_log = get_logger("jetstream")


@dataclass(frozen=True, slots=True)
class StreamUrl:
    """The parsed value of `events_url`.

    Attributes:
        servers: one URL for each server, with user name and password.
        replicas: the number of copies of each event.
        monitor: the URL of the server's monitoring port, or "".
    """

    servers: tuple[str, ...]
    replicas: int
    monitor: str

    @classmethod
    def parse(cls, value: str) -> StreamUrl:
        """Parse `nats://[user:password@]host:port[,host:port…][?replicas=N&monitor=URL]`.

        Raises:
            ConfigurationError: the value has another form. It may hold a password, so the
                error does not repeat it.
        """
        base, _, query = value.partition("?")
        scheme, _, hosts = base.partition("://")
        options = dict(parse_qsl(query))
        replicas = options.pop("replicas", str(REPLICAS))
        monitor = options.pop("monitor", "")
        if scheme not in {"nats", "tls"} or not hosts or options or replicas not in {"1", "3", "5"}:
            raise ConfigurationError(
                ["events_url must be nats://HOST:PORT, with replicas=1, 3 or 5 and monitor=URL"]
            )
        userinfo, at, rest = hosts.rpartition("@")
        servers = tuple(f"{scheme}://{userinfo}{at}{host}" for host in rest.split(","))
        return cls(servers, int(replicas), monitor)


async def connect(url: StreamUrl, route: OutgoingRoute) -> Client:
    """Connect to one of the servers.

    Args:
        url: the servers.
        route: its certificate authorities.

    Raises:
        StorageError: no server can be reached; the text is that of the last failure.
    """
    client = Client()
    errors: list[Exception] = []

    async def note(error: Exception) -> None:
        errors[:] = [error]
        await _note(error)

    try:
        # The client itself retries without end, so it is told to reconnect without end.
        async with asyncio.timeout(FIRST_CONNECT_SECONDS):
            await client.connect(
                list(url.servers),
                connect_timeout=int(CONNECT_SECONDS),
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.25,  # type: ignore[arg-type]  # It takes parts of a second.
                # Nothing is acknowledged while disconnected, so nothing is buffered.
                pending_size=0,
                # The client's default TLS context would obey SSL_CERT_FILE.
                tls=route.tls(),
                error_cb=note,
            )
    except (nats.errors.Error, OSError, TimeoutError) as error:
        with suppress(nats.errors.Error, OSError, TimeoutError):
            await client.close()
        raise _unreachable(url, errors[-1] if errors else error) from None
    return client


def _unreachable(url: StreamUrl, error: Exception) -> StorageError:
    scheme, _, server = url.servers[0].partition("://")
    if isinstance(error, TimeoutError):
        cause, extra = Cause.CONNECT_TIMEOUT, ""
    else:
        cause, extra = cause_of(error, proxied=False, tls=scheme == "tls")
    # Without the user name and the password of the URL.
    peer = f"{scheme}://{server.rpartition('@')[2]}"
    words = failure(cause, peer=peer, seconds=CONNECT_SECONDS, extra=extra)
    return StorageError(f"events_url: {words.detail}", remedy=words.remedy)


async def _note(error: Exception) -> None:
    _log.warning("stream.connection", why=type(error).__name__)


async def prepare(client: Client, url: StreamUrl, name: str, *, fresh_seconds: int) -> None:
    """Create the stream and its consumers, or check an existing stream.

    Args:
        client: the connection.
        url: the number of replicas, and the monitoring port.
        name: the name of the stream.
        fresh_seconds: how long a delivery may be repeated.

    Raises:
        ConfigurationError: the stream could lose an acknowledged event.
    """
    stream = client.jetstream(timeout=CONNECT_SECONDS)
    wanted = api.StreamConfig(
        name=name,
        subjects=[f"{name}.*"],
        retention=api.RetentionPolicy.WORK_QUEUE,
        storage=api.StorageType.FILE,
        # A full stream refuses the newest event, which Zoom sends again, and keeps the oldest.
        discard=api.DiscardPolicy.NEW,
        num_replicas=url.replicas,
        duplicate_window=fresh_seconds,
    )
    try:
        info = await stream.stream_info(name)
    except NotFoundError:
        info = await stream.add_stream(wanted)
    problems = _weaknesses(info.config, fresh_seconds=fresh_seconds)
    if (info.config.num_replicas or 1) < REPLICAS and not await _flushes(url.monitor):
        problems.append(
            "events_url: one replica loses acknowledged events if its server fails: use three, "
            "or set sync_interval: always in its jetstream block and name its monitoring port, "
            "?replicas=1&monitor=http://HOST:8222"
        )
    if problems:
        raise ConfigurationError(problems, remedy="Fix the stream; the service did not start.")
    for urgent, consumer in CONSUMERS.items():
        await stream.add_consumer(
            name,
            api.ConsumerConfig(
                durable_name=consumer,
                filter_subject=f"{name}.{consumer}",
                ack_policy=api.AckPolicy.EXPLICIT,
                ack_wait=ACK_SECONDS[urgent],
                max_deliver=-1,
                max_ack_pending=BATCH * 16,
            ),
        )


def _weaknesses(config: api.StreamConfig, *, fresh_seconds: int) -> list[str]:
    """List the settings of an existing stream that would lose or duplicate an event."""
    checks: list[tuple[bool, str]] = [
        (config.storage == api.StorageType.FILE, "it is kept in memory"),
        (config.discard == api.DiscardPolicy.NEW, "it deletes the oldest when it is full"),
        (not config.max_age, "it deletes by age"),
        (config.retention == api.RetentionPolicy.WORK_QUEUE, "it is not a work queue"),
        (not config.no_ack, "it does not acknowledge"),
        (config.duplicate_window >= fresh_seconds, "its duplicate window is too short"),
    ]
    return [f"events_url: the stream {config.name}: {words}" for good, words in checks if not good]


async def _flushes(monitor: str) -> bool:
    """Ask the server (its /varz) whether it flushes before it acknowledges."""
    parts = urlsplit(monitor)
    if parts.scheme != "http" or not parts.hostname:
        return False
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 8222)
            writer.write(b"GET /varz HTTP/1.0\r\nhost: %b\r\n\r\n" % parts.hostname.encode())
            response = await reader.read()
            writer.close()
        body = json.loads(response.partition(b"\r\n\r\n")[2])
        return bool(body["jetstream"]["config"]["sync_always"])
    except (OSError, TimeoutError, ValueError, KeyError, TypeError):
        return False
