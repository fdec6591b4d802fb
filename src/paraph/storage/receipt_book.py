"""Receipts outside the database: what a restored backup cannot know.

An append-only book, one line for each removal or tombstone since the beginning, and now and
then a mark of how far the audit chain had come:

    MAC (hex) | space | JSON

A line holds no personal data: an identity is a keyed hash, whose key stands sealed in the
database. The MAC makes a line that somebody wrote or changed worthless. A file for each machine
and month, so that no two machines append to the same one, and old files can be locked away.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from paraph.errors import StorageError

_MAC_LENGTH = 64


class ReceiptLine(msgspec.Struct, tag="receipt", frozen=True):
    """A removal: whose (a keyed hash), why, when, and what was destroyed."""

    receipt_id: str
    identity: str
    installation_id: str
    reason: str
    requested_at: int
    completed_at: int
    destroyed: Mapping[str, int]


class TombstoneLine(msgspec.Struct, tag="tombstone", frozen=True):
    """A deauthorization, also one that matched nothing; `zoom_time` is -1 when unknown."""

    identity: str
    zoom_time: int
    created_at: int


class MarkLine(msgspec.Struct, tag="mark", frozen=True):
    """How far the audit chain had come: a database that has not is older than it claims."""

    epoch: int
    sequence: int
    digest: str
    at: int


Line = ReceiptLine | TombstoneLine | MarkLine


class _Written(msgspec.Struct):
    database: str
    line: Line


class _Owner(msgspec.Struct):
    database: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a book says of one database; `spoiled` names lines that are torn or altered."""

    lines: Sequence[Line]
    spoiled: Sequence[str]


def encode_line(line: Line) -> str:
    """A line as it waits in the database."""
    return msgspec.json.encode(line).decode()


class ReceiptBook:
    """The book of one database in a folder.

    Args:
        folder: made when it does not exist, readable by its owner alone.
        database_id: whose lines; those of others are passed over.
        key: the database's hash key "receipts".
        writer: names this machine in the names of files.
    """

    def __init__(self, folder: Path, *, database_id: str, key: bytes, writer: str) -> None:
        self.folder = folder
        self._database_id = database_id
        self._key = key
        self._writer = re.sub(r"[^A-Za-z0-9.-]", "-", writer)[:64] or "here"

    def append(self, lines: Sequence[str | Line], *, now: int) -> None:
        """Write lines; durable when this returns. Lines that waited are given as they stood.

        Raises:
            StorageError: they could not be kept.
        """
        month = f"{datetime.fromtimestamp(now, tz=UTC):%Y-%m}"
        path = self.folder / f"receipts-{self._writer}-{month}.log"
        content = b"".join(self._written(line) for line in lines)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            is_new = not path.exists()
            descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600)
            try:
                size = os.fstat(descriptor).st_size
                if size and os.pread(descriptor, 1, size - 1) != b"\n":
                    # A crash tore the last line; the next one must not go down with it.
                    content = b"\n" + content
                _write_all(descriptor, content)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if is_new:
                _sync_folder(self.folder)
        except OSError as error:
            raise StorageError(
                f"removal receipts cannot be written to {self.folder}: {error.strerror}",
                remedy="Make room, or mend the folder's permissions; they are kept until then.",
            ) from None

    def read(self) -> Reading:
        """Every line of this database, in the order of the files' names.

        Raises:
            StorageError: a file cannot be read.
        """
        lines: list[Line] = []
        spoiled: list[str] = []
        for path in sorted(self.folder.glob("receipts-*.log")) if self.folder.is_dir() else ():
            try:
                content = path.read_bytes()
            except OSError as error:
                raise StorageError(
                    f"{path} cannot be read: {error.strerror}",
                    remedy="Run this as the user that the service runs as.",
                ) from None
            for number, raw in enumerate(content.split(b"\n"), start=1):
                try:
                    line = self._understood(raw)
                except ValueError:
                    spoiled.append(f"{path.name} line {number}")
                else:
                    lines += [] if line is None else [line]
        return Reading(lines, spoiled)

    def _written(self, line: str | Line) -> bytes:
        text = line if isinstance(line, str) else encode_line(line)
        owned = {"database": self._database_id, "line": msgspec.Raw(text.encode())}
        body = msgspec.json.encode(owned)
        return self._mac(body).hex().encode() + b" " + body + b"\n"

    def _understood(self, raw: bytes) -> Line | None:
        """The line; None when it is empty or another database's. `ValueError`: spoiled."""
        if not raw:
            return None
        mac, space, body = raw[:_MAC_LENGTH], raw[_MAC_LENGTH : _MAC_LENGTH + 1], raw[65:]
        if space != b" ":
            raise ValueError
        if msgspec.json.decode(body, type=_Owner).database != self._database_id:
            return None
        if not hmac.compare_digest(mac, self._mac(body).hex().encode()):
            raise ValueError
        return msgspec.json.decode(body, type=_Written).line

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, hashlib.sha256)


def _write_all(descriptor: int, content: bytes) -> None:
    # One write: lines of two processes of this machine do not mix.
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
