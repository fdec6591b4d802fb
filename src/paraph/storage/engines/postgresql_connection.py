"""Connections to PostgreSQL, direct or through a pooler, and the differences between them.

A pooler in transaction mode may run each transaction on another connection to the server.
Prepared statements and session settings that outlive a transaction are lost there or,
worse, seen by another client. So behind a pooler every statement runs inside a transaction, is
unnamed and is prepared for that one use. Timeouts are set within each transaction, in
the message that begins it. The only startup parameter is the application's name: PgBouncer
refuses unknown ones.

Each new connection detects a pooler: it invents the process id that it announces to a client
(for cancelling), which a server never does. That holds for every pooling mode. In
session mode a connection keeps its server until it is closed. So it is closed a moment after its
use, so that any number of replicas share the pooler's few servers.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from importlib import import_module
from typing import Any

from paraph.errors import ConfigurationError, StorageUnavailable
from paraph.extras import needs
from paraph.logs import get_logger
from paraph.settings.postgresql_url import SYSTEM, PostgresqlUrl, parse_postgresql_url
from paraph.storage.outage import unavailable

_log = get_logger("storage")

CONNECT_SECONDS = 10
CLOSE_SECONDS = 2
# The server times out first and reports it; the client's timeout is for an unreachable server.
STATEMENT_SECONDS = 15
COMMAND_SECONDS = 25
LOCK_SECONDS = 10
# The default of the driver and of SQLAlchemy.
_CACHED_STATEMENTS = 100

_SETTINGS = {
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "lock_timeout": f"{LOCK_SECONDS}s",
    # A process that stopped in the middle of a block must not keep its locks.
    "idle_in_transaction_session_timeout": f"{STATEMENT_SECONDS}s",
    "timezone": "UTC",
}
_FACTS = (
    "SELECT pg_backend_pid(), current_setting('transaction_read_only') = 'on', pg_is_in_recovery()"
)
# Seconds for which a connection in session mode may keep its server: unused, and in total.
_SESSION_IDLE_SECONDS = 0.02
_SESSION_AGE_SECONDS = 0.2
_PROBES = 5
_PROBE_SECONDS = 2
_TRANSACTION_COST = (
    "statements are prepared for each use, so most take two round trips to the database for one; "
    "LISTEN does not work, so the database is asked once a second for work of other processes"
)
_SESSION_COST = (
    "connections are closed a moment after their use, so that replicas share the pooler's servers, "
    "and the database is asked once a second for work of other processes; "
    "transaction mode is faster, and so is pgbouncer=false in database_url where the pooler has "
    "16 servers for each process"
)


class Connector:
    """Opens connections to the server that a URL names.

    Args:
        database_url: see `paraph.settings.postgresql_url`.

    Raises:
        ConfigurationError: it names every problem of the URL.
        MissingExtra: the driver is not installed.
    """

    def __init__(self, database_url: str) -> None:
        self._driver = _driver()
        self._failures = (OSError, self._driver.PostgresError, self._driver.InterfaceError)
        try:
            self._url = parse_postgresql_url(database_url)
        except ConfigurationError as error:
            raise ConfigurationError([f"database_url {one}" for one in error.problems]) from None
        self._tls = _tls(self._url)
        self._class = _connection_class(self._driver)
        self.is_pooled = self._url.pooler is True
        self.is_session_mode = False

    @property
    def cached_statements(self) -> int:
        """The number of prepared statements that a connection may keep."""
        return 0 if self.is_pooled else _CACHED_STATEMENTS

    def statement_name(self) -> str | None:
        """Return a name for a prepared statement; None lets the driver choose one."""
        return "" if self.is_pooled else None

    async def connect(self, **more_settings: str) -> Any:
        """Open a connection to the first host that accepts writes.

        Args:
            more_settings: session settings, used only without a pooler.

        Raises:
            StorageUnavailable: there is no such host. The message holds no part of the URL.
        """
        failures: list[StorageUnavailable] = []
        for host, port in self._url.hosts:
            try:
                return await self._prepared(await self._open(host, port), more_settings)
            except StorageUnavailable as error:
                failures.append(error)
            except self._failures as error:
                # A host that answered explains more than one where nothing listens.
                is_silent = isinstance(error, ConnectionRefusedError | FileNotFoundError)
                failures.insert(0 if is_silent else len(failures), _unreachable(error))
        # Neither the driver's text nor its traceback: both may hold the URL with its password.
        raise failures[-1] from None

    async def look(self) -> None:
        """Find out whether the server is behind a pooler, before any statement is prepared.

        Raises:
            StorageUnavailable: see `connect`.
        """
        # Until that is known, no statement is prepared and no session setting is used.
        self.is_pooled, self.is_session_mode = True, False
        first = await self.connect()
        try:
            try:
                shares = first.is_behind_pooler and await self._shares_servers(first)
            finally:
                await first.close()
        except self._failures as error:
            # The pooler or its server ended meanwhile.
            raise _unreachable(error) from None
        said = self._url.pooler
        self.is_session_mode = first.is_behind_pooler and not shares and said is not False
        self.is_pooled = shares or said is True or self.is_session_mode
        if self.is_pooled:
            self._tell()

    def _tell(self) -> None:
        _log.info(
            "database.pooler_found",
            mode="session" if self.is_session_mode else "transaction",
            cost=_SESSION_COST if self.is_session_mode else _TRANSACTION_COST,
        )

    async def _shares_servers(self, first: Any) -> bool:
        """Return True if two open connections were seen on one server: transaction mode."""
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                second = await self.connect()
                try:
                    for _ in range(_PROBES):
                        if first.server_process == second.server_process:
                            return True
                        await first.ask_facts()
                        await second.ask_facts()
                finally:
                    second.terminate()
        except (TimeoutError, StorageUnavailable):
            # No server is free for a second connection, unless the pooler ended: then this raises.
            await first.ask_facts()
        return False

    async def _open(self, host: str, port: int) -> Any:
        url = self._url
        settings = {"application_name": url.application_name or "paraph"}
        if url.options:
            settings["options"] = url.options
        opening = self._driver.connect(
            host=[host],
            port=[port],
            user=url.user or None,
            password=None if url.password is None else url.password.reveal(),
            passfile=url.passfile or None,
            database=url.database or None,
            ssl=self._tls,
            direct_tls=False,
            connection_class=self._class,
            timeout=url.connect_timeout or CONNECT_SECONDS,
            command_timeout=COMMAND_SECONDS,
            statement_cache_size=self.cached_statements,
            server_settings=settings,
            # Checked below in a transaction: the driver's own check fails behind a pooler.
            target_session_attrs="any",
        )
        return await _opened(asyncio.ensure_future(opening))

    async def _prepared(self, connection: Any, more_settings: dict[str, str]) -> Any:
        try:
            await self._check(connection)
            connection.prepare_for(is_pooled=self.is_pooled, is_session_mode=self.is_session_mode)
            if not self.is_pooled:
                await connection.execute(_statements("SET", {**_SETTINGS, **more_settings}))
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _check(self, connection: Any) -> None:
        """Refuse a read-only server, and a pooler that `look` did not see."""
        is_read_only, is_standby = await connection.ask_facts()
        if is_read_only:
            raise read_only(is_standby=is_standby)
        is_news = not self.is_pooled and self._url.pooler is None
        if is_news and connection.is_behind_pooler:
            self.is_pooled = True
            self._tell()
            # The caller was told that this connection may keep prepared statements.
            raise StorageUnavailable("a pooler stands before the database now")


async def _opened(opening: asyncio.Future[Any]) -> Any:
    """Wait for a new connection; if cancelled, close it as soon as it is open.

    The driver must not be cancelled while it negotiates TLS. It would leave a future with an error
    that is never read, which the event loop reports as a defect.
    """
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_terminate)
        raise


def _terminate(opening: asyncio.Future[Any]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().terminate()


def _unreachable(error: BaseException) -> StorageUnavailable:
    return unavailable(error) or StorageUnavailable(
        f"the database cannot be reached: {type(error).__name__}"
    )


def read_only(*, is_standby: bool) -> StorageUnavailable:
    """Return the error for a read-only database."""
    if is_standby:
        return StorageUnavailable(
            "the database is read-only: this server is a standby",
            remedy="Let database_url name the primary, or all servers separated by commas.",
        )
    return StorageUnavailable(
        "the database is read-only: default_transaction_read_only is on",
        remedy="Set it to off for the user and the database of database_url.",
    )


def _statements(verb: str, settings: dict[str, str]) -> str:
    """Build statements for settings; their names and values are constants of this module."""
    return "".join(f" {verb} {name} = '{value}';" for name, value in settings.items())


def _driver() -> Any:
    with needs("postgres", "a database_url of PostgreSQL"):
        return import_module("asyncpg")


class _Shared:
    """The part of a connection that shares a pooler's servers with other clients."""

    is_pooled = False
    is_session_mode = False
    server_process = 0
    _uses = 0
    _is_used = False
    _opened_at = 0.0

    def prepare_for(self, *, is_pooled: bool, is_session_mode: bool) -> None:
        """Set how the connection is used."""
        self.is_pooled, self.is_session_mode = is_pooled, is_session_mode
        self._opened_at = asyncio.get_running_loop().time()

    def take(self) -> None:
        """Record the beginning of a use."""
        self._uses += 1
        self._is_used = True

    def release(self) -> None:
        """Record the end of a use; in session mode, close the connection soon."""
        self._is_used = False
        if not self.is_session_mode:
            return
        loop = asyncio.get_running_loop()
        if loop.time() - self._opened_at >= _SESSION_AGE_SECONDS:
            # Also under steady load: other replicas wait for the server.
            self.terminate()
        else:
            loop.call_later(_SESSION_IDLE_SECONDS, self._end_if_unused, self._uses)

    def _end_if_unused(self, uses: int) -> None:
        if uses == self._uses and not self._is_used:
            self.terminate()

    def terminate(self) -> None:
        """Close the connection at once; the driver implements it."""
        raise NotImplementedError


def _connection_class(driver: Any) -> type[Any]:
    class Connection(driver.Connection, _Shared):  # type: ignore[misc]  # Of a driver that may be absent.
        """A connection that knows whether its server is behind a pooler."""

        @property
        def is_behind_pooler(self) -> bool:
            """Return True if the announced process id is not the server's own."""
            return bool(self.server_process != self.get_server_pid())

        async def ask_facts(self) -> tuple[bool, bool]:
            """Record the server's process id; return whether it is read-only, and a standby."""
            async with self.transaction():
                # Unnamed, so that it leaves nothing behind a pooler.
                statement = await self.prepare(_FACTS, name="")
                self.server_process, is_read_only, is_standby = await statement.fetchrow()
            return is_read_only, is_standby

        async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109
            """Behind a pooler, begin a transaction with its timeouts, in one message."""
            if self.is_pooled and query.startswith("BEGIN"):
                self.take()
                limits = _statements("SET LOCAL", _SETTINGS)
                query = query.replace(";", f";{limits}", 1)
            return str(await super().execute(query, *args, timeout=timeout))

        async def fetch_alone(self, query: str, *values: Any) -> list[Any]:
            """Run one read-only statement as a transaction of its own."""
            if not self.is_pooled:
                return list(await self.fetch(query, *values))
            async with self.transaction(readonly=True):
                return list(await self.fetch(query, *values))

        async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109
            """Close, with a timeout for a server that disappeared."""
            with contextlib.suppress(TimeoutError):
                await super().close(timeout=CLOSE_SECONDS if timeout is None else timeout)

    return Connection


def _tls(url: PostgresqlUrl) -> ssl.SSLContext | str:
    """Return the TLS context of an sslmode, or the mode's name if TLS is optional.

    Raises:
        ConfigurationError: a certificate or key file cannot be used.
    """
    if url.sslmode in ("disable", "allow", "prefer"):
        return url.sslmode
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = url.sslmode == "verify-full"
    if not url.root_certificates:
        context.verify_mode = ssl.CERT_NONE
    context.minimum_version = _tls_version(url.tls_versions[0]) or ssl.TLSVersion.TLSv1_2
    context.maximum_version = _tls_version(url.tls_versions[1]) or context.maximum_version
    try:
        if url.root_certificates == SYSTEM:
            context.load_default_certs()
        elif url.root_certificates:
            context.load_verify_locations(cafile=url.root_certificates)
        if url.sslcrl:
            context.load_verify_locations(cafile=url.sslcrl)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
        if url.sslcert:
            password = "" if url.sslpassword is None else url.sslpassword.reveal()
            context.load_cert_chain(url.sslcert, url.sslkey or None, password=lambda: password)
    except (OSError, ValueError):
        # Includes ssl.SSLError: a file that is not PEM, or the key of another certificate.
        raise ConfigurationError(
            ["database_url has a file that is not usable (sslrootcert, sslcert, sslkey, sslcrl)"],
            remedy="Give PEM files, and the key that belongs to the certificate.",
        ) from None
    return context


def _tls_version(name: str) -> ssl.TLSVersion | None:
    return ssl.TLSVersion[name.replace(".", "_")] if name else None
