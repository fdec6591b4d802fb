"""Parsers of the responses of the service, and the values of the audit.

All times are epoch seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from functools import cache, partial
from types import UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from paraph.values import Installation, Page

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry of the audit chain.

    Attributes:
        sequence: the number of the entry, from 1.
        at: when it was written.
        action: the action, such as "link.activated".
        details: ids and reasons; persons are named by keyed hashes only.
        digest: the digest of the chain up to this entry, in hexadecimal digits.

    Example:
        >>> AuditEntry(1, 1900000000, "grant.removed", {}, "00" * 32).action
        'grant.removed'
    """

    sequence: int
    at: int
    action: str
    details: Mapping[str, str]
    digest: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of verifying the audit chain.

    Attributes:
        whole: True if no entry was changed, added or removed.
        entries: the number of entries.
        head: the digest of the last entry.
        broken_at: the number of the first entry that does not fit; None if all do.
        why: the reason; empty if the chain is whole.

    Example:
        >>> Verdict(True, 2, "00" * 32, None, "").whole
        True
    """

    whole: bool
    entries: int
    head: str
    broken_at: int | None
    why: str


def parser(kind: type[Value]) -> Callable[[Any], Value]:
    """Return the function that builds a value from JSON with members named like its fields.

    Members without a field are ignored, because a newer service may send more. The function raises
    KeyError, TypeError or ValueError if a member is missing or has another type.
    """
    return partial(_build, kind)


def installation_of(content: Any) -> Installation:
    """Parse an installation. A service of version 0.1 sends no `reason`."""
    return _build(Installation, {"reason": "", **content})


def installations_of(content: Any) -> Page[Installation]:
    """Parse a page of installations."""
    return Page(tuple(map(installation_of, content["installations"])), _cursor(content["next"]))


def audit_page_of(content: Any) -> Page[AuditEntry]:
    """Parse a page of the audit."""
    entries = tuple(_build(AuditEntry, one) for one in content["entries"])
    return Page(entries, _cursor(content["next"]))


def _build(kind: type[Value], content: Any) -> Value:
    hints = _hints(cast("Any", kind))
    return kind(**{name: _value(hint, content[name]) for name, hint in hints.items()})


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, content: Any) -> Any:
    if isinstance(hint, type) and is_dataclass(hint):
        return _build(hint, content)
    kind, arguments = get_origin(hint), get_args(hint)
    if kind is tuple:
        return tuple(_value(arguments[0], one) for one in content)
    if kind is Mapping:
        return {str(name): _value(arguments[1], one) for name, one in content.items()}
    if kind is UnionType:
        return None if content is None else _value(arguments[0], content)
    return hint(content)


def _cursor(value: Any) -> str | None:
    return None if value is None else str(value)
