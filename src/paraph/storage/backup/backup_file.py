"""The file of a backup: the same for both kinds of database, written and read as a stream.

The file consists of lines of JSON. First comes a head. For each table a line names it and its
columns, followed by a line for each row. The end holds the number of rows, a SHA-256 of everything
before, and a MAC over that hash. Sealed columns stay sealed. The MAC's key is derived from the
encryption key that sealed when the backup was made, and the head names it: see `trust`. In format
1, of paraph 0.1, the MAC's key was sealed in the backup itself.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

import msgspec

from paraph.errors import UsageError

Kind = TypeVar("Kind")

FORMAT = 2
FIRST_FORMAT = 1
_REMEDY = "Take another backup; this one was cut off, damaged or altered."


class Head(msgspec.Struct, frozen=True):
    """The first line. `rows` counts all rows, for the progress; `key_id` authenticates."""

    paraph_backup: int
    schema: str
    database: str
    epoch: int
    made_at: int
    rows: int
    key_id: str = ""


class _TableLine(msgspec.Struct, frozen=True):
    table: str
    columns: dict[str, str]


class _End(msgspec.Struct, frozen=True):
    rows: int
    sha256: str
    mac: str


@dataclass(frozen=True, slots=True)
class TableRows:
    """Some rows of one table, in the order of `columns`."""

    table: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


class BackupWriter:
    """Writes a backup into a binary file."""

    def __init__(self, file: BinaryIO, head: Head) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.rows = 0
        self._line(msgspec.json.encode(head))

    def table(self, name: str, columns: Mapping[str, str]) -> None:
        """Write the line that begins a table."""
        self._line(msgspec.json.encode(_TableLine(name, dict(columns))))

    def row(self, values: Sequence[Any]) -> None:
        """Write one row of the table begun last."""
        self.rows += 1
        self._line(msgspec.json.encode(list(values)))

    def end(self, key: bytes) -> str:
        """Write the end, authenticated with the key. Return the content's hash."""
        digest = self._digest.digest()
        mac = hmac.digest(key, digest, hashlib.sha256)
        self._file.write(msgspec.json.encode(_End(self.rows, digest.hex(), mac.hex())) + b"\n")
        self._file.flush()
        return digest.hex()

    def _line(self, content: bytes) -> None:
        line = content + b"\n"
        self._digest.update(line)
        self._file.write(line)


class BackupReader:
    """Reads a backup from a binary file, once, from beginning to end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._rows = 0
        self._end: _End | None = None
        self.head = _decoded(self._next(), Head)
        if self.head.paraph_backup not in {FIRST_FORMAT, FORMAT}:
            raise UsageError(
                f"this is a backup of format {self.head.paraph_backup}, not {FORMAT}",
                remedy="Restore it with the paraph that made it.",
            )
        if bool(self.head.key_id) != (self.head.paraph_backup != FIRST_FORMAT):
            raise UsageError("the head of the backup is damaged", remedy=_REMEDY)

    def batches(self, size: int) -> Iterator[TableRows]:
        """Yield all rows, at most `size` at once.

        Raises:
            UsageError: the file is not a complete backup.
        """
        table: _TableLine | None = None
        rows: list[list[Any]] = []
        while self._end is None:
            line = self._next()
            if line.startswith(b"[") and table is not None:
                rows.append(_row(line, table))
                self._rows += 1
                if len(rows) < size:
                    continue
            if rows and table is not None:
                yield TableRows(table.table, tuple(table.columns), rows)
                rows = []
            if line.startswith(b'{"table"'):
                table = _decoded(line, _TableLine)
            elif not line.startswith(b"["):
                self._end = _decoded(line, _End)

    def demand_whole(self, key: bytes) -> str:
        """After the last batch, check that the backup is complete and unchanged. Return its hash.

        Raises:
            UsageError: something is missing, changed or added.
        """
        digest = self._digest.digest()
        mac = hmac.digest(key, digest, hashlib.sha256).hex()
        end = self._end
        if end is None or self._file.read(1) or end.sha256 != digest.hex():
            raise UsageError(
                "the backup is incomplete or changed: its hash differs", remedy=_REMEDY
            )
        if end.rows != self._rows or not hmac.compare_digest(mac, end.mac):
            raise UsageError(
                "the backup was not made with this key: its MAC differs", remedy=_REMEDY
            )
        return digest.hex()

    def _next(self) -> bytes:
        line = self._file.readline()
        if not line.endswith(b"\n"):
            raise UsageError("the backup is cut off", remedy=_REMEDY)
        if not line.startswith(b'{"rows"'):
            # The last line is not part of the content that it authenticates.
            self._digest.update(line)
        return line


def _decoded(line: bytes, kind: type[Kind]) -> Kind:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UsageError("the file is not a backup, or it is damaged", remedy=_REMEDY) from None


def _row(line: bytes, table: _TableLine) -> list[Any]:
    values = _decoded(line, list[Any])
    if len(values) != len(table.columns):
        raise UsageError("a row of the backup is damaged", remedy=_REMEDY)
    return [_value(value, kind) for value, kind in zip(values, table.columns.values(), strict=True)]


def _value(value: Any, kind: str) -> Any:
    if kind != "bytes" or value is None:
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError):
        raise UsageError("a row of the backup is damaged", remedy=_REMEDY) from None
