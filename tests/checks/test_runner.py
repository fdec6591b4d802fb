"""A target that cannot be checked soon ends with a reason; the reports of a run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from paraph.checks import runner
from paraph.checks.preflight import PreflightError
from paraph.checks.report.document import document
from paraph.checks.report.machines import to_junit, to_sarif
from paraph.checks.report.page import to_html
from paraph.checks.runner import Run, run, run_group, select
from paraph.checks.target import Start, Target, Urls
from paraph.checks.twin_target import twin_target, weakened
from paraph.checks.verdict import Finding, Verdict


def broken(kind: str) -> Target:
    """An app that no case can be run on."""
    command = [sys.executable, str(Path(__file__).parent / "broken_app.py"), kind, "{port}"]
    return Target(
        name=kind,
        # Only the silent app is waited for in vain.
        start=Start(command=command, ready_within=2 if kind == "silent" else 60),
        urls=Urls(redirect="/callback", webhook="/webhook"),
    )


@pytest.mark.parametrize("kind", ["garbage", "huge", "dying", "silent"])
def test_a_broken_target_is_not_attacked(kind: str) -> None:
    """A broken app never passes, hangs the check, or causes a traceback."""
    found: list[Finding] = []
    with pytest.raises(PreflightError) as caught:
        run(broken(kind), select(["start-*"]), told=found.append)
    assert ("the start", []) == (caught.value.step, found)
    assert "Traceback" not in caught.value.cause


def test_a_broken_environment_is_inconclusive_with_a_reason() -> None:
    """If the app of a later group does not start, the cases of the group are inconclusive."""
    found = run_group(broken("dying"), "start", select(["start-*"]), lambda _finding: None)
    assert {Verdict.INCONCLUSIVE} == {one.verdict for one in found}
    assert all("status 3" in one.reason for one in found)
    assert 3 == Run("x", "", found).exit_code()


def test_an_environment_that_joins_a_group_leaves_its_cases_if_it_fails() -> None:
    """The environment that the group began with still runs them."""
    waiting = iter(select(["start-*"]))
    found: list[Finding] = []
    run_group(broken("dying"), "start", waiting, found.append, joins=True)
    assert ([], select(["start-*"])) == (found, list(waiting))


def test_copies_share_the_cases_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each case has one finding, in the catalogue's order; one copy is the tried one."""
    environment = SimpleNamespace(close=lambda: None)
    opened: list[object] = []

    def taken(
        _target: Target, _group: str, ids: Iterable[str], *_more: object, **known: Any
    ) -> Any:
        opened.append(known["opened"])
        return [Finding(one, "start", "high", Verdict.PASS) for one in ids]

    monkeypatch.setattr(runner, "_tried", lambda *_: environment)
    monkeypatch.setattr(runner, "run_group", taken)
    done = run(broken("dying"), select(), jobs=3, told=lambda _finding: None)
    assert select() == [one.id for one in done.findings]
    assert [environment] == [one for one in opened if one]


@pytest.fixture(scope="module")
def weak_run() -> Run:
    """The twin with two switches on, attacked by three cases."""
    made = Run("the twin", "2026-01-01T00:00:00Z")
    overlay = weakened(["start-pkce-s256", "start-no-secrets"])
    ids = ["start-state-entropy", "start-pkce-s256", "start-no-secrets"]
    made.findings = run_group(twin_target(), "start", ids, lambda _finding: None, overlay)
    return made


def test_the_json_report_has_the_names_that_are_used_from_outside(weak_run: Run) -> None:
    """The JSON report has the names that scripts rely on."""
    content = document(weak_run)
    assert {"target", "started_at", "cases", "summary"} <= set(content)
    verdicts = [(one["id"], one["verdict"]) for one in content["cases"]]
    assert [
        ("start-state-entropy", "pass"),
        ("start-pkce-s256", "fail"),
        ("start-no-secrets", "fail"),
    ] == verdicts
    assert {"pass": 1, "fail": 2, "inconclusive": 0, "not-applicable": 0} == content["summary"]
    assert weak_run.exit_code() == 1


def test_no_report_holds_a_secret(weak_run: Run) -> None:
    """The secrets that the check generates do not appear in any report."""
    for report in (
        json.dumps(document(weak_run)),
        to_html(weak_run),
        to_junit(weak_run),
        to_sarif(weak_run),
    ):
        assert "checked-client" not in report
        assert "checked-webhook" not in report


def test_machine_reports_are_well_formed(weak_run: Run) -> None:
    """JUnit counts failures; SARIF has a rule for each case and a result for each failure."""
    suites = ET.fromstring(to_junit(weak_run).encode())
    assert ["2"] == [suite.get("failures") for suite in suites]
    (sarif,) = json.loads(to_sarif(weak_run))["runs"]
    assert 3 == len(sarif["tool"]["driver"]["rules"])
    assert ["start-pkce-s256", "start-no-secrets"] == [one["ruleId"] for one in sarif["results"]]


def test_the_page_needs_nothing_from_elsewhere(weak_run: Run) -> None:
    """The HTML report is one file without scripts and without external resources."""
    page = to_html(weak_run)
    assert "<script" not in page
    assert not any(f'{name}="http' in page for name in ("src", "href"))


def test_a_missing_hook_is_named() -> None:
    """The reason names the missing hook."""
    target = twin_target()
    target.hooks.advance = None
    found = run(target, ["cb-state-expired"], told=lambda _finding: None)
    (finding,) = found.findings
    assert (Verdict.NOT_APPLICABLE, "needs the hook `advance`") == (finding.verdict, finding.reason)
    assert found.exit_code() == 0
