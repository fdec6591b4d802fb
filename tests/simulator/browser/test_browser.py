"""The browser for tests: cookies, redirects, forms, and consent at Zoom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from paraph.errors import NotFound, UsageError
from paraph.simulator.browser.browser import Browser
from paraph.simulator.pytest_plugin import SimulatedZoom

_COOKIES = (
    ("__Host-strict", "strict"),
    ("__Host-lax", "lax"),
    ("__Host-none", "none"),
)
_PAGE = """<a href="/seen"><b>See</b> it</a><form method=post action=/form>
<input name=a value=1><input type=checkbox name=b checked><input type=checkbox name=c>
<textarea name=d>two</textarea><select name=e><option>3<option selected value=4>four</select>
<button name=act value=yes>Yes</button> <button name=act value=no>Not <i>now</i></button></form>"""


async def _set(_request: Request) -> Response:
    response = HTMLResponse(_PAGE)
    for name, rule in _COOKIES:
        response.set_cookie(name, "1", secure=True, samesite=rule)  # type: ignore[arg-type]
    return response


async def _seen(request: Request) -> Response:
    names = ("cookie", "origin", "referer", "sec-fetch-site")
    return JSONResponse({name: request.headers.get(name, "") for name in names})


async def _form(request: Request) -> Response:
    return HTMLResponse((await request.body()).decode(), 422)


async def _again(request: Request) -> Response:
    return RedirectResponse("/form", int(request.path_params["status"]))


async def _away(_request: Request) -> Response:
    return RedirectResponse("https://elsewhere.example/x", 302)


async def _broken(_request: Request) -> Response:
    raise ValueError("broken")


APP = Starlette(
    routes=[
        Route("/", _set),
        Route("/seen", _seen, methods=["GET", "POST"]),
        Route("/form", _form, methods=["GET", "POST"]),
        Route("/again/{status}", _again, methods=["POST"]),
        Route("/away", _away),
        Route("/broken", _broken),
    ]
)


@pytest.fixture(scope="module")
def serving_zoom() -> Iterator[SimulatedZoom]:
    """A Zoom that serves the app; stopping an app takes a moment, so one does for all tests."""
    with SimulatedZoom() as zoom:
        zoom.serve(APP)
        yield zoom


@pytest.fixture
def simulated_zoom(serving_zoom: SimulatedZoom) -> SimulatedZoom:
    """The module's Zoom, as fresh as at its start."""
    serving_zoom.reset()
    return serving_zoom


@pytest.fixture
def browser(simulated_zoom: SimulatedZoom) -> Iterator[Browser]:
    """A browser; the app is served at `app_url`."""
    registered = simulated_zoom.registration(redirect="/seen")
    assert registered["redirect_uri"] == f"{simulated_zoom.app_url}/seen"
    with simulated_zoom.browser() as browser:
        yield browser


def authorization(zoom: SimulatedZoom, host: str = "localhost") -> str:
    """The URL of an authorization request."""
    base = zoom.url.replace("127.0.0.1", host)
    query = f"client_id={zoom.app.client_id}&redirect_uri={zoom.app.redirect_uris[0]}&state=s"
    return f"{base}/oauth/authorize?{query}"


def names(seen: Any) -> set[str]:
    """The cookies that a request carried."""
    return set(re.findall(r"__Host-(\w+)=", seen.json()["cookie"]))


def test_secure_cookies_stay_on_loopback(browser: Browser, simulated_zoom: SimulatedZoom) -> None:
    """A __Host- cookie is kept and sent over plain http, as browsers do on loopback."""
    browser.get(simulated_zoom.app_url)
    assert {"__Host-strict", "__Host-lax", "__Host-none"} == set(browser.cookies)
    assert {"strict", "lax", "none"} == names(browser.get("/seen"))


def test_same_site_depends_on_where_one_comes_from(
    browser: Browser, simulated_zoom: SimulatedZoom
) -> None:
    """Back from Zoom, another site, a strict cookie stays at home; a lax one travels."""
    browser.get(simulated_zoom.app_url)
    browser.get(authorization(simulated_zoom))
    seen = browser.approve()
    assert {"lax", "none"} == names(seen)
    assert ("cross-site", "") == (seen.json()["sec-fetch-site"], seen.json()["origin"])
    browser.get(authorization(simulated_zoom, "127.0.0.1"))
    assert {"strict", "lax", "none"} == names(browser.approve())


def test_a_form_is_sent_with_its_fields(browser: Browser, simulated_zoom: SimulatedZoom) -> None:
    """Pressing a button sends the fields as they stand, the given ones, and the button itself."""
    browser.get(simulated_zoom.app_url)
    page = browser.press("Not now", a="changed")
    assert (422, "a=changed&b=on&d=two&e=4&act=no") == (page.status_code, page.text)


def test_a_link_is_followed(browser: Browser, simulated_zoom: SimulatedZoom) -> None:
    """A link is pressed by its text; the page that it stands on is the referrer."""
    browser.get(simulated_zoom.app_url)
    seen = browser.press("See it").json()
    assert (f"{simulated_zoom.app_url}", "same-origin") == (
        seen["referer"].rstrip("/"),
        seen["sec-fetch-site"],
    )


def test_a_button_that_is_not_there_is_an_error(
    browser: Browser, simulated_zoom: SimulatedZoom
) -> None:
    """The remedy lists the buttons and links of the page."""
    browser.get(simulated_zoom.app_url)
    with pytest.raises(UsageError) as raised:
        browser.press("Maybe")
    assert "'Yes', 'Not now', 'See it'" in raised.value.remedy


@pytest.mark.parametrize(("status", "body"), [(303, ""), (302, ""), (307, "x=1"), (308, "x=1")])
def test_a_redirect_keeps_or_drops_the_form(
    browser: Browser, simulated_zoom: SimulatedZoom, status: int, body: str
) -> None:
    """303 and 302 turn a POST into a GET; 307 and 308 repeat it."""
    page = browser.post(f"{simulated_zoom.app_url}/again/{status}", data={"x": "1"})
    assert (body, [status]) == (page.text, [one.status_code for one in page.history])


def test_no_other_machine_is_visited(browser: Browser, simulated_zoom: SimulatedZoom) -> None:
    """A redirect that leaves this machine is returned and not followed."""
    page = browser.get(f"{simulated_zoom.app_url}/away")
    assert (302, "https://elsewhere.example/x") == (page.status_code, page.headers["location"])


def test_consent_is_given_by_a_user(browser: Browser, simulated_zoom: SimulatedZoom) -> None:
    """A user is named by e-mail address; optional scopes may be left out; the app gets the code."""
    page = browser.get(authorization(simulated_zoom))
    assert browser.is_at_consent and "requests access" in page.text
    back = browser.approve("ravi@example.com", optional_scopes=[])
    assert {"code", "state"} == set(back.url.params)
    (code,) = simulated_zoom.simulator.ledger.codes.values()
    ravi = simulated_zoom.world.chosen_user("ravi@example.com")
    assert (ravi.id, tuple(simulated_zoom.app.scopes)) == (code.user_id, code.scopes)


def test_consent_is_denied(browser: Browser, simulated_zoom: SimulatedZoom) -> None:
    """The app gets access_denied and the state."""
    browser.get(authorization(simulated_zoom))
    back = browser.deny()
    assert {"error": "access_denied", "state": "s"} == dict(back.url.params)


@pytest.mark.parametrize(("auto", "parameter"), [("approve", "code"), ("deny", "error")])
def test_the_consent_of_the_world_holds_in_a_browser(
    browser: Browser, simulated_zoom: SimulatedZoom, auto: Any, parameter: str
) -> None:
    """With `consent` set, the browser decides by itself, cookies or not."""
    simulated_zoom.consent(auto)
    for _ in range(2):
        back = browser.get(authorization(simulated_zoom, "127.0.0.1"))
        assert parameter in back.url.params
        browser.get(simulated_zoom.app_url)


def test_deciding_elsewhere_is_an_error(browser: Browser, simulated_zoom: SimulatedZoom) -> None:
    """Without the consent page there is nothing to decide, and no user that does not exist."""
    with pytest.raises(UsageError, match="on no page"):
        browser.approve()
    browser.get(simulated_zoom.app_url)
    with pytest.raises(UsageError, match="not on the consent page"):
        browser.deny()
    browser.get(authorization(simulated_zoom))
    with pytest.raises(NotFound):
        browser.approve("nobody@example.com")


def test_an_app_that_raises_answers_500(browser: Browser, simulated_zoom: SimulatedZoom) -> None:
    """The page of an error is a page: no connection breaks, however often it is asked for."""
    for _ in range(3):
        assert 500 == browser.get(f"{simulated_zoom.app_url}/broken").status_code
