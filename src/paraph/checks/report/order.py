"""The order of every report: failures first, the worst of them at the top."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from paraph.checks.advice import Advice, advice
from paraph.checks.catalogue import GROUPS, SEVERITIES, catalogue
from paraph.checks.runner import Run
from paraph.checks.verdict import Change, Finding, Verdict

CASES_PAGE = "docs/reference/check-cases.md"
TARGET_PAGE = "docs/reference/check.md"
VERDICTS = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE, Verdict.PASS)
_PLACES: dict[str, int] = {name: number for number, name in enumerate(SEVERITIES)}


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings by verdict, then by severity; findings that the baseline excuses are last."""
    return sorted(
        findings,
        key=lambda one: (
            VERDICTS.index(one.verdict),
            bool(one.known_until),
            _PLACES.get(one.severity, len(_PLACES)),
        ),
    )


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings by severity alone, the critical ones first."""
    return sorted(findings, key=lambda one: _PLACES.get(one.severity, len(_PLACES)))


@dataclass(frozen=True, slots=True)
class Fix:
    """One advice, and the failed cases that it fixes, the worst one first."""

    advice: Advice
    findings: list[Finding]


def fixes(run: Run) -> list[Fix]:
    """Return the advice that a run needs; the one for the worst failure comes first."""
    found: dict[str, list[Finding]] = {}
    for one in worst_first(one for one in run.findings if one.counts(Verdict.FAIL)):
        found.setdefault(catalogue()[one.id].advice, []).append(one)
    return [Fix(advice()[name], findings) for name, findings in found.items()]


def severities(findings: Iterable[Finding]) -> list[str]:
    """Count findings by severity, such as `["2 critical", "1 low"]`."""
    counts = Counter(one.severity for one in findings)
    return [f"{counts[name]} {name}" for name in SEVERITIES if counts[name]]


def changes(run: Run) -> dict[Change, list[Finding]]:
    """Return the changed and unchanged findings since an earlier run, the worst ones first."""
    found = worst_first(run.findings)
    return {change: [one for one in found if one.change is change] for change in Change}


def reasons(run: Run, verdict: Verdict) -> list[tuple[str, list[Finding]]]:
    """Return the findings of a verdict by their reason: one cause can concern many cases."""
    found: dict[str, list[Finding]] = {}
    for one in run.findings:
        if one.verdict is verdict:
            found.setdefault(one.reason, []).append(one)
    return sorted(found.items(), key=lambda pair: -len(pair[1]))


def case_page(name: str) -> str:
    """Return the place of a case in the documentation."""
    return f"{CASES_PAGE}#{name}"


def advice_page(name: str) -> str:
    """Return the place of an advice in the documentation."""
    return f"{CASES_PAGE}#advice-{name}"


def by_group(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Return findings by the title of their group, in the catalogue's order."""
    listed = list(findings)
    groups = {title: [one for one in listed if one.group == name] for name, title in GROUPS.items()}
    return {title: found for title, found in groups.items() if found}
