"""The tutorial on tests: its files, written as the page says, are a green test suite."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "testing.md"


def write_files(folder: Path, *, until: str = "") -> None:
    """Write the files of the page; a second block of one file is appended.

    Args:
        folder: an empty folder.
        until: the heading at which to stop; "" for all files.
    """
    text = PAGE.read_text(encoding="utf-8")
    text = text.partition(until)[0] if until else text
    for name, code in re.findall(
        r"^```python\n# (\S+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE
    ):
        file = folder / name
        before = f"{file.read_text()}\n\n" if file.exists() else ""
        file.write_text(before + code)


def run_pytest(folder: Path, *arguments: str) -> str:
    """Run pytest in a folder, as the page says; return its output."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert 0 == ran.returncode, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.slow
def test_the_first_test_passes(tmp_path: Path) -> None:
    """After its third step the page promises `1 passed`."""
    write_files(tmp_path, until="## 4.")
    assert "1 passed" in run_pytest(tmp_path)


@pytest.mark.slow
def test_every_test_passes(tmp_path: Path) -> None:
    """All files of the page together are a green suite, also with the log shown."""
    write_files(tmp_path)
    assert "8 passed" in run_pytest(tmp_path, "--log-level=DEBUG")


def test_every_cause_of_the_log_is_in_the_table() -> None:
    """The page explains each code that the redirection endpoint can log."""
    from paraph.endpoints.redirection_endpoint import REASONS

    text = PAGE.read_text(encoding="utf-8")
    # A second response to one state, and a limit of the service, are no matter of a test.
    missing = {one for one in REASONS if f"`{one}`" not in text} - {"busy", "state_mismatch"}
    assert set() == missing
