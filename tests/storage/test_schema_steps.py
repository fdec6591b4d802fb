"""Schema steps: what may be added while older code runs, and what waits for an operator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from paraph.errors import ConfigurationError
from paraph.storage import schema
from paraph.storage.contraction import contract_schema
from paraph.storage.tables import former_events, metadata

pytestmark = pytest.mark.anyio

STEP = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {down}
branch_labels = None
depends_on = {needs}


def upgrade():
    {work}
"""
ADD_TABLE = (
    'op.create_table("notes", sa.Column("id", sa.Integer(), primary_key=True),'
    ' sa.Column("old", sa.Text()))'
)
ADD_COLUMN = 'op.add_column("notes", sa.Column("new", sa.Text()))'
DROP_COLUMN = 'op.drop_column("notes", "old")'


class Code:
    """The schema steps that one version of the code brings along."""

    def __init__(self, folder: Path) -> None:
        self._versions = folder / "versions"
        self._versions.mkdir(parents=True)
        self.place = str(folder)

    def step(self, revision: str, work: str, *, down: str | None, needs: str | None = None) -> None:
        """Add one."""
        content = STEP.format(revision=revision, down=repr(down), needs=repr(needs), work=work)
        (self._versions / f"{revision}.py").write_text(content)


@pytest.fixture
def codes(tmp_path: Path) -> tuple[Code, Code]:
    """An older version, and one that moves a column: it adds the new and takes away the old."""
    old, new = Code(tmp_path / "old"), Code(tmp_path / "new")
    for code in (old, new):
        code.step("0001", ADD_TABLE, down=None)
    new.step("0002", ADD_COLUMN, down="0001")
    new.step("c0001", DROP_COLUMN, down=None, needs="0002")
    return old, new


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Connection]:
    """An empty database."""
    engine = create_engine(f"sqlite:///{tmp_path / 'steps.db'}")
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def columns(connection: Connection) -> set[str]:
    """What the table has now."""
    return {one["name"] for one in inspect(connection).get_columns("notes")}


def test_a_start_only_adds(database: Connection, codes: tuple[Code, Code]) -> None:
    """New code on the old schema: what it needs is added, what older code needs stays."""
    old, new = codes
    schema.expand(database, place=old.place)
    schema.expand(database, place=new.place)

    assert {"id", "old", "new"} == columns(database)


def test_older_code_starts_on_what_newer_code_added(
    database: Connection, codes: tuple[Code, Code]
) -> None:
    """A replica that is not replaced yet may start again."""
    old, new = codes
    schema.expand(database, place=new.place)
    schema.expand(database, place=old.place)
    database.execute(text("INSERT INTO notes (id, old) VALUES (1, 'written by older code')"))

    assert [] == schema.contract(database, place=old.place)
    assert {"id", "old", "new"} == columns(database)


def test_taking_away_waits_for_the_operator(database: Connection, codes: tuple[Code, Code]) -> None:
    """Once, by its own command; then the new code starts as before and the older one refuses."""
    old, new = codes
    schema.expand(database, place=new.place)

    assert ["c0001"] == schema.contract(database, place=new.place)
    assert [] == schema.contract(database, place=new.place)
    assert {"id", "new"} == columns(database)
    schema.expand(database, place=new.place)
    with pytest.raises(ConfigurationError, match="c0001"):
        schema.expand(database, place=old.place)


async def test_the_command_takes_away_once(empty_database_url: str) -> None:
    """Once, on each kind; a table that has become empty goes with it."""
    assert ["c0001"] == await contract_schema(empty_database_url)
    assert [] == await contract_schema(empty_database_url)


def _revisions() -> list[str]:
    config = Config()
    place = str(files("paraph.storage") / "migrations")
    config.set_main_option("script_location", place.replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    found = [one.revision for one in script.walk_revisions()]
    return sorted(one for one in found if not schema.is_contracting(one))


Columns = Mapping[tuple[str, str], Mapping[str, Any]]


def _look(connection: Connection) -> tuple[Columns, set[tuple[str, str]]]:
    seen = inspect(connection)
    tables = [name for name in seen.get_table_names() if name != "alembic_version"]
    found = {(table, one["name"]): one for table in tables for one in seen.get_columns(table)}
    unique = {
        (table, str(index["name"]))
        for table in tables
        for index in (*seen.get_indexes(table), *seen.get_unique_constraints(table))
        if index.get("unique", True)
    }
    return found, unique


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Any]:
    scheme = "postgresql+asyncpg" if url.startswith("postgresql") else "sqlite+aiosqlite"
    engine = create_async_engine(scheme + url[url.index(":") :])
    try:
        async with engine.begin() as connection:
            yield connection
    finally:
        await engine.dispose()


def _step_to(connection: Connection, revision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(ScriptDirectory, "get_heads", lambda _self: [revision])
        schema.expand(connection)


def _new_column_problem(column: Mapping[str, Any]) -> bool:
    return not column["nullable"] and column["default"] is None


async def test_every_expanding_step_leaves_older_code_its_schema(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing goes, nothing changes its type, nothing new must be filled in or be unique."""
    problems = []
    async with _connected(database_url) as connection:
        before: Columns = {}
        unique: set[tuple[str, str]] = set()
        for revision in _revisions():
            await connection.run_sync(_step_to, revision, monkeypatch)
            after, unique_after = await connection.run_sync(_look)
            tables = {table for table, _ in before}
            problems += [f"{revision} takes away {key}" for key in before if key not in after]
            problems += [
                f"{revision} changes {key}"
                for key, column in before.items()
                if key in after and str(after[key]["type"]) != str(column["type"])
            ]
            problems += [
                f"{revision} wants {key} to be filled in"
                for key, column in after.items()
                if key[0] in tables and key not in before and _new_column_problem(column)
            ]
            problems += [
                f"{revision} wants {key} to be unique"
                for key in unique_after - unique
                if key[0] in tables
            ]
            before, unique = after, unique_after

    assert len(_revisions()) > 1
    assert [] == problems


async def test_new_code_can_write_before_anything_was_taken_away(empty_database_url: str) -> None:
    """A column that this code does not know any more must not have to be filled in by it."""
    async with _connected(empty_database_url) as connection:
        await connection.run_sync(schema.expand)
        found, _ = await connection.run_sync(_look)

    known = {
        (table.name, column.name)
        for table in metadata.tables.values()
        # It has this name only afterwards.
        if table is not former_events
        for column in table.c
    }
    assert known <= set(found)
    assert [] == [
        key for key, column in found.items() if key not in known and _new_column_problem(column)
    ]


def test_the_rules_would_be_broken_by_a_bad_step() -> None:
    """The question that both tests ask has two answers."""
    assert _new_column_problem({"nullable": False, "default": None})
    assert not _new_column_problem({"nullable": True, "default": None})
    assert not _new_column_problem({"nullable": False, "default": "0"})
