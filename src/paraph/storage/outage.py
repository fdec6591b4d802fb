"""Failures of the whole database: the cause, and the operator's remedy for it.

The driver's text is never repeated: it may quote values, or the URL with its password.
"""

from __future__ import annotations

import asyncio
import re
import socket
import sqlite3
import ssl
from typing import NamedTuple

from paraph.errors import SchemaChanged, StorageError, StorageUnavailable
from paraph.logs import get_logger

_log = get_logger("storage")

# Seconds without a failed write after which a full disk counts as having room again.
FULL_SECONDS = 10.0


class _Failure(NamedTuple):
    """The text for one cause: the fact, and the remedy."""

    detail: str
    remedy: str


# SQLSTATE undefined_table, lock_not_available.
_UNDEFINED_TABLE, _NO_LOCK = "42P01", "55P03"
_RECONNECTS = "The service connects again by itself; look at the database's own log."
_READ_ONLY = _Failure(
    "the database is read-only",
    "Let database_url name the primary, and set default_transaction_read_only to off for its user"
    " and database.",
)
_FULL = _Failure(
    "the database's disk is full", "Free space on it; the service continues by itself."
)
_REFUSED = _Failure(
    "the database refuses the user or the password",
    "Check the user and the password in database_url, and the server's pg_hba.conf.",
)
_NO_CONNECTION = _Failure(
    "the database has no connection left",
    "Raise max_connections or the pooler's limits, or run fewer replicas: "
    "docs/reference/where-it-runs.md says how many connections each one holds.",
)
# By SQLSTATE (PostgreSQL documentation, appendix A); the longest matching prefix counts.
_STATES = {
    "08": _Failure("the connection to the database was lost", _RECONNECTS),
    "08P01": _Failure(
        "the pooler or the database refused the connection",
        "Look at its log, and check user, password and database in database_url.",
    ),
    "25006": _READ_ONLY,
    "28": _REFUSED,
    "3D000": _Failure(
        "the database that database_url names does not exist on its server",
        "Create it, or correct the name after the last / of database_url.",
    ),
    "42501": _Failure(
        "the user of database_url lacks a privilege",
        "Let it own the database, or grant it CREATE on the schema public.",
    ),
    "53100": _FULL,
    "53300": _NO_CONNECTION,
    "57P": _Failure("the database is starting or stopping", _RECONNECTS),
}
# PgBouncer uses one SQLSTATE (08P01) for most refusals, so its text decides.
_POOLER_SENTENCES = {
    "no such database": _STATES["3D000"],
    "does not exist": _STATES["3D000"],
    "bouncer config error": _STATES["3D000"],
    "no such user": _REFUSED,
    "auth failed": _REFUSED,
    "authentication failed": _REFUSED,
    "no more connections allowed": _NO_CONNECTION,
    "query_wait_timeout": _Failure(
        "the pooler gave no connection in time",
        "Raise the pooler's default_pool_size, or look for a transaction that does not end.",
    ),
    "server login": _Failure(
        "the pooler cannot reach the database or is refused there",
        "Look at the pooler's log; the service connects again by itself.",
    ),
    "unsupported startup parameter": _Failure(
        "the pooler refuses a parameter of database_url (options or application_name)",
        "Remove it from database_url, or name it in the pooler's ignore_startup_parameters.",
    ),
    "statement pooling mode": _Failure(
        "the pooler allows no transactions: its pool_mode is statement",
        "Set pool_mode to transaction or session for this database.",
    ),
}


def unavailable(error: BaseException) -> StorageUnavailable | None:
    """Return the failure of the whole database behind a driver's exception; else None."""
    found = _of_server(error) or _of_network(error) or _of_sqlite(error)
    if found is None:
        return None
    return StorageUnavailable(f"{found.detail} ({_name(error)})", remedy=found.remedy)


def failed(error: BaseException) -> StorageError:
    """Return the error for a driver's exception, by its class: the text may quote values."""
    return known(error) or StorageError(f"the database failed: {type(error).__name__}")


def known(error: BaseException) -> StorageError | None:
    """Return the failure behind an exception whose cause is certain; else None."""
    if getattr(error, "sqlstate", None) == _NO_LOCK:
        return StorageError(
            "another transaction held a lock for too long",
            remedy="Wait for its end, for example that of a backup, and try again.",
        )
    is_missing = getattr(error, "sqlstate", None) == _UNDEFINED_TABLE or (
        isinstance(error, sqlite3.OperationalError) and "no such table" in str(error)
    )
    if is_missing:
        return SchemaChanged("a table is missing: paraph migrate has changed the schema")
    return unavailable(error)


def _cause(error: StorageUnavailable) -> str:
    """Return the cause, without how it was noticed."""
    return re.split(r"[:(]", error.detail, maxsplit=1)[0].strip()


def _name(error: BaseException) -> str:
    state = getattr(error, "sqlstate", None)
    return f"{type(error).__name__}{f' {state}' if state else ''}"


def _of_server(error: BaseException) -> _Failure | None:
    state = str(getattr(error, "sqlstate", None) or "")
    if not state:
        return _STATES["08"] if _ended_between_statements(error) else None
    said = str(error)
    if state.startswith("08"):
        for sentence, found in _POOLER_SENTENCES.items():
            if sentence in said:
                return found
    return next(
        (_STATES[state[:n]] for n in range(len(state), 1, -1) if state[:n] in _STATES), None
    )


def _ended_between_statements(error: BaseException) -> bool:
    """Return true for the driver's exceptions when a connection ended between two statements.

    Either it is closed already, or the server's last message was read and its end was not yet.
    """
    name, said = type(error).__name__, str(error)
    return (name == "InterfaceError" and "closed" in said) or (
        name == "InternalClientError" and "cannot switch to state" in said
    )


def _of_network(error: BaseException) -> _Failure | None:
    if isinstance(error, socket.gaierror):
        return _Failure(
            "the host of database_url is not known",
            "Check the host's name in database_url, and this machine's name service.",
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return _Failure(
            "the database's certificate could not be verified",
            "Name its authority with sslrootcert=FILE in database_url; with sslmode=verify-full "
            "the host must be the name in the certificate.",
        )
    if isinstance(error, ssl.SSLError):
        return _Failure(
            "the TLS handshake with the database failed", "Check sslmode in database_url."
        )
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        return _Failure(
            "nothing listens at the address of database_url",
            "Check its host and port, and that the server runs.",
        )
    if isinstance(error, ConnectionError) and "SSL" in str(error):
        return _Failure(
            "the database does not support TLS, or closed the connection before it",
            "Let the server offer TLS; on this machine or its loopback sslmode can be left out.",
        )
    if isinstance(error, TimeoutError):
        return _Failure(
            "the database did not answer in time",
            "Check that its address and port can be reached from here; a firewall may be between.",
        )
    return (
        _Failure("the database cannot be reached", _RECONNECTS)
        if isinstance(error, OSError)
        else None
    )


def _of_sqlite(error: BaseException) -> _Failure | None:
    if not isinstance(error, sqlite3.Error):
        return None
    # The low byte is the primary code; the rest gives details (sqlite.org/rescode.html).
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return _FULL
    if code == sqlite3.SQLITE_READONLY:
        return _Failure(
            "the database file is read-only",
            "Let the user of the service write to the file and to its folder.",
        )
    if code == sqlite3.SQLITE_NOTADB:
        return _Failure(
            "the file of database_url is not an SQLite database",
            "Correct database_url, or restore the database from a backup.",
        )
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
        return _Failure(
            "the database file cannot be read or written", "Look at the disk and the folder."
        )
    return None


class OutageLog:
    """Logs the beginning and the end of each outage once, however many blocks fail."""

    def __init__(self) -> None:
        self._current: StorageUnavailable | None = None
        self._failed_at = 0.0

    @property
    def is_current(self) -> bool:
        """True during an outage."""
        return self._current is not None

    @property
    def _is_full(self) -> bool:
        return self._current is not None and self._current.detail.startswith(_FULL.detail)

    def fail(self, error: StorageUnavailable) -> None:
        """Record a block that failed because the whole database failed."""
        if self._current is None or _cause(self._current) != _cause(error):
            _log.error("database.unavailable", why=error.detail, remedy=error.remedy)
        self._current = error
        self._failed_at = asyncio.get_running_loop().time()

    def recover(self) -> None:
        """Record a successful write.

        On a full disk a small row may still fit where a large one does not. So that outage ends
        only when no write has failed for a while.
        """
        if self._current is None:
            return
        quiet = asyncio.get_running_loop().time() - self._failed_at
        if not self._is_full or quiet >= FULL_SECONDS:
            _log.info("database.available", after=self._current.detail)
            self._current = None

    def demand_room(self) -> None:
        """Raise `StorageUnavailable` while the disk is full."""
        if self._current is not None and self._is_full:
            raise StorageUnavailable(self._current.detail, remedy=self._current.remedy)
