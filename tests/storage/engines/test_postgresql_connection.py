"""Connections to PostgreSQL: through real poolers, over TLS, and in every form of the URL."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import itertools
import json
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
import trustme

from paraph.errors import ConfigurationError, StorageUnavailable
from paraph.model.event import Outcome
from paraph.storage.database import Database, open_store
from paraph.storage.engines import postgresql
from paraph.storage.engines.postgresql_connection import Connector
from pgbouncer import PgBouncer
from postgres_server import PostgresServer
from storage import sample
from storage.sample import ring

pytestmark = pytest.mark.anyio

# Said in docs/reference/where-it-runs.md.
CONNECTIONS_OF_A_REPLICA = 16


@contextlib.contextmanager
def pooler(server: PostgresServer, mode: str, pool: int) -> Iterator[PgBouncer]:
    """A running PgBouncer."""
    bouncer = PgBouncer(server, mode=mode, pool=pool)
    try:
        bouncer.start()
        yield bouncer
    finally:
        bouncer.stop()


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """An open store."""
    store = await open_store(url, ring(), randomness=os.urandom)
    try:
        yield store
    finally:
        await store.close()


async def use_everything(store: Database, name: str) -> list[Outcome]:
    """Every kind of statement that a replica runs, several times."""
    outcomes: list[Outcome] = []
    for number in range(4):
        event = sample.event(f"{name}-{number}")
        outcomes += await store.keep_events([event], client_id=sample.CLIENT)
        await store.read_access("", "")
        await store.read_recipients(event, client_id=sample.CLIENT)
        async with store.reading() as reader:
            assert await reader.events.get(event.event_id) is not None
        async with store.transaction() as writer:
            await writer.api_keys.all()
    return outcomes


@pytest.mark.parametrize(
    ("mode", "pool"),
    [
        ("transaction", 4),
        ("session", 4),
        pytest.param("transaction", 1, marks=pytest.mark.slow),
        pytest.param("transaction", 20, marks=pytest.mark.slow),
        pytest.param("session", 1, marks=pytest.mark.slow),
        pytest.param("session", 20, marks=pytest.mark.slow),
    ],
)
async def test_two_replicas_share_the_servers_of_a_pooler(
    postgres: PostgresServer, postgresql_url: str, log: io.StringIO, mode: str, pool: int
) -> None:
    """No statement meets another client's, none waits for ever; one line says what it costs."""
    with pooler(postgres, mode, pool) as bouncer:
        url = bouncer.url(postgresql_url)
        async with opened(url) as one, opened(url) as other:
            async with one.transaction() as tx:
                await tx.grants.add(sample.grant())
            kept = await asyncio.gather(
                *(
                    use_everything(store, f"{name}{worker}")
                    for name, store in (("a", one), ("b", other))
                    for worker in range(2)
                )
            )

    assert [[Outcome.KEPT] * 4] * 4 == kept
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [("database.pooler_found", mode)] * 2 == [(one["event"], one["mode"]) for one in lines]


async def test_replicas_make_the_tables_through_a_pooler(
    postgres: PostgresServer, empty_postgresql_url: str
) -> None:
    """Several that start at once on an empty database, with one server for all of them."""
    with pooler(postgres, "transaction", 1) as bouncer:
        url = bouncer.url(empty_postgresql_url)
        stores = await asyncio.gather(
            *(open_store(url, ring(), randomness=os.urandom) for _ in range(2))
        )
        for store in stores:
            await store.ping()
            await store.close()

    assert stores[0].database_id == stores[1].database_id


async def test_a_pooler_without_transactions_is_refused(
    postgres: PostgresServer, postgresql_url: str
) -> None:
    """The setting of the pooler that has to change is named."""
    with (
        pooler(postgres, "statement", 4) as bouncer,
        pytest.raises(StorageUnavailable, match="pool_mode is statement") as caught,
    ):
        await open_store(bouncer.url(postgresql_url), ring(), randomness=os.urandom)

    assert "Set pool_mode to transaction" in caught.value.remedy


async def test_limits_of_time_hold_behind_a_pooler_and_stay_with_their_transaction(
    postgres: PostgresServer, postgresql_url: str
) -> None:
    """A lock that is never given ends a block, and another client finds no setting of ours."""
    with pooler(postgres, "transaction", 1) as bouncer:
        url = bouncer.url(postgresql_url)
        connector = Connector(url)
        await connector.look()
        ours = await connector.connect()
        async with ours.transaction():
            within = await ours.fetchval("SHOW lock_timeout")
        foreign = await asyncpg.connect(url, statement_cache_size=0)
        outside = await foreign.fetchval("SHOW lock_timeout")
        await foreign.close()
        await ours.close()

    assert ("10s", "0") == (within, outside)


async def test_a_pooler_that_appears_later_is_noticed(
    postgres: PostgresServer, postgresql_url: str
) -> None:
    """The name of a database may lead elsewhere after a failover: one connection fails, no more."""
    with pooler(postgres, "transaction", 2) as bouncer:
        connector = Connector(bouncer.url(postgresql_url))
        with pytest.raises(StorageUnavailable, match="a pooler stands before"):
            await connector.connect()
        connection = await connector.connect()
        await connection.close()

    assert connector.is_pooled


@pytest.mark.parametrize("question", [1, 2, 3, 4])
async def test_a_pooler_that_ends_while_its_mode_is_found_out_is_an_unavailable_database(
    postgres: PostgresServer, question: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At whichever question the pooler ends, the store is unavailable; no driver error escapes."""
    with pooler(postgres, "session", 4) as bouncer:
        connector = Connector(bouncer.url(postgres.url("postgres")))
        ask, asked = connector._class.ask_facts, itertools.count(1)

        async def ask_or_end(connection: Any) -> Any:
            if next(asked) == question:
                bouncer.kill()
            return await ask(connection)

        monkeypatch.setattr(connector._class, "ask_facts", ask_or_end)
        with pytest.raises(StorageUnavailable):
            await connector.look()


async def test_a_direct_connection_keeps_prepared_statements(postgresql_url: str) -> None:
    """They and the settings of the session make it quick."""
    connector = Connector(postgresql_url)
    await connector.look()
    connection = await connector.connect()
    await connection.fetch("SELECT $1::int", 1)
    kept = await connection.fetchval("SELECT count(*) FROM pg_prepared_statements")
    limit = await connection.fetchval("SHOW statement_timeout")
    await connection.close()

    assert not connector.is_pooled
    assert kept >= 1
    assert "15s" == limit


async def test_a_cancelled_connect_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled at any of its steps, it closes its connection, and the loop reports nothing."""

    async def refuse_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.close()

    reports: list[dict[str, Any]] = []
    loop, before = asyncio.get_running_loop(), asyncio.all_tasks()
    monkeypatch.setattr(loop, "call_exception_handler", reports.append)
    server = await asyncio.start_server(refuse_tls, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for steps in range(20):
        connecting = asyncio.create_task(Connector(f"postgresql://x@127.0.0.1:{port}/x").connect())
        for _ in range(steps):
            await asyncio.sleep(0)
        connecting.cancel()
        await asyncio.wait([connecting])
    server.close()
    while left := asyncio.all_tasks() - before:
        await asyncio.wait(left)
    gc.collect()
    assert [] == reports


async def test_a_url_that_names_a_pooler_is_believed(postgresql_url: str) -> None:
    """`pgbouncer=true` decides where a pooler passes the server's process id on."""
    connector = Connector(f"{postgresql_url}?pgbouncer=true")
    connection = await connector.connect()
    await connection.fetch_alone("SELECT $1::int", 1)
    kept = await connection.fetch_alone("SELECT 1 FROM pg_prepared_statements WHERE name <> ''")
    await connection.close()

    assert [] == kept


@pytest.mark.parametrize(("mode", "is_believed"), [("session", True), ("transaction", False)])
async def test_a_url_that_denies_a_pooler_is_believed_in_session_mode(
    postgres: PostgresServer, postgresql_url: str, mode: str, *, is_believed: bool
) -> None:
    """`pgbouncer=false` keeps connections and statements, unless servers are seen to be shared."""
    with pooler(postgres, mode, 4) as bouncer:
        connector = Connector(f"{bouncer.url(postgresql_url)}?pgbouncer=false")
        await connector.look()

    assert is_believed is not connector.is_pooled
    assert not connector.is_session_mode


async def test_a_busy_replica_holds_the_connections_that_the_docs_state(
    postgresql_url: str,
) -> None:
    """Writers, readers, and one each for deliveries, both lookups and background work."""
    async with opened(postgresql_url) as store, asyncio.TaskGroup() as group:
        full = asyncio.Event()
        begun = asyncio.Semaphore(0)

        async def hold(block: Any) -> None:
            async with block:
                begun.release()
                await full.wait()

        scopes = [sample_scope(number) for number in range(postgresql.WRITERS)]
        blocks = [store.transaction(scope) for scope in scopes]
        blocks += [store.reading() for _ in range(postgresql.READERS)]
        for block in blocks:
            group.create_task(hold(block))
        for _ in blocks:
            await begun.acquire()
        await store.keep_events([sample.event("1")], client_id=sample.CLIENT)
        await store.read_access("", "")
        await store.read_recipients(sample.event("1"), client_id=sample.CLIENT)
        await store.read_due_times("r")
        held = await _ask(
            postgresql_url,
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'paraph'",
        )
        full.set()

    assert CONNECTIONS_OF_A_REPLICA == held
    docs = Path(__file__).parents[3] / "docs" / "reference" / "where-it-runs.md"
    assert f"at most {held} connections" in docs.read_text()


def sample_scope(number: int) -> Any:
    """A scope that no other block shares."""
    from paraph.storage.scope import account

    return account("other", str(number))


async def _ask(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


@dataclass
class TlsServer:
    """A database behind TLS: its port, the file of its authority, and that of another one."""

    port: int
    ca: Path
    other: Path


@pytest.fixture(scope="module")
def tls(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    """A database behind TLS. PgBouncer speaks it: the package's PostgreSQL is built without."""
    folder = tmp_path_factory.mktemp("tls")
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    other.cert_pem.write_to_path(folder / "other.pem")
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    files = folder / "cert.pem", folder / "key.pem"
    bouncer = PgBouncer(postgres, mode="transaction", pool=2, tls=files)
    try:
        bouncer.start()
        yield TlsServer(bouncer.port, folder / "ca.pem", folder / "other.pem")
    finally:
        bouncer.stop()


async def _is_encrypted(server: TlsServer, host: str, query: str) -> bool:
    named = query.format(ca=quote(str(server.ca)), other=quote(str(server.other)))
    url = f"postgresql://paraph@{host}:{server.port}/postgres?pgbouncer=true&{named}"
    connection = await Connector(url.rstrip("&")).connect()
    encrypted = connection._transport.get_extra_info("ssl_object") is not None
    await connection.close()
    return encrypted


@pytest.mark.parametrize(
    ("host", "query", "encrypted"),
    [
        ("localhost", "sslmode=disable", False),
        ("localhost", "sslmode=allow", False),
        ("localhost", "sslmode=prefer", True),
        ("localhost", "", True),
        ("localhost", "sslmode=require", True),
        ("127.0.0.1", "sslmode=require&sslrootcert={ca}", True),
        ("127.0.0.1", "sslmode=verify-ca&sslrootcert={ca}", True),
        ("localhost", "sslmode=verify-full&sslrootcert={ca}", True),
        (
            "localhost",
            "sslmode=verify-full&sslrootcert={ca}&ssl_min_protocol_version=TLSv1.3",
            True,
        ),
    ],
)
async def test_every_sslmode_encrypts_as_it_says(
    tls: TlsServer, monkeypatch: pytest.MonkeyPatch, host: str, query: str, *, encrypted: bool
) -> None:
    """Encrypted or not, as libpq documents it; variables of libpq change nothing."""
    monkeypatch.setenv("HOME", str(tls.ca.parent))
    monkeypatch.setenv("PGSSLMODE", "disable")

    assert encrypted is await _is_encrypted(tls, host, query)


@pytest.mark.parametrize(
    ("host", "query"),
    [
        ("localhost", "sslmode=require&sslrootcert={other}"),
        ("localhost", "sslmode=verify-ca&sslrootcert={other}"),
        ("127.0.0.1", "sslmode=verify-full&sslrootcert={ca}"),
        ("localhost", "sslrootcert=system"),
        ("localhost", "sslmode=verify-full"),
    ],
)
async def test_a_server_that_is_not_proven_is_refused(
    tls: TlsServer, monkeypatch: pytest.MonkeyPatch, host: str, query: str
) -> None:
    """Another authority, or another name than the certificate's."""
    monkeypatch.setenv("HOME", str(tls.ca.parent))

    with pytest.raises(StorageUnavailable, match="certificate could not be verified"):
        await _is_encrypted(tls, host, query)


async def test_authorities_in_libpqs_usual_place_are_used(
    tls: TlsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`~/.postgresql/root.crt` counts where no file is named."""
    (tmp_path / ".postgresql").mkdir()
    (tmp_path / ".postgresql" / "root.crt").write_bytes(tls.ca.read_bytes())
    monkeypatch.setenv("HOME", str(tmp_path))

    assert await _is_encrypted(tls, "127.0.0.1", "sslmode=verify-ca")


async def test_a_server_without_tls_is_said_so(postgres: PostgresServer) -> None:
    """Where TLS is demanded there is no connection without it."""
    connector = Connector(f"{postgres.url('postgres')}?sslmode=require")
    with pytest.raises(StorageUnavailable, match="does not support TLS"):
        await connector.connect()


def test_a_file_that_is_no_certificate_is_a_configuration_error(tmp_path: Path) -> None:
    """A readable file that holds something else is noticed before anything is sent."""
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(ConfigurationError, match="sslrootcert"):
        Connector(f"postgresql://h/d?sslmode=verify-full&sslrootcert={file}")


@pytest.mark.parametrize(
    "form",
    [
        "postgres://paraph@127.0.0.1:{port}/{name}",
        "postgresql+asyncpg://paraph@127.0.0.1:{port}/{name}",
        "postgresql://paraph@127.0.0.1:9,127.0.0.1:{port}/{name}",
        "postgresql:///{name}?host={folder}&port={port}&user=paraph",
        "postgresql://paraph@{encoded}:{port}/{name}",
        "postgresql://paraph@/{name}?host={folder},127.0.0.1&port=9,{port}",
        "postgresql://paraph:any%40%2Fthing@127.0.0.1:{port}/{name}?connect_timeout=3",
        "postgresql://p%61raph@127.0.0.1:{port}/{name}?application_name=x&gssencmode=disable",
        "postgresql://paraph@127.0.0.1:{port}/{name}?options=-c%20search_path%3Dpublic",
        "postgresql://paraph@127.0.0.1:{port}/{name}?target_session_attrs=read-write",
        "postgresql://paraph@127.0.0.1:{port}/{name}?channel_binding=prefer&sslmode=disable",
    ],
)
async def test_every_form_of_a_url_leads_to_the_database(
    postgres: PostgresServer, postgresql_url: str, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Schemes, sockets, several hosts, parameters; PGHOST and PGPORT change nothing."""
    monkeypatch.setenv("PGHOST", "192.0.2.1")
    monkeypatch.setenv("PGPORT", "9")
    name = postgresql_url.rpartition("/")[2]
    folder = str(postgres.folder)
    url = form.format(port=postgres.port, name=name, folder=folder, encoded=quote(folder, safe=""))

    connection = await Connector(url).connect()
    found = await connection.fetchval("SELECT current_database()")
    await connection.close()

    assert name == found


async def test_of_several_hosts_the_error_names_the_one_that_responded(postgresql_url: str) -> None:
    """A host where nothing listens, before or after it, hides no other cause."""
    here = postgresql_url.partition("@")[2].partition("/")[0]
    for hosts in (f"{here},127.0.0.1:9", f"127.0.0.1:9,{here}"):
        connector = Connector(f"postgresql://paraph@{hosts}/missing")
        with pytest.raises(StorageUnavailable, match="does not exist on its server"):
            await connector.connect()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SET default_transaction_read_only = on", "default_transaction_read_only is on"),
        ("CONNECTION LIMIT 0", "no connection left"),
    ],
)
async def test_a_database_that_cannot_be_used_is_said_so(
    postgres: PostgresServer, empty_postgresql_url: str, statement: str, said: str
) -> None:
    """By what is wrong with it; no password or user is in the message."""
    postgres.ask(f"ALTER DATABASE {empty_postgresql_url.rpartition('/')[2]} {statement}")
    postgres.ask("DO $$ BEGIN CREATE ROLE visitor LOGIN; EXCEPTION WHEN OTHERS THEN END $$")
    url = empty_postgresql_url.replace("paraph@", "visitor:canary-pw@")
    with pytest.raises(StorageUnavailable, match=said) as caught:
        await open_store(url, ring(), randomness=os.urandom)

    assert "canary" not in str(caught.value) + caught.value.remedy
