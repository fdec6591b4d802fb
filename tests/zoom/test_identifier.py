"""Identifiers are opaque and exact."""

from typing import Any

import pytest

from paraph.zoom.identifier import parse_identifier


@pytest.mark.parametrize("value", ["a", "x" * 64, "z9jkdsfsdfjhdkfjQ", "wceIoD0l/+w==", "A!~"])
def test_identifiers_are_kept_byte_for_byte(value: str) -> None:
    """Printable ASCII of up to 64 characters passes unchanged."""
    assert value == parse_identifier(value)


@pytest.mark.parametrize(
    "value",
    ["", "x" * 65, "a b", " a", "a\n", "a\0", "é", "\u202ea", "\x7f", 7, None, True, b"a", ["a"]],
)
def test_anything_else_is_no_identifier(value: Any) -> None:
    """Nothing is trimmed, folded or converted into an identifier."""
    assert parse_identifier(value) is None
