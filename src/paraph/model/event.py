"""Events in the inbox, notices in the outbox, and the outcomes of deliveries."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import NamedTuple

import msgspec

from paraph.zoom.concerned_users import DropReason

# Precedes a notice's name where it could be mistaken for the name of a Zoom event.
NOTICE_MARK = "!"
# Every notice's name begins with the first; the second precedes Zoom's names where both occur.
NOTICE_PREFIX, ZOOM_PREFIX = "installation.", "zoom."
# A signed integer of 8 bytes.
LARGEST_KEY = 2**63 - 1
# The text of an `EventPosition`.
POSITION_PATTERN = "([0-9]{1,13})-([A-Za-z0-9_-]{1,80})|p([1-9][0-9]{0,18})"


class EventStatus(StrEnum):
    """The state of a kept event."""

    RECEIVED = "received"
    FORWARDED = "handed_on"
    DEAD = "dead"


class KeptEvent(msgspec.Struct, frozen=True, gc=False):
    """One event in the inbox, or one of paraph's own notices to the host.

    Attributes:
        event_id: the hex of the delivery digest for Zoom's events (the deduplication key); random
            for notices.
        name: the name of the event or of the notice.
        received_at: epoch seconds.
        body: missing once it was deleted; the row stays for deduplication.
        account_id, user_id: of Zoom; "" if the event names none.
        notice: True for paraph's own notices.
        urgent: True for deauthorizations, which no backlog delays.
        status: waiting, forwarded, or a dead letter.
        attempts: the number of claims. A claim counts at once, so that an event that kills its
            worker is counted too.
        next_attempt_at: epoch seconds; while the event is claimed, the end of the lease.
        handed_on_at: when it was forwarded, epoch seconds.
        failure: the reason of the last failed attempt, or "".
        arrival: microseconds, finer than `received_at`; gives the order.
        trace: the `traceparent` of the delivery, or "".
        signed_at: the time that Zoom signed with the delivery, on Zoom's clock.
        subject_key: a keyed hash of the subject, for notices only; notices of one subject are
            delivered in order.
        concerned: the Zoom users whom a Zoom event concerns. It is missing in a row of an older
            version, whose body names them.
        event_ts: the time in the event, epoch milliseconds on Zoom's clock. Not stored; it decides
            whether a new event is kept.
        marks: not stored either. Each is a user id, or "" for the whole account, with the hash
            under which its removal is recorded.
        position: its key in the table that is keyed by time; 0 for an event that is not stored
            there.
        owners: not stored either. Each is an account id and a user id, "" for all: a removal of
            these makes the body unreadable. For an event of users they are in the order of
            `concerned`.
        sealed_for: the ids of the data keys that open the body, one for each owner; None for an
            owner without one. Without any data key it is missing.
        sealed: the body of a claimed event whose data keys are read just before it is forwarded.
    """

    event_id: str
    name: str
    received_at: int
    body: bytes | None
    account_id: str = ""
    user_id: str = ""
    notice: bool = False
    urgent: bool = False
    status: EventStatus = EventStatus.RECEIVED
    attempts: int = 0
    next_attempt_at: int = 0
    handed_on_at: int | None = None
    failure: str = ""
    arrival: int = 0
    trace: str = ""
    signed_at: int | None = None
    subject_key: str = ""
    concerned: tuple[str, ...] | None = ()
    event_ts: int | None = None
    marks: tuple[tuple[str, bytes], ...] = ()
    position: int = 0
    owners: tuple[tuple[str, str], ...] = ()
    sealed_for: tuple[str | None, ...] | None = None
    sealed: bytes | None = None

    @property
    def kind(self) -> str:
        """The name, with a prefix for a notice: Zoom can send an event of any name."""
        return f"{NOTICE_MARK}{self.name}" if self.notice else self.name

    @property
    def shown_name(self) -> str:
        """The name for operators: a Zoom event never looks like one of paraph's notices."""
        is_like_notice = self.name.startswith(NOTICE_PREFIX) and not self.notice
        return f"{ZOOM_PREFIX}{self.name}" if is_like_notice else self.name


class ForwardingPause(NamedTuple):
    """A pause of forwarding: its beginning, in epoch seconds, and who began it.

    `paused_by` is the id of an API key, or "" for the command line.
    """

    paused_at: int
    paused_by: str


class EventFilter(NamedTuple):
    """The conditions of a list of events; each that is "" or None is absent.

    Attributes:
        name: the name of the event, as it is shown to operators.
        account_id: of Zoom.
        user_id: a Zoom user whom the event names. With an account, events without an account
            that name the user are included.
        received_from, received_before: epoch seconds; the first one is included.
        failure: a part of the cause, byte for byte.
    """

    name: str = ""
    account_id: str = ""
    user_id: str = ""
    received_from: int | None = None
    received_before: int | None = None
    failure: str = ""


class EventPosition(NamedTuple):
    """The position of one event in a list of events, whether or not its row still exists.

    `key` is its key in the table that is keyed by time; in the table of version 0.1 it is 0, and
    the time of arrival and the id are the position.
    """

    received_at: int = 0
    event_id: str = ""
    key: int = 0

    @classmethod
    def of(cls, event: KeptEvent) -> EventPosition:
        """Return the position of this event."""
        if event.position:
            return cls(key=event.position)
        return cls(event.received_at, event.event_id)

    @classmethod
    def parse(cls, text: str) -> EventPosition | None:
        """Parse the text of a position; return None for any other text."""
        found = re.fullmatch(POSITION_PATTERN, text)
        if found is None:
            return None
        if found[3]:
            return cls(key=min(int(found[3]), LARGEST_KEY))
        return cls(int(found[1]), found[2])

    def __str__(self) -> str:
        """Return the text, which names no row that must exist."""
        return f"p{self.key}" if self.key else f"{self.received_at}-{self.event_id}"


class NoticeCount(NamedTuple):
    """The counter of one Zoom user's notices. `arrival` orders them, in microseconds."""

    sequence: int
    generation: int
    arrival: int
    last_name: str


class Outcome(Enum):
    """The result of a delivery: kept, a duplicate, or dropped for a reason. All get a 200."""

    KEPT = "kept"
    DUPLICATE = "duplicate"
    OTHER_CLIENT = DropReason.OTHER_CLIENT.value
    REMOVED_ACCOUNT = DropReason.REMOVED_ACCOUNT.value
    REMOVED_USER = DropReason.REMOVED_USER.value
    OLDER_THAN_GRANT = DropReason.OLDER_THAN_GRANT.value
    UNDATED = DropReason.UNDATED.value

    @property
    def is_dropped(self) -> bool:
        """True if the event was verified and not kept."""
        return self not in {Outcome.KEPT, Outcome.DUPLICATE}


@dataclass(frozen=True, slots=True)
class Backlog:
    """The number of waiting events, the age of the oldest, and the number of dead letters."""

    waiting: int
    urgent: int
    oldest_received_at: int | None
    dead: int
