from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from paraph.errors import ConfigurationError, Conflict, StorageError
from paraph.operations.probes.database_probe import database_facts
from paraph.storage.connection import finish, storage_errors
from paraph.storage.engines.sqlite import connect_driver, create_private, file_of, use_wal

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///paraph.db", "paraph.db"),
        ("sqlite:////var/lib/paraph.db", "/var/lib/paraph.db"),
        ("sqlite:///a%41#b c.db", "a%41#b c.db"),
    ],
)
def test_a_url_names_a_file_as_it_stands(url: str, path: str) -> None:
    """Three slashes are relative, four absolute, and nothing in the path is decoded."""
    assert path == file_of(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sqlite://",
        "sqlite:///",
        "sqlite:paraph.db",
        "sqlite:///:memory:",
        "sqlite:///file:paraph.db",
        "sqlite:///paraph.db?mode=memory",
        "sqlite:///para\0ph.db",
        "mysql:///paraph",
        "postgresql://someone:canary-password@host/paraph",
        "postgresql:///paraph",
    ],
)
def test_any_other_url_is_a_configuration_error(url: str) -> None:
    """What is not one file on disk is refused before anything is opened, and not repeated."""
    with pytest.raises(ConfigurationError) as caught:
        file_of(url)

    assert "database_url" in caught.value.problems[0]
    assert "canary" not in str(caught.value)


def test_a_new_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    """The owner alone may read it, also where the umask would let everybody."""
    before = os.umask(0)
    try:
        create_private(str(tmp_path / "new.db"))
    finally:
        os.umask(before)

    assert 0o600 == stat.S_IMODE((tmp_path / "new.db").stat().st_mode)


@pytest.mark.parametrize(
    ("path", "cause", "remedy"),
    [
        ("missing/paraph.db", "there is no folder", "sqlite:////srv/paraph.db is absolute"),
        (".", "it is not a file", "Let database_url name a file"),
        ("closed/paraph.db", "closed cannot be written to", "Let the user of the service write"),
    ],
)
def test_a_file_that_cannot_be_created_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, cause: str, remedy: str
) -> None:
    """A missing folder, a folder itself, a read-only folder: trying again would help none."""
    (tmp_path / "closed").mkdir()
    # Modes do not hold root back.
    monkeypatch.setattr(os, "access", lambda folder, _mode: Path(folder).name != "closed")
    if path.startswith("closed"):
        monkeypatch.setattr(os, "open", _refused)
    with pytest.raises(StorageError, match="the database file cannot be") as caught:
        create_private(str(tmp_path / path))
    assert cause in caught.value.detail
    assert remedy in caught.value.remedy


def _refused(*_arguments: object) -> int:
    raise PermissionError(13, "Permission denied")


def test_a_file_of_another_kind_says_what_to_do(tmp_path: Path) -> None:
    """A text file is no database, and does not become one by trying again."""
    (tmp_path / "notes.txt").write_text("notes of a meeting\n" * 99)
    with pytest.raises(StorageError, match="is not an SQLite database") as caught:
        use_wal(str(tmp_path / "notes.txt"))
    assert "restore the database from a backup" in caught.value.remedy


async def test_the_doctor_sees_that_a_database_cannot_be_created(tmp_path: Path) -> None:
    """A missing file in a missing folder is no first start, and the remedy is not lost."""
    url = f"sqlite:///{tmp_path / 'missing' / 'paraph.db'}"
    found = await database_facts(url, clock=lambda: 0.0)
    assert "there is no folder" in found.failure
    assert found.remedy.startswith("Create the folder")


def test_openers_of_one_new_file_wait_for_each_other(tmp_path: Path) -> None:
    """Switching to write-ahead logging at once makes SQLite turn some away unheard."""

    def open_and_write(path: str) -> None:
        create_private(path)
        use_wal(path)
        connection = connect_driver(path)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE IF NOT EXISTS rows (one)")
        connection.execute("INSERT INTO rows VALUES (1)")
        connection.execute("COMMIT")
        connection.close()

    with ThreadPoolExecutor(6) as pool:
        for number in range(50):
            path = str(tmp_path / f"{number}.db")
            list(pool.map(open_and_write, [path] * 6))
            reader = connect_driver(path)
            assert [(6,)] == reader.execute("SELECT count(*) FROM rows").fetchall()
            assert [("wal",)] == reader.execute("PRAGMA journal_mode").fetchall()
            reader.close()


CANARY = ValueError("canary-parameter")


@pytest.mark.parametrize(
    ("raised", "arrives"),
    [
        (IntegrityError("INSERT", {}, sqlite3.IntegrityError("canary-value")), Conflict),
        (OperationalError("BEGIN", {}, sqlite3.OperationalError("locked")), StorageError),
        (DatabaseError("SELECT", {}, sqlite3.DatabaseError("canary-value")), StorageError),
        (sqlite3.OperationalError("database is locked"), StorageError),
        (sqlite3.ProgrammingError("canary-value"), StorageError),
        (OverflowError("canary-value"), StorageError),
        (UnicodeEncodeError("utf-8", "canary-value", 0, 1, "no"), StorageError),
    ],
)
def test_what_the_driver_raises_arrives_as_one_error(
    raised: Exception, arrives: type[StorageError]
) -> None:
    """A lost race is a `Conflict`, everything else a `StorageError`, and no value is quoted."""
    with pytest.raises(arrives) as caught, storage_errors():
        raise raised

    assert arrives is type(caught.value)
    assert "canary" not in str(caught.value)
    # Without its cause: a traceback would print the driver's words.
    assert caught.value.__suppress_context__


def test_other_errors_pass_unchanged() -> None:
    """A mistake of ours is not disguised as the database's."""
    with pytest.raises(ValueError, match="canary-parameter"), storage_errors():
        raise CANARY


async def test_finished_work_gives_its_result_or_its_error() -> None:
    """Without a cancellation `finish` is the plain await."""

    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    async def failing() -> int:
        await asyncio.sleep(0)
        raise CANARY

    assert 7 == await finish(work())
    with pytest.raises(ValueError, match="canary-parameter"):
        await finish(failing())


@pytest.mark.parametrize("fails", [False, True])
async def test_a_cancelled_task_waits_until_the_work_is_done(fails: bool) -> None:  # noqa: FBT001 - A table's column.
    """However often it is cancelled, the work ends first; then the cancellation is raised."""
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await may_end.wait()
        ended.set()
        if fails:
            raise CANARY

    task = asyncio.create_task(finish(work()))
    await begun.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert (False, False) == (task.done(), ended.is_set())
    may_end.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
