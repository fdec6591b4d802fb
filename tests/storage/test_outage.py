"""Outages of the whole database: told apart, logged once, and never with a driver's words."""

from __future__ import annotations

import io
import json
import os
import socket
import sqlite3
import ssl
from pathlib import Path

import asyncpg
import pytest

from databases import new_sqlite
from paraph.errors import StorageError, StorageUnavailable
from paraph.model.event import Outcome
from paraph.storage import outage
from paraph.storage.database import Database, open_store
from paraph.storage.engines import sqlite
from paraph.storage.outage import OutageLog, unavailable
from storage import sample
from storage.sample import ring

pytestmark = pytest.mark.anyio

_BODY = b"x" * 100_000


def events(log: io.StringIO) -> list[str]:
    """The names of the log's lines."""
    return [json.loads(line)["event"] for line in log.getvalue().splitlines()]


def _pooler(words: str) -> Exception:
    error: Exception = asyncpg.ProtocolViolationError(words)
    return error


def _internal(words: str) -> Exception:
    error: Exception = asyncpg.InternalClientError(words)
    return error


@pytest.mark.parametrize(
    ("error", "said", "remedy"),
    [
        (asyncpg.InvalidPasswordError("canary"), "refuses the user", "password in database_url"),
        (asyncpg.InvalidCatalogNameError("canary"), "does not exist on its server", "Create it"),
        (asyncpg.InsufficientPrivilegeError("canary"), "lacks a privilege", "grant it CREATE"),
        (asyncpg.ReadOnlySQLTransactionError("canary"), "is read-only", "the primary"),
        (asyncpg.DiskFullError("canary"), "disk is full", "Free space"),
        (asyncpg.TooManyConnectionsError("canary"), "no connection left", "max_connections"),
        (asyncpg.CannotConnectNowError("canary"), "starting or stopping", "connects again"),
        (asyncpg.AdminShutdownError("canary"), "starting or stopping", "connects again"),
        (asyncpg.ConnectionDoesNotExistError("canary"), "was lost", "connects again"),
        (asyncpg.InterfaceError("connection is closed"), "was lost", "connects again"),
        (_internal("cannot switch to state 12; another"), "was lost", "connects again"),
        (_pooler("SASL authentication failed"), "refuses the user", "password in database_url"),
        (_pooler('database "canary" does not exist'), "does not exist", "Create it"),
        (_pooler("no more connections allowed"), "no connection left", "the pooler's limits"),
        (_pooler("query_wait_timeout"), "gave no connection in time", "default_pool_size"),
        (_pooler("unsupported startup parameter: options"), "refuses a parameter", "Remove it"),
        (_pooler("canary"), "refused the connection", "Look at its log"),
        (socket.gaierror(-2, "canary"), "host of database_url is not known", "host's name"),
        (ConnectionRefusedError("canary"), "nothing listens", "host and port"),
        (ssl.SSLCertVerificationError("canary"), "could not be verified", "sslrootcert=FILE"),
        (TimeoutError("canary"), "did not answer in time", "firewall"),
        (ConnectionResetError("canary"), "cannot be reached", "connects again"),
    ],
)
def test_each_outage_has_its_words_and_its_remedy(error: Exception, said: str, remedy: str) -> None:
    """Waiting is the remedy only where it helps; the driver's words are not repeated."""
    found = unavailable(error)

    assert found is not None
    assert said in found.detail
    assert remedy in found.remedy
    assert "canary" not in found.detail + found.remedy


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.UniqueViolationError("x"),
        asyncpg.DataError("x"),
        ValueError("x"),
        _internal("no codec for the type"),
    ],
)
def test_an_error_of_one_statement_is_no_outage(error: Exception) -> None:
    """A value or a duplicate says nothing about the database."""
    assert unavailable(error) is None


async def test_an_outage_is_logged_at_its_beginning_and_at_its_end(log: io.StringIO) -> None:
    """However many blocks fail; another cause is another line."""
    outages = OutageLog()
    outages.recover()
    for _ in range(3):
        outages.fail(StorageUnavailable("one"))
    outages.fail(StorageUnavailable("two"))
    outages.recover()
    outages.recover()

    assert [*["database.unavailable"] * 2, "database.available"] == events(log)


async def _fill(store: Database) -> list[str]:
    """Keep events until the disk is full; the ids of those that were kept."""
    kept: list[str] = []
    for number in range(1_000):
        event = sample.event(f"fill-{number}", body=_BODY)
        try:
            outcomes = await store.keep_events([event], client_id=sample.CLIENT)
        except StorageUnavailable:
            return kept
        assert [Outcome.KEPT] == outcomes
        kept.append(event.event_id)
    raise AssertionError("the disk was never full")


async def test_a_full_disk_loses_nothing_and_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    """What was kept stays; writes fail by name, `ping` too, until one succeeds again."""
    url = new_sqlite(tmp_path / "paraph.db")
    monkeypatch.setattr(sqlite, "_PRAGMAS", (*sqlite._PRAGMAS, "max_page_count = 600"))
    monkeypatch.setattr(outage, "FULL_SECONDS", 0.0)
    store = await open_store(url, ring(), randomness=os.urandom)
    async with store.transaction() as tx:
        await tx.grants.add(sample.grant())
    kept = await _fill(store)
    with pytest.raises(StorageUnavailable, match="disk is full"):
        await store.ping()
    async with store.reading() as reader:
        found = [await reader.events.get(event_id) for event_id in kept]
    async with store.transaction() as tx:
        assert len(kept) == await tx.events.purge_account(sample.ACCOUNT)
    again = await store.keep_events([sample.event("again", body=_BODY)], client_id=sample.CLIENT)
    await store.ping()
    await store.close()

    assert None not in found
    assert [Outcome.KEPT] == again
    assert ["database.unavailable", "database.available"] == events(log)


async def test_a_full_disk_has_room_again_when_no_write_failed_for_a_while(
    log: io.StringIO,
) -> None:
    """A small row that fits between two that do not changes nothing."""
    outages = OutageLog()
    full = unavailable(asyncpg.DiskFullError(""))
    assert full is not None
    for _ in range(3):
        outages.fail(full)
        outages.recover()
        with pytest.raises(StorageUnavailable, match="disk is full"):
            outages.demand_room()

    assert ["database.unavailable"] == events(log)


async def test_a_file_that_became_read_only_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    """By name, with what to do."""
    url = new_sqlite(tmp_path / "paraph.db")
    store = await open_store(url, ring(), randomness=os.urandom)

    def read_only(*_arguments: object, **_named: object) -> None:
        error = sqlite3.OperationalError("attempt to write a readonly database")
        error.sqlite_errorcode = sqlite3.SQLITE_READONLY
        raise error

    monkeypatch.setattr(type(store._intake), "keep", read_only)
    with pytest.raises(StorageError, match="file is read-only"):
        await store.keep_events([sample.event("1")], client_id=sample.CLIENT)
    await store.close()

    assert ["database.unavailable"] == events(log)
