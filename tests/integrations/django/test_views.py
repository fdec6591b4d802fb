"""The views that pass requests to the service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from django_site import PREFIX, Site
from service_kit import ACCOUNT, JANE

MEETING = {
    "account_id": ACCOUNT,
    "object": {"id": "1", "uuid": "u1==", "host_id": JANE, "topic": "Tide tables"},
}


def test_a_delivery_needs_no_token_of_djangos(site: Site) -> None:
    """Zoom's signature decides: a signed event is kept, every other one gets the same response."""
    assert 200 == site.post_webhook("meeting.ended", MEETING).status_code
    forged = site.post_webhook("meeting.ended", MEETING, **{"x-zm-signature": "v0=00"})
    joined = site.post_webhook("meeting.ended", MEETING, **{"x-zm-signature": "v0=00,v0=00"})
    assert (401, 401) == (forged.status_code, joined.status_code)
    assert (forged.content, forged.headers) == (joined.content, joined.headers)


def test_a_body_that_is_too_long_is_not_read(site: Site) -> None:
    """A body announced longer than any event gets 413."""
    response = site.browser().post(
        f"{PREFIX}/webhook",
        b"x" * (5 << 20),
        "application/json",
        secure=True,
        headers={"x-zm-signature": f"v0={'0' * 64}", "x-zm-request-timestamp": "1"},
    )
    assert 413 == response.status_code


def test_responses_are_the_services_own(site: Site) -> None:
    """Status, headers and cookies arrive as the service wrote them."""
    browser = site.browser("wes")
    begun = browser.get(f"{PREFIX}/start", secure=True)
    assert "no-store" == begun["Cache-Control"]
    sent = browser.get(begun["Location"].partition("https://localhost")[2], secure=True)
    (cookie,) = sent.cookies.values()
    assert cookie.key.startswith("__Host-paraph-")
    assert cookie.OutputString().startswith(f"{cookie.key}={cookie.value}; Path=/; Max-Age=")
    assert cookie.OutputString().endswith("; Secure; HttpOnly; SameSite=Lax")
    assert "no-store" == sent["Cache-Control"]
    assert "default-src 'none'" in sent["Content-Security-Policy"]
    assert "POST" == browser.get(f"{PREFIX}/webhook", secure=True)["Allow"]


def test_a_project_that_wants_everybody_signed_in_still_hears_zoom(
    site: Site, changed: Callable[..., Any]
) -> None:
    """LoginRequiredMiddleware leaves the public URLs alone."""
    from django.conf import settings

    required = "django.contrib.auth.middleware.LoginRequiredMiddleware"
    with changed(MIDDLEWARE=[*settings.MIDDLEWARE, required]):
        assert 302 == site.browser().get("/", secure=True).status_code
        assert 200 == site.post_webhook("meeting.ended", MEETING).status_code
        assert 200 == site.browser().get(f"{PREFIX}/healthz", secure=True).status_code


def test_no_view_opens_a_transaction(site: Site) -> None:
    """With ATOMIC_REQUESTS a view would hold a transaction while Zoom is called."""
    from paraph.integrations.django.urls import urlpatterns

    assert [] == [
        one.name
        for one in urlpatterns
        if "default" not in getattr(one.callback, "_non_atomic_requests", ())
    ]


def test_a_service_that_cannot_run_answers_503(
    project: None, changed: Callable[..., Any], values: dict[str, Any]
) -> None:
    """Wrong settings close the URLs, and leave the project's other pages open."""
    with changed(PARAPH={**values, "CLIENT_SECRET": "short"}):
        site = Site(None)  # type: ignore[arg-type]
        response = site.browser("xan").get(f"{PREFIX}/start", secure=True)
        assert (503, "60") == (response.status_code, response["Retry-After"])
        assert "Zoom is not available" in site.browser("xan").get("/", secure=True).content.decode()


@pytest.mark.parametrize("name", ["REMOTE_ADDR", "wsgi.url_scheme"])
def test_a_request_without_a_peer_or_scheme_is_answered(site: Site, name: str) -> None:
    """A server behind a Unix socket names no address."""
    response = site.browser().get(f"{PREFIX}/healthz", secure=True, **{name: ""})
    assert 200 == response.status_code
