"""The Zoom users whom an event concerns, and the resulting decision about the event.

Everything here is a pure function of the event, the app's level and the known state of the users.
The inbox uses it to decide whether an event is kept, and the dispatcher to select installations.
`describe` states both in words without a database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from paraph.zoom.event_table import FAMILIES, UNKNOWN_FAMILY, Places, family_of
from paraph.zoom.events import APP_DEAUTHORIZED, URL_VALIDATION, Event, parse_identifier
from paraph.zoom.named_users import named_users

Level = Literal["user", "account"]

# Different servers of Zoom's measure the times of a grant and of an event.
NEAR_SECONDS = 60
# Zoom's last retry comes 85 minutes after the first attempt, and a delivery may be two hours old
# and five minutes ahead.
LATE_SECONDS = 2 * 3600 + 300


class DropReason(StrEnum):
    """The reason why a verified event is not kept; a label of the metric."""

    OTHER_CLIENT = "other_client"
    REMOVED_ACCOUNT = "removed_account"
    REMOVED_USER = "removed_user"
    OLDER_THAN_GRANT = "older_than_grant"
    UNDATED = "no_event_ts"


class Selection(StrEnum):
    """The rule that selects the installations an event is forwarded with."""

    USERS = "concerned_users"
    ACCOUNT = "account"
    NO_INSTALLATION = "none"


@dataclass(frozen=True, slots=True)
class Concern:
    """The account and the users that an event names.

    Attributes:
        account_id: None where the event names no account.
        user_ids: the concerned users, each once, in the order of the table.
        found_at: the place in the payload where each of them was found.
    """

    account_id: str | None = field(repr=False)
    user_ids: tuple[str, ...] = field(repr=False)
    found_at: tuple[str, ...]


class Standing(NamedTuple):
    """The facts about one user, or one account at account level, that decide about an event.

    Attributes:
        granted_at: when the present grant was given, epoch seconds on Zoom's clock; None: no grant.
        removed_at: when the last removal was recorded, epoch seconds; None: never removed.
    """

    granted_at: int | None = None
    removed_at: int | None = None


@dataclass(frozen=True, slots=True)
class Fate:
    """The decision about an event: kept for these users, or dropped for a reason."""

    user_ids: tuple[str, ...] = field(repr=False)
    dropped: DropReason | None = None


def concerned_users(event: Event) -> tuple[str, ...]:
    """Return the ids of the Zoom users whom an event concerns; empty if it names no user."""
    return tuple(_users_and_places(event))


def concern_of(event: Event) -> Concern:
    """Return the account and the concerned users of an event, and where they were found."""
    found = _users_and_places(event)
    return Concern(event.account_id, tuple(found), tuple(found.values()))


def select(account_id: str | None, user_ids: tuple[str, ...], *, level: Level) -> Selection:
    """Return the rule that selects the installations of an event.

    At account level an event goes to the installation of its account. At user level it goes to
    the installations of the users that it names, or to all of the account if it names no user.
    An event without an account goes to the users that it names.
    """
    if account_id and (level == "account" or not user_ids):
        return Selection.ACCOUNT
    return Selection.USERS if user_ids else Selection.NO_INSTALLATION


def fate_of(
    user_ids: Sequence[str], standing: Mapping[str, Standing], *, event_ts: int | None, now: int
) -> Fate:
    """Decide at user level about an event that names users, at least one of them once removed.

    A user who was removed and has installed again receives events that are not older than the
    present grant. An event without a time is dropped while the removal is recent, because it may be
    a late delivery of the earlier installation.

    Args:
        user_ids: the concerned users.
        standing: facts about those users; a missing user has neither grant nor removal.
        event_ts: epoch milliseconds on Zoom's clock.
        now: epoch seconds.
    """
    reasons: set[DropReason] = set()
    installed, kept = False, []
    for user_id in user_ids:
        one = standing.get(user_id, Standing())
        reason = refusal_of(one, event_ts=event_ts, now=now)
        if reason is None:
            kept.append(user_id)
            installed = installed or one.granted_at is not None
        else:
            reasons.add(reason)
    if installed or not reasons:
        return Fate(tuple(kept))
    for reason in (DropReason.OLDER_THAN_GRANT, DropReason.UNDATED):
        if reason in reasons:
            return Fate((), reason)
    return Fate((), DropReason.REMOVED_USER)


def refusal_of(standing: Standing, *, event_ts: int | None, now: int) -> DropReason | None:
    """Return why an event is no longer for this user; None if it is, or may be.

    Args:
        standing: the user's present grant and last removal.
        event_ts: the time of the event at Zoom, in epoch milliseconds.
        now: epoch seconds.
    """
    granted_at, removed_at = standing
    if removed_at is None:
        return None
    if granted_at is None:
        return DropReason.REMOVED_USER
    if event_ts is None:
        return DropReason.UNDATED if now - removed_at < LATE_SECONDS else None
    is_older = event_ts < (granted_at - NEAR_SECONDS) * 1000
    return DropReason.OLDER_THAN_GRANT if is_older else None


def describe(event: Event, *, level: Level) -> tuple[str, ...]:
    """Describe in sentences which account and users an event names, and how it is handled.

    The database is not read, so conditions are stated as conditions.

    The sentences contain ids of the event: show them only to a person who holds its body.
    """
    if event.name == URL_VALIDATION:
        return ("A URL validation challenge: answered at once and not kept.",)
    if event.name == APP_DEAUTHORIZED:
        return ("A deauthorization: carried out by paraph and not forwarded as an event.",)
    concern = concern_of(event)
    account = concern.account_id or "none in the payload"
    users = ", ".join(
        f"{user_id} (payload.{place})"
        for user_id, place in zip(concern.user_ids, concern.found_at, strict=True)
    )
    return (
        f"Account: {account}.",
        f"Concerned users: {users or 'the event names no user'}.",
        _RECIPIENTS[select(concern.account_id, concern.user_ids, level=level)],
        *_conditions(concern, level),
    )


_RECIPIENTS = {
    Selection.USERS: (
        "Forwarded with the installations of the concerned users; with an empty list where none of"
        " them has one that works."
    ),
    Selection.ACCOUNT: (
        "Forwarded with the installations of the account; with an empty list where none of them"
        " works."
    ),
    Selection.NO_INSTALLATION: (
        "Forwarded with an empty list of installations: the event names neither an account nor a"
        " user."
    ),
}


def _conditions(concern: Concern, level: Level) -> Iterator[str]:
    if concern.account_id:
        yield (
            "Dropped and counted as removed_account if the app was removed from the account; kept"
            " and forwarded with an empty list if the account never installed it."
        )
    if concern.user_ids and (level == "user" or not concern.account_id):
        yield (
            "Dropped and counted as removed_user if a concerned user was removed and none has the"
            " app installed; as older_than_grant or no_event_ts if the event is of the time before"
            " a new installation."
        )


class _Branch(NamedTuple):
    """One member of an object on the path to the places of a family.

    Attributes:
        key: the member's name.
        only: a member and the value that it must have.
        path: the place that ends here.
        below: the members further down.
    """

    key: str
    only: tuple[str, str] | None
    path: str | None
    below: tuple[_Branch, ...]


def _branches(paths: Iterable[tuple[str, Sequence[str]]]) -> tuple[_Branch, ...]:
    """Build a tree of places, so that a payload is searched once: every event passes here."""
    grouped: dict[str, list[tuple[str, Sequence[str]]]] = {}
    for path, parts in paths:
        grouped.setdefault(parts[0], []).append((path, parts[1:]))
    found = []
    for part, rest in grouped.items():
        key, _, condition = part.partition("[")
        name, _, value = condition.removeprefix("]").strip("[]").partition("=")
        ends = [path for path, parts in rest if not parts]
        found.append(
            _Branch(
                key,
                (name, value) if name else None,
                ends[0] if ends else None,
                _branches([one for one in rest if one[1]]),
            )
        )
    return tuple(found)


def _tree(paths: Iterable[str]) -> tuple[_Branch, ...]:
    return _branches([(path, path.split(".")) for path in paths])


def _trees(places: Places) -> _Trees:
    return _Trees(_tree(places.users), _tree(places.otherwise), places.closed)


class _Trees(NamedTuple):
    """The places of one family."""

    users: tuple[_Branch, ...]
    otherwise: tuple[_Branch, ...]
    closed: bool


_UNKNOWN = _trees(UNKNOWN_FAMILY)
_BY_FAMILY = {family: _trees(places) for family, places in FAMILIES.items()}


def _users_and_places(event: Event) -> dict[str, str]:
    found: dict[str, str] = {}
    users, otherwise, closed = _BY_FAMILY.get(family_of(event.name), _UNKNOWN)
    _walk(event.payload, users, found)
    if not found and not closed:
        for place, value in named_users(event.payload):
            _note(value, place, found)
    if not found:
        _walk(event.payload, otherwise, found)
    return found


def _walk(node: Mapping[str, Any], tree: tuple[_Branch, ...], found: dict[str, str]) -> None:
    for branch in tree:
        value = node.get(branch.key)
        if value is None:
            continue
        # One object instead of a list of objects, and the reverse, is read alike.
        for one in value if isinstance(value, list) else (value,):
            _arrive(one, branch, found)


def _arrive(value: object, branch: _Branch, found: dict[str, str]) -> None:
    _, only, path, below = branch
    if path is not None:
        _note(value, path, found)
    if isinstance(value, dict) and (only is None or str(value.get(only[0], "")).lower() == only[1]):
        _walk(value, below, found)


def _note(value: object, path: str, found: dict[str, str]) -> None:
    user_id = parse_identifier(value)
    # An e-mail or a chat address is never a user id.
    if user_id is not None and "@" not in user_id:
        found.setdefault(user_id, path)
