"""A case that has observed nothing does not pass; friendly error pages do not fail."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from checks.test_preflight import small
from paraph.checks.cases import CASES
from paraph.checks.harness.case import Case
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.preflight import PreflightError
from paraph.checks.runner import run, run_group
from paraph.checks.target import Start, Target, Urls, Variant
from paraph.checks.twin_target import twin_target
from paraph.checks.verdict import Finding, Verdict


def finding_of(target: Target, name: str) -> Finding:
    """One case against one target."""
    (finding,) = run(target, [name], told=lambda _finding: None).findings
    return finding


def friendly(*words: str) -> Target:
    """An app whose errors lead to its front page."""
    return Target(
        name="friendly",
        start=Start(
            command=[sys.executable, str(Path(__file__).parent / "friendly_app.py"), *words],
            environment={
                "PORT": "{port}",
                "ZOOM": "{zoom}",
                "CLIENT_ID": "{client_id}",
                "SECRET": "{client_secret}",
            },
            ready_within=90,
        ),
        urls=Urls(start="/start", redirect="/callback", pages=["/"]),
    )


@pytest.mark.parametrize("name", ["tok-identity-fail", "cb-half-install", "tok-email-match"])
def test_a_friendly_page_is_a_refusal(name: str) -> None:
    """A sign-in is recognized by the app's pages, not by a status."""
    finding = finding_of(friendly(), name)
    assert finding.verdict is Verdict.PASS, finding.reason


@pytest.mark.parametrize("name", ["cb-query-vs-body", "cb-code-rejected"])
def test_a_refusal_that_zoom_has_given_may_be_reported(name: str) -> None:
    """A token request without a code used no body, and status 502 says that Zoom has refused."""
    finding = finding_of(friendly("careless"), name)
    assert finding.verdict is Verdict.PASS, finding.reason


def test_a_sign_in_without_an_identity_is_found() -> None:
    """An app that signs in a user without an identity fails."""
    finding = finding_of(friendly("gullible"), "tok-identity-fail")
    assert (Verdict.FAIL, "users/me: 401: accepted") == (finding.verdict, finding.reason)


@pytest.mark.parametrize(
    ("hook", "name"),
    [
        ("sign_in", "start-csrf-link"),
        ("links", "start-fixation-url"),
        ("events", "wh-tenant"),
        ("events", "deauth-late-event"),
    ],
)
def test_a_case_that_needs_a_hook_is_not_applicable_without_it(hook: str, name: str) -> None:
    """A case that needs a missing hook is not applicable."""
    # Without a sign-in the twin could not even begin.
    target = friendly() if hook == "sign_in" else twin_target()
    setattr(target.hooks, hook, None)
    finding = finding_of(target, name)
    assert Verdict.NOT_APPLICABLE is finding.verdict
    assert f"`{hook}`" in finding.reason


@pytest.mark.parametrize("name", ["tok-profile-xss", "tok-email-match", "deauth-retention"])
def test_pages_that_show_nothing_prove_nothing(name: str) -> None:
    """The case is not applicable if no page shows the name of a user."""
    target = twin_target() if name == "deauth-retention" else friendly("discreet")
    target.urls.pages = []
    finding = finding_of(target, name)
    assert Verdict.NOT_APPLICABLE is finding.verdict, finding.reason
    assert "urls.pages" in finding.reason


def test_a_log_that_is_not_there_holds_no_secret_and_proves_nothing() -> None:
    """A log file that does not exist ends the preflight; the case is inconclusive, never a pass."""
    target = twin_target()
    target.hooks.log_file = "{folder}/misspelt.log"
    with pytest.raises(PreflightError, match="`log_file`: there is no file"):
        finding_of(target, "leak-logs")
    (finding,) = run_group(target, "secrets", ["leak-logs"], lambda _finding: None)
    assert Verdict.INCONCLUSIVE is finding.verdict
    assert "there is no log at" in finding.reason


def test_a_file_that_an_installation_does_not_touch_is_not_the_database(tmp_path: Path) -> None:
    """A file that an installation leaves unchanged is inconclusive, never a pass."""
    file = tmp_path / "other.db"
    file.write_bytes(b"x" * 4096)
    target = twin_target()
    target.hooks.database_file, target.hooks.sealed_columns = str(file), []
    finding = finding_of(target, "leak-db")
    assert Verdict.INCONCLUSIVE is finding.verdict, finding.reason


def test_a_variant_that_leaves_the_secret_in_place_proves_nothing() -> None:
    """The case is inconclusive if the variant still has its webhook secret."""
    target = twin_target()
    target.variants["no_webhook_secret"] = Variant(environment={"MISSPELT": ""})
    finding = finding_of(target, "wh-fail-open")
    assert Verdict.INCONCLUSIVE is finding.verdict
    assert "leaves the secret in place" in finding.reason


def test_a_server_error_is_a_refusal_unless_the_case_is_about_errors() -> None:
    """An app whose error page has status 500 makes no link; only the case of error pages fails."""
    found = run(small(), ["cb-half-install", "tok-html-200"], told=lambda _finding: None).findings
    assert [
        ("cb-half-install", Verdict.PASS, ""),
        (
            "tok-html-200",
            Verdict.FAIL,
            "a page sent as text/html: the app responds with status 500",
        ),
    ] == [(one.id, one.verdict, one.reason) for one in found]


@pytest.mark.slow
def test_an_app_that_ends_is_started_again_and_its_log_is_read() -> None:
    """An app that a response of Zoom ends has its verdict on the log all the same."""
    finding = finding_of(small("mortal"), "leak-logs")
    assert Verdict.NOT_APPLICABLE is finding.verdict, finding.reason
    assert "the app prints nothing" in finding.reason


@pytest.mark.slow
def test_the_end_of_the_app_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """A case that cannot go on because the app has ended says so."""

    def act(t: CaseContext) -> None:
        assert t.environment.app is not None
        t.environment.app.kill()
        t.control(holds=False, reason="no response")

    monkeypatch.setitem(CASES, "leak-http", Case("leak-http", act))
    finding = finding_of(small(), "leak-http")
    assert (Verdict.INCONCLUSIVE, "the app ended with status -9; no response") == (
        finding.verdict,
        finding.reason,
    )
