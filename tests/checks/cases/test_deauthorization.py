"""Removals whose content can be wrong."""

from __future__ import annotations

from paraph.checks.runner import run
from paraph.checks.target import Variant
from paraph.checks.twin_target import twin_target
from paraph.checks.verdict import Finding, Verdict


def stale_admin(variant: Variant | None) -> Finding:
    """The case against the twin with this variant `account`."""
    target = twin_target()
    del target.variants["account"]
    if variant is not None:
        target.variants["account"] = variant
    (finding,) = run(target, ["deauth-stale-admin"], told=lambda _finding: None).findings
    return finding


def test_an_app_without_an_account_level_is_not_applicable() -> None:
    """The reason names the missing variant."""
    finding = stale_admin(None)
    assert Verdict.NOT_APPLICABLE is finding.verdict
    assert "[variants.account]" in finding.reason


def test_a_variant_that_stays_at_user_level_proves_nothing() -> None:
    """The variant must change the level of the registration as well."""
    finding = stale_admin(Variant(environment={"TWIN_LEVEL": "account"}))
    assert Verdict.INCONCLUSIVE is finding.verdict
    assert 'level = "account"' in finding.reason
