"""Zoom in a Starlette app: a middleware that does everything, or a list of routes.

app = Starlette(
    routes=[...],
    middleware=[
        Middleware(SessionMiddleware, secret_key=secret_key),
        Middleware(ZoomMiddleware, zoom=zoom),
    ],
)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from paraph.errors import (
    NeedsReauthorization,
    NotFound,
    ParaphError,
    PeerError,
    StorageError,
    TransportError,
)
from paraph.extras import needs

with needs("service", "paraph.integrations.starlette"):
    from starlette.convertors import Convertor, register_url_convertor
    from starlette.exceptions import HTTPException
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import BaseRoute, Route
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from paraph.http.problems import problem_of
    from paraph.integrations.problem_page import log_call_error
    from paraph.service.in_process import SubjectInstallation
    from paraph.service.zoom import Zoom

__all__ = ["ZoomMiddleware", "exception_handlers", "installation_of", "routes"]


_LATER = 503


class ZoomMiddleware:
    """Serves the public URLs of a `Zoom`, and runs the service with the app.

    Place it behind the middleware that knows the signed-in user, such as `SessionMiddleware`:
    `subject_of` then sees `request.session` or `request.user`.

    A call of Zoom may fail in the app, which need not handle the error: the response is then that
    of `exception_handlers`. A handler of the app for this error goes first.

    Args:
        app: the app inside; Starlette passes it.
        zoom: the service.
        security_txt: whether to serve `/.well-known/security.txt` at the root of the host.

    Example:
        app.add_middleware(ZoomMiddleware, zoom=zoom)
    """

    def __init__(self, app: ASGIApp, zoom: Zoom, *, security_txt: bool = False) -> None:
        self._app = zoom.around(app, security_txt=security_txt)
        self._zoom = zoom

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route one request, or run with the server."""
        has_begun = False

        async def watch(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except CALL_ERRORS as error:
            if has_begun or scope["type"] != "http":
                raise
            await _answer(self._zoom, error)(scope, receive, send)


class _Slashes(Convertor[str]):
    """Any number of slashes in a route."""

    regex = "/*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


def routes(zoom: Zoom, *, security_txt: bool = False) -> list[BaseRoute]:
    """Return a route for each public URL of a `Zoom`, for the route table of an app.

    The app has to run the service: give it `lifespan=zoom.lifespan`.

    Args:
        zoom: the service.
        security_txt: whether to serve `/.well-known/security.txt` at the root of the host.

    Example:
        app = Starlette(routes=[*routes(zoom)], lifespan=zoom.lifespan)
    """
    paths = sorted(zoom.paths_in_app(security_txt=security_txt))
    # An unknown URL with more slashes would be redirected to the known one, with its code. The
    # service answers that it is not found.
    register_url_convertor("paraph_slashes", _Slashes())
    # Of an application as endpoint Starlette checks no method: the service answers all.
    return [
        Route(path, zoom.asgi, include_in_schema=False)
        for path in (*paths, *(f"{path}/{{more:paraph_slashes}}" for path in paths))
    ]


async def installation_of(zoom: Zoom, request: HTTPConnection) -> SubjectInstallation:
    """Return the installation of the signed-in user; the response is 401 without a user.

    Args:
        zoom: the service; it needs `subject_of`.
        request: the request.

    Raises:
        HTTPException: `subject_of` names no user.

    Example:
        installation = await installation_of(zoom, request)
    """
    subject = await zoom.subject(request.scope)
    if subject is None:
        raise HTTPException(401, "Sign in first.")
    return zoom.installation(subject)


def exception_handlers(
    zoom: Zoom,
) -> dict[type[Exception] | int, Callable[[Request, Exception], Response]]:
    """Return handlers for the errors of an installation's calls, as JSON.

    The response is 404 without an installation; `connect_url` in its body begins one. It is 409 if
    Zoom ended the grant; `reauthorize_url` asks the person again. It is 503 while a removal is
    verified, and while Zoom or the database cannot be reached.

    Args:
        zoom: the service.

    Example:
        app = Starlette(exception_handlers=exception_handlers(zoom))
    """
    return dict.fromkeys(CALL_ERRORS, lambda _request, error: _answer(zoom, error))


CALL_ERRORS = (NotFound, PeerError, TransportError, StorageError)
"""The errors of a call that its caller did not cause. Others are mistakes in the app's own code."""


def _answer(zoom: Zoom, error: Exception) -> Response:
    log_call_error(error)
    problem = call_problem(zoom, error)
    return JSONResponse({"detail": problem.detail}, problem.status, problem.headers)


@dataclass(frozen=True, slots=True)
class CallProblem:
    """The response to a call of Zoom that failed: status, body and headers."""

    status: int
    detail: dict[str, str]
    headers: dict[str, str] = field(default_factory=dict)


def call_problem(zoom: Zoom, error: Exception) -> CallProblem:
    """Return the response for one of `CALL_ERRORS`."""
    if not isinstance(error, ParaphError):
        raise error
    problem = problem_of(error)
    detail = {"error": problem.code, "message": problem.title, "remedy": problem.remedy}
    url = zoom.settings.start_url or f"{zoom.settings.public_url}/install"
    if isinstance(error, NeedsReauthorization):
        detail |= {"reauthorize_url": url}
    elif isinstance(error, NotFound):
        detail |= {"message": "Zoom is not connected.", "connect_url": url}
    retry = {"retry-after": "3"} if problem.status == _LATER else {}
    return CallProblem(problem.status, detail, retry)
