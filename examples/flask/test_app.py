"""Tests of the product, with the fixture that paraph gives pytest: `pytest` runs them."""

import importlib
import sys

import pytest


@pytest.fixture
def product(simulated_zoom, monkeypatch, tmp_path):
    """The product, set up for the simulated Zoom and served; its address."""
    for name, value in simulated_zoom.environment(prefix="/zoom").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SECRET_KEY", "for-these-tests-only")
    monkeypatch.setenv("DATABASE", str(tmp_path / "tidemark.db"))
    sys.modules.pop("app", None)
    app = importlib.import_module("app").app
    yield simulated_zoom.serve(app)
    app.extensions["paraph"].stop()


@pytest.fixture
def browser(simulated_zoom, product):
    """A browser in which Ada is signed in."""
    browser = simulated_zoom.browser()
    browser.get(f"{product}/sign-in")
    browser.press("Sign in", user="ada")
    return browser


@pytest.fixture
def connected(simulated_zoom, product, browser):
    """The browser of Ada, who has connected Zoom."""
    page = simulated_zoom.install(f"{product}/zoom/start", browser=browser)
    assert simulated_zoom.user.email in page.text
    assert "Disconnect Zoom" in browser.press("Connect").text
    return browser


def test_a_user_connects_zoom(connected):
    assert connected.get("/me").json() == {"zoom": "Jane Dev"}


def test_a_user_declines_at_zoom(simulated_zoom, product, browser):
    browser.get(product)
    browser.press("Connect Zoom")
    assert browser.deny().status_code == 403
    assert simulated_zoom.grants() == []


def test_two_users_are_kept_apart(simulated_zoom, product, connected):
    other = simulated_zoom.browser()
    other.get(f"{product}/sign-in")
    other.press("Sign in", user="grace")
    assert other.get("/me").status_code == 404
    simulated_zoom.install(f"{product}/zoom/start", "ravi@example.com", browser=other)
    other.press("Connect")
    assert other.get("/me").json() == {"zoom": "Ravi Member"}
    assert connected.get("/me").json() == {"zoom": "Jane Dev"}


def test_a_meeting_that_ended_is_listed_once(simulated_zoom, connected):
    event = simulated_zoom.signed_event("meeting.ended")
    for _ in range(2):
        sent = connected.post("/zoom/webhook", content=event.body, headers=event.headers)
        assert sent.status_code == 200
    # Handlers run after Zoom has its answer.
    simulated_zoom.wait_until(lambda: connected.get("/").text.count("<li>") == 1)


def test_a_forged_event_is_refused(connected):
    sent = connected.post("/zoom/webhook", json={"event": "meeting.ended", "payload": {}})
    assert sent.status_code == 401


def test_a_user_removes_the_app_at_zoom(simulated_zoom, connected):
    simulated_zoom.deauthorize()
    simulated_zoom.wait_until(lambda: connected.get("/me").status_code == 404)
    assert "Connect Zoom" in connected.get("/").text


def test_a_user_disconnects(simulated_zoom, connected):
    connected.get("/")
    assert "Connect Zoom" in connected.press("Disconnect Zoom").text
    simulated_zoom.wait_until(lambda: simulated_zoom.grants() == [])
