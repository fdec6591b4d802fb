"""The document that `make matrix` writes."""

from __future__ import annotations

import kill_matrix

from paraph.checks.catalogue import catalogue
from paraph.checks.self_test import Kill, Matrix
from paraph.checks.verdict import Finding, Verdict


def finding(name: str, verdict: Verdict) -> Finding:
    """A finding with this verdict."""
    return Finding(name, catalogue()[name].group, "high", verdict)


def test_a_part_of_the_self_test_keeps_the_other_rows() -> None:
    """The rows of cases that were not run again are kept."""
    name = next(iter(catalogue()))
    new = Kill(name, finding(name, Verdict.FAIL), finding(name, Verdict.INCONCLUSIVE))
    document = kill_matrix.DOCUMENT.read_text("utf-8")

    whole = kill_matrix.merged(Matrix([new], 1.0, "2026-01-01T00:00:00Z"), document)

    assert list(catalogue()) == [one.id for one in whole.kills]
    assert len(catalogue()) - 1 == whole.killed
    changed = set(kill_matrix.table(whole).splitlines()) - set(document.splitlines())
    assert 2 == len(changed)
    assert any(line.endswith("| fail | inconclusive |") for line in changed)
