"""Transition tables, and the proof that every write of a phase goes through them."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest

import paraph
from paraph.errors import UsageError
from paraph.model.grant import GRANT_TRANSITIONS, GrantEvent
from paraph.model.link import LINK_TRANSITIONS, LinkEvent
from paraph.model.phase import Phase, TransitionTable

SRC = Path(paraph.__file__).parent
# Other programs, with phases of their own, that never see the store.
FOREIGN = {"simulator", "checks", "client", "demo"}
TABLES = {"GRANT_TRANSITIONS", "LINK_TRANSITIONS"}
# A stored link or grant is deleted by these calls alone, each after its transition.
DELETES = {"tx.grants.delete", "tx.links.delete"}


@pytest.mark.parametrize(
    ("table", "event", "phase"),
    [
        (table, event, phase)
        for table, events in ((GRANT_TRANSITIONS, GrantEvent), (LINK_TRANSITIONS, LinkEvent))
        for event, phase in itertools.product(events, (None, *Phase))
    ],
)
def test_a_transition_outside_the_table_is_refused(
    table: TransitionTable[StrEnum], event: StrEnum, phase: Phase | None
) -> None:
    """Every pair of a phase and an event is a row of its table or a UsageError."""
    if (phase, event) in table.transitions:
        assert table.transitions[phase, event] is table.after(phase, event)
    else:
        with pytest.raises(UsageError):
            table.after(phase, event)


@pytest.mark.parametrize("table", [GRANT_TRANSITIONS, LINK_TRANSITIONS], ids=lambda one: one.kind)
def test_ended_is_final(table: TransitionTable[StrEnum]) -> None:
    """A user who comes back begins a new grant and a new link."""
    assert not [key for key in table.transitions if key[0] is Phase.ENDED]


@pytest.mark.parametrize("table", [GRANT_TRANSITIONS, LINK_TRANSITIONS], ids=lambda one: one.kind)
def test_the_diagram_shows_every_transition(table: TransitionTable[StrEnum]) -> None:
    """The diagram has one arrow for each row, one to the first phase, and one from the last."""
    arrows = len(table.transitions) + (table.first is not None) + 1
    assert arrows == table.to_mermaid().count("-->")


def test_every_grant_can_be_removed() -> None:
    """A removal ends a grant in every phase that a stored grant can have."""
    stored = set(GRANT_TRANSITIONS.transitions.values()) - {Phase.ENDED}
    assert stored == set(GRANT_TRANSITIONS.before(GrantEvent.REMOVED))
    assert stored == set(GRANT_TRANSITIONS.before(GrantEvent.REPLACED))


def test_the_end_of_a_grant_ends_every_stored_link() -> None:
    """A link is stored while it is pending or active, and ends with its grant."""
    assert {Phase.PENDING, Phase.ACTIVE} == set(LINK_TRANSITIONS.before(LinkEvent.GRANT_ENDED))


def test_every_written_phase_comes_from_a_table() -> None:
    """A phase is written as the result of a transition, or copied from a record."""
    wrong = [
        f"{path.relative_to(SRC)}:{node.lineno}: {ast.unparse(node)}"
        for path, function in _functions()
        for node in _written_phases(function)
        if not _is_decided(node, function)
    ]
    assert [] == wrong


def test_every_deletion_follows_a_transition() -> None:
    """A function that deletes a grant or a link asks the table first."""
    found = [
        (path.relative_to(SRC).as_posix(), function)
        for path, function in _functions()
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in DELETES
    ]
    assert ["lifecycle/link.py", "lifecycle/removal.py"] == sorted(path for path, _ in found)
    for _, function in found:
        first, second = function.body[-2:]
        assert isinstance(first, ast.Expr)
        assert _is_transition(first.value)
        assert isinstance(second, ast.Expr | ast.Return)


def test_no_statement_in_text_writes_a_phase() -> None:
    """Grants and links are written by the stores' own statements, and never by SQL in text."""
    written = re.compile(r"(?:INSERT INTO|UPDATE|DELETE FROM) (?:grants|links)\b", re.IGNORECASE)
    assert [] == [path for path in _modules() if written.search(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("event", [*GrantEvent, *LinkEvent], ids=lambda one: one.name)
def test_every_event_happens_in_the_code(event: GrantEvent | LinkEvent) -> None:
    """The tables hold no event that no function applies."""
    name = f"{type(event).__name__}.{event.name}"
    outside = [path for path in _modules() if path.parent.name != "model"]
    assert any(name in path.read_text(encoding="utf-8") for path in outside) or (
        # `Link.proved_again` applies it itself.
        event is LinkEvent.PROVED_AGAIN
    )


def _modules() -> list[Path]:
    return [path for path in SRC.rglob("*.py") if path.relative_to(SRC).parts[0] not in FOREIGN]


def _functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in _modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def _written_phases(function: ast.AST) -> Iterator[ast.expr]:
    """Yield each value given to a keyword, key, attribute or `set_phase` that names a phase."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            yield from (word.value for word in node.keywords if word.arg == "phase")
            if isinstance(node.func, ast.Attribute) and node.func.attr == "set_phase":
                yield from node.args[1:2]
            elif ast.unparse(node.func) == "Progress":
                # `*columns` are those of a progress bar.
                yield from (one for one in node.args[:1] if not isinstance(one, ast.Starred))
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "phase":
                    yield value
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and target.attr == "phase":
                    yield node.value


def _is_decided(value: ast.expr, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    if isinstance(value, ast.IfExp):
        return _is_decided(value.body, function) and _is_decided(value.orelse, function)
    if isinstance(value, ast.Attribute) and value.attr == "value":
        return _is_decided(value.value, function)
    if isinstance(value, ast.Call) and ast.unparse(value.func) in {"str", "Phase"}:
        # A record that is shown, or read from its row.
        return isinstance(value.args[0], ast.Attribute)
    if isinstance(value, ast.Attribute):
        # The phase of a record, which was decided when the record was made.
        return value.attr == "phase"
    if isinstance(value, ast.Subscript):
        # The phase that a notice names.
        return ast.unparse(value.value) == "PHASES"
    if isinstance(value, ast.Name):
        # A variable of this function, or a parameter: then its callers are checked.
        arguments = function.args.args + function.args.kwonlyargs
        assigned = [
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == value.id
        ]
        is_argument = value.id == "phase" and any(one.arg == "phase" for one in arguments)
        return is_argument if not assigned else all(map(_is_transition, assigned))
    return _is_transition(value)


def _is_transition(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr == "after"
        and ast.unparse(value.func.value) in TABLES
    )
