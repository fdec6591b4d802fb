"""The tutorial of `paraph.installs` prints the product that the tests attack."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from paraph import installs

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/tutorials/installs.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["app.py", "tables.py"])
def test_the_printed_product_is_the_tested_one(name: str) -> None:
    """The code to copy is a file of `examples/installs_flask`, byte for byte."""
    (printed,) = re.findall(rf"cat > {name} <<'EOF'\n(.*?)^EOF$", PAGE, re.DOTALL | re.MULTILINE)
    assert (ROOT / "examples/installs_flask" / name).read_text(encoding="utf-8") == printed


def test_every_refusal_is_in_the_table() -> None:
    """The table names each refusal with its status."""
    rows = {
        name: int(status)
        for names, status in re.findall(r"^\| (`[^|]+) \| (\d{3}) \|", PAGE, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    }
    kinds = {name: getattr(installs, name) for name in installs.__all__}
    refusals = {
        name: kind.status
        for name, kind in kinds.items()
        if isinstance(kind, type)
        and issubclass(kind, installs.InstallRefused)
        and kind is not installs.InstallRefused
    }
    assert refusals == rows
