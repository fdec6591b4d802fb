"""HTTP messages as values, and the parser of query strings."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes

from paraph.errors import MessageMalformed

MAX_QUERY_BYTES = 4096
# Zoom sends few parameters and sometimes adds two of its own. Parsing one parameter or escape
# costs as much as a hundred other bytes, so their number is checked before they are parsed.
MAX_PARAMETERS = 32
MAX_ESCAPES = 128
# Three times the longest known name: a longer one cannot be a percent-encoded spelling of it.
_LONGEST_NAME = 64
MAX_RESPONSE_BODY_BYTES = 1 << 20

_BROKEN_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
# Codes and states are printable ASCII (RFC 6749 appendix A).
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905 - One line.
# IMF-fixdate, the only form that senders may generate (RFC 9110 section 5.6.7).
_IMF_FIXDATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-9]{2}) (" + "|".join(_MONTHS) + r") ([0-9]{4}) "
    r"([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)


@dataclass(frozen=True, slots=True)
class Request:
    """An outgoing request. Its repr shows the method and the URL, never headers or body."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __repr__(self) -> str:
        return f"Request({self.method} {self.url.partition('?')[0]})"


@dataclass(frozen=True, slots=True)
class Response:
    """An incoming response. Its repr hides the body, which may contain tokens."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __repr__(self) -> str:
        return f"Response({self.status}, <{len(self.body)} bytes>)"

    def header(self, name: str) -> str | None:
        """Return a header by its case-insensitive name; None if it is absent.

        Raises:
            MessageMalformed: the header is repeated.
        """
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        if len(found) > 1:
            raise MessageMalformed(f"the response has the header {name.lower()} more than once")
        return found[0] if found else None

    def date(self) -> int | None:
        """Return the `Date` header in epoch seconds; None if it is absent or invalid."""
        try:
            value = self.header("date")
        except MessageMalformed:
            return None
        return None if value is None else parse_http_date(value)


def parse_http_date(value: str) -> int | None:
    """Parse an IMF-fixdate to epoch seconds; None for anything else (RFC 9110 section 5.6.7)."""
    match = _IMF_FIXDATE.fullmatch(value)
    if match is None:
        return None
    day, month, year, hour, minute, second = match.groups()
    number = _MONTHS.index(month) + 1
    try:
        instant = datetime(
            int(year), number, int(day), int(hour), int(minute), int(second), tzinfo=UTC
        )
    except ValueError:
        return None
    return int(instant.timestamp())


def parse_query(raw_query: bytes, *, once: Collection[str]) -> dict[str, str]:
    """Parse some parameters of a query; unknown ones are ignored (RFC 6749 section 4.1.2).

    Args:
        raw_query: the query as it was in the URL, still encoded.
        once: the names to return; each may occur at most once (section 3.1).

    Raises:
        MessageMalformed: the query exceeds `MAX_QUERY_BYTES`, `MAX_PARAMETERS` or `MAX_ESCAPES`,
            repeats one of `once`, or its value is not percent-encoded printable ASCII.
    """
    if len(raw_query) > MAX_QUERY_BYTES:
        raise MessageMalformed("the query is too long")
    if raw_query.count(b"&") >= MAX_PARAMETERS or raw_query.count(b"%") > MAX_ESCAPES:
        raise MessageMalformed("the query has too many parts")
    found: dict[str, str] = {}
    for piece in raw_query.split(b"&"):
        raw_name, _, raw_value = piece.partition(b"=")
        if len(raw_name) > _LONGEST_NAME:
            continue
        name = _decode_name(raw_name)
        if name not in once:
            continue
        if name in found:
            raise MessageMalformed(f"the query has {name} more than once")
        found[name] = _decode_value(name, raw_value)
    return found


def _decode_name(raw: bytes) -> str:
    # "%63ode" is the name "code", so it counts as a repetition of it.
    return _unquote(raw).decode("latin-1")


def _unquote(raw: bytes) -> bytes:
    # Most values contain no escape, and random requests must cost almost nothing.
    if b"%" in raw or b"+" in raw:
        return unquote_to_bytes(raw.replace(b"+", b" "))
    return raw


def _decode_value(name: str, raw: bytes) -> str:
    if b"%" in raw and _BROKEN_PERCENT.search(raw):
        raise MessageMalformed(f"the query's {name} is not percent-encoded")
    value = _unquote(raw).decode("latin-1")
    # NUL, line breaks and non-ASCII characters are refused before any message contains them.
    if not _PRINTABLE.fullmatch(value):
        raise MessageMalformed(f"the query's {name} is not printable ASCII")
    return value
