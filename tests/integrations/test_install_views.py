"""The Flask views of an install flow: its headers, its refusals, and the host's own response."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from installs.install_kit import REDIRECT_URI, Kit, Started
from paraph.installs import InstallResult, Redirect
from paraph.integrations.install_views import FlaskInstalls


class Product:
    """A Flask application whose signed-in account is a header of the request."""

    def __init__(self) -> None:
        self.kit = Kit()
        self.results: list[InstallResult] = []
        app = Flask("product")
        views = FlaskInstalls(self.kit.flow, subject_of=lambda: request.headers.get("X-Account"))
        app.add_url_rule("/zoom/start", view_func=views.start, methods=["POST"])

        @app.get("/zoom/callback")
        @views.finish
        def connected(result: InstallResult) -> Any:
            self.results.append(result)
            return "stored", 201, {"Set-Cookie": "own=1", "Referrer-Policy": "origin"}

        self.client: FlaskClient = app.test_client(use_cookies=False)

    def start(self) -> Started:
        """Start as Ada; return the flow as her browser has it."""
        begun = self.client.post("/zoom/start", headers={"X-Account": "ada"})
        assert (303, "no-store") == (begun.status_code, begun.headers["Cache-Control"])
        return Started(Redirect(begun.headers["Location"], begun.headers["Set-Cookie"], ()))

    def finish(self, started: Started, account: str = "ada", **more: Any) -> Any:
        """Come back from Zoom as an account."""
        headers = {"X-Account": account, "Cookie": started.cookie, **more.pop("headers", {})}
        return self.client.open(f"{REDIRECT_URI}?{started.query}", headers=headers, **more)


@pytest.fixture
def product() -> Product:
    """A product whose user has not connected Zoom."""
    return Product()


def test_an_install_reaches_the_function_once(product: Product) -> None:
    """The host's response gets the headers of the install; a reload is refused."""
    started = product.start()
    done = product.finish(started)
    assert (201, "stored") == (done.status_code, done.text)
    assert ("no-store", "no-referrer") == (
        done.headers["Cache-Control"],
        done.headers["Referrer-Policy"],
    )
    own, deleted = done.headers.get_all("Set-Cookie")
    assert "own=1" == own and deleted.startswith(f"{started.name}=;")
    assert [("ada", "jane", product.kit.now)] == [
        (one.subject, one.user_id, one.installed_at) for one in product.results
    ]
    assert 400 == product.finish(started).status_code
    assert 1 == len(product.results)


def test_refusals_are_pages(product: Product) -> None:
    """Another account, a prefetch and random requests do not reach the function."""
    assert 403 == product.client.post("/zoom/start").status_code
    started = product.start()
    assert 403 == product.finish(started, "mallory").status_code
    assert 204 == product.finish(started, headers={"Sec-Purpose": "prefetch"}).status_code
    assert 204 == product.finish(started, method="HEAD").status_code
    random = product.client.get("/zoom/callback?code=random&state=random")
    assert (400, True) == (random.status_code, "<" not in random.text)
    stateless = product.client.get("/zoom/callback?code=random")
    assert (303, "/zoom/connect") == (stateless.status_code, stateless.headers["Location"])
    assert ([], []) == (product.results, product.kit.zoom.seen)
