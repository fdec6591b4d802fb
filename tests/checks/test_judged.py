"""The sum of the last self-test, which every report shows."""

from __future__ import annotations

from paraph.checks.catalogue import catalogue
from paraph.checks.judged import in_words, judged, summary_of
from paraph.checks.self_test import self_test


def test_this_version_was_judged_and_nothing_was_left_open() -> None:
    """`make matrix` writes it; a case added without it would be counted here."""
    known = judged()
    assert [] == known["open"]
    assert len(catalogue()) == known["cases"] == known["killed"]
    assert in_words().startswith(f"{len(catalogue())} of {len(catalogue())} cases pass")


def test_a_matrix_is_summed_up() -> None:
    """The names are the file's."""
    matrix = self_test(["crc-valid"], jobs=1, told=lambda _kill: None)
    found = summary_of(matrix)
    assert (1, 1, []) == (found["killed"], found["cases"], found["open"])
