"""The example products are small, and the tutorials show them as they are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCTS = ("fastapi", "starlette")


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_has_fewer_than_80_lines(name: str) -> None:
    """Empty lines, comments and the docstring aside."""
    text = (ROOT / "examples" / name / "app.py").read_text("utf-8")
    docstring = ast.get_docstring(ast.parse(text)) or ""
    rows = [row.strip() for row in text.splitlines()]
    code = [row for row in rows if row and not row.startswith("#")]
    assert 80 > len(code) - len(docstring.splitlines())


def test_the_tutorial_builds_the_product() -> None:
    """Its parts, one below the other, are the example; a stranger copies what is tested here."""
    page = (ROOT / "docs" / "tutorials" / "fastapi.md").read_text("utf-8")
    parts = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    product = (ROOT / "examples" / "fastapi" / "app.py").read_text("utf-8")
    assert _rows(product) == _rows("".join(parts))


def _rows(text: str) -> list[str]:
    return [row for row in text.splitlines() if row]
