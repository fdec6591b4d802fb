"""The database-independent part of inserting events: columns, rows, decisions, outcomes.

Each statement sets the constant columns `notice`, `attempts` and `failure` itself.

A batch asks which of its marks stand for a removal. Almost always there is no removal, and every
event is kept. The signature proves that an event is for this app, even if its account never
installed the app. Only a batch with an event of a removed user or account also reads their grants.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from msgspec.structs import replace

from paraph.errors import ParaphError, SealBroken, UnknownEncryptionKey
from paraph.logs import get_logger
from paraph.model.event import KeptEvent, Outcome
from paraph.sealing.data_key import Owner
from paraph.sealing.row import Sealing
from paraph.storage.event_tables import EventTables, arrival_position
from paraph.storage.hot_reads.data_key_lookup import Keys
from paraph.storage.stores.events.event_columns import BODY, column_of
from paraph.storage.stores.events.event_keys import sealed_for_column
from paraph.zoom.concerned_users import DropReason, Fate, Standing, fate_of, refusal_of

_log = get_logger("storage")

COLUMNS = (
    "event_id, name, received_at, body, account_id, user_id, urgent, next_attempt_at, arrival,"
    " trace, status, handed_on_at, signed_at, concerned"
)
# More columns of the table that is keyed by time.
BY_TIME_COLUMNS = "position, event_ts, sealed_for"
# Data keys that this process has reported; from this number on it begins again.
MOST_REPORTED = 256
_reported: set[str] = set()


def columns_of(tables: EventTables) -> str:
    """Return the columns of a row, in the order of `rows_of`."""
    return f"{COLUMNS}, {BY_TIME_COLUMNS}" if tables.are_by_time else COLUMNS


def duplicate_key_of(tables: EventTables) -> str:
    """Return the unique columns by which a repeated delivery is recognised."""
    return "event_ts, event_id" if tables.are_by_time else "event_id"


class GrantTime(NamedTuple):
    """One grant, and when it was issued: epoch seconds, on Zoom's clock if known."""

    account_id: str
    user_id: str
    granted_at: int


@dataclass(frozen=True, slots=True)
class Decided:
    """The events of a batch to insert, and the outcomes of dropped ones by index in the batch."""

    events: Sequence[KeptEvent]
    dropped: Mapping[int, Outcome]


class Assumed(NamedTuple):
    """An owner, and the id of the data key that seals for them; None: there is no key."""

    account_id: str
    user_id: str
    key_id: str | None


def assumed_keys(owners: Sequence[tuple[str, str]], keys: Keys) -> list[Assumed]:
    """Return what the insert of a batch has to check."""
    found = ((owner, keys.get(owner)) for owner in owners)
    return [Assumed(*owner, None if key is None else key.key_id) for owner, key in found]


def owners_in(events: Sequence[KeptEvent], tables: EventTables) -> list[tuple[str, str]]:
    """Return the owners of the events of a batch, each once; none where no data key seals."""
    # Replicas of version 0.1 read the other table, and open no such body.
    return sorted({one for event in events for one in event.owners}) if tables.are_by_time else []


def rows_of(
    events: Sequence[KeptEvent],
    sealing: Sealing,
    tables: EventTables,
    keys: Keys,
    attempt: int = 0,
) -> list[tuple[Any, ...]]:
    """Build a sealed row for each event. Of two with one id the later one stays.

    The columns are those of `columns_of`.

    Args:
        events: the batch.
        sealing: seals the bodies.
        tables: the tables of events.
        keys: the data keys of the owners of the batch (`owners_in`).
        attempt: another one chooses other positions.
    """
    rows = {}
    for event in events:
        body, sealed_for = _seal_body(event, sealing, keys)
        rows[event.event_id] = (
            event.event_id,
            event.name,
            event.received_at,
            body,
            event.account_id,
            event.user_id,
            event.urgent,
            event.next_attempt_at,
            event.arrival,
            event.trace,
            event.status.value,
            event.handed_on_at,
            event.signed_at,
            column_of(event.concerned),
            *(
                (
                    arrival_position(event.arrival, event.event_id, attempt),
                    event.event_ts or 0,
                    sealed_for,
                )
                if tables.are_by_time
                else ()
            ),
        )
    return list(rows.values())


def _seal_body(event: KeptEvent, sealing: Sealing, keys: Keys) -> tuple[bytes, str | None]:
    """Return the sealed body, and the data keys that open it."""
    body, at = event.body or b"", event.received_at
    # An owner whose grant has no key yet must be able to open the body.
    found = [keys[owner] for owner in event.owners if owner in keys]
    present = [key for key in found if key is not None]
    if present and len(present) == len(found):
        try:
            sealed = sealing.bodies.seal(BODY, event.event_id, body, at=at, keys=present)
        except (SealBroken, UnknownEncryptionKey) as error:
            _report(error, present[0].key_id)
        else:
            ids = {key.owner: key.key_id for key in present}
            return sealed, sealed_for_column(ids.get(Owner(*one)) for one in event.owners)
    # Without a data key a removal finds the row and deletes its body: see `EventPurge`.
    return sealing.seal_body(BODY, event.event_id, body, at=at), None


def _report(error: ParaphError, key_id: str) -> None:
    """Log once for each data key that it cannot be opened. No event is refused because of it."""
    if key_id in _reported:
        return
    if len(_reported) == MOST_REPORTED:
        _reported.clear()
    _reported.add(key_id)
    _log.error("data_key.not_opened", error_code=error.code, key_id=key_id, remedy=error.remedy)


def marks_of(events: Sequence[KeptEvent]) -> list[bytes]:
    """Return the hashes under which removals that concern these events are recorded."""
    return sorted({mark for event in events for _, mark in event.marks})


def named_in(
    events: Sequence[KeptEvent], removed: Collection[bytes]
) -> tuple[list[str], list[str]]:
    """Return the accounts and users whose grants decide about events with a recorded removal."""
    hit = [event for event in events if any(mark in removed for _, mark in event.marks)]
    accounts = {event.account_id for event in hit for who, _ in event.marks if not who}
    return sorted(accounts), sorted({user for event in hit for user in event.concerned or ()})


def decide(
    events: Sequence[KeptEvent],
    *,
    removed: Mapping[bytes, int],
    grants: Iterable[GrantTime] = (),
) -> Decided:
    """Decide which events of a batch are kept, and for which users.

    Args:
        events: the batch.
        removed: from the mark of each recorded removal to its time, in epoch seconds.
        grants: the grants of the batch's users and accounts; needed only if there is a removal.
    """
    known = list(grants)
    kept: list[KeptEvent] = []
    dropped: dict[int, Outcome] = {}
    if not removed:
        return Decided(events, dropped)
    for place, event in enumerate(events):
        outcome: Outcome | None = None
        one = event
        if any(mark in removed for _, mark in event.marks):
            one, outcome = _decide_removed(event, removed, known)
        if outcome is None:
            kept.append(one)
        else:
            dropped[place] = outcome
    return Decided(kept, dropped)


def _decide_removed(
    event: KeptEvent, removed: Mapping[bytes, int], grants: Sequence[GrantTime]
) -> tuple[KeptEvent, Outcome | None]:
    times: dict[str, int] = {}
    for who, mark in event.marks:
        if mark in removed:
            times[who] = max(removed[mark], times.get(who, 0))
    fate = _fate_by_users(event, times, grants) if any(times) else None
    reason = None if fate is None else fate.dropped
    if reason is None and "" in times:
        reason = _refusal_by_account(event, times[""], grants)
    if reason is not None:
        return event, Outcome(reason.value)
    if fate is None:
        return event, None
    still = tuple(one for one in event.owners if not one[1] or one[1] in fate.user_ids)
    user_id = (*fate.user_ids, "")[0]
    return replace(event, concerned=fate.user_ids, user_id=user_id, owners=still), None


def _refusal_by_account(
    event: KeptEvent, removed_at: int, grants: Sequence[GrantTime]
) -> DropReason | None:
    """Refuse an event if every present grant was issued after the account's removal."""
    given = [one.granted_at for one in grants if one.account_id == event.account_id]
    if given and any(who for who, _ in event.marks):
        # At user level, if the account has installed the app again, the users decide.
        return None
    whole = Standing(min(given, default=None), removed_at)
    # A stream may deliver late, so the delivery's arrival at paraph counts.
    reason = refusal_of(whole, event_ts=event.event_ts, now=event.received_at)
    return DropReason.REMOVED_ACCOUNT if reason is DropReason.REMOVED_USER else reason


def _fate_by_users(event: KeptEvent, times: Mapping[str, int], grants: Sequence[GrantTime]) -> Fate:
    given_to: dict[str, int] = {}
    for one in grants:
        if event.account_id in ("", one.account_id):
            given_to[one.user_id] = max(one.granted_at, given_to.get(one.user_id, 0))
    users = event.concerned or ()
    standing = {user: Standing(given_to.get(user), times.get(user)) for user in users}
    return fate_of(users, standing, event_ts=event.event_ts, now=event.received_at)


def outcomes_of(
    events: Sequence[KeptEvent], *, dropped: Mapping[int, Outcome], new: set[str]
) -> list[Outcome]:
    """Return the outcome of each event.

    Args:
        events: the batch.
        dropped: the outcomes of dropped events, by index in the batch.
        new: the ids of newly inserted rows; this function empties it.
    """
    outcomes = []
    for place, event in enumerate(events):
        if place in dropped:
            outcomes.append(dropped[place])
        elif event.event_id in new:
            # The second of two equal ids in one batch is a duplicate like any other.
            new.discard(event.event_id)
            outcomes.append(Outcome.KEPT)
        else:
            outcomes.append(Outcome.DUPLICATE)
    return outcomes
