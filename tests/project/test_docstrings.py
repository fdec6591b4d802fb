"""A public function that raises an error of paraph says so in its docstring."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "paraph"
ERRORS = {
    node.name
    for module in (SOURCE / "errors").glob("*.py")
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
    if isinstance(node, ast.ClassDef)
}
# The docstring of a command is its help text.
HELP_TEXTS = frozenset({"cli"})
ROOMS = sorted({path.relative_to(SOURCE).parts[0] for path in SOURCE.rglob("*.py")} - HELP_TEXTS)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def public_functions(room: str) -> Iterator[tuple[str, Function]]:
    """The public functions and methods of a room, with their places."""
    path = SOURCE / room
    for module in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        nodes: list[ast.AST] = [ast.parse(module.read_text(encoding="utf-8"))]
        while nodes:
            node = nodes.pop()
            if isinstance(node, ast.Module | ast.ClassDef):
                nodes += node.body
            elif isinstance(node, Function) and not node.name.startswith("_"):
                yield f"{module.relative_to(SOURCE)}:{node.lineno}", node


def raised_in(function: Function) -> set[str]:
    """The errors of paraph that a function raises itself; nested functions do not count."""
    found = set()
    nodes: list[ast.AST] = list(function.body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            found.add(ast.unparse(node.exc.func).rpartition(".")[2])
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            nodes += ast.iter_child_nodes(node)
    return found & ERRORS


def is_documented(function: Function, raised: set[str]) -> bool:
    """There is a section, or the summary names each error, as in "Raise `NotFound` unless …"."""
    docstring = ast.get_docstring(function) or ""
    return "Raises:" in docstring or all(f"`{name}`" in docstring for name in raised)


@pytest.mark.parametrize("room", ROOMS)
def test_raised_errors_are_documented(room: str) -> None:
    """A caller reads in the docstring what to expect, without opening the function."""
    assert [] == [
        f"{place}: {function.name} raises {', '.join(sorted(raised))}"
        for place, function in public_functions(room)
        if not is_documented(function, raised := raised_in(function))
    ]


def test_the_check_finds_a_missing_section() -> None:
    """An error counts that is raised in the function itself, also by a qualified name."""
    (function,) = ast.parse(
        "def f():\n"
        "    if a: raise errors.NotFound('x')\n"
        "    def g(): raise UsageError('y')\n"
        "    raise ValueError('z')\n"
    ).body
    assert isinstance(function, ast.FunctionDef)
    assert {"NotFound"} == raised_in(function)
