"""Renders the pages for operators: one style sheet, no script, nothing from other sites.

A request that is refused raises `Refusal`, which is shown as a page too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from paraph.admin import moment

if TYPE_CHECKING:
    from jinja2 import Environment

# Pages may load only from their own origin and send forms only to it.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
# Not "no-referrer": with that, browsers send "Origin: null" with forms, and these pages need the
# origin to recognise their own forms.
REFERRER_POLICY = "same-origin"
_MEDIA_TYPES = {"operator.css": "text/css", "icon.svg": "image/svg+xml"}


class Refusal(Exception):
    """A refused request; its page repeats nothing of the request.

    Args:
        status: the HTTP status code.
        title: what happened.
        text: what to do.
        headers: additional response headers.
    """

    def __init__(
        self, status: int, title: str, text: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.title = title
        self.text = text
        self.headers = dict(headers or {})
        super().__init__(title)


def nothing_here() -> Refusal:
    """Build the refusal for an unknown path, event or cursor."""
    return Refusal(404, "There is nothing here", "Check the URL, or begin at the events page.")


@cache
def _environment() -> Environment:
    # Most processes never show a page.
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("paraph.admin", "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        about=moment.about, exact=moment.exact, machine=moment.machine, breakable=_breakable
    )
    return environment


def _breakable(name: str) -> Markup:
    """Allow line breaks between the words of a long name."""
    return Markup().join(Markup("{}<wbr>").format(word) for word in re.split(r"(?<=[._])", name))


def render(name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a template to a page; every value is escaped."""
    return HTMLResponse(_environment().get_template(name).render(**values), status_code=status)


def see_other(path: str) -> Response:
    """Redirect with 303 to one of these pages."""
    return RedirectResponse(path, status_code=303)


def static_file(name: str) -> Response | None:
    """Return a static file; None if there is no such file."""
    media_type = _MEDIA_TYPES.get(name)
    if media_type is None:
        return None
    return Response((files("paraph.admin") / "static" / name).read_bytes(), media_type=media_type)
