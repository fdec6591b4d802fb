"""Hears of commits on PostgreSQL by LISTEN, on a connection that also reads the due times.

NOTIFY makes transactions commit one after the other, so the hot paths never announce anything. A
service announces at most once a second, when it has more events than it can deliver
(`dispatch`), and a command announces each of its writes.

An announcement follows its commit, so a server or a pooler that refuses NOTIFY fails no write. The
services then find the work later, and the process announces nothing more.

LISTEN needs a session of its own. Behind a pooler, and on a server that does not know LISTEN, the
due times are polled instead, which is logged once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from paraph.errors import StorageError, StorageUnavailable
from paraph.logs import get_logger
from paraph.storage.hot_reads.commit_listener import Heard
from paraph.storage.outage import failed

CHANNEL = "paraph_commits"
ANNOUNCE = f"SELECT pg_notify('{CHANNEL}', '')"
# SQLSTATE feature_not_supported and syntax_error: a server that only resembles PostgreSQL.
_UNKNOWN = ("0A000", "42601")

_log = get_logger("storage")


class PostgresqlCommitListener:
    """`CommitListener` on one connection, which is opened when it is needed.

    Args:
        connect: opens a connection to the server.
    """

    def __init__(self, connect: Callable[[], Awaitable[Any]]) -> None:
        self._connect = connect
        self._connection: Any = None
        self._using = asyncio.Lock()
        self._heard: Heard | None = None
        self._listens = False
        self._is_refused = False
        self._may_announce = True
        self.failed = 0

    @property
    def is_listening(self) -> bool:
        """See `CommitListener`."""
        return self._listens and not self._connection.is_closed()

    def listen(self, heard: Heard | None) -> None:
        """See `CommitListener`."""
        self._heard = heard

    async def announce(self) -> None:
        """See `CommitListener`."""
        # A server that does not know LISTEN may refuse NOTIFY too, and no process listens.
        if self._is_refused:
            return
        if not self._may_announce:
            self.failed += 1
            return
        try:
            await self.fetch(ANNOUNCE)
        except StorageError as error:
            if not self.failed:
                _log.warning(
                    "database.not_announced",
                    error_code=error.code,
                    why=error.detail,
                    cost="replicas find work of other processes up to 30 seconds later",
                )
            self.failed += 1
            self._may_announce = isinstance(error, StorageUnavailable)

    async def fetch(self, query: str, *values: str) -> Sequence[Any]:
        """Run one statement at the driver: SQLAlchemy would take three times as long.

        Raises:
            StorageError: the statement failed; the next one opens another connection.
        """
        async with self._using:
            try:
                connection = await self._opened()
                rows: Sequence[Any] = await connection.fetch_alone(query, *values)
            except BaseException as error:
                # The connection's state is unknown.
                self._terminate()
                if isinstance(error, StorageError) or not isinstance(error, Exception):
                    raise
                raise failed(error) from None
            connection.release()
            return rows

    async def _opened(self) -> Any:
        if self._connection is None or self._connection.is_closed():
            self._listens = False
            self._connection = await self._connect()
        if self._heard is not None and not self._listens and not self._is_refused:
            await self._begin_to_listen(self._connection)
        return self._connection

    async def _begin_to_listen(self, connection: Any) -> None:
        if connection.is_pooled:
            # `database.pooler_found` has been logged.
            return
        try:
            await connection.add_listener(CHANNEL, self._notified)
        except Exception as error:
            if getattr(error, "sqlstate", None) not in _UNKNOWN:
                raise
            self._is_refused = True
            _log.warning("database.no_listen", cost="the database is asked for work once a second")
            return
        # A lost connection wakes the reader of the due times, which opens another one.
        connection.add_termination_listener(lambda _connection: self._hear())
        self._listens = True

    def _notified(self, connection: Any, sender: int, _channel: str, _payload: str) -> None:
        if sender != connection.get_server_pid():
            self._hear()

    def _hear(self) -> None:
        if self._heard is not None:
            self._heard()

    async def close(self) -> None:
        """Close the connection."""
        self._heard, self._listens = None, False
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def _terminate(self) -> None:
        connection, self._connection = self._connection, None
        self._listens = False
        if connection is not None:
            connection.terminate()
