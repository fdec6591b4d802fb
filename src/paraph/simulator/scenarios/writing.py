"""Writes a scenario as the TOML file that `scenario_file` reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from paraph.simulator.scenarios.steps import Scenario

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def write_scenario(scenario: Scenario) -> str:
    """Return a scenario as TOML; fields with their default value are left out.

    Args:
        scenario: the scenario.

    Raises:
        ValueError: a value has no form in TOML, such as null.
    """
    content: dict[str, Any] = msgspec.to_builtins(scenario)
    steps = content.pop("steps")
    lines = [_line(key, value) for key, value in content.items()]
    for step in steps:
        # A step without expectations has an empty table there.
        kept = [_line(key, value) for key, value in step.items() if key != "expect" or value]
        lines += ["", "[[steps]]", *kept]
    return "\n".join(lines) + "\n"


def _line(key: str, value: Any) -> str:
    return f"{_key(key)} = {_value(value)}"


def _key(key: str) -> str:
    return key if key and _BARE.issuperset(key) else _text(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        inner = ", ".join(_line(key, one) for key, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    raise ValueError(f"a value of type {type(value).__name__} has no form in TOML")


def _text(text: str) -> str:
    # A TOML text has the escapes of JSON. TOML forbids DEL and half a character as well.
    written = json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False)
    return written.replace("\x7f", "\\u007f")
