"""Receipts outside the database: the facts that a restored backup cannot know.

The book is append-only. It has a line for each removal or tombstone since the beginning, and
regular marks of how far the audit chain had come:

    MAC (hex) | space | JSON

A line holds no personal data: an identity is a keyed hash, whose key is sealed in the
database. The MAC makes a forged or changed line worthless. Its key is derived from the encryption
key that sealed when the line was written. The line names that key, and a key that was rotated away
no longer authenticates any line (see `trust`). Each machine and month has a file of its own. So
no two machines append to the same file, and old files can be stored safely.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from paraph.errors import StorageError
from paraph.sealing.key_ring import KeyRing
from paraph.storage.backup.trust import FIRST_VERSION, RECEIPTS, keys_in_force

_MAC_LENGTH = 64


class ReceiptLine(msgspec.Struct, tag="receipt", frozen=True):
    """A removal: identity (a keyed hash), reason, time, and the number of deleted items."""

    receipt_id: str
    identity: str
    installation_id: str
    reason: str
    requested_at: int
    completed_at: int
    destroyed: Mapping[str, int]


class TombstoneLine(msgspec.Struct, tag="tombstone", frozen=True):
    """A deauthorization, even if it matched no grant; `zoom_time` is -1 if unknown."""

    identity: str
    zoom_time: int
    created_at: int


class MarkLine(msgspec.Struct, tag="mark", frozen=True):
    """A mark of the audit chain: a database whose chain ends before it is an older copy."""

    epoch: int
    sequence: int
    digest: str
    at: int


Line = ReceiptLine | TombstoneLine | MarkLine


class _Written(msgspec.Struct):
    database: str
    line: Line
    key: str = ""


class _Owner(msgspec.Struct):
    database: str


@dataclass(frozen=True, slots=True)
class Reading:
    """The lines of a book about one database.

    Attributes:
        lines: those that a trusted key authenticates.
        spoiled: positions of lines that are cut off or altered.
        older: intact lines of keys that are not trusted, or of paraph 0.1.
        unproven: positions of lines that no trusted key authenticates, and their keys.
    """

    lines: Sequence[Line]
    spoiled: Sequence[str]
    older: Sequence[Line] = ()
    unproven: Sequence[str] = ()


def encode_line(line: Line) -> str:
    """Encode a line in the form that waits in the database."""
    return msgspec.json.encode(line).decode()


class ReceiptBook:
    """The book of one database in a folder.

    Args:
        folder: created if it does not exist, readable by its owner alone.
        database_id: selects the lines of this database; others are skipped.
        ring: its keys authenticate lines.
        first_key: the database's hash key "receipts", which authenticated those of paraph 0.1.
        writer: names this machine in the names of files.
    """

    def __init__(
        self, folder: Path, *, database_id: str, ring: KeyRing, first_key: bytes, writer: str
    ) -> None:
        self.folder = folder
        self._database_id = database_id
        self._ring = ring
        self._first_key = first_key
        self._keys: dict[str, bytes] = {}
        self._writer = re.sub(r"[^A-Za-z0-9.-]", "-", writer)[:64] or "here"

    def append(self, lines: Sequence[str | Line], *, now: int) -> None:
        """Write lines; they are durable when this returns. Waiting lines are written unchanged.

        Raises:
            StorageError: they could not be written.
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
                    # A crash cut the last line off; the next line must not be joined to it.
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
                remedy="Free space, or fix the folder's permissions. The receipts wait until then.",
            ) from None

    def read(
        self, believed: Collection[str] | None = None, *, first_version: bool = False
    ) -> Reading:
        """Return every line of this database, in the order of the files' names.

        Args:
            believed: ids of the trusted keys; default: the keys in force.
            first_version: True if lines of paraph 0.1 are trusted.

        Raises:
            StorageError: a file cannot be read.
        """
        accepted = set(keys_in_force(self._ring) if believed is None else believed)
        accepted |= {""} if first_version else set()
        lines: list[Line] = []
        older: list[Line] = []
        spoiled: list[str] = []
        unproven: list[tuple[str, Line]] = []
        for path in sorted(self.folder.glob("receipts-*.log")) if self.folder.is_dir() else ():
            try:
                content = path.read_bytes()
            except OSError as error:
                raise StorageError(
                    f"{path} cannot be read: {error.strerror}",
                    remedy="Run this as the user that the service runs as.",
                ) from None
            for number, raw in enumerate(content.split(b"\n"), start=1):
                place = f"{path.name} line {number}"
                try:
                    found = self._understood(raw)
                except ValueError:
                    spoiled.append(place)
                    continue
                if found is None:
                    continue
                written, is_whole = found
                if is_whole and written.key in accepted:
                    lines.append(written.line)
                    continue
                older += [written.line] if is_whole else []
                unproven.append((f"{place} (key {written.key or FIRST_VERSION})", written.line))
        # A line that a trusted key has written again needs no proof of its own, nor does a mark.
        proven = set(map(encode_line, lines))
        missing = [
            place
            for place, line in unproven
            if not isinstance(line, MarkLine) and encode_line(line) not in proven
        ]
        return Reading(lines, spoiled, older, missing)

    def _written(self, line: str | Line) -> bytes:
        text = line if isinstance(line, str) else encode_line(line)
        key_id = self._ring.key_id
        owned = {
            "database": self._database_id,
            "key": key_id,
            "line": msgspec.Raw(text.encode()),
        }
        body = msgspec.json.encode(owned)
        return self._mac(key_id, body).hex().encode() + b" " + body + b"\n"

    def _understood(self, raw: bytes) -> tuple[_Written, bool] | None:
        """Parse a line, and check whether its own key authenticates it.

        A key that the ring does not hold authenticates nothing. Returns None for an empty line or
        one of another database.

        Raises:
            ValueError: the line is cut off or altered.
        """
        if not raw:
            return None
        mac, space, body = raw[:_MAC_LENGTH], raw[_MAC_LENGTH : _MAC_LENGTH + 1], raw[65:]
        if space != b" ":
            raise ValueError
        if msgspec.json.decode(body, type=_Owner).database != self._database_id:
            return None
        written = msgspec.json.decode(body, type=_Written)
        is_held = not written.key or written.key in self._ring.key_ids
        if is_held and not hmac.compare_digest(mac, self._mac(written.key, body).hex().encode()):
            raise ValueError
        return written, is_held

    def _mac(self, key_id: str, body: bytes) -> bytes:
        key = self._keys.get(key_id)
        if key is None:
            key = self._ring.authentication_key(RECEIPTS, key_id) if key_id else self._first_key
            self._keys[key_id] = key
        return hmac.digest(key, body, hashlib.sha256)


def _write_all(descriptor: int, content: bytes) -> None:
    # One write, so that lines of two processes of this machine do not mix.
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
