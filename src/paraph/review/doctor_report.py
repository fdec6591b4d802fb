"""The report of `paraph doctor` as text and JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from paraph.operations.findings.examination import Examination
from paraph.operations.findings.rule import Finding
from paraph.operations.probes.facts import LiveAnswer
from paraph.visible_text import json_text, visible

QUESTIONS = {
    "second-redirect": "a redirect URI that is not the primary one, in strict mode",
    "other-redirect": "a code of one redirect URI, exchanged at another one",
    "needless-verifier": "a verifier for a code that was issued without a challenge",
}


def to_text(examination: Examination, live: tuple[LiveAnswer, ...] = ()) -> str:
    """Format an examination: each finding in full, what was not checked, and the counts."""
    lines = [line for one in examination.findings for line in _lines_of(one)]
    lines += [f"live  {QUESTIONS[one.question]}: {answer_words(one)}" for one in live]
    lines += [
        f"not checked  {visible(one.part)}: {visible(one.reason)}"
        for one in examination.not_checked
    ]
    if lines:
        lines.append("")
    counts = [f"{count} {name}" for name, count in examination.summary().items() if count]
    counts = counts or ["no weakness found"]
    failed = sum(one.asked_for for one in examination.not_checked)
    if failed:
        counts.append(f"{failed} {'part' if failed == 1 else 'parts'} could not be checked")
    lines.append(f"paraph doctor: {', '.join(counts)}")
    return "\n".join(lines) + "\n"


def _lines_of(finding: Finding) -> list[str]:
    return [
        f"{finding.severity.upper()} {finding.rule}: {finding.title}",
        f"  place   {visible(finding.place)}",
        f"  cause   {visible(finding.cause)}",
        f"  remedy  {visible(finding.remedy)}",
        f"  source  {finding.source}",
        "",
    ]


def answer_words(answer: LiveAnswer) -> str:
    """Say in words what Zoom answered."""
    if answer.refused is None:
        return f"not answered ({answer.error or 'no response'})"
    seen = f"status {answer.status}" + (f", {answer.error}" if answer.error else "")
    return f"{'refused' if answer.refused else 'accepted'} ({seen})"


def document(examination: Examination, live: tuple[LiveAnswer, ...] = ()) -> dict[str, Any]:
    """Build the JSON report; other programs rely on its names."""
    return {
        "checked_at": moment(examination.checked_at),
        "findings": [
            {
                "rule": one.rule,
                "severity": one.severity,
                "title": one.title,
                "place": one.place,
                "cause": one.cause,
                "remedy": one.remedy,
                "source": one.source,
            }
            for one in examination.findings
        ],
        "live": live_document(live),
        "not_checked": [
            {"part": one.part, "reason": one.reason, "asked_for": one.asked_for}
            for one in examination.not_checked
        ],
        "summary": examination.summary(),
    }


def live_document(live: tuple[LiveAnswer, ...]) -> list[dict[str, Any]]:
    """Build the part of a report with the answers of Zoom."""
    return [
        {
            "question": one.question,
            "asked": QUESTIONS[one.question],
            "refused": one.refused,
            "status": one.status,
            "error": one.error,
        }
        for one in live
    ]


def moment(epoch: int) -> str:
    """Format epoch seconds as UTC in ISO 8601."""
    return f"{datetime.fromtimestamp(epoch, tz=UTC):%Y-%m-%dT%H:%M:%SZ}"


def to_json(examination: Examination, live: tuple[LiveAnswer, ...] = ()) -> str:
    """Return the JSON report."""
    return json_text(document(examination, live))
