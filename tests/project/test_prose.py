"""The prose check finds what it names, and nothing in plain text."""

from __future__ import annotations

import prose
import pytest


def texts(source: str, kind: str = "py") -> list[str]:
    """The texts of all findings in a source."""
    check = prose.findings_in_python if kind == "py" else prose.findings_in_markdown
    return [one.text for one in check(source)]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('"""Fails when nobody asks."""', ["nobody"]),
        ('"""What is kept is sealed."""', ["What is kept is sealed."]),
        ("# It is handed on.\n", ["handed on"]),
        ('x = "mend the settings and start"', ["mend"]),
        ('"""Opens a row."""\n# See `nobody`.\nx = "plain and simple text"\n', []),
        ('x = "nobody"', []),
    ],
)
def test_python_sources_are_checked(source: str, found: list[str]) -> None:
    """Docstrings, comments and messages are checked; code and short strings are not."""
    assert found == texts(source)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("Run this.\n\n```sh\nnobody\n```\n", []),
        ("| a | nobody |\n", ["nobody"]),
        ("- What is there?\n", []),
        (f"- {'word ' * 31}end.\n", ["word " * 12]),
        (f"{'word ' * 30}\n\n{'word ' * 30}\n", []),
    ],
)
def test_documents_are_checked(source: str, found: list[str]) -> None:
    """Paragraphs, list items and cells are checked apart; code blocks are skipped."""
    assert found == texts(source, "md")
