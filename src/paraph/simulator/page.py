"""Renders the pages of the simulated Zoom on the server, without external resources."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

# Pages of Zoom's own run no script at all. They have no form-action: after a consent the browser
# continues to the app, and browsers apply that directive to a form's redirects too.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_CONSOLE_POLICY = f"{_POLICY}; script-src 'self'; connect-src 'self'; form-action 'self'"
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    # Not "no-referrer": that makes browsers send "Origin: null" with forms, and the console
    # recognises its own forms by their origin.
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
_CONSOLE_HEADERS = {**_HEADERS, "content-security-policy": _CONSOLE_POLICY}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("paraph.simulator", "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = _prose
    return environment


def _prose(text: str) -> Markup:
    """Render documentation from the code: text in backticks becomes code."""
    pieces = text.split("`")
    return Markup().join(
        Markup("<code>{}</code>").format(piece) if number % 2 else escape(piece)
        for number, piece in enumerate(pieces)
    )


def render(name: str, *, status: int = 200, console: bool = False, **values: Any) -> HTMLResponse:
    """Render a template; every value is escaped.

    Args:
        name: the file in `templates`.
        status: the HTTP status.
        console: whether it is a page of the console; only those may run a script.
        values: the template's variables.
    """
    text = _environment().get_template(name).render(**values)
    headers = _CONSOLE_HEADERS if console else _HEADERS
    return HTMLResponse(text, status_code=status, headers=headers)


def static_file(name: str) -> bytes:
    """Return one of the simulator's own static files."""
    return (files("paraph.simulator") / "static" / name).read_bytes()
