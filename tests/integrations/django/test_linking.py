"""The pages that link a Zoom user to the signed-in account of a Django project."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from django_site import PREFIX, Site, hidden_fields
from paraph.errors import UsageError
from paraph.http.rate_limit import RateLimit
from service_kit import agree_as


def home_of(browser: Any) -> str:
    """The product's first page."""
    return str(browser.get("/", secure=True).content.decode())


def test_a_signed_in_person_connects_zoom_and_calls_it(site: Site) -> None:
    """Start, consent, confirmation with both accounts, then the product's page knows who it is."""
    jane = site.browser("jane")
    assert 'href="/integrations/zoom/start">Connect Zoom<' in home_of(jane)
    page = jane.get(site.handoff(jane), secure=True)
    assert "jane@example.com" in page.content.decode() and "<dd>jane</dd>" in page.content.decode()
    assert "DENY" == page["X-Frame-Options"] and "no-store" in page["Cache-Control"]
    done = site.decide(jane, page)
    assert 303 == done.status_code, done.content
    shown = jane.get(done["Location"], secure=True)
    assert 200 == shown.status_code and "Zoom is connected" in shown.content.decode()
    assert "Zoom is connected: jane@example.com" in home_of(jane)
    assert {"zoom": "Jane Dev"} == jane.get("/me", secure=True).json()


def test_a_person_who_is_not_signed_in_signs_in_first(site: Site) -> None:
    """Start and confirmation lead to LOGIN_URL; the handoff does not reach its address."""
    begun = site.browser().get(f"{PREFIX}/start", secure=True)
    assert (302, f"/login/?next={PREFIX}/start") == (begun.status_code, begun["Location"])
    back = site.browser().get(f"{PREFIX}/link?handoff=secret", secure=True)
    assert (302, f"/login/?next={PREFIX}/start") == (back.status_code, back["Location"])


def test_a_repeated_request_gets_the_same_outcome(site: Site) -> None:
    """Loading the page again shows it again; a double click and a later load show the outcome."""
    ravi = site.browser("ravi")
    url = site.handoff(ravi)
    page, again = ravi.get(url, secure=True), ravi.get(url, secure=True)
    assert hidden_fields(page)["claim"] == hidden_fields(again)["claim"]
    first, second = site.decide(ravi, page), site.decide(ravi, again)
    assert (303, first["Location"]) == (second.status_code, second["Location"])
    assert first["Location"] == ravi.get(url, secure=True)["Location"]


def test_both_clicks_of_a_double_click_are_confirmed(site: Site) -> None:
    """The second click is answered by the installation, while the session is not written yet."""
    jane = site.browser("jane2")
    page = jane.get(site.handoff(jane), secure=True)
    session = jane.session
    before = session["paraph"]
    first = site.decide(jane, page)
    session = jane.session
    session["paraph"] = before
    session.save()
    second = site.decide(jane, page)
    assert (303, first["Location"]) == (second.status_code, second["Location"])


def test_a_session_is_read_by_paraph_alone(site: Site) -> None:
    """Where cookies keep sessions the person at the browser sees neither nonce nor claim."""
    jane = site.browser("jane6")
    page = jane.get(site.handoff(jane), secure=True)
    kept = jane.session["paraph"]
    for readable in (kept, base64.urlsafe_b64decode(kept + "===").decode("latin-1")):
        for secret in ("nonce", "claim", "jane@example.com", hidden_fields(page)["claim"]):
            assert secret not in readable
    # Changed, or of another account, it is as if it was not there.
    for changed in (kept[:-2], "", {"nonce": "n" * 43, "claims": {}}):
        session = jane.session
        session["paraph"] = changed
        session.save()
        assert 404 == site.decide(jane, page).status_code


def test_a_declined_connection_is_no_connection(site: Site) -> None:
    """The claim is gone, the page says so, and a later confirmation changes nothing."""
    sam = site.browser("sam")
    page = sam.get(site.handoff(sam), secure=True)
    declined = site.decide(sam, page, "decline")
    assert "You cancelled" in sam.get(declined["Location"], secure=True).content.decode()
    assert declined["Location"] == site.decide(sam, page)["Location"]
    assert "Connect Zoom" in home_of(sam)


@pytest.mark.parametrize("other", ["mallory", ""])
def test_only_the_session_that_began_opens_the_handoff(site: Site, other: str) -> None:
    """Another person's browser gets a refusal, and so does another account in the same browser."""
    jane = site.browser("jane3")
    url = site.handoff(jane)
    if other:
        assert 404 == site.browser(other).get(url, secure=True).status_code
        assert 200 == jane.get(url, secure=True).status_code
    else:
        from django.contrib.auth.models import User

        jane.force_login(User.objects.create(username="another"))
        assert 404 == jane.get(url, secure=True).status_code


def test_another_persons_form_is_refused(site: Site) -> None:
    """A claim belongs to the session that opened it, even with a valid CSRF token of another."""
    jane, mallory = site.browser("jane4"), site.browser("mallory4")
    claim = hidden_fields(jane.get(site.handoff(jane), secure=True))["claim"]
    agree_as(site.zoom, "z8yCxTTTTSiw02QgCAp8uQ")
    page = mallory.get(site.handoff(mallory), secure=True)
    assert 404 == site.decide(mallory, page, claim=claim).status_code
    assert 303 == site.decide(mallory, page).status_code


def test_a_form_without_its_token_is_refused(site: Site) -> None:
    """Django's CSRF check holds for the confirmation, and for it alone among paraph's posts."""
    jane = site.browser("jane5")
    page = jane.get(site.handoff(jane), secure=True)
    assert 403 == site.decide(jane, page, csrfmiddlewaretoken="x").status_code
    assert 303 == site.decide(jane, page).status_code


def test_a_connected_zoom_user_is_moved_only_by_agreement(site: Site) -> None:
    """The page says that a connection is replaced, and confirms only with the box ticked."""
    site.install(site.browser("first"))
    second = site.browser("second")
    page = second.get(site.handoff(second), secure=True)
    assert "Replace the present connection" in page.content.decode()
    refused = site.decide(second, page)
    assert (409, True) == (refused.status_code, "Tick the box" in refused.content.decode())
    assert 303 == site.decide(second, page, move="yes").status_code
    assert "Zoom is connected" in home_of(second)
    assert "Connect Zoom" in home_of(site.browser("first"))


def test_an_agreement_covers_what_the_page_has_named(site: Site) -> None:
    """A box that was not offered, or that meant other connections, ends none of them."""
    late = site.browser("late")
    page = late.get(site.handoff(late), secure=True)
    site.install(site.browser("early"))
    refused = site.decide(late, page, move="yes")
    assert 409 == refused.status_code and "Zoom is connected" in home_of(site.browser("early"))
    told = refused.content.decode()
    assert "jane@example.com at Zoom is connected to another account" in told
    assert "early" not in told and "<dd>late</dd>" in told
    agree_as(site.zoom, "z8yCxTTTTSiw02QgCAp8uQ")
    site.install(late)
    again = site.decide(late, refused, move="yes")
    assert (409, True) == (again.status_code, "Your account in Tidemark" in again.content.decode())
    assert 303 == site.decide(late, again, move="yes").status_code
    assert "Connect Zoom" in home_of(site.browser("early"))


def test_the_page_names_the_account_that_is_linked(
    site: Site, changed: Callable[..., Any], values: dict[str, Any]
) -> None:
    """LABEL_OF names it; without it the id that SUBJECT_OF chose is shown, not Django's user."""
    own = {**values, "SUBJECT_OF": lambda _request: "team-7"}
    for given in (own, {**own, "LABEL_OF": lambda _request: "<Team> Seven"}):
        with changed(PARAPH=given):
            xenia = site.browser("xenia")
            page = xenia.get(site.handoff(xenia), secure=True).content.decode()
        shown = "&lt;Team&gt; Seven" if "LABEL_OF" in given else "team-7"
        assert f"<dd>{shown}</dd>" in page and "xenia" not in page


def test_the_project_chooses_the_next_page(
    site: Site, changed: Callable[..., Any], values: dict[str, Any]
) -> None:
    """AFTER_INSTALL and AFTER_FAILURE are paths or names of URL patterns."""
    with changed(PARAPH={**values, "AFTER_INSTALL": "home", "AFTER_FAILURE": "/me"}):
        tim = site.browser("tim")
        assert "/me?reason=declined" == site.install(tim, "decline")["Location"]
        assert "/" == site.install(tim)["Location"]


def test_the_project_names_the_account(
    site: Site, changed: Callable[..., Any], values: dict[str, Any]
) -> None:
    """SUBJECT_OF is a function of the request, given itself or by its dotted name."""
    with changed(PARAPH={**values, "SUBJECT_OF": lambda request: f"team-{request.user.username}"}):
        from paraph.integrations.django import zoom

        site.install(site.browser("uma"))
        assert "active" == zoom.installation("team-uma").status().phase


def test_visitors_who_are_not_signed_in_share_no_account(
    site: Site, changed: Callable[..., Any], values: dict[str, Any]
) -> None:
    """False of a usual idiom is no account, and an object is a mistake that is named."""
    by_idiom: Any = lambda request: request.user.is_authenticated and request.user.pk  # noqa: E731
    with changed(PARAPH={**values, "SUBJECT_OF": by_idiom}):
        assert 302 == site.browser().get(f"{PREFIX}/start", secure=True).status_code
        assert 303 == site.browser("wes").get(f"{PREFIX}/start", secure=True).status_code
    with (
        changed(PARAPH={**values, "SUBJECT_OF": lambda request: request.user}),
        pytest.raises(UsageError, match="names no account"),
    ):
        site.browser().get(f"{PREFIX}/start", secure=True)


def test_a_link_scanner_starts_nothing(site: Site) -> None:
    """HEAD has no effect (RFC 9110 section 9.2.1)."""
    assert 405 == site.browser("vic").head(f"{PREFIX}/start", secure=True).status_code


@pytest.mark.parametrize("header", [{"sec-fetch-site": "cross-site"}, {"sec-purpose": "prefetch"}])
def test_only_a_click_starts(site: Site, header: dict[str, str]) -> None:
    """A prefetch, and a link of another site, get a page to click on, and no session."""
    yara = site.browser("yara")
    page = yara.get(f"{PREFIX}/start", secure=True, headers=header)
    assert (200, True) == (page.status_code, "Continue to Zoom" in page.content.decode())
    assert "paraph" not in yara.session


def test_starts_are_limited(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """One address cannot fill the database with requests."""
    from paraph.integrations.django.project import project

    monkeypatch.setattr(project, "_starts", RateLimit(burst=1, per_second=0, clock=lambda: 0.0))
    zoe = site.browser("zoe")
    found = [zoe.get(f"{PREFIX}/start", secure=True).status_code for _ in range(2)]
    assert [303, 429] == found
