"""The twin's database: links with sealed tokens, deliveries, effects, tombstones."""

from __future__ import annotations

import base64
import hashlib
import os
import sqlite3
import threading
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from paraph.checks.twin.settings import Settings

_TABLES = """
create table if not exists links(id text primary key, subject text, client_id text,
  account_id text, user_id text, name text, email text, access text, refresh text,
  expires_at real, granted_at real, generation integer, dead integer default 0);
create table if not exists deliveries(digest text primary key);
create table if not exists effects(number integer primary key, body text);
create table if not exists queue(number integer primary key, body text);
create table if not exists tombstones(client_id text, account_id text, user_id text, at real);
create table if not exists profiles(user_id text primary key, subject text, name text);
create table if not exists floods(number integer primary key, content text);
"""


@dataclass(slots=True)
class Link:
    """One link with its plaintext tokens, in memory only."""

    id: str
    subject: str
    client_id: str
    account_id: str
    user_id: str
    name: str
    email: str
    access: str
    refresh: str
    expires_at: float
    granted_at: float
    generation: int
    dead: bool = False


class Vault:
    """A SQLite database; AES-256-GCM binds each sealed value to its row and column."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.lock = threading.RLock()
        self._db = sqlite3.connect(f"{settings.folder}/twin.db", check_same_thread=False)
        self._db.execute("pragma journal_mode=wal")
        self._db.executescript(_TABLES)
        keys = settings.keys
        if settings.is_weak("leak-key-rotation"):
            keys = keys[-1:]
        self._keys = {hashlib.sha256(k.encode()).hexdigest()[:8]: AESGCM(_derive(k)) for k in keys}
        self._newest = next(iter(self._keys))
        self._reseal()

    # ------------------------------------------------------------ sealing

    def _seal(self, row: str, column: str, value: str) -> str:
        if self._settings.is_weak("leak-db"):
            return value
        nonce = os.urandom(12)
        sealed = nonce + self._keys[self._newest].encrypt(
            nonce, value.encode(), self._bound(row, column)
        )
        return f"{self._newest}.{base64.urlsafe_b64encode(sealed).decode()}"

    def _open(self, row: str, column: str, value: str) -> str:
        if self._settings.is_weak("leak-db"):
            return value
        key, _, content = value.partition(".")
        raw = base64.urlsafe_b64decode(content)
        try:
            return self._keys[key].decrypt(raw[:12], raw[12:], self._bound(row, column)).decode()
        except (InvalidTag, KeyError):
            return ""

    def _bound(self, row: str, column: str) -> bytes:
        return b"" if self._settings.is_weak("leak-swap") else f"{row}/{column}".encode()

    def _reseal(self) -> None:
        for link in self.links():
            if link.access:
                self.put(link)

    # ------------------------------------------------------------ links

    def put(self, link: Link) -> None:
        """Insert or replace a link."""
        with self.lock, self._db:
            self._db.execute(
                "insert or replace into links values (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    *(link.id, link.subject, link.client_id, link.account_id, link.user_id),
                    *(link.name, link.email),
                    self._seal(link.id, "access", link.access),
                    self._seal(link.id, "refresh", link.refresh),
                    *(link.expires_at, link.granted_at, link.generation, int(link.dead)),
                ),
            )

    def links(self, where: str = "1=1", *values: str) -> list[Link]:
        """Return the links that match an SQL condition; `where` must be a literal in this code."""
        with self.lock:
            rows = self._db.execute(f"select * from links where {where}", values).fetchall()  # noqa: S608 - Conditions are literals of this package.
        return [self._link(row) for row in rows]

    def _link(self, row: tuple[Any, ...]) -> Link:
        name = str(row[0])
        access = self._open(name, "access", row[7])
        refresh = self._open(name, "refresh", row[8])
        values = (*row[:7], access, refresh, *row[9:12], bool(row[12]))
        return Link(*values)

    def delete(self, link: Link) -> None:
        """Delete a link and its tokens."""
        self.run("delete from links where id = ?", link.id)

    def run(self, statement: str, *values: object) -> int:
        """Execute one statement; return the number of affected rows."""
        with self.lock, self._db:
            return self._db.execute(statement, values).rowcount

    def rows(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        with self.lock:
            return self._db.execute(statement, values).fetchall()


def _derive(key: str) -> bytes:
    return hashlib.sha256(b"twin" + key.encode()).digest()
