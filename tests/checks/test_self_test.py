"""The check is tested on the twin: each case passes on the reference and fails on its switch."""

from __future__ import annotations

import json

import pytest

from paraph.checks.catalogue import catalogue
from paraph.checks.report.document import matrix_document
from paraph.checks.runner import select
from paraph.checks.self_test import released_sentence, released_summary, self_test

QUICK = (
    *("start-pkce-s256", "cb-state-missing", "cb-state-cross-browser", "cb-error-xss"),
    *("wh-path-variants", "deauth-late-event"),
)


@pytest.mark.parametrize("name", QUICK)
def test_a_case_tells_the_reference_from_its_switch(name: str) -> None:
    """A case passes on the reference and fails on the twin with its switch on."""
    matrix = self_test(select([name]), jobs=1, told=lambda _kill: None)
    (kill,) = matrix.kills
    assert ("pass", "fail") == (kill.reference.verdict, kill.twin.verdict), kill


def test_the_matrix_has_the_names_that_are_used_from_outside() -> None:
    """The JSON of a self-test has `reference` and `twin` instead of `verdict`."""
    matrix = self_test(["start-pkce-s256"], jobs=1, told=lambda _kill: None)
    (case,) = json.loads(json.dumps(matrix_document(matrix)))["cases"]
    assert ("pass", "fail") == (case["reference"], case["twin"])
    assert "verdict" not in case


def test_every_case_works_in_the_released_self_test() -> None:
    """`make matrix` writes the summary; a case that was added without it is counted here."""
    known = released_summary()
    assert [] == known["open"]
    assert len(catalogue()) == known["cases"] == known["killed"]
    assert released_sentence().startswith(f"{len(catalogue())} of {len(catalogue())} cases pass")


def test_a_matrix_is_summarized() -> None:
    """The summary has the names of the file in the package."""
    matrix = self_test(["crc-valid"], jobs=1, told=lambda _kill: None)
    found = matrix.summary()
    assert (1, 1, []) == (found["killed"], found["cases"], found["open"])
