"""The JSON report; other programs rely on its names."""

from __future__ import annotations

from collections import Counter
from typing import Any

from paraph.checks.advice import incidents
from paraph.checks.catalogue import catalogue
from paraph.checks.report.order import advice_page, by_severity, case_page, changes, fixes
from paraph.checks.runner import Run
from paraph.checks.self_test import Matrix, released_summary
from paraph.checks.verdict import Finding, Verdict
from paraph.visible_text import json_text


def document(run: Run) -> dict[str, Any]:
    """Build the report of a run against a target; its cases are sorted by severity."""
    content = {
        "target": run.target,
        "started_at": run.started_at,
        "profile": run.profile,
        "seconds": round(run.seconds, 1),
        "cases": [_case(one) for one in by_severity(run.findings)],
        "summary": run.summary(),
        "advice": [
            {
                "id": one.advice.id,
                "title": one.advice.title,
                "text": one.advice.text,
                "cases": [finding.id for finding in one.findings],
                "given": one.advice.given,
                "code": one.advice.codes(run.framework),
                "documentation": advice_page(one.advice.id),
            }
            for one in fixes(run)
        ],
        "notes": run.notes,
        "self_test": released_summary(),
    }
    if run.since:
        found = {change.value: [one.id for one in ids] for change, ids in changes(run).items()}
        content["since"] = {"started_at": run.since, **found}
    return content


def _case(finding: Finding) -> dict[str, Any]:
    entry = catalogue()[finding.id]
    content: dict[str, Any] = {
        "id": finding.id,
        "group": finding.group,
        "severity": finding.severity,
        "verdict": finding.verdict.value,
        "reason": finding.reason,
        "evidence": finding.evidence,
        "seconds": finding.seconds,
        "title": entry.title,
        "documentation": case_page(finding.id),
    }
    if finding.verdict is Verdict.FAIL:
        content |= {
            "why": entry.why,
            "standards": entry.standards,
            "incidents": [f"{one.name}: {one.url}" for one in incidents().get(finding.id, [])],
            "fix": entry.fix,
            "advice": entry.advice,
        }
    if finding.change:
        content["change"] = finding.change.value
    if finding.known_until:
        content |= {"known_until": finding.known_until, "known_reason": finding.known_reason}
    return content


def matrix_document(matrix: Matrix) -> dict[str, Any]:
    """Build the report of a self-test."""
    cases = [
        {
            "id": one.id,
            "group": one.reference.group,
            "severity": one.reference.severity,
            "reference": one.reference.verdict.value,
            "twin": one.twin.verdict.value,
            "reason": one.twin.reason if one.works else one.reference.reason or one.twin.reason,
            "evidence": one.twin.evidence,
        }
        for one in matrix.kills
    ]
    both = [f"{one['reference']}/{one['twin']}" for one in cases]
    return {
        "target": "the twin",
        "started_at": matrix.started_at,
        "seconds": round(matrix.seconds, 1),
        "cases": cases,
        "summary": {**Counter(both), "killed": matrix.killed, "cases": len(cases)},
    }


def to_json(content: dict[str, Any]) -> str:
    """Serialize a report: indented, and identical for identical findings."""
    return json_text(content)
