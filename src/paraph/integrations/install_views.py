"""Flask views of an `InstallFlow`: the start of an install, and its redirect URI.

    installs = FlaskInstalls(flow, subject_of=lambda: session.get("user"))

    app.add_url_rule("/zoom/start", view_func=installs.start, methods=["POST"])

    @app.get("/zoom/callback")
    @installs.finish
    def connected(result): ...

They pass the request to the flow as it needs it, and send each of its headers and refusals.
Flask is imported when a view is called.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paraph.installs.flow import InstallFlow
    from paraph.installs.result import Headers, InstallResult

__all__ = ["FlaskInstalls"]


class FlaskInstalls:
    """The two views of an install flow in Flask.

    Args:
        flow: the flow.
        subject_of: returns the id of the signed-in local account as a text, or None. It is called
            in the request context, at the start and at the end of an install.

    Example:
        from flask import session
        from paraph.integrations.install_views import FlaskInstalls

        installs = FlaskInstalls(flow, subject_of=lambda: session.get("user"))
    """

    def __init__(self, flow: InstallFlow, *, subject_of: Callable[[], str | None]) -> None:
        self._flow = flow
        self._subject_of = subject_of

    def start(self) -> Any:
        """Send the browser to Zoom; the response is 403 if no account is signed in.

        Register it for POST alone, with a session cookie that is `SameSite=Lax` or a CSRF token: no
        other site must be able to start an install.

        Example:
            app.add_url_rule("/zoom/start", view_func=installs.start, methods=["POST"])
        """
        flask = import_module("flask")
        subject = self._subject_of()
        if subject is None:
            return flask.Response("Sign in first.", 403)
        begun = self._flow.start(subject, cookies=flask.request.headers.get("Cookie"))
        return _with(begun.headers, flask.Response(status=303))

    def finish(self, view: Callable[[InstallResult], Any]) -> Callable[[], Any]:
        """Make the view of the redirect URI from a function of the result.

        The function is called for an install that this browser and this account started, with the
        tokens of the Zoom user. It stores them, and returns what a Flask view returns. Each
        refusal is answered by a page without it.

        Args:
            view: the function. Register what is returned for GET.

        Example:
            @app.get("/zoom/callback")
            @installs.finish
            def connected(result):
                print(result.user_id, result.tokens.expires_at)
                return "Zoom is connected."
        """

        @functools.wraps(view)
        def redirect_uri() -> Any:
            from paraph.installs.refusals import InstallRefused

            flask = import_module("flask")
            request = flask.request
            try:
                result = self._flow.finish(
                    request.url,
                    request.headers.get("Cookie"),
                    subject=self._subject_of(),
                    method=request.method,
                    headers=request.headers,
                )
            except InstallRefused as refused:
                page = flask.Response(escape(refused.page_text), refused.status)
                return _with(refused.headers, page)
            return _with(result.headers, flask.make_response(view(result)))

        del redirect_uri.__wrapped__
        return redirect_uri


def _with(headers: Headers, response: Any) -> Any:
    """Add the headers of an install to a response; each cookie has a header of its own."""
    for name, value in headers:
        if name == "Set-Cookie":
            response.headers.add(name, value)
        else:
            response.headers[name] = value
    return response
