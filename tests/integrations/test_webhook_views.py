"""The webhook views of each framework: the function is called with genuine events alone."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import flask
import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Route

from integrations.webhook_deliveries import EVENT, SECRET, Delivery, deliveries, signed, webhooks
from paraph.integrations import webhook_views
from paraph.integrations.webhook_views import (
    Deliveries,
    fastapi_webhook,
    flask_webhook,
    starlette_webhook,
)
from paraph.webhooks import Webhooks
from paraph.zoom.webhook_response import REFUSED

HERE = Path(__file__).parent
Send = Callable[[Delivery], tuple[int, bytes]]


def fastapi_app(called: list[str]) -> Any:
    """A FastAPI app with an async function."""
    app = FastAPI()

    @app.post("/hook")
    @fastapi_webhook(webhooks())
    async def on_event(received: Any) -> None:
        called.append(received.name)

    assert "/hook" in app.openapi()["paths"]
    return app


def starlette_app(called: list[str]) -> Any:
    """A Starlette app with a plain function, which runs in a thread."""

    @starlette_webhook(webhooks())
    def on_event(received: Any) -> str:
        called.append(received.name)
        return "ignored"

    return Starlette(routes=[Route("/hook", on_event, methods=["POST"])])


def through_asgi(app: Any) -> Send:
    """Send to an ASGI app."""

    async def post(one: Delivery) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app.example") as sender:
            return await sender.post("/hook", content=one.body, headers=one.headers)

    def send(one: Delivery) -> tuple[int, bytes]:
        response = asyncio.run(post(one))
        assert "application/json" == response.headers["content-type"]
        return response.status_code, response.content

    return send


def flask_app(called: list[str]) -> flask.Flask:
    """A Flask app."""
    app = flask.Flask(__name__)

    @app.post("/hook")
    @flask_webhook(webhooks())
    def on_event(received: Any) -> None:
        called.append(received.name)

    return app


def through_flask(app: flask.Flask) -> Send:
    """Send to a Flask app."""

    def send(one: Delivery) -> tuple[int, bytes]:
        response = app.test_client().post("/hook", data=one.body, headers=one.headers)
        assert "application/json" == response.content_type
        return response.status_code, response.data

    return send


APPS: dict[str, Callable[[list[str]], Send]] = {
    "fastapi": lambda called: through_asgi(fastapi_app(called)),
    "starlette": lambda called: through_asgi(starlette_app(called)),
    "flask": lambda called: through_flask(flask_app(called)),
}


@pytest.mark.parametrize("framework", APPS)
def test_every_request_gets_its_response(framework: str) -> None:
    """The status is that of the service, and only a new genuine event calls the function."""
    called: list[str] = []
    send = APPS[framework](called)
    bodies = set()
    for name, one in deliveries().items():
        called.clear()
        status, body = send(one)
        assert (name, one.status, one.has_effect) == (name, status, called == ["meeting.ended"])
        if status == 401:
            bodies.add(body)
        if name == "a challenge":
            assert "qgg8vlvZRS6UYooatFL8Aw" == json.loads(body)["plainToken"]
    assert 1 == len(bodies)


def test_every_request_gets_its_response_from_django() -> None:
    """The same for Django, sync and async, without a CSRF token; another method gets 405."""
    done = subprocess.run(
        [sys.executable, HERE / "django_webhook_site.py"],
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE.parent,
    )
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout)
    expected = {name: [one.status, one.has_effect] for name, one in deliveries().items()}
    odd = {"GET": [405, False], "read before": [200, True]}
    assert {"plain": expected | odd, "async": expected | odd} == found


def test_a_body_that_was_read_before_is_found() -> None:
    """An extension that reads the body before the view does not make genuine events fail."""
    called: list[str] = []
    app = flask_app(called)
    app.before_request(lambda: flask.request.get_data() and None)
    assert 200 == through_flask(app)(deliveries()["genuine"])[0]
    assert ["meeting.ended"] == called


class _Endless:
    """A body without an announced length that does not end."""

    def __init__(self) -> None:
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        """Give what is asked for."""
        self.given += size
        return b"x" * size


def test_an_endless_body_is_read_to_its_limit() -> None:
    """A body that announces no length is refused as too long, once it is."""
    body = _Endless()
    environ = {"wsgi.input": body, "wsgi.input_terminated": True}
    response = (
        flask_app([])
        .test_client()
        .post("/hook", headers=signed(EVENT), environ_overrides=environ, buffered=True)
    )
    assert 413 == response.status_code
    assert body.given < 1_200_000


class _Broken:
    """A body whose reading fails as that of a server does."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self, _size: int = -1) -> bytes:
        """Fail."""
        raise self.error


@pytest.mark.parametrize("error", [OSError("bad chunk"), ValueError("bad chunk"), EOFError()])
@pytest.mark.parametrize("headers", [signed(EVENT), []])
def test_a_body_in_a_broken_coding_is_refused(error: Exception, headers: list[Any]) -> None:
    """It gets the response of a forged delivery, whichever error the server raises at it."""
    environ = {"wsgi.input": _Broken(error), "wsgi.input_terminated": True}
    response = flask_app([]).test_client().post("/hook", headers=headers, environ_overrides=environ)
    assert (401, REFUSED[1]) == (response.status_code, response.data)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/hook", 200),
        ("/hook?from=zoom", 200),
        ("/caf%C3%A9/hook", 200),
        ("/%68ook", 404),
        ("//hook", 404),
        ("/hook%2F", 404),
        ("/caf%c3%a9/hook", 404),
    ],
)
def test_an_unusual_spelling_of_the_path_is_refused(target: str, status: int) -> None:
    """A proxy that protects one spelling of the path does not protect the others."""
    called: list[str] = []
    environ = {"REQUEST_URI": target}
    response = (
        flask_app(called)
        .test_client()
        .post("/hook", data=EVENT, headers=signed(EVENT), environ_overrides=environ)
    )
    assert status == response.status_code
    assert (status == 200) == bool(called)


def test_an_exception_of_the_function_is_a_server_error() -> None:
    """Zoom sends the event again after a 5xx, and the host's own error reports see it."""
    app = flask.Flask(__name__)

    @app.post("/hook")
    @flask_webhook(Webhooks(SECRET))
    def on_event(received: Any) -> None:
        raise LookupError(received.name)

    assert 500 == through_status(app, deliveries()["genuine"])


def through_status(app: flask.Flask, one: Delivery) -> int:
    """The status alone: an error page is no JSON."""
    return app.test_client().post("/hook", data=one.body, headers=one.headers).status_code


def test_a_sender_that_goes_away_is_refused() -> None:
    """A body that never ends is no error of the app."""
    app = starlette_app([])
    sent: list[Any] = []
    parts: list[Any] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return parts.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    served: Awaitable[None] = app(scope_of(signed(EVENT)), receive, send)
    asyncio.run(_await(served))
    assert 401 == sent[0]["status"]


def scope_of(headers: Any) -> dict[str, Any]:
    """The scope of a delivery to an ASGI app."""
    return {
        "type": "http",
        "method": "POST",
        "path": "/hook",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        "client": ("192.0.2.1", 1),
    }


def stalled(app: Any, size: int) -> tuple[Awaitable[None], list[Any]]:
    """A delivery that stalls after so many bytes, and the list of the messages it is answered."""
    sent: list[Any] = []
    parts: list[Any] = [{"type": "http.request", "body": b"x" * size, "more_body": True}]

    async def receive() -> Any:
        return parts.pop() if parts else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    return app(scope_of(signed(EVENT)), receive, send), sent


def test_a_body_that_stalls_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender occupies memory and a connection for seconds, not for as long as it likes."""
    monkeypatch.setattr(webhook_views, "BODY_SECONDS", 0.05)
    served, sent = stalled(starlette_app([]), 1)
    asyncio.run(asyncio.wait_for(_await(served), 5))
    assert 401 == sent[0]["status"]


def test_stalled_bodies_share_a_limit() -> None:
    """Where one address sends many long bodies, the one that has stalled longest ends at once."""

    async def answered() -> int:
        app = starlette_app([])
        every = [stalled(app, 1_000_000) for _ in range(20)]
        tasks = [asyncio.ensure_future(served) for served, _ in every]
        await asyncio.wait(tasks, timeout=3, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return every[0][1][0]["status"] if every[0][1] else 0

    assert 401 == asyncio.run(answered())


async def _await(work: Awaitable[None]) -> None:
    await work


def test_a_flood_is_logged_in_summary(caplog: pytest.LogCaptureFixture) -> None:
    """The log names the number of refusals, the last reason and its remedy, and no secret."""
    view = Deliveries(Webhooks(SECRET))
    with caplog.at_level(logging.WARNING, "paraph.webhooks"):
        for _ in range(50):
            view.receive([], EVENT)
        view._logged_at -= 10
        view.receive(signed(EVENT, age=8000), EVENT)
    first, second = [record.getMessage() for record in caplog.records]
    assert "Refused 1 webhook deliveries" in first
    assert "Refused 50 webhook deliveries" in second
    assert "stale_timestamp" in second
    assert SECRET not in first + second


def test_a_framework_is_not_imported_before_it_is_used() -> None:
    """A Flask app does not load Starlette or Django, and the other way round."""
    program = (
        "import sys, paraph.integrations.webhook_views, paraph.integrations.aws_lambda\n"
        "print(*{'flask', 'django', 'starlette', 'werkzeug'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "" == done.stdout.strip()
