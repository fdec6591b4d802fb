"""A target file or an app that does not work is reported with one cause, before any attack."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from paraph.checks.preflight import PreflightError
from paraph.checks.runner import run, select
from paraph.checks.target import Hook, Hooks, Registration, Start, Target, Urls
from paraph.checks.verdict import Finding, Verdict
from paraph.errors import ConfigurationError

APP = str(Path(__file__).parent / "small_app.py")


def small(flaw: str = "") -> Target:
    """The small app, with a flaw or without."""
    return Target(
        name="small",
        start=Start(
            command=[sys.executable, APP, flaw],
            environment={
                "PORT": "{port}",
                "ZOOM": "{zoom}",
                "CLIENT_ID": "{client_id}",
                "SECRET": "{client_secret}",
                "WEBHOOK_SECRET": "{webhook_secret}",
            },
            ready_within=30,
        ),
        urls=Urls(start="/start", redirect="/callback", webhook="/webhook"),
        hooks=Hooks(
            links=Hook(method="GET", url="{url}/links"),
            use=Hook(url="{url}/use", json={"user": "{user_id}"}),
        ),
    )


def refused(target: Target) -> PreflightError:
    """Run all cases; return the error of the preflight, which must come before any finding."""
    found: list[Finding] = []
    with pytest.raises(PreflightError) as caught:
        run(target, select(), told=found.append)
    assert [] == found
    return caught.value


def test_a_wrong_start_url_is_named() -> None:
    """The start that leads elsewhere is reported with its status and the setting to correct."""
    target = small()
    target.urls.start = "/strat"
    error = refused(target)
    assert "the start of an installation" == error.step
    assert "ends at /strat with status 404" in error.cause
    assert "`start` in [urls]" in error.remedy
    assert error.problems[-1].endswith("cases were not run")


def test_a_wrong_webhook_path_is_named() -> None:
    """The honest delivery that meets no endpoint is reported with what was sent."""
    target = small()
    target.urls.webhook = "/hook"
    error = refused(target)
    assert ("an honest delivery", "Correct `webhook` in [urls].") == (error.step, error.remedy)
    assert any(one.startswith("sent: POST http://127.0.0.1:") for one in error.problems)
    assert any(one.startswith("received: status 404") for one in error.problems)


def test_a_command_that_ends_is_shown_with_its_output() -> None:
    """The output of a command that ends at once is part of the report."""
    target = small()
    target.start.command = [
        sys.executable,
        "-c",
        "print('hint'); raise SystemExit('no such table')",
    ]
    error = refused(target)
    assert "the start" == error.step
    assert "status 1: no such table" in error.cause
    assert "output of the app: hint" in error.problems


def test_an_app_that_fails_at_the_redirect_is_shown_with_its_output() -> None:
    """The report has the failed request and the app's own message, without secrets."""
    error = refused(small("failing"))
    assert ("an honest installation", True) == (error.step, "status 500" in error.cause)
    assert any("KeyError: 'ZOOM_SECRET' beside [client secret " in one for one in error.problems)
    assert any("/callback?code=[" in one for one in error.problems)


def test_an_app_that_never_listens_is_given_up() -> None:
    """An app that does not respond in time is reported with the URL that was requested."""
    target = small("deaf")
    target.start.ready_within = 1
    error = refused(target)
    assert "did not respond to GET http://127.0.0.1:" in error.cause
    assert "Pass {port} to the app" in error.remedy


def test_an_app_on_another_port_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The port that the app has started on is the cause, long before the deadline."""
    monkeypatch.setattr("paraph.checks.harness.start_watch._SETTLED_AFTER", 0.3)
    target = small()
    target.start.environment |= {"PORT": "0", "PROT": "{port}"}
    target.start.ready_within = 90
    error = refused(target)
    assert "the app has started on 127.0.0.1:" in error.cause
    assert "Pass {port} to the app" in error.remedy


def test_an_app_that_cannot_know_its_port_is_named() -> None:
    """A port that is written down in [start] is not the one of the check."""
    target = small("deaf")
    target.start.environment["PORT"] = "5000"
    assert "nothing in [start] passes {port} to the app" in refused(target).cause


def test_an_app_that_serves_tls_is_named() -> None:
    """A plain address of an app that speaks TLS, or the reverse, is the cause at once."""
    target = small()
    target.urls.base = "https://127.0.0.1:{port}"
    error = refused(target)
    assert "is not usable HTTP" in error.cause
    assert "Let `base` in [urls] begin with https://" in error.remedy


def test_a_hook_of_another_shape_is_named() -> None:
    """The hook `links` must return objects with the Zoom user's id."""
    error = refused(small("wrong"))
    assert "must return a list of objects with `user_id`" in error.cause
    assert any(one.startswith("received: status 200 [") for one in error.problems)


def test_a_hook_that_the_app_does_not_have_is_named() -> None:
    """A hook that responds with 404 ends the run before the first installation."""
    target = small()
    target.hooks.links = Hook(method="GET", url="{url}/link")
    assert ("the hook `links`", True) == ((error := refused(target)).step, "404" in error.cause)


def test_a_secret_that_the_app_does_not_get_is_named() -> None:
    """A delivery that the app refuses leads to the secret that it was started with."""
    target = small()
    target.start.environment["WEBHOOK_SECRET"] = "another-secret"
    error = refused(target)
    assert "status 401" in error.cause
    assert "{webhook_secret}" in error.remedy


def test_a_redirect_uri_that_is_not_registered_is_named() -> None:
    """Zoom's refusal is reported with the redirect URI that the app sent."""
    target = small()
    target.urls.redirect = "/cb"
    error = refused(target)
    assert "/callback, and http://127.0.0.1:" in error.cause
    assert "`redirect` in [urls]" in error.remedy


def test_a_step_that_no_case_needs_is_left_out() -> None:
    """Cases of the flow's start run although the webhook cannot be reached."""
    target = small()
    target.urls.webhook = "/hook"
    found = run(target, ["start-state-entropy"], told=lambda _finding: None)
    assert [Verdict.PASS] == [one.verdict for one in found.findings]


def test_a_port_that_is_taken_is_named() -> None:
    """The port of the simulated Zoom may be in use; the error says which setting it is."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        urls = Urls(base="http://127.0.0.1:1", redirect="/callback")
        target = Target(name="x", urls=urls, zoom=Registration(port=port))
        with pytest.raises(ConfigurationError, match=f"cannot listen on port {port}"):
            run(target, ["start-state-entropy"], told=lambda _finding: None)


def test_an_app_is_ready_when_it_responds() -> None:
    """A server that accepts connections before it responds is waited for."""
    found = run(small("late"), ["start-state-entropy"], told=lambda _finding: None)
    assert [Verdict.PASS] == [one.verdict for one in found.findings]
