"""A service hears of the commits of commands, as far as the server tells it."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from paraph.model.deployment import Replica
from paraph.storage.database import Database, open_store
from paraph.storage.engines.postgresql_listener import CHANNEL, PostgresqlCommitListener
from pgbouncer import PgBouncer
from postgres_server import PostgresServer
from storage.sample import ring
from tampering import tamper

pytestmark = pytest.mark.anyio

REPLICA = Replica("r", "here:1", ("old",), "old", 1_234)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """An open store, as one process has it."""
    store = await open_store(url, ring(), randomness=os.urandom)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[tuple[Database, asyncio.Event]]:
    """The store of a service, and the signal that it has heard of a commit."""
    async with opened(url) as store:
        heard = asyncio.Event()
        store.listen(heard.set)
        await store.read_due_times("r")
        yield store, heard
        store.listen(None)


async def write(store: Database) -> None:
    """Write a row."""
    async with store.transaction() as tx:
        await tx.replicas.put(REPLICA)


async def heard_soon(heard: asyncio.Event) -> None:
    """Wait until something is heard."""
    async with asyncio.timeout(30):
        await heard.wait()
    heard.clear()


async def test_a_command_is_heard_and_another_service_is_not(postgresql_url: str) -> None:
    """A service does its own work, and NOTIFY would make its transactions wait for each other."""
    async with (
        listening(postgresql_url) as (service, heard),
        listening(postgresql_url) as (other, _),
        opened(postgresql_url) as command,
    ):
        assert service.hears_others
        await write(command)
        await heard_soon(heard)

        await write(other)
        # Announcements arrive in order: one of the other service would have come first.
        await service.announce()
        await service.read_due_times("r")
        assert not heard.is_set()


async def test_a_service_with_too_much_work_wakes_the_others(postgresql_url: str) -> None:
    """And not itself."""
    async with (
        listening(postgresql_url) as (busy, own),
        listening(postgresql_url) as (_, heard),
    ):
        await busy.announce()
        await heard_soon(heard)
        await busy.read_due_times("r")
        assert not own.is_set()


async def test_a_write_that_adds_no_work_is_not_announced(postgresql_url: str) -> None:
    """Claims and outcomes are many, and no process has to act on them."""
    async with listening(postgresql_url) as (service, heard), opened(postgresql_url) as command:
        async with command.transaction(adds_work=False) as tx:
            await tx.replicas.put(REPLICA)
        async with service.transaction(adds_work=False) as tx:
            await tx.replicas.put(REPLICA)
        await service.read_due_times("r")
        assert not heard.is_set()

        await write(service)
        assert heard.is_set()


async def test_a_lost_connection_is_heard_and_the_next_read_listens_again(
    postgresql_url: str,
) -> None:
    """What was announced in between is found by that read."""
    async with listening(postgresql_url) as (service, heard), opened(postgresql_url) as command:
        foreign = await asyncpg.connect(postgresql_url)
        await foreign.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = current_database() AND query LIKE '%{CHANNEL}%'"
            " AND pid <> pg_backend_pid()"
            " OR datname = current_database() AND query LIKE '%audit_entries%'"
            " AND pid <> pg_backend_pid()"
        )
        await foreign.close()
        await heard_soon(heard)
        await service.read_due_times("r")
        heard.clear()
        await write(command)
        await heard_soon(heard)


async def test_a_refused_announcement_fails_no_write(postgresql_url: str, log: io.StringIO) -> None:
    """It follows the commit, is counted, and is logged once; the server is not asked again."""
    schema = postgresql_url.rsplit("/", 1)[-1]
    await tamper(
        postgresql_url,
        "CREATE FUNCTION public.pg_notify(text, text) RETURNS void LANGUAGE plpgsql AS"
        " $$BEGIN RAISE EXCEPTION 'unknown' USING ERRCODE = '0A000'; END$$",
        f'ALTER DATABASE "{schema}" SET search_path = public, pg_catalog',
    )
    async with opened(postgresql_url) as command:
        for _ in range(3):
            await write(command)
        assert 3 == command.announcements_failed
        async with command.reading() as tx:
            assert [REPLICA] == list(await tx.replicas.seen_since(0))
    assert 1 == log.getvalue().count("database.not_announced")


@pytest.mark.parametrize("mode", ["transaction", "session"])
async def test_behind_a_pooler_commits_are_polled_and_the_log_tells(
    postgres: PostgresServer, postgresql_url: str, log: io.StringIO, mode: str
) -> None:
    """LISTEN would be lost, or keep a server. A command behind it is heard by direct replicas."""
    bouncer = PgBouncer(postgres, mode=mode, pool=4)
    try:
        bouncer.start()
        url = bouncer.url(postgresql_url)
        async with listening(url) as (polling, _), listening(postgresql_url) as (_, heard):
            assert not polling.hears_others
            before = await polling.read_version()
            async with opened(url) as command:
                await write(command)
            await heard_soon(heard)
            assert before != await polling.read_version()
    finally:
        bouncer.stop()

    assert "the database is asked once a second for work of other processes" in log.getvalue()


class WithoutListen:
    """A connection to a server that resembles PostgreSQL, and does not know LISTEN."""

    is_pooled = False

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def add_listener(self, _channel: str, _callback: Any) -> None:
        """Refuse."""
        raise asyncpg.FeatureNotSupportedError("LISTEN is not supported")

    async def fetch_alone(self, query: str) -> list[Any]:
        """No rows."""
        self.asked.append(query)
        return []

    def is_closed(self) -> bool:
        """Still open."""
        return False

    def release(self) -> None:
        """Nothing to give back."""

    async def close(self) -> None:
        """Nothing to close."""


async def test_a_server_without_listen_is_polled_and_the_log_tells_once(log: io.StringIO) -> None:
    """Everything else works there, and nothing is announced."""
    server = WithoutListen()

    async def connect() -> WithoutListen:
        return server

    listener = PostgresqlCommitListener(connect)
    listener.listen(lambda: None)
    for _ in range(2):
        assert [] == await listener.fetch("SELECT 1")
    await listener.announce()
    assert ["SELECT 1", "SELECT 1"] == server.asked
    assert not listener.is_listening
    assert 1 == log.getvalue().count("database.no_listen")
    await listener.close()
