"""The Flask extension: accounts, pages, hooks and errors of an application around the service."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask, request, session
from flask.testing import FlaskClient

from integrations.wsgi_requests import ask
from paraph.errors import (
    BeingDecided,
    ConfigurationError,
    NeedsReauthorization,
    NotFound,
    UsageError,
)
from paraph.integrations.flask import ZoomFlask
from paraph.simulator.running import SimulatedZoom

CONNECT = "Connect"


def hosts_own(**config: Any) -> Flask:
    """An application in which `/sign-in/NAME` signs a person in."""
    app = Flask("product")
    app.secret_key = "made-up-for-a-test"
    app.config.update(config, TESTING=True)

    @app.get("/sign-in/<name>")
    def sign_in(name: str) -> str:
        session["user"] = int(name) if name.isdigit() else name
        return ""

    return app


class Product:
    """An application with the service inside it."""

    def __init__(self, simulated: SimulatedZoom, app: Flask, **keywords: Any) -> None:
        given = {**simulated.settings(prefix="/zoom"), "prefix": "/zoom", **keywords}
        self.zoom = ZoomFlask(subject_of=lambda: session.get("user"), **given)
        self.app = app
        self.zoom.init_app(app)

    def client(self, name: str = "") -> FlaskClient:
        """A client, signed in if a name is given."""
        client = self.app.test_client()
        if name:
            client.get(f"/sign-in/{name}")
        return client

    def stop(self) -> None:
        """Stop the service."""
        self.app.extensions["paraph"].stop()


@pytest.fixture
def product(simulated_zoom: SimulatedZoom) -> Iterator[Product]:
    """A product with its service, which starts with the first request."""
    app = hosts_own()
    made = Product(simulated_zoom, app, sign_in_url="/sign-in")

    @app.get("/me")
    def me() -> Any:
        return made.zoom.installation.get("/users/me").json()["display_name"]

    yield made
    made.stop()


def test_a_person_connects_disconnects_and_is_told_so(
    product: Product, simulated_zoom: SimulatedZoom
) -> None:
    """A numeric account is stored as text; the pages of another account show nothing of it."""
    browser = simulated_zoom.browser()
    url = simulated_zoom.serve(product.app)
    browser.get(f"{url}/sign-in/42")
    assert 404 == browser.get(f"{url}/me").status_code
    browser.get(f"{url}/zoom/start")
    browser.approve()
    assert 200 == browser.press(CONNECT).status_code
    assert simulated_zoom.user.display_name == browser.get(f"{url}/me").text
    (one,) = product.app.extensions["paraph"].installations()
    assert ("42", "active") == (one.subject, one.phase)
    other = simulated_zoom.browser()
    other.get(f"{url}/sign-in/43")
    assert 404 == other.get(f"{url}/me").status_code


def test_who_is_not_signed_in_is_sent_to_the_sign_in_page(product: Product) -> None:
    """The start names where to return to; a page that needs an installation is a 401."""
    sent = product.client().get("/zoom/start")
    assert (303, "/sign-in?next=%2Fzoom%2Fstart") == (sent.status_code, sent.headers["location"])
    assert 401 == product.client().get("/me").status_code


def test_hooks_apply_to_pages_and_not_to_zoom(product: Product) -> None:
    """A wall around the application does not refuse deliveries, nor those who return from Zoom."""
    seen: list[str] = []

    @product.app.before_request
    def wall() -> Any:
        seen.append(request.path)
        return ("sign in", 418)

    client = product.client()
    assert 401 == client.post("/zoom/webhook", data=b"{}").status_code
    assert 400 == client.get("/zoom/oauth/redirect?code=a&state=b").status_code
    assert [] == seen
    assert 418 == client.get("/zoom/start").status_code
    assert 418 == client.get("/elsewhere").status_code
    assert ["/zoom/start", "/elsewhere"] == seen


@pytest.mark.parametrize("read", ["form", "data"])
def test_a_hook_that_reads_the_form_leaves_it_to_the_page(
    product: Product, simulated_zoom: SimulatedZoom, read: str
) -> None:
    """A body can be read once only; the confirmation still receives its fields."""

    @product.app.before_request
    def hook() -> None:
        getattr(request, read)

    browser = simulated_zoom.browser()
    url = simulated_zoom.serve(product.app)
    browser.get(f"{url}/sign-in/ada")
    browser.get(f"{url}/zoom/start")
    browser.approve()
    assert 200 == browser.press(CONNECT).status_code


class _BrokenBody:
    """A body whose chunks are malformed, as gunicorn and Werkzeug report it."""

    reads = 0

    def read(self, _size: int = -1) -> bytes:
        self.reads += 1
        raise OSError("invalid chunk header")

    readline = readlines = __iter__ = read


@pytest.mark.parametrize(("status", "reads"), [(403, 0), (400, 1)])
def test_a_body_is_read_after_the_headers(product: Product, status: int, reads: int) -> None:
    """A form of another site is not read at all, and a broken one is refused, not a failure."""
    own = product.app.extensions["paraph"].settings.public_origin
    body = _BrokenBody()
    environ = {
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": "",
    }
    headers = {"origin": own if reads else "https://elsewhere.example"}
    sent = ask(product.app, "/zoom/link", method="POST", headers=headers, environ=environ)
    assert (status, reads) == (sent.status, body.reads)


@pytest.mark.parametrize("path", ["/zoom//link", "//zoom/link", "/zoom/oauth//redirect/"])
def test_a_url_with_more_slashes_is_not_found(product: Product, path: str) -> None:
    """Flask would redirect to the known URL, and write its code into a `Location`."""
    sent = product.client().get(f"http://localhost{path}?handoff=secret")
    assert (404, None) == (sent.status_code, sent.headers.get("location"))


def test_form_protection_of_the_application_is_told_to_leave_the_page(product: Product) -> None:
    """Flask-WTF would refuse a form whose token is not its own, also if it was set up later."""

    class Protection:
        def __init__(self) -> None:
            self.exempted: list[str] = []

        def exempt(self, view: Blueprint) -> None:
            self.exempted.append(view.name)

    protection = product.app.extensions["csrf"] = Protection()
    for _ in range(2):
        product.client().get("/")
    assert ["paraph"] == protection.exempted


@pytest.mark.parametrize(
    ("error", "status"),
    [(NotFound(), 404), (NeedsReauthorization("expired"), 409), (BeingDecided(), 503)],
)
def test_errors_become_pages(error: Exception, status: int, product: Product) -> None:
    """A link to connect where it helps, and a time to try again where it does not."""

    @product.app.get("/failing")
    def failing() -> str:
        raise error

    page = product.client("ada").get("/failing")
    assert status == page.status_code
    assert (status != 503) == ('href="/zoom/start"' in page.text)
    assert (status == 503) == ("retry-after" in page.headers)


def test_an_error_page_of_the_application_wins(product: Product) -> None:
    """It is registered after the extension, as for any exception."""
    product.app.register_error_handler(NotFound, lambda _error: ("not connected", 200))
    assert "not connected" == product.client("ada").get("/me").text


def test_settings_may_stand_in_the_configuration(simulated_zoom: SimulatedZoom) -> None:
    """Those of the keywords win; what neither has is a problem that is named."""
    given = simulated_zoom.settings()
    config = {f"PARAPH_{name.upper()}": value for name, value in given.items()}
    app = hosts_own(**config, PARAPH_APP_NAME="Elsewhere")
    zoom = ZoomFlask(subject_of=lambda: None, app_name="Tidemark")
    zoom.init_app(app)
    settings = app.extensions["paraph"].settings
    assert ("Tidemark", given["client_id"]) == (settings.app_name, settings.client_id)
    with pytest.raises(ConfigurationError):
        ZoomFlask(Flask("empty"), subject_of=lambda: None, file="/dev/null")


def test_a_handler_that_can_never_run_is_refused_where_it_is_written() -> None:
    """Not only when the application is made."""
    zoom = ZoomFlask(subject_of=lambda: None)
    with pytest.raises(UsageError, match="app_deauthorized"):
        zoom.on("app_deauthorized")
    with pytest.raises(UsageError, match="this one takes 0"):
        zoom.on("meeting.ended")(lambda: None)


def test_commands_start_nothing(product: Product) -> None:
    """A command of the application runs without the service, its thread and its database."""
    before = set(threading.enumerate())

    @product.app.cli.command("count")
    def count() -> None:
        assert "/zoom/start" in {rule.rule for rule in product.app.url_map.iter_rules()}

    assert 0 == product.app.test_cli_runner().invoke(args=["count"]).exit_code
    assert not product.app.extensions["paraph"].loop_thread.is_running
    assert before == set(threading.enumerate())


def test_handlers_receive_events(simulated_zoom: SimulatedZoom) -> None:
    """A plain function, registered before the application exists, in a thread of its own."""
    arrived = threading.Event()
    found: list[Any] = []
    zoom = ZoomFlask(subject_of=lambda: session.get("user"), **simulated_zoom.settings())

    @zoom.on("meeting.ended")
    def ended(event: Any) -> None:
        found.append((event.name, threading.current_thread() is threading.main_thread()))
        arrived.set()

    app = hosts_own()
    zoom.init_app(app)
    signed = simulated_zoom.signed_event("meeting.ended", {"object": {"id": "1"}})
    client = app.test_client()
    sent = client.post("/webhook", data=signed.body, headers=signed.headers)
    assert 200 == sent.status_code
    assert arrived.wait(30)
    assert [("meeting.ended", False)] == found
    app.extensions["paraph"].stop()
