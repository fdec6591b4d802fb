"""paraph inside any WSGI application: a middleware that answers the URLs of the service.

    zoom = SyncZoom(prefix="/integrations/zoom", subject_of=subject_in_environ)
    app = ZoomMiddleware(app, zoom, subject_of=lambda environ: environ.get("REMOTE_USER"))

Requests to other URLs reach the application unchanged.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from paraph.errors import ParaphError, UsageError
from paraph.extras import needs

with needs("service", "paraph.integrations.wsgi"):
    from paraph.integrations.exchange import Body, NoBody, WholeResponse, exchange
    from paraph.integrations.problem_page import HANDLED, log_call_error, problem_page
    from paraph.integrations.wsgi_request import (
        body_of,
        drain,
        is_plainly_written,
        limited_time,
        path_of,
        scope_of,
    )
    from paraph.logs import get_logger
    from paraph.service.mount.signed_in import LABEL_KEY, SUBJECT_KEY
    from paraph.settings.loading import LINK_PATH, START_PATH

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from starlette.requests import Request

    from paraph.service.sync_zoom import SyncZoom

__all__ = ["ZoomMiddleware", "subject_in_environ"]

_UNAVAILABLE = WholeResponse(
    503,
    (
        ("content-type", "text/plain; charset=utf-8"),
        ("cache-control", "no-store"),
        ("retry-after", "60"),
    ),
    b"Zoom is not available at the moment. Try again in a minute.\n",
)
_log = get_logger("wsgi")


class Routing:
    """Sends the service's own URLs to it, and everything else to an application.

    Its arguments are those of `ZoomMiddleware`.
    """

    def __init__(
        self,
        app: WSGIApplication,
        zoom: SyncZoom,
        *,
        subject_of: Callable[[WSGIEnvironment], str | None] | None = None,
        security_txt: bool = False,
        left_to_app: Collection[str] = (),
    ) -> None:
        has_pages = zoom.zoom.host.subject_of is not None
        if subject_of is not None and not has_pages:
            raise UsageError(
                "subject_of is given, and this SyncZoom has no start and confirmation page",
                remedy="Write SyncZoom(subject_of=subject_in_environ, ...).",
            )
        base = zoom.settings.base_path
        self._app = app
        self._zoom = zoom
        self._subject_of = subject_of
        self._own = frozenset(zoom.zoom.paths_in_app(security_txt=security_txt)) - set(left_to_app)
        self._pages = {f"{base}{START_PATH}", f"{base}{LINK_PATH}"}
        self.start_once = StartOnce(zoom)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = path_of(environ)
        if path not in self._own or not is_plainly_written(environ):
            return self._app(environ, start_response)
        signed_in = self._signed_in(environ) if path in self._pages else {}
        return _sent(respond(self._zoom, environ, signed_in=signed_in), environ, start_response)

    def _signed_in(self, environ: WSGIEnvironment) -> Mapping[str, Any]:
        if self._subject_of is not None:
            return {SUBJECT_KEY: self._subject_of(environ)}
        return {key: environ[key] for key in (SUBJECT_KEY, LABEL_KEY) if key in environ}


class ZoomMiddleware(Routing):
    """Answers the public URLs of the service, and passes everything else to an application.

    The service starts in the hook that a server runs in a new worker. Without one it starts in the
    background, with the first request that the process serves, whichever URL it is for.

    A call of Zoom may fail in the application, which need not handle the error. The person gets a
    page then: with a link to connect Zoom and status 404 or 409, or with status 503.

    Args:
        app: the WSGI application.
        zoom: the service; it is not started here.
        subject_of: takes the WSGI environment and returns the signed-in local account, or None. It
            is called in the thread of the request, for the built-in pages only. Without it
            `environ["paraph.subject"]` counts, which a middleware around this one may set.
        security_txt: whether to serve `/.well-known/security.txt` at the root of the host.
        left_to_app: complete paths of the service that the application answers itself.

    Raises:
        UsageError: `subject_of` is given, and `zoom` has no pages to call it for.

    Example:
        from paraph import SyncZoom
        from paraph.integrations.wsgi import ZoomMiddleware, subject_in_environ

        zoom = SyncZoom(settings, prefix="/zoom", subject_of=subject_in_environ)
        app = ZoomMiddleware(app, zoom, subject_of=lambda environ: environ.get("REMOTE_USER"))
    """

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, and see to it that the service starts."""
        self.start_once()
        try:
            return super().__call__(environ, start_response)
        except HANDLED as error:
            log_call_error(error)
            settings = self._zoom.settings
            page = problem_page(error, settings.start_url or f"{settings.public_url}/install")
            return _sent(page, environ, start_response, sys.exc_info())


def _sent(
    response: WholeResponse, environ: WSGIEnvironment, start_response: StartResponse, *exc_info: Any
) -> Iterable[bytes]:
    """Send a response; with `exc_info` in place of one that has begun, if nothing was sent yet."""
    status = f"{response.status} {HTTPStatus(response.status).phrase}"
    # The connection is the server's own matter (PEP 3333).
    headers = [one for one in response.headers if one[0] != "connection"]
    start_response(status, headers, *exc_info)
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else response.body]


def subject_in_environ(request: Request) -> str | None:
    """Return the signed-in local account that the WSGI side has named for this request.

    It is the `subject_of` of a `SyncZoom` whose accounts a `ZoomMiddleware` names.

    Args:
        request: as `subject_of` receives it.

    Example:
        from paraph import SyncZoom
        from paraph.integrations.wsgi import subject_in_environ

        zoom = SyncZoom(settings, prefix="/zoom", subject_of=subject_in_environ)
    """
    found: str | None = request.scope.get(SUBJECT_KEY)
    return found


def respond(
    zoom: SyncZoom,
    environ: WSGIEnvironment,
    *,
    signed_in: Mapping[str, Any],
    body: Body = NoBody.NOT_READ,
) -> WholeResponse:
    """Pass one WSGI request to the service and return the response.

    Args:
        zoom: the service; the first request of a process starts it.
        environ: the WSGI environment of the request.
        signed_in: the signed-in local account by `SUBJECT_KEY`, its name by `LABEL_KEY`.
        body: the complete body, if it was read already. Else it is read here, if it is needed.

    Returns:
        The service's own response. It is a 503 if the service is stopping or cannot start; the
        log says why.
    """
    scope = {**scope_of(environ), **signed_in}
    call = zoom.loop_thread.call
    try:
        response = call(exchange, zoom.zoom.asgi, scope, body)
        if response is None:
            with limited_time(environ, zoom.loop_thread.loop):
                body = body_of(environ)
            response = call(exchange, zoom.zoom.asgi, scope, body)
        elif body is NoBody.NOT_READ:
            drain(environ, zoom.loop_thread.loop)
    except ParaphError as error:
        _log.error("service.unavailable", why=error.detail, remedy=error.remedy)
        return _UNAVAILABLE
    return response or _UNAVAILABLE


class StartOnce:
    """Starts the service in the background, at the first request of a process.

    Events that another process left in the database are delivered from then on. A start that fails
    is logged; the next request to the service tries again and answers 503.

    Args:
        zoom: the service.
    """

    def __init__(self, zoom: SyncZoom) -> None:
        self._zoom = zoom
        self._begun = threading.Lock()

    def __call__(self) -> None:
        """Start the service unless this process has begun to."""
        if self._begun.acquire(blocking=False):
            start_in_background(self._zoom.start, _report)


def _report(why: str, **remedy: str) -> None:
    _log.error("service.unavailable", why=why, **remedy)


def start_in_background(start: Callable[[], object], report: Callable[..., None]) -> None:
    """Start the service in a thread of its own, without waiting for it.

    Args:
        start: starts the service.
        report: logs why it did not start, and the `remedy` where it is known.
    """

    def run() -> None:
        try:
            start()
        except ParaphError as error:
            report(error.detail, remedy=error.remedy)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - Reported by no caller.
            # It may have been stopped while it started.
            report(type(error).__name__)

    threading.Thread(target=run, name="paraph start", daemon=True).start()
