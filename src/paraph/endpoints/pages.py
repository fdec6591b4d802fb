"""Pages of the public side: little text, one style sheet, no script, no external resource."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, RedirectResponse, Response

from paraph.errors import (
    Conflict,
    ParaphError,
    ScopesMissing,
    StorageError,
    StorageUnavailable,
    TransportError,
)
from paraph.http.problems import problem_of
from paraph.outgoing.failure import Cause

if TYPE_CHECKING:
    from jinja2 import Template

_MOST_SCOPES = 12
_SCOPE_HELP = (
    "If you left permissions out on Zoom's page, install again and leave every box ticked.",
    "If Zoom did not offer them, ask your Zoom administrator to approve the app with all of them.",
    "If they are missing even then, the developer of the app has to add them to the app at Zoom.",
)


@cache
def style() -> str:
    """Return the one style sheet; the content security policy holds its hash."""
    return _text("page.css").strip()


@cache
def _template(name: str) -> Template:
    # Imported for the first page: a service of which only the webhook is called shows none.
    from jinja2 import Environment, select_autoescape

    environment = Environment(autoescape=select_autoescape(default=True, default_for_string=True))
    return environment.from_string(_text(name))


def _text(name: str) -> str:
    return (files("paraph.endpoints") / "templates" / name).read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Button:
    """The only button of a page; an empty `href` submits to the same URL."""

    text: str
    href: str


@dataclass(frozen=True, slots=True)
class Failure:
    """The text of a page about a failure, and its HTTP status.

    `may_pass` is false if trying again cannot help.
    """

    title: str
    lines: tuple[str, ...]
    status: int
    may_pass: bool = True


@dataclass(frozen=True, slots=True)
class Pages:
    """Writes the pages of one app.

    Args:
        app_name: the app's name as users know it.
        start: the URL where a person starts again.
        is_linked: whether the host confirms every installation, so that no flow ends on our pages.
        after_install: a page of the host that follows an installation; "" for our own page.
        after_failure: a page of the host that follows a refusal by the person; "" for our own.
        confirmation: the URL of the built-in confirmation page; "" if the host has one itself.
    """

    app_name: str
    start: str
    is_linked: bool = False
    after_install: str = ""
    after_failure: str = ""
    confirmation: str = ""

    def page(
        self, title: str, *lines: str, button: Button | None = None, status: int = 200
    ) -> HTMLResponse:
        """Render a page. Every value is escaped."""
        return self.render("page.html", status=status, title=title, lines=lines, button=button)

    def render(self, name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """Render a template. Every value is escaped."""
        # The style sheet is trusted and must not be escaped; it contains no `</`.
        text = _template(name).render(app_name=self.app_name, style=_Style(), **values)
        return HTMLResponse(text, status_code=status)

    def refused_by_person(self, reason: str) -> Response | None:
        """Send the person who refused to the host's own page; None if the host names none.

        Args:
            reason: `access_denied` at Zoom, or `declined` on the confirmation page.
        """
        if not self.after_failure:
            return None
        return RedirectResponse(url_with(self.after_failure, reason=reason), status_code=303)

    def no_cookie(self) -> HTMLResponse:
        """Refuse an authorization response in a browser that holds no cookie of any flow."""
        return self._refused(
            "This did not start here",
            "Zoom's answers are accepted only in the browser in which the installation began, "
            "and this browser holds no cookie of an installation.",
            "The page may have opened in another app or browser, in a private window, or with "
            "cookies blocked. Open Safari, Chrome, Edge or Firefox itself, allow cookies for this "
            f"site, go to {self.app_name} and start again there.",
            self._perhaps_done(),
        )

    def other_flow(self) -> HTMLResponse:
        """Refuse an authorization response in a browser that holds cookies of other flows."""
        return self._refused(
            "This did not start here",
            "Zoom's answers are accepted once, within ten minutes, and only in the browser in "
            "which the installation began. This browser has begun another one.",
            "Finish in the tab in which you began last, or start again.",
            self._perhaps_done(),
        )

    def expired(self) -> HTMLResponse:
        """Refuse the response to a flow of this browser that began too long ago."""
        return self._refused(
            "This took too long",
            "An installation has to be finished within ten minutes.",
            "Start again, and answer Zoom's questions within that time.",
        )

    def used(self) -> HTMLResponse:
        """Refuse the response to a flow of this browser that already got one."""
        if self.is_linked:
            return self._refused(
                "This was already used",
                f"{self.app_name} has received this answer from Zoom, which counts once.",
                f"Continue in {self.app_name}. If Zoom is not connected there, start again.",
            )
        return self._refused(
            "This was already used",
            "Zoom's answer to an installation counts once.",
            self._perhaps_done(),
        )

    def running(self) -> HTMLResponse:
        """Answer a second request while the first one of the same flow is still running."""
        response = self.page(
            "One moment",
            "Zoom's answer has not been processed yet.",
            "Load this page again in a few seconds.",
            button=Button("Load again", ""),
            status=503,
        )
        response.headers["retry-after"] = "3"
        return response

    def _perhaps_done(self) -> str:
        if self.is_linked:
            return f"If {self.app_name} shows Zoom as connected, nothing is left to do."
        return "If you have seen the page that says Installed, nothing is left to do."

    def _refused(self, title: str, *lines: str) -> HTMLResponse:
        return self.page(title, *lines, button=Button("Start again", self.start), status=400)

    def failure_of(self, error: ParaphError) -> Failure:
        """Describe an error to the user; settings and keys are shown to operators only."""
        if isinstance(error, Conflict):
            return Failure("This was already used", _OTHER_FLOW_FINISHED, 400)
        problem = problem_of(error)
        lines = [problem.title]
        if isinstance(error, ScopesMissing):
            lines += [f"Missing: {', '.join(error.missing[:_MOST_SCOPES])}.", *_SCOPE_HELP]
        else:
            lines.append(self._advice(error))
        title = "The app was not installed"
        return Failure(title, tuple(lines), problem.status, may_pass=_may_pass(error))

    def _advice(self, error: ParaphError) -> str:
        if isinstance(error, StorageUnavailable):
            return "Reload this page in a minute. If it then says otherwise, start again."
        if isinstance(error, StorageError):
            return StorageError.default_remedy
        if not isinstance(error, TransportError) or not error.cause:
            return error.remedy
        if _may_pass(error):
            return f"Try again in a few minutes. If it stays, contact {self.app_name}."
        return f"Trying again does not help. Contact {self.app_name}: its settings need a change."

    def failed(self, failure: Failure) -> HTMLResponse:
        """Answer a flow that began well and failed."""
        response = self.page(
            failure.title,
            *failure.lines,
            button=Button("Start again", self.start),
            status=failure.status,
        )
        if failure.may_pass and failure.status in {429, 503}:
            response.headers["retry-after"] = "60"
        return response

    def press(self) -> HTMLResponse:
        """Ask for a click instead of starting: another site may have sent the browser here."""
        return self.page(
            f"Install {self.app_name}",
            "You will be sent to Zoom to agree.",
            button=Button("Continue to Zoom", ""),
        )


def url_with(url: str, **fields: str) -> str:
    """Append parameters to the query of a configured URL."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(fields)}"


_OTHER_FLOW_FINISHED = (
    "Another window has used the link that this installation began with.",
    "Return to the app. If Zoom is not connected there, start again.",
)


def _may_pass(error: ParaphError) -> bool:
    """Return false if an operator has to change something first."""
    cause = error.cause if isinstance(error, TransportError) else ""
    return not cause or Cause(cause).may_pass


class _Style:
    def __html__(self) -> str:
        return style()
