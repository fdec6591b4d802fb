"""The JSON report; other programs rely on its names."""

from __future__ import annotations

from collections import Counter
from typing import Any

from paraph.checks.runner import Run
from paraph.checks.self_test import Matrix, released_summary
from paraph.visible_text import json_text


def document(run: Run) -> dict[str, Any]:
    """Build the report of a run against a target."""
    return {
        "target": run.target,
        "started_at": run.started_at,
        "profile": run.profile,
        "seconds": round(run.seconds, 1),
        "cases": [
            {
                "id": one.id,
                "group": one.group,
                "severity": one.severity,
                "verdict": one.verdict.value,
                "reason": one.reason,
                "evidence": one.evidence,
                "seconds": one.seconds,
            }
            for one in run.findings
        ],
        "summary": run.summary(),
        "self_test": released_summary(),
    }


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
