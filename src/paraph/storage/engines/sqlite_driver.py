"""A connection to SQLite in a thread of its own that is switched to once for each statement.

aiosqlite switches to the thread to make a cursor, to run a statement, to fetch its rows and to
close the cursor. A switch costs more than most statements. So here one switch does all four.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Self

import aiosqlite

# Rows for each switch of an iteration; SQLAlchemy uses none.
_CHUNK = 64


class DriverConnection(aiosqlite.Connection):
    """A connection to one file.

    Args:
        path: the file.
        timeout: seconds for which a statement waits for the lock of another process.
    """

    def __init__(self, path: str, *, timeout: float) -> None:
        super().__init__(
            lambda: sqlite3.connect(path, timeout=timeout, check_same_thread=False), _CHUNK
        )
        # A thread that is not joined must not keep the process from ending.
        self._thread.daemon = True

    def cursor(self) -> _Cursor:  # type: ignore[override]  # The part that SQLAlchemy uses.
        """Return a cursor, without a switch to the thread."""
        return _Cursor(self)

    async def run(
        self, operation: str, statement: str, parameters: Iterable[Any]
    ) -> tuple[_Result, Sequence[Any]]:
        """Run `execute` or `executemany` of a new cursor; return its result and its rows."""

        def run_in_thread() -> tuple[_Result, Sequence[Any]]:
            cursor = self._conn.cursor()
            try:
                getattr(cursor, operation)(statement, parameters)
                rows = cursor.fetchall() if cursor.description else ()
                return (cursor.description, cursor.rowcount, cursor.lastrowid), rows
            finally:
                cursor.close()

        in_thread: Any = self._execute
        found: tuple[_Result, Sequence[Any]] = await in_thread(run_in_thread)
        return found


_Result = tuple[Any, int, int | None]


class _Cursor:
    """The result of one statement, with its rows."""

    def __init__(self, connection: DriverConnection) -> None:
        self._connection = connection
        self._rows: Sequence[Any] = ()
        self.arraysize = 1
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        """Return the cursor."""
        return self

    async def execute(self, statement: str, parameters: Iterable[Any] = ()) -> None:
        """Run a statement and keep all its rows."""
        await self._run("execute", statement, parameters)

    async def executemany(self, statement: str, parameters: Iterable[Any]) -> None:
        """Run a statement for each of some rows."""
        await self._run("executemany", statement, parameters)

    async def _run(self, operation: str, statement: str, parameters: Iterable[Any]) -> None:
        result, self._rows = await self._connection.run(operation, statement, parameters)
        self.description, self.rowcount, self.lastrowid = result

    async def fetchall(self) -> Sequence[Any]:
        """Return the rows."""
        return self._rows

    async def close(self) -> None:
        """The thread has closed its cursor."""
