"""Problem documents (RFC 9457): the management API's form of an error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from starlette.responses import JSONResponse

from paraph import errors
from paraph.http.problems import Problem, problem_of
from paraph.lifecycle.context import Context
from paraph.logs import get_logger

MEDIA_TYPE = "application/problem+json"

MALFORMED = Problem(
    422,
    "malformed",
    "The request does not have the documented shape.",
    "Compare it with the OpenAPI document.",
)
TOO_LONG = Problem(413, "too_long", "The body is too long.", "Send less.")
TOO_SLOW = Problem(
    408,
    "too_slow",
    "The body did not arrive in time.",
    "Send the whole body at once, in a new request.",
)
NOTHING = Problem(
    404, "not_found", "There is nothing here.", "Compare the call with the documentation."
)
METHOD = Problem(
    405,
    "method",
    "This URL does not support the method.",
    "Compare the call with the documentation.",
)
UNEXPECTED = Problem(500, "error", "Something went wrong.", "Try again; look at the log.")

_log = get_logger("api")


class Problems:
    """Builds problem documents.

    Args:
        context: names the reauthorize URL and the time.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def of(self, error: errors.ParaphError) -> JSONResponse:
        """Build the document of an error, with the members that a program needs to continue.

        An error of the service itself is logged.
        """
        more: dict[str, Any] = {}
        headers: dict[str, str] = {}
        if isinstance(error, errors.ApiKeyMissing):
            headers["www-authenticate"] = "Bearer"
        elif isinstance(error, errors.NeedsReauthorization):
            more = {"reason": error.reason, **self._context.reauthorization()}
        elif isinstance(error, errors.LinkConflict):
            more = {"replaces": [asdict(one) for one in error.replaces]}
        elif isinstance(error, errors.PeerUnavailable) and error.retry_at is not None:
            headers["retry-after"] = str(max(0, math.ceil(error.retry_at - self._context.clock())))
        elif error.retry_after is not None:
            headers["retry-after"] = str(error.retry_after)
        problem = problem_of(error)
        if problem.status >= 500:
            _log.error("api.failed", error_code=error.code, why=error.detail)
        return problem_response(problem, headers=headers, more=more)


def problem_response(
    problem: Problem,
    *,
    remedy: str = "",
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> JSONResponse:
    """Build a problem document.

    Args:
        problem: the kind of problem.
        remedy: replaces the problem's own remedy.
        headers: sent with it.
        more: extension members.
    """
    content = {
        "type": "about:blank",
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        "remedy": remedy or problem.remedy,
        **(more or {}),
    }
    return JSONResponse(content, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)
