"""Describes a value of a wrong type in one line that says what to write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

_BY_TYPE = {
    "bool_": "must be true or false",
    "int_": "must be a whole number, like 300",
    "string_type": 'must be text in quotes, like "text"',
    "list_type": 'must be a list, like ["first", "second"]',
    "timezone_aware": "must be a time with its zone, like 2026-12-01T12:00:00Z",
    "datetime_": "must be a time with its zone, like 2026-12-01T12:00:00Z",
    "string_too_long": "is too long: write at most 80 characters",
}


def type_problem(place: Sequence[int | str], kind: str, fields: Mapping[str, Any]) -> str:
    """Describe a value that a setting cannot have, in one line.

    Args:
        place: the setting, and the index in its list if it is a list.
        kind: pydantic's name of the problem.
        fields: every setting, by name, as pydantic knows it.
    """
    setting = str(place[0])
    name = setting + "".join(f"[{one}]" for one in place[1:])
    if kind == "extra_forbidden":
        near = get_close_matches(setting, fields, n=1, cutoff=0.7)
        meant = f"; is {near[0]} meant?" if near else ": remove it"
        return f"{name}: this is not a setting{meant}"
    if kind == "literal_error":
        words = " or ".join(f'"{one}"' for one in get_args(fields[setting].annotation))
        return f"{name}: must be {words}"
    if kind in {"greater_than_equal", "less_than_equal"}:
        bounds = [_bound(one) for one in fields[setting].metadata]
        return f"{name}: must be {' and '.join(one for one in bounds if one)}"
    known = next((words for start, words in _BY_TYPE.items() if kind.startswith(start)), "")
    return f"{name}: {known or 'has another type than this setting: see docs/settings.md'}"


def _bound(limit: Any) -> str:
    if hasattr(limit, "ge"):
        return f"at least {limit.ge}"
    return f"at most {limit.le}" if hasattr(limit, "le") else ""
