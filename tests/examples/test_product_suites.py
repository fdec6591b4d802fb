"""The test suites of the example products: each passes in a project of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from examples.products import EXAMPLES
from examples.test_testing_tutorial import run_pytest

SUITES = {"django": "test_tidemark.py", "fastapi": "test_app.py", "flask": "test_app.py"}


def copied(name: str, folder: Path) -> Path:
    """Copy an example to where no file of this repository is near."""
    return Path(shutil.copytree(EXAMPLES / name, folder / name))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SUITES))
def test_a_suite_passes(name: str, tmp_path: Path) -> None:
    """The whole suite of a product is green."""
    assert "7 passed" in run_pytest(copied(name, tmp_path), SUITES[name])
