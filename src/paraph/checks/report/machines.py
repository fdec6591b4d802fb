"""Reports as JUnit for build servers and as SARIF for code-scanning pages."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from paraph.checks.advice import advice, incidents
from paraph.checks.catalogue import SEVERITIES, catalogue
from paraph.checks.report.order import case_page, worst_first
from paraph.checks.report.standards import in_markdown
from paraph.checks.report.visible import visible_run
from paraph.checks.runner import Run
from paraph.checks.verdict import Change, Finding, Verdict
from paraph.sarif import LEVELS, sarif_place, sarif_rule, sarif_text

_STATES = {Change.NEW: "new", Change.UNCHANGED: "unchanged"}


def to_junit(run: Run) -> str:
    """Return a JUnit report with a suite for each severity, the worst one first."""
    run = visible_run(run)
    suites = ET.Element("testsuites", name=f"paraph check: {run.target}")
    for severity in SEVERITIES:
        found = worst_first(one for one in run.findings if one.severity == severity)
        if not found:
            continue
        suite = ET.SubElement(
            suites,
            "testsuite",
            name=severity,
            tests=str(len(found)),
            failures=str(sum(_outcome(one) == "failure" for one in found)),
            errors=str(sum(_outcome(one) == "error" for one in found)),
            skipped=str(sum(_outcome(one) == "skipped" for one in found)),
            time=f"{sum(one.seconds for one in found):.3f}",
            timestamp=run.started_at.removesuffix("Z"),
        )
        for one in found:
            _junit_case(suite, one, run.framework)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _outcome(finding: Finding) -> str:
    """Return the element of a test case; "" for a passed one."""
    if finding.known_until or finding.verdict is Verdict.NOT_APPLICABLE:
        return "skipped"
    return {Verdict.FAIL: "failure", Verdict.INCONCLUSIVE: "error"}.get(finding.verdict, "")


def _junit_case(suite: ET.Element, finding: Finding, framework: str) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=f"{finding.group}.{finding.severity}",
        name=finding.id,
        time=f"{finding.seconds:.3f}",
    )
    tag = _outcome(finding)
    if not tag:
        return
    known = f"known until {finding.known_until}: {finding.known_reason}; "
    message = (known if finding.known_until else "") + finding.reason
    detail = ET.SubElement(case, tag, message=message)
    if tag == "failure":
        detail.set("type", finding.severity)
        detail.text = "\n\n".join([_help_text(finding.id, framework), *finding.evidence[-4:]])


def _help_text(name: str, framework: str) -> str:
    entry = catalogue()[name]
    fix = advice()[entry.advice]
    codes = fix.codes(framework) if framework else {}
    lines = [
        entry.title,
        f"Attack: {entry.attack}",
        f"Expectation: {entry.expectation}",
        f"Why: {entry.why}",
        f"Standards: {'; '.join(entry.standards)}",
        f"Fix: {entry.fix}",
        f"{fix.title}. {fix.text}",
        *codes.values(),
        f"See {case_page(name)}",
    ]
    return "\n".join(lines)


def to_sarif(run: Run) -> str:
    """Return a SARIF report: a rule for each case, a result for each failed one.

    Inconclusive cases are notifications of the run: a code-scanning page would show them as
    mistakes of the app. Findings that the baseline excuses are suppressed results.
    """
    file, run = run.file, visible_run(run)
    found = worst_first(run.findings)
    return sarif_text(
        "paraph check",
        rules=[_rule(one.id, run.framework) for one in found],
        invocations=[_invocation(run, found)],
        results=[
            _result(index, one, run, file)
            for index, one in enumerate(found)
            if one.verdict is Verdict.FAIL
        ],
    )


def _invocation(run: Run, found: list[Finding]) -> dict[str, Any]:
    return {
        "executionSuccessful": True,
        "startTimeUtc": run.started_at,
        "toolExecutionNotifications": [
            {
                "associatedRule": {"id": one.id, "index": index},
                "level": "warning",
                "message": {"text": f"{one.id} is inconclusive: {one.reason}"},
            }
            for index, one in enumerate(found)
            if one.verdict is Verdict.INCONCLUSIVE
        ],
    }


def _rule(name: str, framework: str) -> dict[str, Any]:
    entry = catalogue()[name]
    return sarif_rule(
        name,
        title=entry.title,
        description=f"{entry.attack} {entry.expectation} {entry.why}",
        remedy=f"{entry.fix}\n{advice()[entry.advice].text}\n{'; '.join(entry.standards)}",
        markdown=help_markdown(name, framework),
        severity=entry.severity,
        tags=["oauth", entry.group],
    )


def help_markdown(name: str, framework: str = "") -> str:
    """Return the documentation of a case as Markdown: the attack, the damage and the fix."""
    entry = catalogue()[name]
    fix = advice()[entry.advice]
    parts = [
        f"**Attack**: {entry.attack}",
        f"**Expectation**: {entry.expectation}",
        f"**Why**: {entry.why}",
        *(
            f"**It happened**: [{one.name}]({one.url}). {one.text}"
            for one in incidents().get(name, [])
        ),
        f"**Standards**: {'; '.join(in_markdown(one) for one in entry.standards)}",
        f"**Fix**: {entry.fix}",
        f"### {fix.title}",
        fix.text,
    ]
    if fix.code:
        parts.append(fix.given)
    for title, code in fix.codes(framework).items():
        language = "js" if title == "Express" else "python"
        parts += [f"**{title}**", f"```{language}\n{code}\n```"]
    return "\n\n".join(parts)


def _result(index: int, finding: Finding, run: Run, file: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.id,
        "ruleIndex": index,
        "kind": "fail",
        "level": LEVELS[finding.severity],
        "message": {"text": finding.reason or catalogue()[finding.id].title},
        # The location of a finding is the target file.
        "locations": sarif_place(file, inside=f"{run.target}/{finding.group}"),
        # GitHub recognizes an alert by the first one; without it all of them have the same line.
        "partialFingerprints": {
            "primaryLocationLineHash": f"{finding.id}:1",
            "case/v1": finding.id,
        },
    }
    if finding.change in _STATES:
        result["baselineState"] = _STATES[finding.change]
    if finding.known_until:
        result["suppressions"] = [
            {
                "kind": "external",
                "justification": f"until {finding.known_until}: {finding.known_reason}",
            }
        ]
    return result
