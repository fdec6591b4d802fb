"""Tests of the product, with the fixture that paraph gives pytest: `pytest` runs them."""

import importlib
import sys

import pytest


@pytest.fixture
def product(simulated_zoom, monkeypatch):
    """The product, set up for the simulated Zoom and served; its address."""
    for name, value in simulated_zoom.environment(prefix="/zoom").items():
        monkeypatch.setenv(name, value)
    sys.modules.pop("app", None)
    return simulated_zoom.serve(importlib.import_module("app").app)


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
    assert connected.get("/me").json()["email"] == "jane@example.com"


def test_a_user_declines_at_zoom(simulated_zoom, product, browser):
    browser.get(product)
    browser.press("Connect Zoom")
    assert "Connect Zoom" in browser.deny().text
    assert simulated_zoom.grants() == []


def test_another_browser_cannot_finish(simulated_zoom, product, browser):
    browser.get(product)
    browser.press("Connect Zoom")
    back = browser.approve().history[0].headers["location"]
    stranger = simulated_zoom.browser()
    assert stranger.get(back).status_code == 400


def test_a_meeting_that_ended_is_listed(simulated_zoom, connected):
    delivery = simulated_zoom.send_event("meeting.ended")
    assert simulated_zoom.wait_for_delivery(delivery)["attempts"][0]["status"] == 200
    # Handlers run after Zoom has its answer.
    simulated_zoom.wait_until(lambda: "<li>" in connected.get("/").text)


def test_an_access_token_is_refreshed(simulated_zoom, connected):
    simulated_zoom.advance(3600)
    assert connected.get("/me").status_code == 200


def test_a_user_removes_the_app_at_zoom(simulated_zoom, connected):
    simulated_zoom.deauthorize()
    # paraph verifies the removal first.
    simulated_zoom.wait_until(lambda: connected.get("/me").status_code == 404)
    assert "Connect Zoom" in connected.get("/").text


def test_a_user_disconnects(simulated_zoom, connected):
    connected.get("/")
    assert "Connect Zoom" in connected.press("Disconnect Zoom").text
    simulated_zoom.wait_until(lambda: simulated_zoom.grants() == [])
