"""The catalogue of the cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from paraph.checks.cases import CASES
from paraph.checks.catalogue import GROUPS, catalogue

ROOT = Path(__file__).parents[2]
IDS = (Path(__file__).parent / "ids.txt").read_text("utf-8").split()


def test_the_catalogue_has_every_case_in_order() -> None:
    """The ids never change, because reports are compared between versions."""
    assert IDS == list(catalogue())


def test_every_case_is_built() -> None:
    """Every case of the catalogue has code, and the other way round."""
    assert set(IDS) == set(CASES)


def test_every_entry_says_all_of_it() -> None:
    """A finding always comes with its fix."""
    for entry in catalogue().values():
        assert entry.group in GROUPS
        for text in (entry.title, entry.attack, entry.expectation, entry.fix):
            assert len(text) >= 8, entry.id
        assert entry.standards, entry.id


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("README.md", "in {} cases"),
        ("docs/explanation/design.md", "the {} cases"),
        ("docs/reference/check.md", "of all {} cases"),
        ("docs/reference/check-matrix.md", "**{0} of {0}** cases"),
    ],
)
def test_documents_name_the_number_of_cases(document: str, words: str) -> None:
    """The documentation states the number of cases."""
    assert words.format(len(IDS)) in (ROOT / document).read_text("utf-8")
