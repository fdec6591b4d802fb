"""Writes the reference of the Python names from their docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator

from public_names import PublicName, public_names

import paraph
from paraph.errors import ParaphError

# Their calls are described once; the classes that inherit them add what is their own.
_SHARED = "paraph.calls."
_VALUES = "paraph.values"
_SECTIONS = re.compile(r"^(?:Args|Attributes|Raises|Returns|Example):$", re.MULTILINE)
_ITEM = re.compile(r"^(\S[^:]*): (.*)$")


def calls() -> str:
    """The calls of the four objects."""
    return "\n\n".join(_described(_shared_methods("paraph.Zoom"), "zoom"))


def handle() -> str:
    """The calls of one installation."""
    return "\n\n".join(_described(_shared_methods("paraph.AsyncInstallationHandle"), "handle"))


def objects() -> str:
    """The classes that a program makes, and their own methods."""
    found = [
        one
        for one in _names("paraph", "paraph.client", "paraph.simulator.browser")
        if not one.module.startswith((_SHARED, _VALUES, "paraph.errors")) and not _is_call(one)
    ]
    return "\n\n".join(_described(found, ""))


def values() -> str:
    """The values that the calls return."""
    found = [one for one in _names("paraph") if one.module == _VALUES]
    return "\n\n".join(_described([one for one in found if isinstance(one.value, type)], ""))


def errors() -> str:
    """The exceptions that the calls raise, below their base classes."""
    rows = []
    for one in _names("paraph"):
        if isinstance(one.value, type) and issubclass(one.value, ParaphError):
            base = one.value.__mro__[1].__name__
            rows.append((one.value.__name__, base, one.value, one.docstring.partition("\n")[0]))
    lines = ["| exception | is a | code | status | when |", "| --- | --- | --- | --- | --- |"]
    for name, base, kind, summary in sorted(rows, key=lambda row: row[0]):
        known = f"`{base}`" if base in paraph.__all__ else ""
        lines.append(f"| `{name}` | {known} | `{kind.code}` | {kind.status} | {summary} |")
    return "\n".join(lines)


def _names(*modules: str) -> list[PublicName]:
    return [one for name in modules for one in public_names(name) if not one.is_former]


def _shared_methods(owner: str) -> list[PublicName]:
    methods = [one for one in _names("paraph") if one.name.startswith(f"{owner}.")]
    return [one for one in methods if one.module.startswith(_SHARED) or _is_call(one)]


def _is_call(one: PublicName) -> bool:
    """True for a shared call that a class defines again, to return its own kind of handle."""
    return one.name.endswith(".installation")


def _described(names: Iterable[PublicName], receiver: str) -> Iterator[str]:
    for one in names:
        title = one.name.removeprefix("paraph.")
        if receiver:
            title = f"{receiver}.{title.rpartition('.')[2]}"
        yield f"### `{title}{_signature(one)}`"
        yield _body(one)


def _signature(one: PublicName) -> str:
    if isinstance(one.value, type) and one.section("Attributes") and not one.section("Args"):
        return ""
    try:
        signature = inspect.signature(one.value)
    except ValueError:
        return ""
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
        if parameter.name not in {"self", "cls"}
    ]
    plain = signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    return re.sub(r"<[^>]*>", "…", str(plain))


def _body(one: PublicName) -> str:
    text = _SECTIONS.split(one.docstring)[0]
    pieces = [text.strip()]
    pieces += [_rest_of(one)] if _rest_of(one) else []
    for title in ("Args", "Attributes", "Raises"):
        if items := _items(one.section(title)):
            pieces.append(
                "\n".join(items) if title != "Raises" else "Raises:\n\n" + "\n".join(items)
            )
    pieces.append(f"```python\n{one.section('Example')}\n```")
    return "\n\n".join(pieces)


def _rest_of(one: PublicName) -> str:
    """Paragraphs that stand behind a section, without indentation."""
    after = one.docstring.partition("\nArgs:\n")[2]
    kept: list[str] = []
    for line in after.splitlines():
        if _SECTIONS.fullmatch(line):
            break
        if line and not line.startswith(" "):
            kept.append(line)
        elif not line and kept:
            kept.append("")
    return "\n".join(kept).strip()


def _items(section: str) -> list[str]:
    items: list[str] = []
    for line in section.splitlines():
        found = _ITEM.match(line)
        if found:
            items.append(f"- `{found[1]}`: {found[2]}")
        elif line.strip() and items:
            items[-1] += f" {line.strip()}"
    return items
