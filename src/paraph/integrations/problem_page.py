"""The page for a call of Zoom that failed, where the host's own code does not handle the error."""

from __future__ import annotations

from html import escape
from http import HTTPStatus

from paraph.errors import (
    BeingDecided,
    NeedsReauthorization,
    NotFound,
    ParaphError,
    PeerUnavailable,
    StorageError,
    TransportError,
)
from paraph.http.problems import problem_of
from paraph.integrations.exchange import WholeResponse
from paraph.logs import get_logger

# For the integrations, not for programs.
__all__: list[str] = []

_log = get_logger("host")

# The person can do something about these.
_TO_CONNECT = (NotFound, NeedsReauthorization)
HANDLED = (*_TO_CONNECT, BeingDecided, PeerUnavailable, StorageError, TransportError)
"""The errors that have such a page. The others are mistakes in the host's code."""


def log_call_error(error: Exception) -> None:
    """Log why a call failed, unless its cause is the state of the person's installation.

    The host's code does not see the error, and neither does the error log of the server.
    """
    if isinstance(error, ParaphError) and not isinstance(error, (*_TO_CONNECT, BeingDecided)):
        _log.warning("call.failed", error_code=error.code, why=error.detail, remedy=error.remedy)


def problem_page(error: ParaphError, connect_url: str) -> WholeResponse:
    """Return the page for one of the errors in `HANDLED`.

    Args:
        error: the error.
        connect_url: the URL that starts an install; a person who has to connect gets a link to it.
    """
    problem = problem_of(error)
    text = "Zoom is not connected." if isinstance(error, NotFound) else problem.title
    page = f"<!doctype html><title>Zoom</title><p>{escape(text)}</p>"
    if isinstance(error, _TO_CONNECT):
        page += f'<p><a href="{escape(connect_url)}">Connect Zoom</a></p>'
    headers = [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")]
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(("Retry-After", "60"))
    return WholeResponse(problem.status, tuple(headers), page.encode())
