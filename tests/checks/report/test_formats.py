"""Every format leads with the worst failure and says how to fix it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema_rs
import pytest

from paraph.checks.advice import FRAMEWORKS, advice
from paraph.checks.catalogue import SEVERITIES, catalogue
from paraph.checks.report.document import document, to_json
from paraph.checks.report.machines import to_junit, to_sarif
from paraph.checks.report.order import fixes, worst_first
from paraph.checks.report.page import to_html
from paraph.checks.report.standards import standard_url
from paraph.checks.report.terminal import to_text
from paraph.checks.runner import Run
from paraph.checks.verdict import Change, Finding, Verdict

SCHEMA = Path(__file__).with_name("sarif-2.1.0.schema.json")
WRITERS = {
    "text": to_text,
    "json": lambda run: to_json(document(run)),
    "html": to_html,
    "sarif": to_sarif,
    "junit": to_junit,
}


def run_with_failures(framework: str = "") -> Run:
    """A run of every case: one in three fails, one in seven is inconclusive."""
    run = Run("an app", "2026-01-01T00:00:00Z", file="app.toml", framework=framework)
    for number, entry in enumerate(catalogue().values()):
        verdict = Verdict.FAIL if number % 3 == 0 else Verdict.PASS
        if number % 7 == 1:
            verdict = Verdict.INCONCLUSIVE
        finding = Finding(entry.id, entry.group, entry.severity, verdict, f"because of {number}")
        finding.evidence = ["GET /\n\n→ 200"]
        run.findings.append(finding)
    return run


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_format_shows_the_fix_in_the_code_of_the_framework(form: str, framework: str) -> None:
    """The code for the app's framework is in every format; the code for others is not."""
    run = run_with_failures(framework)
    written = WRITERS[form](run)
    markers = {
        "flask": "@app.after_request",
        "django": "Add it to MIDDLEWARE",
        "fastapi": "RedirectResponse(",
        "express": "response.redirect(303",
    }

    assert {framework} == {name for name, marker in markers.items() if marker in written}


def test_without_a_framework_all_code_is_reachable() -> None:
    """If the framework is unknown, JSON and HTML have the code for all, and text says where."""
    run = run_with_failures()
    code = advice()["check-state"].code_for("django")
    found = {one["id"]: one["code"] for one in document(run)["advice"]}

    assert ["Flask", "Django", "FastAPI", "Express"] == list(found["check-state"])
    assert code.splitlines()[0] in to_html(run)
    assert "docs/reference/check-cases.md#advice-check-state" in to_text(run)


def test_the_worst_failure_is_first() -> None:
    """Failures stand before everything else, the critical ones first, in every format."""
    run = run_with_failures()
    worst = next(one for one in worst_first(run.findings)).id
    (sarif,) = json.loads(to_sarif(run))["runs"]
    junit = ET.fromstring(to_junit(run).encode())
    text, page = to_text(run), to_html(run)

    assert "critical" == catalogue()[worst].severity
    assert worst == sarif["results"][0]["ruleId"]
    assert worst == document(run)["advice"][0]["cases"][0]
    listed = [SEVERITIES.index(one["severity"]) for one in document(run)["cases"]]
    assert sorted(listed) == listed
    assert [*SEVERITIES] == [suite.attrib["name"] for suite in junit]
    assert worst == junit[0][0].attrib["name"]
    assert text.splitlines()[2].startswith(f"FAIL {worst} (critical)")
    assert page.index(f'<article class="fail" id="{worst}">') == page.index("<article")


def test_one_advice_serves_several_cases() -> None:
    """Each advice stands once, with all the cases that it fixes."""
    run = run_with_failures()
    failed = [one.id for one in run.findings if one.verdict is Verdict.FAIL]
    needed = fixes(run)

    assert len({fix.advice.id for fix in needed}) == len(needed) < len(failed)
    assert sorted(failed) == sorted(one.id for fix in needed for one in fix.findings)


def test_sarif_follows_its_schema() -> None:
    """The SARIF report is valid, and has for each rule what GitHub shows and sorts by."""
    run = run_with_failures()
    run.findings[0].known_until, run.findings[0].known_reason = "2027-01-31", "planned"
    run.findings[3].change = Change.NEW
    content = json.loads(to_sarif(run))
    schema = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text("utf-8")))
    (found,) = content["runs"]

    assert [] == [str(one) for one in schema.iter_errors(content)]
    for rule in found["tool"]["driver"]["rules"]:
        assert 0 < float(rule["properties"]["security-severity"]) <= 10
        assert rule["help"]["markdown"] and rule["help"]["text"]
        assert len(rule["fullDescription"]["text"]) <= 1024
    by_id = {one["ruleId"]: one for one in found["results"]}
    assert "planned" in by_id[run.findings[0].id]["suppressions"][0]["justification"]
    assert "new" == by_id[run.findings[3].id]["baselineState"]
    notified = found["invocations"][0]["toolExecutionNotifications"]
    assert len(notified) == run.summary()["inconclusive"]


def test_junit_counts_what_it_contains() -> None:
    """A known finding is skipped, so that a build server does not count it."""
    run = run_with_failures()
    run.findings[0].known_until, run.findings[0].known_reason = "2027-01-31", "planned"
    suites = ET.fromstring(to_junit(run).encode())
    (known,) = suites.findall(f".//testcase[@name='{run.findings[0].id}']")

    assert known[0].tag == "skipped" and "planned" in known[0].attrib["message"]
    for suite in suites:
        for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert suite.attrib[count] == str(len(suite.findall(f"testcase/{tag}")))
        assert suite.attrib["tests"] == str(len(suite))


def test_the_text_says_a_common_cause_once() -> None:
    """Inconclusive cases with one reason are one line."""
    run = run_with_failures()
    for one in run.findings:
        one.verdict, one.reason = Verdict.INCONCLUSIVE, "the app does not start"

    assert 1 == to_text(run).count("the app does not start")


@pytest.mark.parametrize(
    ("standard", "expected"),
    [
        ("RFC 9700 section 4.7.1", "https://www.rfc-editor.org/rfc/rfc9700.html#section-4.7.1"),
        ("CWE-347", "https://cwe.mitre.org/data/definitions/347.html"),
        ("Zoom: webhook retries", ""),
    ],
)
def test_standards_are_linked(standard: str, expected: str) -> None:
    """A section of an RFC and a weakness have an address."""
    assert expected == standard_url(standard)


def test_the_json_report_of_a_failure_is_complete() -> None:
    """A failed case names its damage, its standards, its fix and its page."""
    first = next(one for one in document(run_with_failures())["cases"] if one["verdict"] == "fail")
    wanted: set[Any] = {"why", "standards", "incidents", "fix", "advice", "documentation", "title"}

    assert wanted <= set(first)
