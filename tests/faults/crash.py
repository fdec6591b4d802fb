"""Kill things at random moments under load, then compare both books. Run by `make crash`.

One book is the sender's: what Zoom would have written, by its rule for retries and on a clock of
its own (`retrying_sender`). The other is ours: the rows of the
inbox, and what the host was handed. They agree when

- every delivery that was answered 200 has exactly one row, and the host had it at least once;
- every delivery was answered 200 in the end.

At the end what is kept has to be handed on. That takes as long as it takes: it is given up when
the host has heard of no other event for two minutes, which is longer than any lease or wait.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from events.inbox_kit import open_context
from faults.retrying_sender import WAITS, WEBHOOK_SECRET, Delivery, Sender
from nats_server import NatsServer
from paraph.sealing.encryption_key import new_encryption_key
from paraph.sealing.key_ring import KeyRing
from pgbouncer import PgBouncer
from ports import reserve_ports
from postgres_server import PostgresServer
from private_file import write_private
from storage import sample

STILL_SECONDS = 120
INBOXES = ("sqlite", "postgresql", "jetstream")
# PostgreSQL behind PgBouncer with four servers; the service or the pooler is killed.
POOLED = {"transaction": "transaction", "session": "session", "pooler": "transaction"}
# Here not the service dies but what keeps its events: one member of three, or PostgreSQL.
KEEPERS = ("cluster", "restart", *POOLED)


@dataclass
class Books:
    """What was sent, what is kept, what was handed on."""

    sent: list[Delivery]
    kept: Counter[str]
    statuses: Counter[str]
    handed_on: Counter[str]
    kills: int

    def problems(self) -> list[str]:
        """Where they disagree."""
        found = []
        for one in self.sent:
            if not one.accepted:
                found.append(f"never accepted: {one.statuses}")
            elif self.kept[one.event_id] != 1:
                found.append(f"accepted, and {self.kept[one.event_id]} rows: {one.statuses}")
            elif not self.handed_on[one.event_id]:
                found.append(f"accepted and kept, and never handed on: {one.statuses}")
        strangers = set(self.kept) - {one.event_id for one in self.sent}
        found += [f"kept, and never sent: {event_id}" for event_id in strangers]
        return found

    def print(self) -> None:
        """Both books, side by side."""
        attempts = Counter(status for one in self.sent for status in one.statuses)
        again = sum(1 for one in self.sent if len(one.statuses) > 1)
        doubled = sum(1 for count in self.handed_on.values() if count > 1)
        print(f"kills                       {self.kills}")
        print(f"sent                        {len(self.sent)}, {again} of them more than once")
        print(f"  answers                   {dict(attempts)} (0: none came)")
        print(f"  accepted in the end       {sum(one.accepted for one in self.sent)}")
        last = sum(one.accepted and len(one.statuses) > len(WAITS) for one in self.sent)
        print(f"  only by a last attempt    {last}")
        print(f"kept                        {len(self.kept)} rows {dict(self.statuses)}")
        print(f"handed on                   {len(self.handed_on)}, {doubled} of them again")
        problems = self.problems()
        print(f"disagreements               {len(problems)}")
        for line in problems[:20]:
            print(f"  {line}")


class Host:
    """The host's endpoint: notes every event that it is handed."""

    def __init__(self) -> None:
        self.handed_on: Counter[str] = Counter()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take events from one connection until it ends. Next to no work: it shares its core."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"\r\ncontent-length:")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
                event_id = head.partition(b"\r\nwebhook-id:")[2].split(b"\r\n")[0].strip()
                self.handed_on[event_id.decode()] += 1
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()


class Service:
    """`paraph serve`, over several lives."""

    def __init__(self, folder: Path, *, database_url: str, events_url: str, host_port: int) -> None:
        self.folder = folder
        self.key = new_encryption_key()
        self.database_url = database_url
        self.port, private = reserve_ports(2)
        self.process: subprocess.Popen[bytes] | None = None
        self._lived = 0.0
        self._born: float | None = None
        write_private(
            folder / "paraph.toml",
            f"""
client_id = "{sample.CLIENT}"
client_secret = "a-client-key-for-crashes-8dK"
webhook_secrets = ["{WEBHOOK_SECRET}"]
public_url = "http://127.0.0.1:{self.port}"
public_bind = "127.0.0.1:{self.port}"
private_bind = "127.0.0.1:{private}"
database_url = "{database_url}"
events_url = "{events_url}"
encryption_keys = ["{self.key}"]
linking = "none"
forward_url = "http://127.0.0.1:{host_port}/"
forward_secrets = ["a-forwarding-key-for-crashes-2xP"]
event_timeout = 5
drain_seconds = 0
""",
        )

    async def start(self) -> None:
        """Begin a life; return when it listens."""
        log = (self.folder / "service.log").open("ab")
        command = [sys.executable, "-m", "paraph.cli.main", "serve", "--config"]
        self.process = subprocess.Popen(  # noqa: ASYNC220 - A start takes no time; it is awaited below.
            [*command, str(self.folder / "paraph.toml")], stdout=log, stderr=log
        )
        log.close()
        deadline = time.monotonic() + 60
        while True:
            assert self.process.poll() is None, (self.folder / "service.log").read_text()[-3000:]
            assert time.monotonic() < deadline, (self.folder / "service.log").read_text()[-3000:]
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                self._born = time.monotonic()
                return

    def age(self) -> float:
        """Seconds lived, over all lives."""
        return self._lived + (0.0 if self._born is None else time.monotonic() - self._born)

    def kill(self) -> None:
        """`kill -9`."""
        assert self.process is not None
        self._lived, self._born = self.age(), None
        self.process.kill()
        self.process.wait()

    async def stop(self) -> None:
        """SIGTERM, and wait."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(self.process.wait, 30)

    def ring(self) -> KeyRing:
        """The ring that it seals with."""
        return KeyRing.parse([self.key])


Disturbance = Callable[[Service], Awaitable[None]]


@asynccontextmanager
async def listening(host: Host) -> AsyncIterator[int]:
    """The host on a socket; gives its port."""
    server = await asyncio.start_server(host.answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def campaign(
    service: Service, host: Host, disturb: Disturbance, *, times: int, say: Callable[[str], None]
) -> Books:
    """Load, disturb so many times, wait until all is done, and draw up the books."""
    async with open_context(service.database_url, ring=service.ring()) as context:
        del context
    await service.start()
    sender = Sender(service.port, service.age)
    sending = asyncio.create_task(sender.run())
    for number in range(times):
        await asyncio.sleep(random.uniform(0.3, 3.0))
        await disturb(service)
        say(f"{number + 1} of {times}, {len(sender.sent)} sent")
    sender.finish()
    await sending
    books = await _settled(service, host, sender)
    await service.stop()
    books.kills = times
    return books


async def _settled(service: Service, host: Host, sender: Sender) -> Books:
    """Wait until everything kept is handed on, as long as that goes on."""
    heard_of, since = -1, time.monotonic()
    async with open_context(service.database_url, ring=service.ring(), installed=False) as context:
        while True:
            # A count, and not all rows: the host shares this process, and would be kept waiting.
            async with context.store.reading() as tx:
                waiting = (await tx.events.backlog()).waiting
            behind = any(one.accepted and not host.handed_on[one.event_id] for one in sender.sent)
            if len(host.handed_on) != heard_of:
                heard_of, since = len(host.handed_on), time.monotonic()
            if not (behind or waiting) or time.monotonic() - since > STILL_SECONDS:
                break
            await asyncio.sleep(1)
        async with context.store.reading() as tx:
            rows = [one for one in await tx.events.page(limit=10**6) if not one.notice]
    kept = Counter(one.event_id for one in rows)
    statuses = Counter(one.status.value for one in rows)
    return Books(sender.sent, kept, statuses, Counter(host.handed_on), 0)


async def kill_service(service: Service) -> None:
    """`kill -9` of the service, and a new life at once."""
    service.kill()
    await service.start()


def member_killer(stream: NatsServer) -> Disturbance:
    """`kill -9` of one member of a cluster, and a new life of it a moment later."""

    async def kill_member(_service: Service) -> None:
        member = random.randrange(stream.members)
        await asyncio.to_thread(stream.kill_member, member)
        await asyncio.sleep(1)
        await asyncio.to_thread(stream.start_member, member)
        # Two members of three are needed: the next one is killed when all are whole again.
        await asyncio.to_thread(stream.await_whole)

    return kill_member


def database_restarter(server: PostgresServer | PgBouncer) -> Disturbance:
    """`kill -9` of PostgreSQL or of its pooler, and a new life of it a moment later."""

    async def restart(_service: Service) -> None:
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(server.start)

    return restart


@asynccontextmanager
async def opened(inbox: str, folder: Path) -> AsyncIterator[tuple[Service, Host, Disturbance]]:
    """A service with this kind of inbox, not started yet, its host, and what happens to it."""
    async with AsyncExitStack() as stack:
        database_url, events_url = f"sqlite:///{folder / 'paraph.db'}", ""
        disturb: Disturbance = kill_service
        if inbox in {"postgresql", "restart", *POOLED}:
            server = PostgresServer()
            stack.callback(server.stop)
            await asyncio.to_thread(server.start)
            database_url = await asyncio.to_thread(server.create_database)
            if inbox == "restart":
                disturb = database_restarter(server)
            if inbox in POOLED:
                pooler = PgBouncer(server, mode=POOLED[inbox], pool=4)
                stack.callback(pooler.stop)
                await asyncio.to_thread(pooler.start)
                database_url = pooler.url(database_url)
                if inbox == "pooler":
                    disturb = database_restarter(pooler)
        elif inbox == "cluster":
            cluster = NatsServer(members=3, flushed=False)
            stack.callback(cluster.stop)
            await asyncio.to_thread(cluster.start)
            events_url, disturb = cluster.events_url, member_killer(cluster)
        elif inbox == "jetstream":
            stream = NatsServer()
            stack.callback(stream.stop)
            await asyncio.to_thread(stream.start)
            events_url = stream.events_url
        host = Host()
        port = await stack.enter_async_context(listening(host))
        service = Service(folder, database_url=database_url, events_url=events_url, host_port=port)
        stack.push_async_callback(service.stop)
        yield service, host, disturb


async def run(inbox: str, kills: int, *, say: Callable[[str], None] = lambda _line: None) -> Books:
    """Kill the service, or what keeps its events, so many times."""
    with tempfile.TemporaryDirectory(prefix="paraph-crash-") as name:
        async with opened(inbox, Path(name)) as (service, host, disturb):
            return await campaign(service, host, disturb, times=kills, say=say)


def main(arguments: Sequence[str]) -> int:
    """`crash.py --inbox sqlite --kills 200`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--inbox", choices=[*INBOXES, *KEEPERS], default="sqlite")
    parser.add_argument("--kills", type=int, default=20)
    chosen = parser.parse_args(arguments)

    def say(line: str) -> None:
        if sys.stdout.isatty() or line.startswith(("1 ", f"{chosen.kills} ")):
            print(f"{chosen.inbox}: {line}", flush=True)

    books = asyncio.run(run(chosen.inbox, chosen.kills, say=say))
    print(f"inbox                       {chosen.inbox}")
    books.print()
    return 1 if books.problems() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
