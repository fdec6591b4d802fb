"""Webhook views for FastAPI, Starlette, Flask and Django: three lines each.

::

    @app.post("/zoom/webhook")
    @flask_webhook(Webhooks(secret=os.environ["ZOOM_SECRET_TOKEN"]))
    def on_event(received): ...

The function is called with an event that Zoom signed, and with nothing else. Forged deliveries,
challenges, duplicates and removals of another client id are answered without it. Its return value
is ignored. An exception becomes the framework's error page, and Zoom sends the event again.

The framework is imported when its decorator is called.
"""

from __future__ import annotations

import functools
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote_from_bytes, unquote_to_bytes

from paraph.webhooks import Received, WebhookRejected, Webhooks
from paraph.zoom.webhook_headers import GivenHeaders
from paraph.zoom.webhook_response import ACCEPTED, REFUSED, TOO_LONG, Response
from paraph.zoom.webhook_verification import MAX_BODY_BYTES

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive

    from paraph.http.body import BodyReader

__all__ = ["django_webhook", "fastapi_webhook", "flask_webhook", "starlette_webhook"]

Handler = Callable[[Received], object]
Decorator = Callable[[Handler], Callable[..., Any]]

JSON = "application/json"
_ELSEWHERE: Response = (404, b'{"error":"there is nothing here"}')
# RFC 3986 section 3.3: what stands in a path as it is.
_PLAIN = "/:@!$&'()*+,;=~"
# A flood of forged deliveries must not become a flood of log lines.
SUMMARY_SECONDS = 10.0
_PIECE_BYTES = 64 << 10
# Zoom itself waits three seconds for a response.
BODY_SECONDS = 5.0
_log = logging.getLogger("paraph.webhooks")


class Deliveries:
    """The deliveries of one view: verified, refused, and logged in summary.

    Args:
        webhooks: verifies them.
    """

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks
        self._refused = 0
        self._logged_at = float("-inf")

    @property
    def may_block(self) -> bool:
        """True if `receive` calls the host's own function, which may read a database."""
        return self._webhooks.seen is not None

    def refuse_early(
        self, headers: GivenHeaders, target: bytes, *, may_leave_body: bool = False
    ) -> Response | None:
        """Return the refusal of a delivery whose body need not be read; None if it must be.

        Args:
            headers: of the request.
            target: the target or path as it was sent, if the server shows it. An unusual spelling
                is refused: a proxy that protects one spelling does not protect the others.
            may_leave_body: True if the server keeps a connection whose body was not read. WSGI
                servers close it, and with it the next request of a proxy is lost.
        """
        path = target.partition(b"?")[0]
        plain = quote_from_bytes(unquote_to_bytes(path), safe=_PLAIN).encode()
        if plain != path or path.startswith(b"//"):
            return _ELSEWHERE
        try:
            self._webhooks.check_headers(headers)
        except WebhookRejected as rejected:
            if may_leave_body or rejected.status == TOO_LONG[0]:
                return self._refuse(rejected)
        return None

    def receive(self, headers: GivenHeaders, body: bytes) -> tuple[Received | None, Response]:
        """Return the event to act on, if there is one, and the response."""
        try:
            received = self._webhooks.receive(headers, body)
        except WebhookRejected as rejected:
            return None, self._refuse(rejected)
        if received.response is not None:
            return None, (200, received.response)
        return (received if received.is_actionable else None), ACCEPTED

    def _refuse(self, rejected: WebhookRejected) -> Response:
        self._refused += 1
        now = time.monotonic()  # noqa: TID251 - It runs in the host's process.
        if now - self._logged_at >= SUMMARY_SECONDS:
            _log.warning(
                "Refused %d webhook deliveries; the last one: %s (%s). %s",
                self._refused,
                rejected.detail,
                rejected.reason,
                rejected.remedy,
            )
            self._refused, self._logged_at = 0, now
        return rejected.status, rejected.body


def starlette_webhook(webhooks: Webhooks) -> Decorator:
    """Make a Starlette endpoint or FastAPI path operation from a function of one event.

    The function may be async; a plain one runs in a thread, and so does `seen`.

    Args:
        webhooks: verifies the deliveries.

    Example:
        @app.post("/zoom/webhook")
        @fastapi_webhook(webhooks)
        async def on_event(received):
            print(received.name)
    """
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import Response as StarletteResponse

    from paraph.http.body import BodyReader

    deliveries = Deliveries(webhooks)
    bodies = BodyReader(lambda scope: (scope.get("client") or ("",))[0])

    def decorate(handler: Handler) -> Callable[..., Any]:
        async def view(request: Request) -> StarletteResponse:
            received, (status, body) = await _receive_async(deliveries, bodies, request)
            if received is not None:
                if _is_async(handler):
                    await cast("Awaitable[object]", handler(received))
                else:
                    await run_in_threadpool(handler, received)
            return StarletteResponse(body, status, media_type=JSON)

        _name_after(handler, view)
        # FastAPI reads these, and cannot see the names in this function.
        view.__annotations__ = {"request": Request, "return": StarletteResponse}
        return view

    return decorate


fastapi_webhook = starlette_webhook


async def _receive_async(
    deliveries: Deliveries, bodies: BodyReader, request: Request
) -> tuple[Received | None, Response]:
    from starlette.concurrency import run_in_threadpool

    from paraph.http.body import BodyError, BodyTooLong

    headers = request.headers.raw
    target: bytes = request.scope.get("raw_path") or b""
    if refused := deliveries.refuse_early(headers, target, may_leave_body=True):
        return None, refused
    try:
        body = await bodies.read(
            _receive_of(request), request.scope, limit=MAX_BODY_BYTES, seconds=BODY_SECONDS
        )
    except BodyTooLong:
        return None, TOO_LONG
    except BodyError:
        return None, REFUSED
    if deliveries.may_block:
        return await run_in_threadpool(deliveries.receive, headers, body)
    return deliveries.receive(headers, body)


def _receive_of(request: Request) -> Receive:
    """Return the messages of a request, whose body Starlette has kept if it was read before."""
    from starlette.requests import ClientDisconnect

    pieces = request.stream()

    async def receive() -> Any:
        try:
            piece = await anext(pieces, None)
        except ClientDisconnect:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    return receive


def flask_webhook(webhooks: Webhooks) -> Decorator:
    """Make a Flask view from a function of one event. Register it for POST alone.

    Args:
        webhooks: verifies the deliveries.

    Example:
        @app.post("/zoom/webhook")
        @flask_webhook(webhooks)
        def on_event(received):
            print(received.name)
    """
    flask = import_module("flask")
    deliveries = Deliveries(webhooks)

    def decorate(handler: Handler) -> Callable[..., Any]:
        def view() -> Any:
            request = flask.request
            headers = list(request.headers)
            response = deliveries.refuse_early(headers, _target(request.environ))
            if response is None:
                received, response = None, REFUSED
                body = _read(request.stream.read)
                if body is not None:
                    # An extension may have read the body before; then Flask has kept it.
                    received, response = deliveries.receive(headers, body or request.get_data())
                if received is not None:
                    flask.current_app.ensure_sync(handler)(received)
            return flask.Response(response[1], response[0], content_type=JSON)

        return _name_after(handler, view)

    return decorate


def django_webhook(webhooks: Webhooks) -> Decorator:
    """Make a Django view from a function of one event: for POST alone, and exempt from CSRF.

    With `ATOMIC_REQUESTS` an exception of the function rolls its transaction back. An async
    function makes an async view.

    Args:
        webhooks: verifies the deliveries.

    Example:
        @django_webhook(webhooks)
        def on_event(received):
            print(received.name)

        urlpatterns = [path("zoom/webhook", on_event)]
    """
    http = import_module("django.http")
    sync_to_async = import_module("asgiref.sync").sync_to_async
    deliveries = Deliveries(webhooks)

    def receive(request: Any) -> tuple[Received | None, Any]:
        if request.method != "POST":
            return None, http.HttpResponseNotAllowed(["POST"])
        target = getattr(request, "scope", {}).get("raw_path") or _target(request.META)
        received, response = None, deliveries.refuse_early(request.META, target)
        if response is None:
            response = REFUSED
            body = _read(request.read)
            if body is not None:
                received, response = deliveries.receive(request.META, body)
        return received, http.HttpResponse(response[1], status=response[0], content_type=JSON)

    def decorate(handler: Handler) -> Callable[..., Any]:
        def view(request: Any) -> Any:
            received, response = receive(request)
            if received is not None:
                handler(received)
            return response

        async def async_view(request: Any) -> Any:
            received, response = await sync_to_async(receive)(request)
            if received is not None:
                await cast("Awaitable[object]", handler(received))
            return response

        chosen = _name_after(handler, async_view if _is_async(handler) else view)
        # Zoom has no CSRF token; its signature takes that place.
        chosen.csrf_exempt = True  # type: ignore[attr-defined]
        return chosen

    return decorate


def _read(read: Callable[[int], bytes]) -> bytes | None:
    """Read a body up to one piece more than the limit, which is then refused as too long.

    Returns None for a body that breaks off or is not in the coding that the request announces.
    """
    body = bytearray()
    try:
        while len(body) <= MAX_BODY_BYTES and (piece := read(_PIECE_BYTES)):
            body += piece
    except Exception:  # noqa: BLE001 - Each server has errors of its own: OSError, ValueError, ...
        _log.debug("The body of a delivery could not be read.", exc_info=True)
        return None
    return bytes(body)


def _target(environ: Mapping[str, Any]) -> bytes:
    """Return the target as it was sent, which PEP 3333 does not have but most servers add."""
    return str(environ.get("REQUEST_URI") or environ.get("RAW_URI") or "").encode()


def _is_async(handler: Handler) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(handler, "__call__", None)  # noqa: B004 - The method of an object is meant.
    )


def _name_after(handler: Handler, view: Callable[..., Any]) -> Callable[..., Any]:
    """Give a view the names of its function, without a signature that the view does not have."""
    named = functools.update_wrapper(view, handler, updated=())
    del named.__wrapped__
    return named
