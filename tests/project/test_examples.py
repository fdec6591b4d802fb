"""Every public name has a docstring with its arguments, its errors, and an example that runs."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from public_names import PublicName

from calls.four_objects import FourObjects, four_objects
from installs.install_kit import CLIENT_SECRET, REDIRECT_URI, SEALING_KEY, Kit
from paraph import Settings, SyncZoom, Zoom
from paraph.integrations.install_views import FlaskInstalls
from paraph.simulator.running import SimulatedZoom
from paraph.simulator.webhooks.webhook_sender import sign
from project.example_runs import all_names, failures_of, is_pure, run_code, run_session
from scripted_zoom import JANE_HERSELF, Scripted
from service.app_with_zoom import NONCE
from service_kit import ACCOUNT, settings_for, simulated_zoom

pytestmark = pytest.mark.anyio
NAMES = all_names()
SUBJECT = "acct_42"
# It needs an installation.
HANDLE_OF_ZOOM = "paraph.Zoom.installation"
SECRET = "zm-7hTq2LwX9fKd"
# The modules whose examples call the service, and the object that is `zoom` in them.
ASYNCHRONOUS = "paraph.calls.asynchronous", "paraph.calls.asynchronous_handle"
SYNCHRONOUS = "paraph.calls.synchronous", "paraph.calls.synchronous_handle"
CALLING = {
    "Zoom": (*ASYNCHRONOUS, "paraph.service.in_process", "paraph.lifecycle.resource_call"),
    "AsyncClient": (*ASYNCHRONOUS, "paraph.client.asynchronous"),
    "SyncZoom": (*SYNCHRONOUS,),
    "Client": (*SYNCHRONOUS, "paraph.client.synchronous"),
}


def chosen(*prefixes: str) -> list[PublicName]:
    """The names of some modules whose examples need a prepared namespace, each once."""
    found = {
        (one.module, one.value.__qualname__): one
        for one in NAMES
        if one.module.startswith(prefixes) and not is_pure(one)
    }
    return list(found.values())


def test_every_public_name_is_documented() -> None:
    """The docstring says what it does, describes each argument, and has an example."""
    missing = []
    for one in NAMES:
        described = re.findall(r"^(\w+):", one.section("Args"), re.MULTILINE)
        missing += [f"{one.name}: {name}" for name in one.arguments if name not in described]
        if not one.docstring.partition("\n")[0].endswith("."):
            missing.append(f"{one.name}: a first line that is a sentence")
        if not one.section("Example"):
            missing.append(f"{one.name}: an example")
    assert [] == missing


def test_interactive_examples_give_what_they_show() -> None:
    """An example that begins with `>>>` needs nothing but the public names."""
    assert [] == [failure for one in NAMES if is_pure(one) for failure in run_session(one)]


def browsing(four: FourObjects, name: str) -> Callable[[PublicName], Any]:
    """Return the function that prepares the names of an example of the calls."""

    async def names(one: PublicName) -> dict[str, Any]:
        text = one.section("Example")
        session = {"nonce": NONCE}
        url = str(four.objects["Client"]._connection._url)
        key = four.objects["Client"]._connection._api_key
        found = {"zoom": four.objects[name], "client": four.objects[name], "session": session}
        found |= {"secrets": secrets, "url": url, "api_key": key}
        if "handoff" in text:
            found["handoff"] = await four.handoff("Zoom", SUBJECT)
        elif not [one async for one in four.app.zoom.installations(subject=SUBJECT)]:
            await four.link("Zoom", SUBJECT)
        return found

    return names


@pytest.mark.parametrize(
    "name",
    [
        "Zoom",
        "Client",
        pytest.param("AsyncClient", marks=pytest.mark.slow),
        pytest.param("SyncZoom", marks=pytest.mark.slow),
    ],
)
async def test_examples_of_the_calls(tmp_path: Path, name: str) -> None:
    """Each example of a call runs against a service with an installation."""
    failed = []
    async with four_objects(tmp_path, proxy_allow=("* /v2/**",)) as four:
        four.app.rest.ordinary = Scripted(content=JANE_HERSELF | {"display_name": "Jane Dev"})
        names = browsing(four, name)
        wanted = chosen(*CALLING[name])
        if name == "Zoom":
            wanted += [one for one in NAMES if one.name == HANDLE_OF_ZOOM]
        for one in wanted:
            failed += await failures_of([one], await names(one))
    assert [] == failed


async def test_examples_of_the_errors(tmp_path: Path) -> None:
    """An example that catches an error meets a situation in which it is raised, or none is."""
    async with four_objects(tmp_path) as four:
        await four.link("Zoom", SUBJECT)
        names = {"zoom": four.app.zoom}
        assert [] == await failures_of(chosen("paraph.errors"), names)


async def test_examples_of_zoom_and_the_integrations(tmp_path: Path) -> None:
    """Objects are made, mounted and started as their docstrings show."""
    fastapi = pytest.importorskip("fastapi")
    starlette = pytest.importorskip("starlette.applications")
    from starlette.requests import Request

    simulated = simulated_zoom()
    settings = settings_for(simulated, tmp_path, linking="host")
    file = settings_file(tmp_path, simulated)
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    names = {
        "settings": settings,
        "file": file,
        "client_id": settings.client_id,
        "client_secret": settings.client_secret,
        "webhook_secret": settings.webhook_secrets[0],
        "encryption_key": settings.encryption_keys[0],
        "request": Request(scope),
        "FastAPI": fastapi.FastAPI,
        "Depends": fastapi.Depends,
        "Annotated": Annotated,
        "Starlette": starlette.Starlette,
    }
    if any(one.module.endswith((".aws_lambda", ".webhook_views")) for one in NAMES):
        from paraph.webhooks import Webhooks

        names["webhooks"] = Webhooks(secret=SECRET, seen=lambda _event_id: False)
        names["path"] = lambda route, view: (route, view)
    names["flow"] = Kit().flow
    names["installs"] = FlaskInstalls(Kit().flow, subject_of=lambda: SUBJECT)
    failed = []
    for one in chosen(
        "paraph.service.zoom",
        "paraph.service.sync_zoom",
        "paraph.settings",
        "paraph.events",
        "paraph.integrations",
    ):
        if one.name == HANDLE_OF_ZOOM:
            continue
        app, zoom = product_of(one, settings)
        failed += await failures_of([one], {**names, "app": app, "zoom": zoom})
    simulated.stop()
    assert [] == failed


def product_of(one: PublicName, settings: Settings) -> tuple[Any, Any]:
    """The app and the object that are `app` and `zoom` in an example of an integration."""
    if "flask" in one.name.lower() or "WSGI" in one.name:
        flask = import_module("flask")
        app = flask.Flask("product")
        if not one.module.endswith(".flask"):
            return app, None
        kind = import_module(one.module).ZoomFlask
        return app, kind(subject_of=lambda: SUBJECT, prefix="/zoom", settings=settings)
    if one.module.endswith(".wsgi"):
        by_environ = import_module(one.module).subject_in_environ
        return (lambda _environ, _start: []), SyncZoom(settings, subject_of=by_environ)
    fastapi = import_module("fastapi")
    return fastapi.FastAPI(), Zoom(settings, subject_of=lambda _request: SUBJECT)


def settings_file(folder: Path, simulated: SimulatedZoom) -> Path:
    """A complete settings file."""
    written = simulated.settings(linking="host", start_url="https://host.example/start")
    written |= {"link_url": "https://host.example/link"}
    file = folder / "paraph.toml"
    file.touch(mode=0o600)
    file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in written.items()))
    return file


async def test_examples_of_the_webhooks() -> None:
    """Each example receives a genuine delivery."""
    from paraph.webhooks import Webhooks

    raw_body = b'{"event":"meeting.ended","event_ts":1,"payload":{"account_id":"%s"}}'
    raw_body %= ACCOUNT.encode()
    at = str(int(time.time()))
    headers = {"x-zm-request-timestamp": at, "x-zm-signature": sign(SECRET, at, raw_body)}
    names = {
        "webhooks": Webhooks(secret=SECRET, seen=lambda _event_id: False),
        "headers": headers,
        "raw_body": raw_body,
    }
    assert [] == await failures_of(chosen("paraph.webhooks"), names)


async def test_examples_of_installs() -> None:
    """Each example has a flow whose browser has come back from Zoom, or tokens of one."""
    failed = []
    for one in chosen("paraph.installs"):
        kit = Kit()
        started = kit.start()
        url = f"{REDIRECT_URI}?{started.query}"
        tokens = kit.flow.refresh("refresh-of-jane")
        names = {
            "flow": kit.flow,
            "url": url,
            "cookies": started.cookie,
            "request": SimpleNamespace(url=url, headers={"cookie": started.cookie}),
            "stored": tokens,
            "refused": SimpleNamespace(tokens=tokens),
            "replace_tokens": lambda _account_id, _user_id, _tokens: False,
            "use_state": kit.used.use,
            "client_secret": CLIENT_SECRET,
            "sealing_key": SEALING_KEY,
        }
        failed += await failures_of([one], names)
    assert [] == failed


async def test_examples_of_the_simulator() -> None:
    """Each example runs against a simulator, in front of a small app."""
    simulated = SimulatedZoom()
    failed = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        headers = [(b"content-length", b"0")]
        if scope["path"] == "/start":
            authorize = f"{simulated.url}/oauth/authorize?response_type=code"
            query = f"&client_id={simulated.app.client_id}&redirect_uri={simulated.app_url}/done"
            headers.append((b"location", f"{authorize}{query}".encode()))
        status = 302 if scope["path"] == "/start" else 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    with simulated as zoom:
        zoom.serve(app)
        for one in chosen("paraph.simulator"):
            if ".serve(app)" in one.section("Example") or ".install(" in one.section("Example"):
                zoom.release()
            zoom.registration(redirect="/done")
            failed += await failures_of([one], {"zoom": zoom, "app": app})
    assert [] == failed


async def test_every_example_is_run() -> None:
    """A module whose examples no test above runs is named here."""
    run = (
        *(prefix for prefixes in CALLING.values() for prefix in prefixes),
        *("paraph.errors", "paraph.service.zoom", "paraph.service.sync_zoom", "paraph.settings"),
        *(
            "paraph.events",
            "paraph.integrations",
            "paraph.webhooks",
            "paraph.simulator",
            "paraph.installs",
        ),
    )
    assert [] == [one.name for one in NAMES if not is_pure(one) and not one.module.startswith(run)]
    assert callable(run_code)
