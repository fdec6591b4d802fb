from __future__ import annotations

import hashlib
import hmac
import stat
from pathlib import Path

import pytest

from paraph.errors import StorageError
from paraph.sealing.encryption_key import new_encryption_key
from paraph.sealing.key_ring import KeyRing
from paraph.storage.backup.receipt_book import (
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


RING = KeyRing.parse([new_encryption_key()])


def book(folder: Path, database_id: str = "database-1", ring: KeyRing = RING) -> ReceiptBook:
    """A book of one database."""
    return ReceiptBook(
        folder, database_id=database_id, ring=ring, first_key=b"k" * 32, writer="host/1 "
    )


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
    book(tmp_path, "database-2", KeyRing.parse([new_encryption_key()])).append(LINES, now=NOVEMBER)
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
    book(tmp_path, ring=KeyRing([(RING.key_id, b"x" * 32)])).append([RECEIPT], now=NOVEMBER)

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
    assert "wait until then" in caught.value.remedy


def ring_of(*keys: tuple[str, bytes], seals: str = "") -> KeyRing:
    """A ring of keys, newest first, in which one seals."""
    made = KeyRing(keys)
    made.seal_with(seals or keys[0][0])
    return made


OLD, NEW = ("old", b"o" * 32), ("new", b"n" * 32)


def test_a_key_that_was_rotated_away_authenticates_no_line(tmp_path: Path) -> None:
    """A line of the old key is read as such: whole, but not believed."""
    book(tmp_path, ring=ring_of(OLD)).append([RECEIPT], now=NOVEMBER)
    book(tmp_path, ring=ring_of(NEW, OLD)).append([TOMBSTONE], now=NOVEMBER)

    reading = book(tmp_path, ring=ring_of(NEW, OLD)).read()
    assert ([TOMBSTONE], [RECEIPT], []) == (reading.lines, reading.older, reading.spoiled)
    assert ["receipts-host-1--2026-11.log line 1 (key old)"] == reading.unproven
    told = book(tmp_path, ring=ring_of(NEW, OLD)).read({"new", "old"})
    assert [RECEIPT, TOMBSTONE] == told.lines


def test_the_key_that_seals_and_the_one_that_waits_are_both_in_force(tmp_path: Path) -> None:
    """Before a rotation the key in front authenticates nothing yet, and takes nothing away."""
    waiting = ring_of(NEW, OLD, seals="old")
    book(tmp_path, ring=waiting).append([RECEIPT], now=NOVEMBER)

    assert [RECEIPT] == book(tmp_path, ring=waiting).read().lines
    assert [] == book(tmp_path, ring=ring_of(NEW, OLD)).read().lines


def test_a_line_of_a_key_that_is_not_held_is_named(tmp_path: Path) -> None:
    """A key that was taken out of the settings authenticates nothing and spoils nothing."""
    book(tmp_path, ring=ring_of(OLD)).append([RECEIPT, MARK], now=NOVEMBER)

    reading = book(tmp_path, ring=ring_of(NEW)).read({"new", "old"})
    assert ([], [], []) == (reading.lines, reading.older, reading.spoiled)
    assert ["receipts-host-1--2026-11.log line 1 (key old)"] == reading.unproven


def test_a_line_that_was_written_again_needs_no_other_proof(tmp_path: Path) -> None:
    """The same line under the key in force is the proof of the older one."""
    book(tmp_path, ring=ring_of(OLD)).append([RECEIPT], now=NOVEMBER)
    book(tmp_path, ring=ring_of(NEW, OLD)).append([RECEIPT], now=DECEMBER)

    reading = book(tmp_path, ring=ring_of(NEW, OLD)).read()
    assert ([RECEIPT], []) == (reading.lines, reading.unproven)


def test_a_line_of_the_first_version_is_believed_on_request_alone(tmp_path: Path) -> None:
    """Its key never changes, so anyone who held an encryption key could have written it."""
    body = b'{"database":"database-1","line":%b}' % encode_line(RECEIPT).encode()
    mac = hmac.digest(b"k" * 32, body, hashlib.sha256).hex().encode()
    tmp_path.joinpath("receipts-a-2026-11.log").write_bytes(mac + b" " + body + b"\n")

    reading = book(tmp_path).read()
    assert ([], [RECEIPT], []) == (reading.lines, reading.older, reading.spoiled)
    assert ["receipts-a-2026-11.log line 1 (key 0.1)"] == reading.unproven
    assert [RECEIPT] == book(tmp_path).read(first_version=True).lines
