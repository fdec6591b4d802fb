"""Pages of the public side: few words, one style sheet, nothing from elsewhere, no script."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, Template, select_autoescape
from starlette.responses import HTMLResponse

from paraph.errors import ParaphError, StorageError, StorageUnavailable, TransportError
from paraph.outgoing.failure import Cause
from paraph.problems import problem_of


@cache
def style() -> str:
    """The one style sheet; its hash stands in the content security policy."""
    return _text("page.css").strip()


@cache
def _template() -> Template:
    environment = Environment(autoescape=select_autoescape(default=True, default_for_string=True))
    return environment.from_string(_text("page.html"))


def _text(name: str) -> str:
    return (files("paraph.service") / "templates" / name).read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Button:
    """The one thing to do on a page; an empty `href` is this same URL again."""

    text: str
    href: str


@dataclass(frozen=True, slots=True)
class Pages:
    """Writes the pages of one app.

    Args:
        app_name: how the app calls itself.
        start: where a person begins again.
    """

    app_name: str
    start: str

    def page(
        self, title: str, *lines: str, button: Button | None = None, status: int = 200
    ) -> HTMLResponse:
        """Any page. Every value is escaped."""
        # The style sheet is ours and must not be escaped; it holds no `</`.
        return HTMLResponse(
            _template().render(
                title=title, lines=lines, button=button, app_name=self.app_name, style=_Style()
            ),
            status_code=status,
        )

    def refused(self) -> HTMLResponse:
        """The one answer to every request that is no answer to a request of ours."""
        return self.page(
            "This did not start here",
            "Zoom's answers are accepted only in the browser in which the installation began, "
            "once, and within ten minutes.",
            "If you have just installed the app, you are done. Otherwise start again.",
            button=Button("Start again", self.start),
            status=400,
        )

    def failed(self, error: ParaphError) -> HTMLResponse:
        """An installation that began well and did not end well."""
        problem = problem_of(error)
        response = self.page(
            "The app was not installed",
            problem.title,
            self._advice(error),
            button=Button("Start again", self.start),
            status=problem.status,
        )
        if problem.status in {429, 503} and _may_pass(error):
            response.headers["retry-after"] = "60"
        return response

    def _advice(self, error: ParaphError) -> str:
        """Advice for the person at the browser; settings and keys are for the operator."""
        if isinstance(error, StorageUnavailable):
            return "Reload this page in a minute. If it then says otherwise, start again."
        if isinstance(error, StorageError):
            return StorageError.default_remedy
        if not isinstance(error, TransportError) or not error.cause:
            return error.remedy
        if _may_pass(error):
            return f"Try again in a few minutes. If it stays, contact {self.app_name}."
        return f"Trying again does not help. Contact {self.app_name}: its settings need a change."

    def press(self) -> HTMLResponse:
        """Instead of starting by itself: whoever sent the browser here may not be its owner."""
        return self.page(
            f"Install {self.app_name}",
            "You will be sent to Zoom to agree.",
            button=Button("Continue to Zoom", ""),
        )


def _may_pass(error: ParaphError) -> bool:
    """False where an operator has to change something first."""
    cause = error.cause if isinstance(error, TransportError) else ""
    return not cause or Cause(cause).may_pass


class _Style:
    def __html__(self) -> str:
        return style()
