"""Links: bind a grant to a local account (the subject), proof by proof.

Rules of the table:

- Each proof of an installation is an event, and it is recorded in order.
- Nothing that a browser sends leads to ACTIVE by itself. Zoom confirms every step from
  REQUESTED to PENDING, and the host confirms the step from PENDING to ACTIVE.
- A link is stored from PENDING on, or from ACTIVE on without a host. An authorization that ends
  before leaves no link.
- ENDED is final: a user who comes back begins a new link.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from paraph.model.phase import Phase, TransitionTable


class LinkEvent(StrEnum):
    """An event that decides the next phase of a link."""

    STATE_MATCHED = "state matched"
    CODE_EXCHANGED = "code exchanged"
    OWNER_READ = "owner read"
    SCOPES_GRANTED_TO_CONFIRM = "scopes granted, to be confirmed"
    SCOPES_GRANTED_UNLINKED = "scopes granted, nothing to link"
    HOST_CONFIRMED = "host confirmed"
    HOST_DECLINED = "host declined"
    EXPIRED = "expired"
    MERGED = "confirmed for an active link"
    PROVED_AGAIN = "proved again"
    MOVED = "moved to another subject"
    GRANT_ENDED = "grant ended"


LINK_TRANSITIONS: TransitionTable[LinkEvent] = TransitionTable(
    kind="link",
    first=Phase.REQUESTED,
    transitions={
        (Phase.REQUESTED, LinkEvent.STATE_MATCHED): Phase.RESPONDED,
        (Phase.RESPONDED, LinkEvent.CODE_EXCHANGED): Phase.EXCHANGED,
        (Phase.EXCHANGED, LinkEvent.OWNER_READ): Phase.IDENTIFIED,
        (Phase.IDENTIFIED, LinkEvent.SCOPES_GRANTED_TO_CONFIRM): Phase.PENDING,
        (Phase.IDENTIFIED, LinkEvent.SCOPES_GRANTED_UNLINKED): Phase.ACTIVE,
        (Phase.PENDING, LinkEvent.HOST_CONFIRMED): Phase.ACTIVE,
        (Phase.PENDING, LinkEvent.HOST_DECLINED): Phase.ENDED,
        (Phase.PENDING, LinkEvent.EXPIRED): Phase.ENDED,
        (Phase.PENDING, LinkEvent.MERGED): Phase.ENDED,
        (Phase.PENDING, LinkEvent.GRANT_ENDED): Phase.ENDED,
        (Phase.ACTIVE, LinkEvent.PROVED_AGAIN): Phase.ACTIVE,
        (Phase.ACTIVE, LinkEvent.MOVED): Phase.ENDED,
        (Phase.ACTIVE, LinkEvent.GRANT_ENDED): Phase.ENDED,
    },
)

Word = Literal["paraph", "host"]

# The proofs that each event gives, with the side that vouches for them.
_PROOFS: dict[LinkEvent, tuple[tuple[str, Word], ...]] = {
    LinkEvent.STATE_MATCHED: (("state", "paraph"),),
    LinkEvent.CODE_EXCHANGED: (("pkce", "paraph"), ("exchange", "paraph")),
    LinkEvent.OWNER_READ: (("identity", "paraph"),),
    LinkEvent.SCOPES_GRANTED_TO_CONFIRM: (("scopes", "paraph"),),
    LinkEvent.SCOPES_GRANTED_UNLINKED: (("scopes", "paraph"),),
    LinkEvent.HOST_CONFIRMED: (("confirmation", "host"),),
}
PROOF_NAMES = tuple(dict.fromkeys(name for proofs in _PROOFS.values() for name, _ in proofs))


@dataclass(frozen=True, slots=True)
class Proof:
    """One proof: its name, its time in epoch seconds, and who vouches for it."""

    name: str
    held_at: int
    word: Word


@dataclass(frozen=True, slots=True)
class Progress:
    """A phase with the proofs that led to it."""

    phase: Phase = Phase.REQUESTED
    proofs: tuple[Proof, ...] = ()


def advance(progress: Progress, event: LinkEvent, *, now: int) -> Progress:
    """Apply an event at `now` (epoch seconds): return the next phase with the added proofs.

    Raises:
        UsageError: the table has no transition for this event in this phase.
    """
    proved = tuple(Proof(name, now, word) for name, word in _PROOFS.get(event, ()))
    return Progress(LINK_TRANSITIONS.after(progress.phase, event), progress.proofs + proved)


@dataclass(frozen=True, slots=True)
class Link:
    """The binding of a grant to a local account. `phase` is PENDING or ACTIVE.

    A pending link carries the hashes of its handoff and, once claimed, of its claim.
    """

    link_id: str
    grant_id: str
    client_id: str
    subject: str
    phase: Phase
    proofs: tuple[Proof, ...]
    created_at: int
    confirmed_at: int | None = None
    expires_at: int | None = None
    challenge: str = ""
    return_to: str = ""
    handoff_hash: bytes | None = None
    handoff_expires_at: int | None = None
    claim_hash: bytes | None = None

    def proved_again(self, proofs: tuple[Proof, ...], *, now: int) -> Link:
        """Return this active link with the proofs of another consent."""
        phase = LINK_TRANSITIONS.after(self.phase, LinkEvent.PROVED_AGAIN)
        return replace(self, phase=phase, proofs=proofs, confirmed_at=now)


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """The host's request to link its signed-in user, stored under the hash of its one-use code."""

    request_hash: bytes
    subject: str
    challenge: str
    return_to: str
    expires_at: int
