"""A product for gunicorn's workers, once for WSGI and once for ASGI: `wsgi` and `asgi`.

`/link/begin` and `/link` link the account "ada"; `/token` vends its access token; `/pid` names the
process. Each event that the product handles becomes a line of the file `EVENTS_FILE`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

NONCE = "n" * 43
SUBJECT = "ada"


def note(event: Any) -> None:
    """Append one line; the system writes short appended lines whole."""
    line = json.dumps({"number": event.payload["object"]["id"], "pid": os.getpid()})
    with open(os.environ["EVENTS_FILE"], "a") as file:  # noqa: PTH123 - Also at the exit.
        file.write(line + "\n")


def digest_of(token: Any) -> str:
    """A name for a token; the token itself never leaves."""
    text = getattr(token, "access_token", token)
    revealed = text.reveal() if hasattr(text, "reveal") else str(text)
    return hashlib.sha256(revealed.encode()).hexdigest()[:16]


def __getattr__(name: str) -> Any:
    # Made when the server asks for it, so that each kind of worker makes only its own.
    made: dict[str, Callable[[], Any]] = {"wsgi": make_wsgi, "asgi": make_asgi}
    if name not in made:
        raise AttributeError(name)
    globals()[name] = made[name]()
    return globals()[name]


def make_wsgi() -> Any:
    """The product on `SyncZoom`."""
    from paraph.integrations.wsgi import ZoomMiddleware
    from paraph.service.sync_zoom import SyncZoom

    zoom = SyncZoom()
    globals()["sync_zoom"] = zoom

    @zoom.on("meeting.ended")
    def ended(event: Any) -> None:
        note(event)

    def product(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path, headers, text = environ["PATH_INFO"], [], ""
        status = "200 OK"
        if path == "/link/begin":
            link = zoom.request_link(SUBJECT, nonce=NONCE)
            status, headers = "303 See Other", [("Location", link.install_url)]
        elif path == "/link":
            handoff = parse_qs(environ["QUERY_STRING"])["handoff"][0]
            claim = zoom.claim(handoff, nonce=NONCE)
            zoom.confirm(claim, subject=SUBJECT)
        elif path == "/token":
            text = digest_of(zoom.installation(SUBJECT).access_token())
        elif path == "/pid":
            text = str(os.getpid())
        else:
            status = "404 Not Found"
        start_response(status, [*headers, ("Content-Length", str(len(text)))])
        return [text.encode()]

    return ZoomMiddleware(product, zoom)


def make_asgi() -> Any:
    """The product on `Zoom`."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, RedirectResponse, Response
    from starlette.routing import Route

    from paraph.service.zoom import Zoom
    from paraph.settings.loading import load_settings

    zoom = Zoom(load_settings())

    @zoom.on("meeting.ended")
    def ended(event: Any) -> None:
        note(event)

    async def begin(_request: Request) -> Response:
        link = await zoom.request_link(SUBJECT, nonce=NONCE)
        return RedirectResponse(link.install_url, 303)

    async def link(request: Request) -> Response:
        claim = await zoom.claim(request.query_params["handoff"], nonce=NONCE)
        await zoom.confirm(claim, subject=SUBJECT)
        return Response()

    async def token(_request: Request) -> Response:
        return PlainTextResponse(digest_of(await zoom.installation(SUBJECT).access_token()))

    async def pid(_request: Request) -> Response:
        return PlainTextResponse(str(os.getpid()))

    routes = [
        Route("/link/begin", begin),
        Route("/link", link),
        Route("/token", token),
        Route("/pid", pid),
    ]
    return zoom.around(Starlette(routes=routes, lifespan=zoom.lifespan))


def post_worker_init(worker: Any) -> None:
    """The hook of gunicorn: start the service in each new worker, after the fork."""
    del worker
    if "sync_zoom" in globals():
        globals()["sync_zoom"].start()
