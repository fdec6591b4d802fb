from __future__ import annotations

import stat
from pathlib import Path

import pytest

from paraph.errors import StorageError
from paraph.storage.receipt_book import (
    Line,
    MarkLine,
    ReceiptBook,
    ReceiptLine,
    TombstoneLine,
    encode_line,
)

NOVEMBER, DECEMBER = 1_795_500_000, 1_796_500_000
RECEIPT = ReceiptLine("receipt-1", "ab" * 32, "link-1", "deauthorized", 1, 2, {"grants": 1})
TOMBSTONE = TombstoneLine("cd" * 32, -1, 3)
MARK = MarkLine(1, 7, "ef" * 32, 4)
LINES: list[Line] = [RECEIPT, TOMBSTONE, MARK]


def book(folder: Path, database_id: str = "database-1", key: bytes = b"k" * 32) -> ReceiptBook:
    """A book of one database."""
    return ReceiptBook(folder, database_id=database_id, key=key, writer="host/1 ")


def file_in(folder: Path) -> Path:
    """The one file that a book has made."""
    (path,) = folder.iterdir()
    return path


def test_lines_come_back_as_they_went(tmp_path: Path) -> None:
    """Over several appends and months, in order, whether they waited as text or not."""
    book(tmp_path).append([encode_line(RECEIPT), TOMBSTONE], now=NOVEMBER)
    book(tmp_path).append([MARK], now=DECEMBER)

    reading = book(tmp_path).read()
    assert (LINES, []) == (reading.lines, reading.spoiled)
    assert ["receipts-host-1--2026-11.log", "receipts-host-1--2026-12.log"] == sorted(
        path.name for path in tmp_path.iterdir()
    )


def test_folder_and_files_are_their_owners_alone(tmp_path: Path) -> None:
    """Who was removed is nobody else's business, even as a keyed hash."""
    folder = tmp_path / "deep" / "receipts"
    book(folder).append(LINES, now=NOVEMBER)

    assert 0o600 == stat.S_IMODE(file_in(folder).stat().st_mode)
    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)


def test_lines_of_another_database_are_passed_over(tmp_path: Path) -> None:
    """One folder may serve several databases, whose keys this one does not have."""
    book(tmp_path, "database-2", b"x" * 32).append(LINES, now=NOVEMBER)
    book(tmp_path).append([MARK], now=NOVEMBER)

    reading = book(tmp_path).read()
    assert ([MARK], []) == (reading.lines, reading.spoiled)


@pytest.mark.parametrize("place", [0, 40, 64, 65, 150, 200])
def test_an_altered_line_is_named_and_not_believed(tmp_path: Path, place: int) -> None:
    """Whoever can write into the folder can remove nobody; the lines around it count."""
    book(tmp_path).append(LINES, now=NOVEMBER)
    path = file_in(tmp_path)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))

    reading = book(tmp_path).read()
    assert [TOMBSTONE, MARK] == reading.lines
    assert ["receipts-host-1--2026-11.log line 1"] == reading.spoiled


def test_a_line_made_with_another_key_is_not_believed(tmp_path: Path) -> None:
    """The name of the database alone gives no right to write into its book."""
    book(tmp_path, key=b"x" * 32).append([RECEIPT], now=NOVEMBER)

    reading = book(tmp_path).read()
    assert (0, 1) == (len(reading.lines), len(reading.spoiled))


def test_a_torn_line_does_not_take_the_next_one_with_it(tmp_path: Path) -> None:
    """After a crash in the middle of a line the book goes on in a new one."""
    book(tmp_path).append([RECEIPT], now=NOVEMBER)
    path = file_in(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])

    book(tmp_path).append([RECEIPT], now=NOVEMBER)

    reading = book(tmp_path).read()
    assert [RECEIPT] == reading.lines
    assert ["receipts-host-1--2026-11.log line 1"] == reading.spoiled


def test_a_book_without_a_folder_is_empty(tmp_path: Path) -> None:
    """Before the first removal there is nothing to read."""
    assert [] == book(tmp_path / "none").read().lines


def test_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    """Said in one line, with what to do; nothing of it is lost, since it waits in the database."""
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(StorageError, match="removal receipts cannot be written") as caught:
        book(tmp_path / "taken").append([RECEIPT], now=NOVEMBER)
    assert "kept until then" in caught.value.remedy
