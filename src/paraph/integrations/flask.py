"""paraph inside a Flask application: an extension.

    zoom = ZoomFlask(subject_of=lambda: session.get("user"), prefix="/integrations/zoom")

    @zoom.on("meeting.ended")
    def meeting_ended(event, installation): ...

    def create_app():
        app = Flask(__name__)
        zoom.init_app(app)

`url_for("paraph.start")` is the URL behind a button "Connect Zoom". The pages on which a person
starts and confirms run inside the application: its sessions, hooks and sign-in apply. Requests of
Zoom and returns from Zoom are answered before them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from paraph.errors import ParaphError
from paraph.extras import needs

with needs("flask", "paraph.integrations.flask"):
    from flask import Blueprint, Flask, Response, abort, current_app, request, url_for
    from flask.typing import ResponseReturnValue

    from paraph.events.handlers import Handlers
    from paraph.integrations.exchange import Body, NoBody, WholeResponse
    from paraph.integrations.problem_page import HANDLED, problem_page
    from paraph.integrations.wsgi import Routing, respond, subject_in_environ
    from paraph.integrations.wsgi_request import path_of
    from paraph.service.mount.signed_in import LABEL_KEY, SUBJECT_KEY, subject_text
    from paraph.service.sync_zoom import SyncZoom
    from paraph.settings.loading import LINK_PATH, START_PATH

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from paraph.calls.synchronous_handle import InstallationHandle

__all__ = ["ZoomFlask"]

NAME = "paraph"

Handler = TypeVar("Handler", bound=Callable[..., Any])


class ZoomFlask:
    """The service inside a Flask application.

    Args:
        app: the application; or call `init_app` later.
        subject_of: returns the id of the signed-in local account (a text, an int or a UUID), or
            None. It is called without arguments in
            the request context, for the built-in pages and for `installation`.
        label_of: returns the name of that account as its user knows it.
        keywords: keywords of `SyncZoom`, such as `prefix`, `sign_in_url`, `after_install` and every
            setting. They may also stand in `app.config`, as `PARAPH_CLIENT_ID` and so on. Settings
            that stand in neither are read from the environment, then from `paraph.toml`.

    Example:
        from flask import Flask, session
        from paraph.integrations.flask import ZoomFlask

        zoom = ZoomFlask(subject_of=lambda: session.get("user"), prefix="/integrations/zoom")
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        subject_of: Callable[[], Any],
        label_of: Callable[[], Any] | None = None,
        **keywords: Any,
    ) -> None:
        self._subject_of = subject_of
        self._label_of = label_of
        self._keywords = keywords
        self._handlers: list[tuple[str, Callable[..., Any]]] = []
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Add the service to an application. Nothing starts before its first request.

        Args:
            app: the application. One extension may serve several of them.

        Raises:
            ConfigurationError: carries every problem of the settings.

        Example:
            zoom.init_app(app)
        """
        given = {**app.config.get_namespace("PARAPH_"), **self._keywords}
        zoom = SyncZoom(subject_of=subject_in_environ, **given)
        for pattern, handler in self._handlers:
            zoom.on(pattern)(handler)
        app.extensions[NAME] = zoom
        pages = self._pages(zoom, given.get("prefix", ""))
        app.register_blueprint(pages)
        for kind in HANDLED:
            app.register_error_handler(kind, _problem_page)
        app.wsgi_app = _Entry(app, app.wsgi_app, zoom, pages)  # type: ignore[method-assign]

    def on(self, pattern: str) -> Callable[[Handler], Handler]:
        """Register a handler for events. Register before `init_app`.

        A plain function runs in a thread, outside any request: enter `app.app_context()` where
        it needs the application.

        Args:
            pattern: an event name, a prefix like "meeting.*", or "*" for all.

        Raises:
            UsageError: no event can match, or the function does not take one to three arguments.

        Example:
            @zoom.on("meeting.ended")
            def meeting_ended(event, installation):
                print(event.id)
        """
        # Refused here already: the service is created later.
        check = Handlers().on(pattern)

        def register(handler: Handler) -> Handler:
            self._handlers.append((pattern, check(handler)))
            return handler

        return register

    @property
    def sync(self) -> SyncZoom:
        """The service of the current application.

        Raises:
            KeyError: `init_app` was not called for it.

        Example:
            zoom.sync.start()
        """
        found: SyncZoom = current_app.extensions[NAME]
        return found

    @property
    def installation(self) -> InstallationHandle:
        """The installation of the signed-in account, to call Zoom with.

        A person who is not signed in gets 401. A person who has to connect Zoom first, or again,
        gets a page with a link. Register an error handler for `NotFound` or `NeedsReauthorization`
        to show a page of your own.

        Example:
            response = zoom.installation.get("/users/me")
        """
        subject = self.subject()
        if subject is None:
            abort(401)
        return self.sync.installation(subject)

    def subject(self) -> str | None:
        """Return the signed-in local account of this request; None if there is no account.

        Raises:
            UsageError: `subject_of` returned something that is no account.

        Example:
            subject = zoom.subject()
        """
        return subject_text(self._subject_of())

    def _signed_in(self) -> dict[str, Any]:
        subject = self.subject()
        found: dict[str, Any] = {SUBJECT_KEY: subject}
        if subject is not None and self._label_of is not None:
            found[LABEL_KEY] = self._label_of()
        return found

    def _pages(self, zoom: SyncZoom, prefix: str) -> Blueprint:
        """Return the pages that need to know who is signed in."""
        pages = Blueprint(NAME, __name__, url_prefix=prefix or None)

        @pages.get(START_PATH, endpoint="start")
        @pages.route(LINK_PATH, endpoint="link", methods=["GET", "POST"])
        def page() -> ResponseReturnValue:
            return _answer(zoom, self._signed_in())

        return pages


class _Entry:
    """The outermost layer of the application: in front of its hooks and its sessions."""

    def __init__(
        self, app: Flask, inner: WSGIApplication, zoom: SyncZoom, pages: Blueprint
    ) -> None:
        base = zoom.settings.base_path
        left = [f"{base}{START_PATH}", f"{base}{LINK_PATH}"]
        self._routing = Routing(inner, zoom, left_to_app=left)
        self._own = {*left, *zoom.zoom.paths_in_app()}
        self._app = app
        self._pages = pages
        self._is_exempt = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if not self._is_exempt:
            # The confirmation page has a token of its own, which Flask-WTF does not know. The
            # application may have set up its protection after this extension.
            protection: Any = self._app.extensions.get("csrf")
            if protection is not None:
                protection.exempt(self._pages)
            self._is_exempt = True
        if not self._app.testing:
            # A test of the application's own pages needs no service.
            self._routing.start_once()
        path = path_of(environ)
        if "//" in path and re.sub("/+", "/", path).rstrip("/") in self._own:
            # Flask would redirect to the known URL, with the code of this one.
            missing = Response("Not found.\n", 404, content_type="text/plain; charset=utf-8")
            return missing(environ, start_response)
        return self._routing(environ, start_response)


def _answer(zoom: SyncZoom, signed_in: dict[str, Any]) -> Response:
    return _response(respond(zoom, request.environ, signed_in=signed_in, body=_body_read_before()))


def _response(whole: WholeResponse) -> Response:
    response = Response(whole.body, whole.status)
    response.headers.clear()
    response.headers.extend(list(whole.headers))
    return response


def _body_read_before() -> Body:
    """Return what a hook of the application has read: a body is read only once.

    Else the service reads it, within its limits, after it has looked at the headers.
    """
    read = vars(request._get_current_object())  # type: ignore[attr-defined] # noqa: SLF001 - Asking `form` itself would read it.
    if "form" in read:
        return urlencode(list(request.form.items(multi=True))).encode()
    return request.get_data() if read.get("_cached_data") is not None else NoBody.NOT_READ


def _problem_page(error: ParaphError) -> Response:
    return _response(problem_page(error, url_for(f"{NAME}.start")))
