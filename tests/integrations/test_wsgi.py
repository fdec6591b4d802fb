"""The middleware for WSGI applications: its own URLs, the app's URLs, and hostile requests."""

from __future__ import annotations

import io
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integrations.wsgi_requests import Answer, ask
from paraph.errors import NeedsReauthorization, NotFound, StorageError, UsageError
from paraph.integrations.wsgi import ZoomMiddleware, subject_in_environ
from paraph.service.sync_zoom import SyncZoom
from paraph.simulator.webhooks.webhook_sender import sign
from service_kit import give_back, settings_for, simulated_zoom


@pytest.fixture(scope="module")
def zoom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncZoom]:
    """A service that all tests here share."""
    simulated = simulated_zoom()
    settings = settings_for(simulated, tmp_path_factory.mktemp("wsgi"), linking="host")
    made = SyncZoom(settings, prefix="/zoom", subject_of=subject_in_environ)
    made.start()
    yield made
    made.stop()
    give_back(simulated)


def hosts_own(environ: Any, start_response: Any) -> list[bytes]:
    """The application: it names the path that it was asked for."""
    body = environ["PATH_INFO"].encode("latin-1")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture
def app(zoom: SyncZoom) -> ZoomMiddleware:
    """An application with the service inside it."""
    return ZoomMiddleware(hosts_own, zoom)


def deliver(app: Any, zoom: SyncZoom, **changes: Any) -> Answer:
    """A signed delivery, with changes."""
    body = json.dumps({"event": "meeting.ended", "payload": {"account_id": "a"}}).encode()
    at = str(int(time.time()))
    secret = zoom.settings.webhook_secrets[0].reveal()
    headers = {"x-zm-signature": sign(secret, at, body), "x-zm-request-timestamp": at}
    given = {"body": body, **changes, "headers": {**headers, **changes.pop("headers", {})}}
    return ask(app, f"{zoom.settings.base_path}/webhook", method="POST", **given)


def test_only_the_urls_of_the_service_are_taken(app: Any) -> None:
    """Everything else reaches the application, paths that look alike included."""
    assert 400 == ask(app, "/zoom/oauth/redirect", query="code=a&state=b").status
    for path in ("/", "/webhook", "/zoom", "/zoom/webhook/", "/zoom/Webhook", "/zoom/\xff"):
        assert path.encode("latin-1") == ask(app, path).body


def test_a_percent_encoded_spelling_is_the_applications(app: Any) -> None:
    """A limit that a proxy puts on /webhook cannot be avoided by another spelling."""
    path = "/zoom/webhook"
    assert (
        path.encode() == ask(app, path, method="POST", environ={"RAW_URI": "/zoom/%77ebhook"}).body
    )


def test_a_genuine_delivery_is_accepted(app: Any, zoom: SyncZoom) -> None:
    """Its bytes reach the service unchanged."""
    assert 200 == deliver(app, zoom).status


@pytest.mark.parametrize("name", ["x-zm-signature", "x-zm-request-timestamp"])
def test_doubled_headers_are_refused(name: str, app: Any, zoom: SyncZoom) -> None:
    """A server joins them by a comma: the same 401 as for every other bad signature."""
    right = deliver(app, zoom, headers={name: "x"})
    doubled = deliver(app, zoom, headers={name: "v0=a,v0=a"})
    assert (401, right.body) == (doubled.status, doubled.body)


def test_a_body_announced_too_long_is_not_read(app: Any, zoom: SyncZoom) -> None:
    """413 by its header; a length that is no number is refused as a bad delivery."""
    assert 413 == deliver(app, zoom, environ={"CONTENT_LENGTH": str(2 << 20)}).status
    for length in ("-1", "x", ""):
        assert deliver(app, zoom, environ={"CONTENT_LENGTH": length}).status in {401, 413}


def test_a_body_that_breaks_off_has_no_effect(app: Any, zoom: SyncZoom) -> None:
    """The sender is gone; the thread is free again at once."""
    cut = {"CONTENT_LENGTH": "9000", "wsgi.input": io.BytesIO(b"{")}
    assert deliver(app, zoom, environ=cut).status in {400, 401, 408}


def test_no_query_is_a_server_error(app: Any) -> None:
    """Bytes that are no ASCII are refused as every other wrong query."""
    for query in ("code=\xff&state=\xfe", "%", "code=%ff%fe&state=%00"):
        assert ask(app, "/zoom/oauth/redirect", query=query).status in {303, 400}


def test_head_gets_no_body(app: Any) -> None:
    """A link scanner that asks with HEAD uses nothing up."""
    answer = ask(app, "/zoom/oauth/redirect", method="HEAD")
    assert (405, b"") == (answer.status, answer.body)


def test_the_application_is_asked_for_the_subject_on_pages_only(zoom: SyncZoom) -> None:
    """A flood of deliveries must not read the application's sessions."""
    asked: list[str] = []

    def subject_of(environ: Any) -> str | None:
        asked.append(environ["PATH_INFO"])
        return "ada" if "HTTP_COOKIE" in environ else None

    app = ZoomMiddleware(hosts_own, zoom, subject_of=subject_of)
    for path in ("/", "/zoom/webhook", "/zoom/oauth/redirect", "/zoom/install"):
        ask(app, path)
    assert [] == asked
    assert 401 == ask(app, "/zoom/start").status
    begun = ask(app, "/zoom/start", headers={"cookie": "session=x"})
    assert (303, True) == (begun.status, "/zoom/install?request=" in begun.header("location"))
    assert ["/zoom/start"] * 2 == asked


@pytest.mark.parametrize(
    ("error", "status", "shown"),
    [
        (NotFound("no installation"), 404, b'not connected.</p><p><a href="http'),
        (NeedsReauthorization("revoked"), 409, b'href="http'),
        (StorageError("no disk"), 503, b"<p>"),
    ],
)
def test_an_error_of_a_call_becomes_a_page(
    error: Exception, status: int, shown: bytes, zoom: SyncZoom
) -> None:
    """The application need not handle it; an error that is its own mistake is left to it."""

    def failing(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        raise KeyError if environ["QUERY_STRING"] else error

    app = ZoomMiddleware(failing, zoom)
    response = ask(app, "/")
    assert (status, True) == (response.status, shown in response.body)
    assert (status == 503) == bool(response.header("retry-after"))
    with pytest.raises(KeyError):
        ask(app, "/", query="a=1")


def test_a_middleware_around_may_name_the_subject(app: Any) -> None:
    """Its key of the environment counts; a header of the same name does not."""
    assert 303 == ask(app, "/zoom/start", environ={"paraph.subject": "ada"}).status
    assert 401 == ask(app, "/zoom/start", headers={"paraph.subject": "ada"}).status


def test_accounts_without_pages_to_show_them_are_refused(tmp_path: Path) -> None:
    """A function that would never be called is a mistake; the remedy is the line to write."""
    simulated = simulated_zoom()
    zoom = SyncZoom(settings_for(simulated, tmp_path))
    with pytest.raises(UsageError) as caught:
        ZoomMiddleware(hosts_own, zoom, subject_of=lambda _environ: "ada")
    assert "subject_in_environ" in caught.value.remedy
    give_back(simulated)


def test_the_first_request_starts_the_service_in_the_background(
    zoom: SyncZoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever URL it is for: events of an ended process wait for no other request."""
    started = threading.Event()
    monkeypatch.setattr(zoom, "start", started.set)
    app = ZoomMiddleware(hosts_own, zoom)
    assert not started.is_set()
    assert b"/" == ask(app, "/").body
    assert started.wait(30)


def test_a_stopped_service_answers_503(tmp_path: Path) -> None:
    """Zoom sends the delivery again, and the application's own pages go on."""
    simulated = simulated_zoom()
    zoom = SyncZoom(settings_for(simulated, tmp_path))
    app = ZoomMiddleware(hosts_own, zoom)
    zoom.start()
    zoom.stop()
    refused = deliver(app, zoom)
    assert (503, "60") == (refused.status, refused.header("retry-after"))
    assert b"/" == ask(app, "/").body
    give_back(simulated)


def test_a_service_started_before_the_fork_answers_503_with_the_cause(
    app: Any, zoom: SyncZoom, capfd: pytest.CaptureFixture[str]
) -> None:
    """The log names the hook; the forked process does not hang."""
    child = os.fork()
    if not child:
        os._exit(0 if deliver(app, zoom).status == 503 else 1)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
