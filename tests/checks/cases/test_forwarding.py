"""Headers in which proxies describe the client."""

from __future__ import annotations

import pytest

from paraph.checks.cases import forwarding
from paraph.checks.runner import run
from paraph.checks.twin_target import twin_target
from paraph.checks.verdict import Finding, Verdict


def found(name: str) -> Finding:
    """One case against the twin without the variant `behind_proxies`."""
    target = twin_target()
    del target.variants["behind_proxies"]
    (finding,) = run(target, [name], told=lambda _finding: None).findings
    return finding


def test_an_app_without_proxies_is_not_applicable() -> None:
    """The variant that is missing is named."""
    finding = found("net-forwarded-list")
    assert Verdict.NOT_APPLICABLE is finding.verdict
    assert "[variants.behind_proxies]" in finding.reason


def test_an_app_whose_limit_is_not_reached_is_not_applicable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client that is never limited has nothing to escape from."""
    monkeypatch.setattr(forwarding, "_STARTS", 3)
    finding = found("net-forwarded-limits")
    assert Verdict.NOT_APPLICABLE is finding.verdict
    assert "no limit is seen within 3 starts" in finding.reason
