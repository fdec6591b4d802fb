"""Tests of the product, with the fixture that paraph gives pytest: `pytest` runs them."""

import os
import tempfile

import pytest

DATA = tempfile.TemporaryDirectory(prefix="tidemark-")
os.environ |= {"SECRET_KEY": "for-these-tests-only", "TIDEMARK_DATA": DATA.name}
os.environ["DJANGO_SETTINGS_MODULE"] = "tidemark.settings"
PASSWORD = "for-these-tests-only"


@pytest.fixture(scope="session")
def application():
    """The project, with a database of its own and two users."""
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application

    call_command("migrate", verbosity=0)
    for name in ("ada", "grace"):
        User.objects.create_user(name, password=PASSWORD)
    return get_wsgi_application()


@pytest.fixture
def site(simulated_zoom, application):
    """The project, set up for the simulated Zoom and served; its address."""
    from django.conf import settings
    from django.test import override_settings

    given = simulated_zoom.settings(prefix="/integrations/zoom")
    del given["prefix"]
    upper = {name.upper(): value for name, value in given.items()}
    with override_settings(PARAPH=settings.PARAPH | upper):
        yield simulated_zoom.serve(application)
        simulated_zoom.release()


def sign_in(simulated_zoom, site, name):
    """A browser in which a user is signed in, at the home page."""
    browser = simulated_zoom.browser()
    browser.get(site)
    browser.press("Sign in", username=name, password=PASSWORD)
    return browser


@pytest.fixture
def connected(simulated_zoom, site):
    """The browser of Ada, who has connected Zoom."""
    browser = sign_in(simulated_zoom, site, "ada")
    browser.press("Connect Zoom")
    assert simulated_zoom.user.email in browser.approve().text
    assert browser.press("Connect").status_code == 200
    return browser


def test_a_user_connects_zoom(connected):
    assert connected.get("/me").json() == {"zoom": "Jane Dev"}


def test_a_user_declines_at_zoom(simulated_zoom, site):
    browser = sign_in(simulated_zoom, site, "ada")
    browser.press("Connect Zoom")
    assert browser.deny().status_code < 500
    assert simulated_zoom.grants() == []


def test_two_users_are_kept_apart(simulated_zoom, site, connected):
    other = sign_in(simulated_zoom, site, "grace")
    assert other.get("/me").status_code == 404
    other.get("/")
    other.press("Connect Zoom")
    other.approve("ravi@example.com")
    other.press("Connect")
    assert other.get("/me").json() == {"zoom": "Ravi Member"}
    assert connected.get("/me").json() == {"zoom": "Jane Dev"}


def test_a_meeting_that_ended_is_counted_once(simulated_zoom, connected):
    event = simulated_zoom.signed_event("meeting.ended")
    for _ in range(2):
        url = simulated_zoom.app.event_url
        sent = connected.post(url, content=event.body, headers=event.headers)
        assert sent.status_code == 200
    # Handlers run after Zoom has its answer.
    simulated_zoom.wait_until(lambda: connected.get("/").text.count("<li>") == 1)


def test_a_forged_event_is_refused(simulated_zoom, connected):
    sent = connected.post(simulated_zoom.app.event_url, json={"event": "meeting.ended"})
    assert sent.status_code == 401


def test_a_user_removes_the_app_at_zoom(simulated_zoom, connected):
    simulated_zoom.deauthorize()
    simulated_zoom.wait_until(lambda: connected.get("/me").status_code == 404)


def test_a_user_disconnects(simulated_zoom, connected):
    connected.get("/")
    connected.press("Disconnect Zoom")
    assert connected.get("/me").status_code == 404
    simulated_zoom.wait_until(lambda: simulated_zoom.grants() == [])
