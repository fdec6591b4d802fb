from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraph.errors import UsageError
from paraph.storage.backup.backup_file import FORMAT, BackupReader, BackupWriter, Head

KEY = b"k" * 32
HEAD = Head(FORMAT, "0004", "database-1", 1, 1_000, 3, "key-1")
COLUMNS = {"id": "value", "sealed": "bytes", "urgent": "bool"}
ROWS: list[tuple[Any, ...]] = [("a\nb", b"\x00\xff", True), ("ü", None, False), (2**62, b"", None)]


def written(head: Head = HEAD) -> bytes:
    """A small backup with a table of three rows and an empty one."""
    file = io.BytesIO()
    writer = BackupWriter(file, head)
    writer.table("things", COLUMNS)
    for row in ROWS:
        writer.row(row)
    writer.table("nothing", {"id": "value"})
    writer.end(KEY)
    return file.getvalue()


def read(content: bytes, size: int = 2, key: bytes = KEY) -> list[tuple[str, tuple[Any, ...]]]:
    """All rows of a backup that proves whole."""
    reader = BackupReader(io.BytesIO(content))
    rows = [(one.table, tuple(row)) for one in reader.batches(size) for row in one.rows]
    reader.demand_whole(key)
    return rows


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_rows_come_back_as_they_went(size: int) -> None:
    """Text with line ends, bytes, truth, nothing and large numbers, in batches of any size."""
    assert [("things", row) for row in ROWS] == read(written(), size)


def test_the_head_says_what_it_is_a_backup_of() -> None:
    """Before anything is loaded."""
    assert BackupReader(io.BytesIO(written())).head == HEAD


@pytest.mark.parametrize("length", range(0, len(written()), 7))
def test_a_backup_that_was_cut_off_is_refused(length: int) -> None:
    """Wherever the disk was full."""
    with pytest.raises(UsageError):
        read(written()[:length])


def test_no_changed_byte_passes() -> None:
    """One bit anywhere: in the head, a row, a name, the count, the hash or the MAC."""
    content = written()
    for place in range(len(content)):
        spoiled = bytearray(content)
        spoiled[place] ^= 1
        with pytest.raises(UsageError):
            read(bytes(spoiled))


def test_nothing_may_follow_the_end() -> None:
    """Two backups in one file are none."""
    with pytest.raises(UsageError):
        read(written() + written())


def test_a_row_that_was_put_in_with_a_new_hash_is_refused() -> None:
    """Whoever has no encryption key cannot make a backup that restores, nor change one."""
    with pytest.raises(UsageError, match="was not made with this key"):
        read(written(), key=b"x" * 32)


def test_another_format_is_named() -> None:
    """A later paraph's backup is no damaged one."""
    with pytest.raises(UsageError, match="format 3"):
        read(written(Head(3, "0004", "database-1", 1, 1_000, 3, "key-1")))


def test_a_backup_of_the_first_version_is_read() -> None:
    """Its head names no key, and one that names a key is of a later version."""
    assert read(written(Head(1, "0004", "database-1", 1, 1_000, 3))) == read(written())
    for head in (Head(1, "0004", "d", 1, 1, 3, "key-1"), Head(2, "0004", "d", 1, 1, 3)):
        with pytest.raises(UsageError, match="head of the backup is damaged"):
            read(written(head))


@given(st.binary(max_size=200))
def test_whatever_bytes_arrive_only_usage_errors_leave(content: bytes) -> None:
    """A file that is something else is told so."""
    with pytest.raises(UsageError):
        read(content)
