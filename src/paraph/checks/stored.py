"""What an app has stored: in a database file, or, on a server, as its hooks tell."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from paraph.checks.target import fill
from paraph.checks.trial import Trial
from paraph.checks.verdict import HookMissingError

# A row by whatever names it, and one value of it.
Cell = tuple[int | str, bytes | str]


def is_shown(t: Trial) -> bool:
    """Whether the target shows what it has stored."""
    return t.has("database_file") or t.has("stored")


def stored_text(t: Trial) -> str:
    """All of it, with journal and write-ahead log where there is a file."""
    if t.has("stored"):
        content = t.call("stored")
        t.control(isinstance(content, list), "the hook `stored` must answer with a JSON list")
        return "\n".join(map(str, content))
    found = [one.read_bytes() for one in _files(t)]
    t.control(found, f"there is no database at {_file(t)}")
    return b"\n".join(found).decode("latin-1")


def stored_size(t: Trial) -> int:
    """What the app keeps, in bytes, as far as the target shows it."""
    if t.has("stored"):
        return len(stored_text(t))
    return sum(one.stat().st_size for one in _files(t)) if t.has("database_file") else 0


def sealed_columns(t: Trial) -> Sequence[tuple[str, str]]:
    """Tables with the columns whose values are ciphertexts, or the case does not apply."""
    columns = t.stage.target.hooks.sealed_columns
    if not columns or not t.stage.target.is_started_here:
        raise HookMissingError("needs the hooks `sealed_columns` and `database_file`")
    return [(table, column) for table, _, column in (one.partition(".") for one in columns)]


def read_cells(t: Trial, table: str, column: str) -> list[Cell]:
    """A column's values, always in the same order."""
    if t.has("cells"):
        content = t.call("cells", table=table, column=column, cells="")
        return [(row, base64.b64decode(value)) for row, value in content]
    with sqlite3.connect(_file(t), timeout=10) as db:
        return list(db.execute(f"select rowid, {column} from {table} order by rowid"))  # noqa: S608 - Names are the target file's.


def write_cells(t: Trial, table: str, column: str, cells: Sequence[Cell]) -> None:
    """Write values over those that are there."""
    if t.has("cells"):
        coded = [
            [row, base64.b64encode(v if isinstance(v, bytes) else v.encode()).decode()]
            for row, v in cells
        ]
        t.call("cells", table=table, column=column, cells=json.dumps(coded))
        return
    with sqlite3.connect(_file(t), timeout=10) as db:
        for row, value in cells:
            db.execute(f"update {table} set {column} = ? where rowid = ?", (value, row))  # noqa: S608 - See above.


def _file(t: Trial) -> Path:
    name = t.stage.target.hooks.database_file
    if not name:
        raise HookMissingError("needs the hook `database_file`")
    return Path(fill(name, t.stage.values()))


def _files(t: Trial) -> list[Path]:
    file = _file(t)
    return [one for one in file.parent.glob(file.name + "*") if one.is_file()]
