"""Retired words stay out of names, log events, metrics, documents and messages.

The list is in `docs/words.py`, with the words to write instead.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import prose
import pytest
from words import retired_in_name, retired_in_text

SOURCE = Path(__file__).parents[2] / "src" / "paraph"
# Names that contain a retired word in some folders ("*": in all), and the reason why they stay.
EXCEPTIONS = {
    ("*", "handed_on"): "the status of a forwarded event: in the database and in the API",
    ("*", "handed_on_at"): "a column of the table of events, and a member of the API's events",
    ("*", "mend_url"): "the former name of reauthorize_url, until the next minor version",
    ("checks", "hands_on_unknown_events"): "the former name of forwards_unknown_events",
    ("checks", "tok-client-auth"): "the published id of a case",
    ("settings", "fast_lane"): "the former name of fast_path, until the next minor version",
    ("settings", "require_auth"): "a parameter of libpq",
    ("simulator", "webhook_retry_signed_anew"): "a fault of the published control API",
    ("storage", "key_turns"): "a table of the database",
    ("storage", "pk_key_turns"): "the primary key of that table",
    ("storage", "turn"): "a column of that table",
    ("storage", "0002_key_turns"): "the migration that makes that table",
}
# Strings that name something: log events, metrics, spans, codes, members of JSON.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[._-][A-Za-z0-9]+)+")


def folders() -> list[str]:
    """The rooms of the package, and its single modules."""
    rooms = {path.relative_to(SOURCE).parts[0] for path in SOURCE.rglob("*.py")}
    return sorted(room.removesuffix(".py") for room in rooms)


def files_of(folder: str) -> list[Path]:
    """The modules of a room."""
    room = SOURCE / folder
    return sorted(room.rglob("*.py")) if room.is_dir() else [room.with_name(f"{folder}.py")]


def names_in(path: Path) -> Iterator[tuple[int, str]]:
    """The names of a module with their lines, strings that name something included."""
    yield 0, path.stem
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        line = getattr(node, "lineno", 0)
        for field in ("id", "attr", "name", "arg", "asname"):
            name = getattr(node, field, None)
            if isinstance(name, str):
                yield line, name
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and _NAME.fullmatch(text):
            yield line, text


def findings(folder: str) -> set[str]:
    """One line for each retired word in the names of a room."""
    return {
        f"{path.relative_to(SOURCE)}:{line}: {name}: write {instead}"
        for path in files_of(folder)
        for line, name in names_in(path)
        if not {("*", name), (folder, name)} & EXCEPTIONS.keys()
        for _, instead in retired_in_name(name)
    }


@pytest.mark.parametrize("folder", folders())
def test_no_name_has_a_retired_word(folder: str) -> None:
    """Identifiers, log events, metrics and codes use the words of the field."""
    assert set() == findings(folder)


def test_every_exception_is_needed() -> None:
    """A name that is gone leaves the list, so that it cannot return unnoticed."""
    used = {
        (room, name) for room in folders() for path in files_of(room) for _, name in names_in(path)
    }
    used |= {("*", name) for _, name in used}
    assert set() == EXCEPTIONS.keys() - used


def test_no_text_has_a_retired_word() -> None:
    """Documents, docstrings, comments and messages use the words of the field."""
    assert [] == [
        f"{path.relative_to(prose.ROOT)}:{one.line}: {one.text}: write {one.advice}"
        for path in prose.checked_files()
        for one in prose.findings_in(path)
        if any(retired_in_text(one.text))
    ]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("hand_on", ["hand_on"]),
        ("_HandedOn", ["handed_on"]),
        ("event.handed_on", ["handed_on"]),
        ("paraph_lanes_total", ["lanes"]),
        ("ClientAuth", ["auth"]),
        ("key-turn", ["turn"]),
        ("HTTPRoad2Judge", ["judge"]),
        ("return_path", []),
        ("turn_into_text", []),
        ("turn_off", []),
        ("authorization", []),
        ("OAuthRefusal", []),
        ("broadcast", []),
        ("handle_one", []),
    ],
)
def test_names_are_split_into_words(name: str, found: list[str]) -> None:
    """At underscores, dots, hyphens and capitals; parts of words do not count."""
    assert found == [match[0] for match, _ in retired_in_name(name)]
