from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine

from paraph.storage import schema
from paraph.storage.tables import former_events as former
from paraph.storage.tables import metadata


@pytest.fixture
def migrated(tmp_path: Path) -> Iterator[Connection]:
    """A database that the migrations made."""
    engine = create_engine(f"sqlite:///{tmp_path / 'migrated.db'}")
    with engine.begin() as connection:
        schema.expand(connection)
        yield connection
    engine.dispose()


def test_migrations_and_tables_are_in_step(migrated: Connection) -> None:
    """Alembic finds nothing that the migrations would have to add, change or drop."""
    context = MigrationContext.configure(
        migrated, opts={"compare_type": True, "include_object": _is_there_after_a_start}
    )

    assert [] == compare_metadata(context, metadata)


def test_migrations_and_tables_make_the_same_indexes(migrated: Connection, tmp_path: Path) -> None:
    """Also what Alembic does not compare: the conditions of partial indexes, and foreign keys."""
    engine = create_engine(f"sqlite:///{tmp_path / 'created.db'}")
    with engine.begin() as created:
        metadata.create_all(created, [one for one in metadata.sorted_tables if one is not former])
        expected = _indexes(created)
    engine.dispose()

    assert expected == _indexes(migrated)
    assert any("WHERE phase = 'active'" in sql for sql in expected)


def _is_there_after_a_start(_object: object, name: str, *_rest: object) -> bool:
    return name != former.name


def _indexes(connection: Connection) -> set[str]:
    found = connection.exec_driver_sql(
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    )
    keys = connection.exec_driver_sql(
        'SELECT m.name, f."table", f."from", f."to", f.on_delete'
        " FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'"
    )
    return {row.sql for row in found} | {str(tuple(row)) for row in keys}


def test_no_text_column_ignores_case(migrated: Connection) -> None:
    """Zoom's ids differ in case alone, so no column may compare otherwise than byte for byte."""
    tables = migrated.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")

    assert not [row.sql for row in tables if "COLLATE" in row.sql.upper()]
    with closing(sqlite3.connect(":memory:")) as plain:
        assert (0,) == plain.execute("SELECT 'a' = 'A'").fetchone()
