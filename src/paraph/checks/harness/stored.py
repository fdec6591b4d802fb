"""The data that an app has stored, read from its database file or through hooks."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from paraph.checks.harness.case_context import CaseContext
from paraph.checks.target import fill
from paraph.checks.verdict import HookMissingError

# The identifier of a row and one value of it.
Cell = tuple[int | str, bytes | str]


def is_shown(t: CaseContext) -> bool:
    """Return True if the target gives access to its stored data."""
    return t.hooks.has("database_file") or t.hooks.has("stored")


def stored_text(t: CaseContext) -> str:
    """Return all stored data; for a file, with its journal and write-ahead log."""
    if t.hooks.has("stored"):
        return "\n".join(map(str, t.hooks.call_list("stored")))
    found = [one.read_bytes() for one in _files(t)]
    t.control(found, f"there is no database at {_file(t)}")
    return b"\n".join(found).decode("latin-1")


def stored_size(t: CaseContext) -> int:
    """Return the size of the stored data in bytes, as far as the target shows it."""
    if t.hooks.has("stored"):
        return len(stored_text(t))
    return sum(one.stat().st_size for one in _files(t)) if t.hooks.has("database_file") else 0


def sealed_columns(t: CaseContext) -> Sequence[tuple[str, str]]:
    """Return the (table, column) pairs whose values are encrypted.

    Raises:
        HookMissingError: the target does not name them; the case is not applicable.
    """
    columns = t.target.hooks.sealed_columns
    if not columns or not t.target.is_started_here:
        raise HookMissingError("needs the hooks `sealed_columns` and `database_file`")
    return [(table, column) for table, _, column in (one.partition(".") for one in columns)]


def read_cells(t: CaseContext, table: str, column: str) -> list[Cell]:
    """Return the values of a column, always in the same order."""
    if t.hooks.has("cells"):
        content = t.hooks.call("cells", table=table, column=column, cells="")
        return [(row, base64.b64decode(value)) for row, value in content]
    with sqlite3.connect(_file(t), timeout=10) as db:
        return list(db.execute(f"select rowid, {column} from {table} order by rowid"))  # noqa: S608 - Names are the target file's.


def write_cells(t: CaseContext, table: str, column: str, cells: Sequence[Cell]) -> None:
    """Overwrite the values of a column."""
    if t.hooks.has("cells"):
        coded = [
            [row, base64.b64encode(v if isinstance(v, bytes) else v.encode()).decode()]
            for row, v in cells
        ]
        t.hooks.call("cells", table=table, column=column, cells=json.dumps(coded))
        return
    with sqlite3.connect(_file(t), timeout=10) as db:
        for row, value in cells:
            db.execute(f"update {table} set {column} = ? where rowid = ?", (value, row))  # noqa: S608 - See above.


def _file(t: CaseContext) -> Path:
    name = t.target.hooks.database_file
    if not name:
        raise HookMissingError("needs the hook `database_file`")
    return Path(fill(name, t.environment.values()))


def _files(t: CaseContext) -> list[Path]:
    file = _file(t)
    return [one for one in file.parent.glob(file.name + "*") if one.is_file()]
