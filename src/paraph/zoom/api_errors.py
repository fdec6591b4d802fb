"""Classifies error responses of Zoom's REST API.

Errors are `{"code": int, "message": text}`. The codes do not distinguish the cases: 124, 4711 and
201 all came with the text of a missing scope, and 124 came both with an expired and with a revoked
access token. So the message text and the HTTP status decide, and everything else is REFUSED.

Source: developers.zoom.us/docs/api/errors and /docs/api/rate-limits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum, auto
from itertools import takewhile

from paraph.errors import MessageMalformed, PeerUnavailable, ResourceErrorResponse
from paraph.oauth.messages import Response, parse_http_date
from paraph.strict_json import parse_json_object
from paraph.zoom.events import parse_date_time

# The documented meanings of Zoom's error numbers for a dead grant. A user who is asked to install
# again should learn why.
GRANT_ERRORS = {
    "4735": "the Zoom user that the token belongs to no longer exists",
    "4737": "the refresh token was not found; the app must be authorized again",
    "4738": "the token was disabled by an administrator of the Zoom account",
    "4740": "the refresh token was used more often than Zoom tolerates",
    "4741": "the token was revoked by a later authorization",
}
_GRANT_ERROR = re.compile(r"Zoom error ([0-9]{4})")
_MAX_DEPTH = 8
_LONGEST_WAIT = 2 * 86_400
"""Seconds. Daily limits reset within a day; a longer wait is a mistake and is ignored."""

_SECONDS = re.compile(r"[0-9]{1,10}")
_COUNT = re.compile(r"[0-9]{1,12}")
_CATEGORY = re.compile(r"[A-Za-z-]{1,40}")
_LACKS_SCOPES = re.compile(r"does not contain (?:[a-z]{1,9} ){0,4}scope")
# `scopes:[a, b]`, `scopes:["a","b"]` (devforum.zoom.us thread 111305), and without brackets. The
# list ends with a bracket or the message, so that no half of another word is taken for a scope.
_SCOPE_LIST = re.compile(
    r"""scopes?['"]?\s*[:=]?\s*([\[({]?)([a-z0-9_:*.,;|\[\s'"`\\\u2018-\u201d-]{1,1000})(?=[\])}]|\Z)""",
    re.ASCII | re.IGNORECASE,
)
_SCOPE = re.compile(r"[a-z][a-z0-9_]*(?:[:.-][a-z0-9_*-]+)*", re.ASCII | re.IGNORECASE)
_SCOPE_WITH_COLON = re.compile(rf"(?=[^:]*:){_SCOPE.pattern}", _SCOPE.flags)
_BETWEEN_SCOPES = re.compile(r"""[,;|\[\s'"`\\\u2018-\u201d]+""")


class ApiErrorKind(StrEnum):
    """The meaning of a response of the resource server for the caller."""

    ACCESS_TOKEN_INVALID = auto()
    """Revoked, superseded or foreign: one refresh decides."""
    ACCESS_TOKEN_EXPIRED = auto()
    """One refresh gets a valid one."""
    SCOPE_MISSING = auto()
    """The grant does not cover the call; only a new consent helps."""
    RATE_LIMITED = auto()
    """Try later; the time may be known."""
    NOT_FOUND = auto()
    """The resource does not exist, or is not visible to this user."""
    REFUSED = auto()
    """Any other error that a second attempt does not change."""
    UNAVAILABLE = auto()
    """The server failed; a later attempt may succeed."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The rate limits of the account, which all its apps share, as the headers report them.

    Attributes:
        category: Light, Medium, Heavy or Resource-intensive.
        type: QPS or Daily-limit.
        limit, remaining: numbers of requests.
        retry_at: epoch seconds before which a new attempt is pointless.
    """

    category: str | None
    type: str | None
    limit: int | None
    remaining: int | None
    retry_at: float | None


def kind_of_response(response: Response) -> ApiErrorKind:
    """Classify a response with any status but 2xx."""
    code, message = _read_body(response)
    return _kind(response.status, code, message.lower())


def explain_grant_error(detail: str) -> str:
    """Return the reason of a refusal, with the meaning of its number if that is documented.

    Only the number of Zoom's error text was kept, because the text repeats the refused value.

    Args:
        detail: the detail of the error, such as "Zoom error 4741".
    """
    found = _GRANT_ERROR.fullmatch(detail)
    meaning = GRANT_ERRORS.get(found[1]) if found else None
    return f"{found[1]}: {meaning}" if found and meaning else detail


def classify_api_error(
    response: Response,
    *,
    now: float,
) -> ResourceErrorResponse | PeerUnavailable:
    """Build the error for a response; the caller raises it.

    Args:
        response: a response with any status but 2xx.
        now: epoch seconds, for a wait that is given as a number of seconds.

    Returns:
        `PeerUnavailable` for 429 and 5xx, with the time of the next attempt if it was given. Else a
        `ResourceErrorResponse`, whose detail names Zoom's code and the missing scopes. It never
        holds the message itself, which may quote an e-mail address or other parts of the request.
    """
    code, message = _read_body(response)
    kind = _kind(response.status, code, message.lower())
    if kind in (ApiErrorKind.RATE_LIMITED, ApiErrorKind.UNAVAILABLE):
        limits = parse_rate_limit(response, now=now)
        return PeerUnavailable(response.status, limits.retry_at if limits else None)
    detail = f"the resource server answered {response.status} ({kind})"
    if code is not None:
        detail += f", code {code}"
    if kind is ApiErrorKind.SCOPE_MISSING and (scopes := _missing_scopes(message)):
        detail += f", missing: {' '.join(scopes)}"
    return ResourceErrorResponse(response.status, kind, detail)


def parse_rate_limit(response: Response, *, now: float) -> RateLimit | None:
    """Parse the rate limit headers; None without any.

    The time comes in three forms. X-RateLimit-Reset has epoch seconds (limits per second and
    minute). Retry-After is an ISO 8601 date-time for daily limits, against RFC 9110 section 10.2.3.
    From proxies it is seconds or an HTTP-date, as RFC 9110 has it. With two of them the later one
    counts. A time in the past means now; one beyond two days is ignored.

    Args:
        response: a response with any status.
        now: epoch seconds.
    """
    category = _read_header(response, "x-ratelimit-category")
    kind = _read_header(response, "x-ratelimit-type")
    limit = _read_header(response, "x-ratelimit-limit")
    remaining = _read_header(response, "x-ratelimit-remaining")
    reset = _read_header(response, "x-ratelimit-reset")
    retry_after = _read_header(response, "retry-after")
    if all(header is None for header in (category, kind, limit, remaining, reset, retry_after)):
        return None
    times = [_parse_reset(reset, now), _parse_retry_after(retry_after, now)]
    known = [time for time in times if time is not None]
    return RateLimit(
        category=_parse_word(category),
        type=_parse_word(kind),
        limit=_parse_count(limit),
        remaining=_parse_count(remaining),
        retry_at=max(known) if known else None,
    )


def _kind(status: int, code: int | None, text: str) -> ApiErrorKind:
    """Classify by status, code and message in lower case; the order of the checks matters."""
    if status == 429:
        return ApiErrorKind.RATE_LIMITED
    if status >= 500:
        return ApiErrorKind.UNAVAILABLE
    if status == 404:
        return ApiErrorKind.NOT_FOUND
    if status in (400, 401, 403):
        # "Invalid access token, does not contain scopes:[…]" is about scopes, so it comes first.
        if _LACKS_SCOPES.search(text):
            return ApiErrorKind.SCOPE_MISSING
        if re.search(r"access token (is|has) expired", text):
            return ApiErrorKind.ACCESS_TOKEN_EXPIRED
        # The request is at fault, not the access token; a refresh would change nothing.
        if "not supported as query parameter" in text:
            return ApiErrorKind.REFUSED
        # RFC 6750 section 3.1: 401 is the status of an invalid token. Zoom's numbers of a dead
        # grant mean the same, such as 4735: the administrator who installed the app left.
        if status == 401 or str(code) in GRANT_ERRORS or text.startswith("invalid access token"):
            return ApiErrorKind.ACCESS_TOKEN_INVALID
    return ApiErrorKind.REFUSED


def _read_body(response: Response) -> tuple[int | None, str]:
    """Return Zoom's code and message; neither if a proxy sent its own page."""
    try:
        content = parse_json_object(response.body, max_depth=_MAX_DEPTH)
    except MessageMalformed:
        return None, ""
    code, message = content.get("code"), content.get("message")
    usable = isinstance(code, int) and not isinstance(code, bool) and abs(code) < 10**9
    return code if usable else None, message if isinstance(message, str) else ""


def _read_header(response: Response, name: str) -> str | None:
    """Return a header; None if it is missing or repeated. The status is enough to refuse."""
    try:
        return response.header(name)
    except MessageMalformed:
        return None


def _missing_scopes(message: str) -> list[str]:
    """Return the scopes that a message names, in any of its list formats."""
    for match in _SCOPE_LIST.finditer(message.replace("&quot;", '"')):
        bracket, listed = match.groups()
        words = [word.rstrip(".:") for word in _BETWEEN_SCOPES.split(listed) if word.strip(".:-")]
        words = [word for word in words if word not in {"or", "and"}]
        # Without brackets a sentence may follow the list; its words have no colon.
        scope = _SCOPE if bracket else _SCOPE_WITH_COLON
        if found := list(dict.fromkeys(takewhile(scope.fullmatch, words))):
            return found[:10]
    return []


def _parse_reset(value: str | None, now: float) -> float | None:
    if value is None or not _SECONDS.fullmatch(value):
        return None
    return _believe(int(value), now)


def _parse_retry_after(value: str | None, now: float) -> float | None:
    if value is None:
        return None
    if _SECONDS.fullmatch(value):
        return _believe(now + int(value), now)
    instant = parse_date_time(value)
    if instant is not None:
        return _believe(instant, now)
    return _believe(parse_http_date(value), now)


def _believe(instant: float | None, now: float) -> float | None:
    if instant is None or instant > now + _LONGEST_WAIT:
        return None
    return max(instant, now)


def _parse_word(value: str | None) -> str | None:
    return value if value is not None and _CATEGORY.fullmatch(value) else None


def _parse_count(value: str | None) -> int | None:
    return int(value) if value is not None and _COUNT.fullmatch(value) else None
