"""The example products are small, and the tutorials show them as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = {"fastapi": 79, "flask": 79, "installs_flask": 60, "starlette": 79, "wsgi": 79}


@pytest.mark.parametrize("name", sorted(LONGEST))
def test_a_product_is_short(name: str) -> None:
    """A stranger reads it at one sight; empty lines and comments count as well."""
    text = (ROOT / "examples" / name / "app.py").read_text("utf-8")
    assert LONGEST[name] >= len(text.splitlines())


def test_the_tutorial_builds_the_product() -> None:
    """Its parts, one below the other, are the example; a stranger copies what is tested here."""
    page = (ROOT / "docs" / "tutorials" / "fastapi.md").read_text("utf-8")
    parts = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    product = (ROOT / "examples" / "fastapi" / "app.py").read_text("utf-8")
    assert _rows(product) == _rows("".join(parts))


def _rows(text: str) -> list[str]:
    return [row for row in text.splitlines() if row]
