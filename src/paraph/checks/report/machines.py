"""Reports as JUnit for build servers and as SARIF for code-scanning pages."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from paraph.checks.catalogue import GROUPS, catalogue
from paraph.checks.report.visible import visible_run
from paraph.checks.runner import Run
from paraph.checks.verdict import Finding, Verdict
from paraph.sarif import LEVELS, sarif_place, sarif_rule, sarif_text


def to_junit(run: Run) -> str:
    """Return a JUnit report with a suite for each group."""
    run = visible_run(run)
    suites = ET.Element("testsuites", name=f"paraph check: {run.target}")
    for group, title in GROUPS.items():
        found = [one for one in run.findings if one.group == group]
        if not found:
            continue
        suite = ET.SubElement(
            suites,
            "testsuite",
            name=title,
            tests=str(len(found)),
            failures=str(_count(found, Verdict.FAIL)),
            errors=str(_count(found, Verdict.INCONCLUSIVE)),
            skipped=str(_count(found, Verdict.NOT_APPLICABLE)),
            time=f"{sum(one.seconds for one in found):.3f}",
        )
        for one in found:
            _junit_case(suite, one)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _count(findings: list[Finding], verdict: Verdict) -> int:
    return sum(one.verdict is verdict for one in findings)


def _junit_case(suite: ET.Element, finding: Finding) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=f"{finding.group}.{finding.severity}",
        name=finding.id,
        time=f"{finding.seconds:.3f}",
    )
    tag = {
        Verdict.FAIL: "failure",
        Verdict.INCONCLUSIVE: "error",
        Verdict.NOT_APPLICABLE: "skipped",
    }.get(finding.verdict)
    if tag is not None:
        detail = ET.SubElement(case, tag, message=finding.reason)
        if tag == "failure":
            detail.text = "\n\n".join(finding.evidence[-4:])


def to_sarif(run: Run) -> str:
    """Return a SARIF report: a rule for each case, a result for each failed or inconclusive one."""
    file, run = run.file, visible_run(run)
    return sarif_text(
        "paraph check",
        rules=[_rule(one.id) for one in run.findings],
        results=[
            _result(index, one, run, file)
            for index, one in enumerate(run.findings)
            if one.verdict in {Verdict.FAIL, Verdict.INCONCLUSIVE}
        ],
    )


def _rule(name: str) -> dict[str, Any]:
    entry = catalogue()[name]
    return sarif_rule(
        name,
        title=entry.title,
        description=f"{entry.attack} {entry.expectation}",
        remedy=f"{entry.fix}\n{'; '.join(entry.standards)}",
        severity=entry.severity,
        tags=["oauth", entry.group],
    )


def _result(index: int, finding: Finding, run: Run, file: str) -> dict[str, Any]:
    failed = finding.verdict is Verdict.FAIL
    return {
        "ruleId": finding.id,
        "ruleIndex": index,
        "kind": "fail" if failed else "open",
        "level": LEVELS[finding.severity] if failed else "none",
        "message": {"text": finding.reason},
        # The location of a finding is the target file.
        "locations": sarif_place(file, inside=f"{run.target}/{finding.group}"),
        "partialFingerprints": {"case/v1": finding.id},
    }
