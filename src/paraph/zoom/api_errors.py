"""What the REST API means when it says no.

Errors are `{"code": int, "message": text}`. The codes do not tell the cases apart: 124 and 4711 and
201 all came with the text of a missing scope, 124 both with an expired and with a revoked access
token. So the message text and the HTTP status decide, and whatever they do not tell is REFUSED.

Source: developers.zoom.us/docs/api/errors and /docs/api/rate-limits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum, auto
from itertools import takewhile

from paraph.errors import MessageMalformed, PeerUnavailable, ResourceErrorResponse
from paraph.oauth.messages import Response
from paraph.oauth.strict_json import parse_json_object
from paraph.zoom.events import parse_date_time
from paraph.zoom.token_errors import MEANINGS

_MAX_DEPTH = 8
_LONGEST_WAIT = 2 * 86_400
"""Seconds. Daily limits reset within a day; a longer wait is nonsense and is not believed."""

_SECONDS = re.compile(r"[0-9]{1,10}")
_COUNT = re.compile(r"[0-9]{1,12}")
_CATEGORY = re.compile(r"[A-Za-z-]{1,40}")
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
# The library's own parser of dates is too generous: it fills in what is missing.
_HTTP_DATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?P<day>[0-9]{2}) "
    rf"(?P<month>{_MONTHS.replace(' ', '|')}) (?P<year>[0-9]{{4}}) "
    r"(?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2}) GMT",
)
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
    """What an answer of the resource server means for the caller."""

    ACCESS_TOKEN_INVALID = auto()
    """Revoked, superseded or not ours: one refresh decides."""
    ACCESS_TOKEN_EXPIRED = auto()
    """One refresh mends it."""
    SCOPE_MISSING = auto()
    """The grant does not cover this; only a new consent helps."""
    RATE_LIMITED = auto()
    """Later, at a time that may be known."""
    NOT_FOUND = auto()
    """No such thing, or not visible to this user."""
    REFUSED = auto()
    """Anything else that asking again does not mend."""
    UNAVAILABLE = auto()
    """The server failed; later, perhaps."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What the headers say about the limits of the account, which all its apps share.

    Attributes:
        category: Light, Medium, Heavy or Resource-intensive.
        type: QPS or Daily-limit.
        limit, remaining: requests.
        retry_at: epoch seconds before which it is pointless to ask again.
    """

    category: str | None
    type: str | None
    limit: int | None
    remaining: int | None
    retry_at: float | None


def kind_of_answer(response: Response) -> ApiErrorKind:
    """What an answer with any status but 2xx means."""
    code, message = _read_body(response)
    return _kind(response.status, code, message.lower())


def classify_api_error(
    response: Response,
    *,
    now: float,
) -> ResourceErrorResponse | PeerUnavailable:
    """The error that stands for this answer; it is built here and raised by the caller.

    Args:
        response: any status but 2xx.
        now: epoch seconds, for a wait that is given as a number of seconds.

    Returns:
        PeerUnavailable for 429 and 5xx, with the time to ask again if it was given. Otherwise a
        ResourceErrorResponse, whose detail names Zoom's code and the missing scopes, and never the
        message itself: it may quote an e-mail address or whatever the request held.
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
    """The rate limit headers, or None when there are none.

    Three styles of "when": X-RateLimit-Reset in epoch seconds (limits per second and minute),
    Retry-After as an ISO 8601 date-time (daily limits, against RFC 9110 section 10.2.3), and
    Retry-After as RFC 9110 has it, seconds or an HTTP-date, from proxies in between. With two of
    them the later counts. A time in the past means now; one beyond two days is not believed.
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
    """`text` is the message in lower case; the order of the lines matters."""
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
        # The request is at fault here, not the access token; a refresh would change nothing.
        if "not supported as query parameter" in text:
            return ApiErrorKind.REFUSED
        # RFC 6750 section 3.1: 401 is the status of a token that does not hold. Zoom's numbers of
        # a dead grant mean the same, such as 4735: the administrator who installed the app left.
        if status == 401 or str(code) in MEANINGS or text.startswith("invalid access token"):
            return ApiErrorKind.ACCESS_TOKEN_INVALID
    return ApiErrorKind.REFUSED


def _read_body(response: Response) -> tuple[int | None, str]:
    """Zoom's code and message; nothing of either when a proxy answered with a page of its own."""
    try:
        content = parse_json_object(response.body, max_depth=_MAX_DEPTH)
    except MessageMalformed:
        return None, ""
    code, message = content.get("code"), content.get("message")
    usable = isinstance(code, int) and not isinstance(code, bool) and abs(code) < 10**9
    return code if usable else None, message if isinstance(message, str) else ""


def _read_header(response: Response, name: str) -> str | None:
    """A header, or None also when it stands there twice: the refusal counts, not its trimmings."""
    try:
        return response.header(name)
    except MessageMalformed:
        return None


def _missing_scopes(message: str) -> list[str]:
    """The scopes that a message names, in whichever way it lists them."""
    for match in _SCOPE_LIST.finditer(message.replace("&quot;", '"')):
        bracket, listed = match.groups()
        words = [word.rstrip(".:") for word in _BETWEEN_SCOPES.split(listed) if word.strip(".:-")]
        words = [word for word in words if word not in {"or", "and"}]
        # Without brackets a sentence may follow, whose words have no colon.
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
    return _believe(_parse_http_date(value), now)


def _parse_http_date(value: str) -> float | None:
    """Epoch seconds of an HTTP-date in today's format (RFC 9110 section 5.6.7), else None."""
    match = _HTTP_DATE.fullmatch(value)
    if match is None:
        return None
    month = f"{_MONTHS.index(match['month']) // 4 + 1:02}"
    return parse_date_time(f"{match['year']}-{month}-{match['day']}T{match['time']}Z")


def _believe(instant: float | None, now: float) -> float | None:
    if instant is None or instant > now + _LONGEST_WAIT:
        return None
    return max(instant, now)


def _parse_word(value: str | None) -> str | None:
    return value if value is not None and _CATEGORY.fullmatch(value) else None


def _parse_count(value: str | None) -> int | None:
    return int(value) if value is not None and _COUNT.fullmatch(value) else None
