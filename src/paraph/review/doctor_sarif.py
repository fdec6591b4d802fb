"""The report of `paraph doctor` as SARIF, for code-scanning pages."""

from __future__ import annotations

from paraph.operations.findings.examination import Examination
from paraph.sarif import LEVELS, sarif_place, sarif_rule, sarif_text
from paraph.visible_text import visible


def to_sarif(examination: Examination, *, file: str) -> str:
    """Return a SARIF report: a rule and a result for each kind of weakness.

    Args:
        examination: the findings.
        file: the settings file, where code-scanning pages show them.
    """
    rules = list(dict.fromkeys(one.rule for one in examination.findings))
    first = {one.rule: one for one in reversed(examination.findings)}
    return sarif_text(
        "paraph doctor",
        rules=[
            sarif_rule(
                name,
                title=first[name].title,
                description=first[name].title,
                remedy=f"{first[name].remedy}\n{first[name].source}",
                severity=first[name].severity,
                tags=["configuration"],
            )
            for name in rules
        ],
        results=[
            {
                "ruleId": one.rule,
                "ruleIndex": rules.index(one.rule),
                "kind": "fail",
                "level": LEVELS[one.severity],
                "message": {"text": visible(f"{one.place}: {one.cause} {one.remedy}")},
                "locations": sarif_place(file, inside=visible(one.place)),
                "partialFingerprints": {"finding/v1": f"{one.rule}:{visible(one.place)}"},
            }
            for one in examination.findings
        ],
    )
