"""The words of the cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from paraph.checks.catalogue import GROUPS, catalogue
from paraph.checks.harness.case import CASES

ROOT = Path(__file__).parents[2]
IDS = (Path(__file__).parent / "ids.txt").read_text("utf-8").split()


def test_the_catalogue_has_every_case_in_order() -> None:
    """Ids are contract: reports are compared with those of other versions."""
    assert IDS == list(catalogue())


def test_every_case_is_built() -> None:
    """A case in words without code would never fail."""
    assert set(IDS) == set(CASES)


def test_every_entry_says_all_of_it() -> None:
    """A finding without a mending helps nobody."""
    for entry in catalogue().values():
        assert entry.group in GROUPS
        for text in (entry.title, entry.attack, entry.expectation, entry.mending):
            assert len(text) >= 8, entry.id
        assert entry.standards, entry.id


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("README.md", "in {} cases"),
        ("docs/explanation/design.md", "the {} cases"),
        ("docs/check.md", "of all {} cases"),
        ("docs/check-matrix.md", "**{0} of {0}** cases"),
    ],
)
def test_documents_name_the_number_of_cases(document: str, words: str) -> None:
    """A case that is added is counted wherever the number stands."""
    assert words.format(len(IDS)) in (ROOT / document).read_text("utf-8")
