"""The thread that copies the WAL back: when there is something to copy, and at rest otherwise."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from paraph.storage.engines import sqlite_intake
from paraph.storage.engines.sqlite import connect_driver, create_private, use_wal
from paraph.storage.engines.sqlite_intake import Checkpoints

TAKE_THE_WRITE_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
try:
    connection.execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError as error:
    print(error)
"""


@contextmanager
def checkpoints_look(path: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The thread has looked at the WAL several times."""
    monkeypatch.setattr(sqlite_intake, "CHECKPOINT_SECONDS", 0.001)
    monkeypatch.setattr(sqlite_intake, "CHECKPOINT_BYTES", 0)
    checkpoints = Checkpoints(path, connect_driver)
    looks, look, enough = itertools.count(1), checkpoints._log_state, threading.Event()

    def counted() -> tuple[int, int]:
        if next(looks) == 5:
            enough.set()
        return look()

    monkeypatch.setattr(checkpoints, "_log_state", counted)
    checkpoints.start()
    try:
        assert enough.wait(60)
        yield
    finally:
        checkpoints.stop()


@contextmanager
def file_made_private(path: str, _monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another engine of this process has prepared the same file."""
    create_private(path)
    yield


@pytest.mark.parametrize("visitor", [checkpoints_look, file_made_private])
def test_locks_of_this_process_stay(
    visitor: Callable[[str, pytest.MonkeyPatch], AbstractContextManager[None]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No other process gets the write lock: a file of SQLite's is never opened and closed aside."""
    path = str(tmp_path / "wal.db")
    use_wal(path)
    with closing(connect_driver(path)) as connection:
        connection.execute("CREATE TABLE rows (content)")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO rows VALUES (1)")
        with visitor(path, monkeypatch):
            command = [sys.executable, "-c", TAKE_THE_WRITE_LOCK, path]
            other = subprocess.run(command, capture_output=True, text=True, check=True)
        connection.execute("COMMIT")

    assert "database is locked" == other.stdout.strip()


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
