"""The third-party packages that a part of paraph imports, read from its source.

The scan follows imports inside paraph, those inside functions included. It does not follow names
that are loaded by text, such as the commands of the command line: they are parts of their own.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

# Modules of other packages that import an optional dependency of theirs.
_IMPLIED = {"uvicorn.protocols.http.httptools_impl": "httptools"}
ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"


@cache
def modules() -> Mapping[str, Path]:
    """Every module of paraph with its file, except Alembic's scripts."""
    found = {}
    for path in sorted((SOURCE / "paraph").rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return {name: path for name, path in found.items() if _is_importable(name)}


def _is_importable(name: str) -> bool:
    parts = name.split(".")
    return "versions" not in parts and all(part.isidentifier() for part in parts)


@dataclass(frozen=True, slots=True)
class Import:
    """One import of a module.

    Attributes:
        name: the imported name; for a module of paraph its full name.
        extra: the extra of the `needs` block around it; "" without one.
        is_late: whether it stands inside a function.
    """

    name: str
    extra: str
    is_late: bool


@cache
def imports_of(module: str) -> frozenset[Import]:
    """Return the imports of a module, without those for type checkers."""
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    return frozenset(_imports(tree, "", is_late=False))


def _imports(node: ast.AST, extra: str, *, is_late: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (Import(one.name, extra, is_late) for one in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            for one in child.names:
                inner = f"{child.module}.{one.name}"
                yield Import(inner if inner in modules() else child.module, extra, is_late)
        else:
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from _imports(child, _guard(child) or extra, is_late=is_late or is_function)


def _guard(node: ast.AST) -> str:
    """Return the extra of a `with needs("extra", …)` block; "" for any other node."""
    call = node.items[0].context_expr if isinstance(node, ast.With) else None
    if not isinstance(call, ast.Call) or ast.unparse(call.func) != "needs":
        return ""
    first = call.args[0]
    return str(first.value) if isinstance(first, ast.Constant) else ""


def third_party(roots: Iterable[str], extra: str, *, late: bool = True) -> dict[str, set[str]]:
    """Return the packages that these modules import, directly or through others of paraph.

    Args:
        roots: names of modules.
        extra: the extra that is installed; imports that `needs` guards for another are left out.
        late: include imports inside functions.

    Returns:
        For each package the modules of paraph that import it.
    """
    found: dict[str, set[str]] = {}
    seen, queue = set[str](), list(roots)
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        # Python imports the packages above a module as well.
        queue += [name.rpartition(".")[0]] if "." in name else []
        for one in imports_of(name):
            package = _IMPLIED.get(one.name, one.name.partition(".")[0])
            is_guarded = not requirements_of(one.extra) <= requirements_of(extra)
            if is_guarded or (one.is_late and not late):
                continue
            if one.name in modules():
                queue.append(one.name)
            elif package not in sys.stdlib_module_names:
                found.setdefault(package, set()).add(name)
    return found


@cache
def _project() -> Mapping[str, Mapping[str, list[str]]]:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    return {"": {"": project["dependencies"]}, "extras": project["optional-dependencies"]}


def extras() -> list[str]:
    """Return the names of all extras."""
    return list(_project()["extras"])


@cache
def requirements_of(extra: str) -> frozenset[str]:
    """Return the distributions that an extra names, with those of extras that it includes."""
    names = set[str](map(_name, _project()[""][""]))
    for line in _project()["extras"][extra] if extra else ():
        inner = re.fullmatch(r"paraph\[([a-z,]+)\]", line)
        for one in inner[1].split(",") if inner else ():
            names |= requirements_of(one)
        names |= set() if inner else {_name(line)}
    return frozenset(names)


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=; ]", requirement, maxsplit=1)[0]


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def distribution_of(package: str) -> str:
    """Return the distribution that installs a package."""
    return _distributions()[package][0].lower().replace("_", "-")
