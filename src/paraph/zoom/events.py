"""Events: the parsed content of a verified delivery.

Only a `VerifiedDelivery` can be parsed, so this module never sees bytes that Zoom did not sign. The
JSON is read strictly all the same: duplicate names, NaN, a byte order mark and deep nesting are
refused (RFC 8259). A signature identifies the sender and does not make the content safe.

Parsing is strict where a field decides something, and lenient where it only informs. The name, the
type of the payload and the ids of a deauthorization are required. An invalid `event_ts` or
`account_id` becomes `None`. Zoom itself prints `event_ts` as a number, as a string of digits and as
a date, at the top and inside the payload. It never resends a delivery that was refused with a 4xx.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from paraph.errors import EventInvalid, MessageMalformed
from paraph.strict_json import parse_json_object
from paraph.zoom.event_table import ACCOUNT_KEYS
from paraph.zoom.webhook_verification import CHALLENGE_TOKEN, VerifiedDelivery

APP_DEAUTHORIZED = "app_deauthorized"
URL_VALIDATION = "endpoint.url_validation"

_MAX_DEPTH = 32
_NAME = re.compile(r"[a-zA-Z0-9_.]{1,100}")
_MILLISECONDS = re.compile(r"[0-9]{13}")
# Zoom's ids are 22 characters of base64url today; older and meeting ids have `+`, `/` and `=`, and
# the documentation prints one with `!`. The only requirement is that a database, a log and a
# header can carry the id: printable ASCII without the space.
_IDENTIFIER = re.compile(r"[\x21-\x7e]{1,64}")

# RFC 3339 section 5.6 with the offset written either way. datetime.fromisoformat alone would also
# accept week dates, missing times and times without a zone, which name no instant.
_DATE_TIME = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt](?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(?:\.[0-9]{1,9})?(?:[Zz]|(?P<sign>[+-])(?P<hours>[0-9]{2}):?(?P<minutes>[0-9]{2}))",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Event:
    """The content of one delivery.

    Attributes:
        name: such as `meeting.ended`.
        event_ts: when it happened at Zoom, epoch **milliseconds**; None if missing or unreadable.
        account_id: the Zoom account that it names, if any. Zoom's rules make it personal data,
            so it is not in the repr.
        payload: the event's own fields, only checked to be JSON.
    """

    name: str
    event_ts: int | None
    account_id: str | None = field(repr=False)
    payload: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class AppDeauthorized:
    """A user, or an account's administrator, removed the app.

    Attributes:
        client_id: which of our clients; development and production differ.
        account_id, user_id: the removed user. In an account-level app: the user who removed it.
        deauthorization_time: epoch seconds on Zoom's clock, None when absent or unreadable.
        user_data_retention: true only if Zoom said explicitly that data may be kept.
    """

    client_id: str
    account_id: str = field(repr=False)
    user_id: str = field(repr=False)
    deauthorization_time: int | None
    user_data_retention: bool


def parse_event(delivery: VerifiedDelivery) -> Event:
    """Parse the event in a verified delivery.

    Raises:
        EventInvalid: the body is not a strict JSON object of at most 32 levels. Or `event` is not a
            name of 1 to 100 letters, digits, `_` and `.`, or `payload` is not an object.
    """
    return parse_kept_event(delivery.body)


def parse_kept_event(body: bytes) -> Event:
    """Parse the event in a stored body; its seal proves that it was verified when it arrived.

    Raises:
        EventInvalid: as for `parse_event`.
    """
    try:
        content = parse_json_object(body, max_depth=_MAX_DEPTH)
    except MessageMalformed as error:
        raise EventInvalid(f"the body is not a strict JSON object: {error.detail}") from error
    name = content.get("event")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise EventInvalid("`event` is not a name of 1 to 100 letters, digits, _ and .")
    payload = content.get("payload", {})
    if not isinstance(payload, dict):
        raise EventInvalid("`payload` is not an object")
    return Event(
        name=name,
        event_ts=_first_milliseconds(content.get("event_ts"), payload.get("event_ts")),
        account_id=parse_account_id(payload),
        payload=payload,
    )


def parse_identifier(value: object) -> str | None:
    """Return the value itself if it is an identifier: 1 to 64 printable ASCII characters.

    Nothing is trimmed, folded or normalised: two spellings are two accounts. Anything else,
    including a number or an empty string, gives `None`, whose meaning the caller decides.
    """
    if isinstance(value, str) and _IDENTIFIER.fullmatch(value):
        return value
    return None


def parse_account_id(payload: Mapping[str, Any]) -> str | None:
    """Return the Zoom account that a payload names; None without one."""
    for key in ACCOUNT_KEYS:
        if account_id := parse_identifier(payload.get(key)):
            return account_id
    return None


def parse_app_deauthorized(event: Event) -> AppDeauthorized:
    """Parse an `app_deauthorized` event, in every form that Zoom has sent.

    `payload.signature` is an internal value of Zoom's and is ignored.

    Raises:
        EventInvalid: another event, or one of the three ids is missing. An event that may concern
            a different installation must delete nothing.
    """
    _demand_name(event, APP_DEAUTHORIZED)
    payload = event.payload
    retention = payload.get("user_data_retention")
    return AppDeauthorized(
        client_id=_demand_identifier(payload, "client_id"),
        account_id=_demand_identifier(payload, "account_id"),
        user_id=_demand_identifier(payload, "user_id"),
        deauthorization_time=parse_date_time(payload.get("deauthorization_time")),
        # Zoom once sent the strings "true" and "false", and sends null today. Only an explicit
        # yes keeps data: "false" is a true value in Python, and absence is not permission.
        user_data_retention=retention is True or retention == "true",
    )


def parse_url_validation(event: Event) -> str:
    """Return the plain token of an `endpoint.url_validation` challenge.

    Raises:
        EventInvalid: another event, or the token is not 8 to 128 letters, digits, `_` or `-`. The
            alphabet has no colon, which keeps challenges and signed deliveries apart.
    """
    _demand_name(event, URL_VALIDATION)
    token = event.payload.get("plainToken")
    if not isinstance(token, str) or not CHALLENGE_TOKEN.fullmatch(token):
        raise EventInvalid("`plainToken` is not 8 to 128 letters, digits, _ or -")
    return token


def parse_date_time(value: object) -> int | None:
    """Parse an RFC 3339 date-time to epoch seconds without fractions; None for anything else."""
    match = _DATE_TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    try:
        offset = timedelta(hours=int(match["hours"] or 0), minutes=int(match["minutes"] or 0))
        zone = timezone(-offset if match["sign"] == "-" else offset)
        instant = datetime.fromisoformat(f"{match['date']}T{match['time']}").replace(tzinfo=zone)
        return int((instant - _EPOCH).total_seconds())
    except (ValueError, OverflowError):
        # Right digits, but no such time: the thirtieth of February, hour 25, an offset of 99 hours.
        return None


def _first_milliseconds(*values: object) -> int | None:
    """Return the first value in epoch milliseconds: a JSON number, or thirteen digits as text."""
    for value in values:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**13:
            return value
        if isinstance(value, str) and _MILLISECONDS.fullmatch(value):
            return int(value)
    return None


def _demand_name(event: Event, name: str) -> None:
    if event.name != name:
        raise EventInvalid(f"this is {event.name}, not {name}")


def _demand_identifier(payload: Mapping[str, Any], key: str) -> str:
    identifier = parse_identifier(payload.get(key))
    if identifier is None:
        raise EventInvalid(f"`payload.{key}` is not an identifier")
    return identifier
