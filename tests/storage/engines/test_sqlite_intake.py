"""The thread that copies the WAL back: when there is something to copy, and at rest otherwise."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from paraph.storage.engines import sqlite_intake
from paraph.storage.engines.sqlite import connect_driver, use_wal
from paraph.storage.engines.sqlite_intake import Checkpoints


def test_the_pages_to_copy_are_those_of_the_checkpoint(tmp_path: Path) -> None:
    """The same number as SQLite reports, also when the WAL is written from its beginning again."""
    path = str(tmp_path / "wal.db")
    use_wal(path)
    checkpoints = Checkpoints(path, connect_driver)
    with closing(connect_driver(path)) as connection:
        connection.execute("CREATE TABLE rows (content)")
        for _ in range(2):
            connection.executemany("INSERT INTO rows VALUES (?)", [("x" * 5_000,)] * 9)
            waiting = checkpoints._pages_to_copy()
            _, _, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            assert copied == waiting > 9
            assert 0 == checkpoints._pages_to_copy()


def test_a_resting_thread_is_woken_and_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever it is stopped, it ends."""
    monkeypatch.setattr(sqlite_intake, "CHECKPOINT_SECONDS", 0)
    monkeypatch.setattr(sqlite_intake, "QUIET_LOOKS", 1)
    use_wal(str(tmp_path / "wal.db"))
    for _ in range(20):
        checkpoints = Checkpoints(str(tmp_path / "wal.db"), connect_driver)
        checkpoints.start()
        checkpoints.start()
        checkpoints.stop()
        assert checkpoints._thread is not None
        assert not checkpoints._thread.is_alive()
