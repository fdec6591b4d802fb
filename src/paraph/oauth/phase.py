"""The life of an installation: which event leads from which phase to which.

The rules:

- A phase is left only by an event that the table names; anything else is a programming error.
- Each step of the ladder is an event, and what it proved is recorded as a rung, in order.
- Nothing that a browser sends leads to ACTIVE by itself: REQUESTED to PENDING takes Zoom's
  word for every step, and PENDING to ACTIVE the host's.
- While a deauthorization is being decided (UNDECIDED) nothing is vended.
- After a restore (SUSPENDED) nothing is vended until one refresh has proved the grant.
- ENDED is final: who comes back begins anew.

The diagram in the documentation is generated from the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from paraph.errors import UsageError


class Phase(StrEnum):
    """Where an installation stands."""

    REQUESTED = "requested"
    RESPONDED = "responded"
    EXCHANGED = "exchanged"
    IDENTIFIED = "identified"
    PENDING = "pending"
    ACTIVE = "active"
    UNDECIDED = "undecided"
    SUSPENDED = "suspended"
    NEEDS_REAUTHORIZATION = "needs_reauthorization"
    ENDED = "ended"


class PhaseEvent(StrEnum):
    """What moves it on."""

    STATE_MATCHED = "state matched"
    CODE_EXCHANGED = "code exchanged"
    OWNER_READ = "owner read"
    SCOPES_GRANTED_TO_CONFIRM = "scopes granted, to be confirmed"
    SCOPES_GRANTED_UNLINKED = "scopes granted, nothing to link"
    HOST_CONFIRMED = "host confirmed"
    HOST_DECLINED = "host declined"
    EXPIRED = "expired"
    FAILED = "failed"
    CONSENTED_AGAIN = "consented again"
    DEAUTHORIZATION_DOUBTFUL = "deauthorization doubtful"
    REFRESH_SUCCEEDED = "refresh succeeded"
    GRANT_DIED = "grant died"
    RESTORED = "restored from a backup"
    REMOVED = "removed"


TRANSITIONS: dict[tuple[Phase, PhaseEvent], Phase] = {
    (Phase.REQUESTED, PhaseEvent.STATE_MATCHED): Phase.RESPONDED,
    (Phase.REQUESTED, PhaseEvent.EXPIRED): Phase.ENDED,
    (Phase.REQUESTED, PhaseEvent.FAILED): Phase.ENDED,
    (Phase.RESPONDED, PhaseEvent.CODE_EXCHANGED): Phase.EXCHANGED,
    (Phase.RESPONDED, PhaseEvent.FAILED): Phase.ENDED,
    (Phase.EXCHANGED, PhaseEvent.OWNER_READ): Phase.IDENTIFIED,
    (Phase.EXCHANGED, PhaseEvent.FAILED): Phase.ENDED,
    (Phase.IDENTIFIED, PhaseEvent.SCOPES_GRANTED_TO_CONFIRM): Phase.PENDING,
    (Phase.IDENTIFIED, PhaseEvent.SCOPES_GRANTED_UNLINKED): Phase.ACTIVE,
    (Phase.IDENTIFIED, PhaseEvent.FAILED): Phase.ENDED,
    (Phase.PENDING, PhaseEvent.HOST_CONFIRMED): Phase.ACTIVE,
    (Phase.PENDING, PhaseEvent.HOST_DECLINED): Phase.ENDED,
    (Phase.PENDING, PhaseEvent.EXPIRED): Phase.ENDED,
    (Phase.PENDING, PhaseEvent.REMOVED): Phase.ENDED,
    (Phase.ACTIVE, PhaseEvent.CONSENTED_AGAIN): Phase.ACTIVE,
    (Phase.ACTIVE, PhaseEvent.REFRESH_SUCCEEDED): Phase.ACTIVE,
    (Phase.ACTIVE, PhaseEvent.DEAUTHORIZATION_DOUBTFUL): Phase.UNDECIDED,
    (Phase.ACTIVE, PhaseEvent.GRANT_DIED): Phase.NEEDS_REAUTHORIZATION,
    (Phase.ACTIVE, PhaseEvent.RESTORED): Phase.SUSPENDED,
    (Phase.ACTIVE, PhaseEvent.REMOVED): Phase.ENDED,
    (Phase.UNDECIDED, PhaseEvent.REFRESH_SUCCEEDED): Phase.ACTIVE,
    (Phase.UNDECIDED, PhaseEvent.CONSENTED_AGAIN): Phase.ACTIVE,
    (Phase.UNDECIDED, PhaseEvent.REMOVED): Phase.ENDED,
    (Phase.SUSPENDED, PhaseEvent.REFRESH_SUCCEEDED): Phase.ACTIVE,
    (Phase.SUSPENDED, PhaseEvent.CONSENTED_AGAIN): Phase.ACTIVE,
    (Phase.SUSPENDED, PhaseEvent.GRANT_DIED): Phase.NEEDS_REAUTHORIZATION,
    (Phase.SUSPENDED, PhaseEvent.DEAUTHORIZATION_DOUBTFUL): Phase.UNDECIDED,
    (Phase.SUSPENDED, PhaseEvent.REMOVED): Phase.ENDED,
    (Phase.NEEDS_REAUTHORIZATION, PhaseEvent.CONSENTED_AGAIN): Phase.ACTIVE,
    (Phase.NEEDS_REAUTHORIZATION, PhaseEvent.REFRESH_SUCCEEDED): Phase.ACTIVE,
    (Phase.NEEDS_REAUTHORIZATION, PhaseEvent.DEAUTHORIZATION_DOUBTFUL): Phase.UNDECIDED,
    (Phase.NEEDS_REAUTHORIZATION, PhaseEvent.REMOVED): Phase.ENDED,
}

Word = Literal["paraph", "host"]

# What an event proves, and on whose word it stands.
_PROOFS: dict[PhaseEvent, tuple[tuple[str, Word], ...]] = {
    PhaseEvent.STATE_MATCHED: (("state", "paraph"),),
    PhaseEvent.CODE_EXCHANGED: (("pkce", "paraph"), ("exchange", "paraph")),
    PhaseEvent.OWNER_READ: (("identity", "paraph"),),
    PhaseEvent.SCOPES_GRANTED_TO_CONFIRM: (("scopes", "paraph"),),
    PhaseEvent.SCOPES_GRANTED_UNLINKED: (("scopes", "paraph"),),
    PhaseEvent.HOST_CONFIRMED: (("confirmation", "host"),),
}
RUNG_NAMES = tuple(dict.fromkeys(name for proofs in _PROOFS.values() for name, _ in proofs))


@dataclass(frozen=True, slots=True)
class Rung:
    """One proof that held: when (epoch seconds), and whether paraph saw it or the host said so."""

    name: str
    held_at: int
    word: Word


@dataclass(frozen=True, slots=True)
class Ladder:
    """A phase with the rungs that led to it."""

    phase: Phase
    rungs: tuple[Rung, ...]


def next_phase(phase: Phase, event: PhaseEvent) -> Phase:
    """The phase that an event leads to. `UsageError` when the table names none."""
    following = TRANSITIONS.get((phase, event))
    if following is None:
        raise UsageError(f"{event.value!r} cannot happen in phase {phase.value!r}")
    return following


def advance(record: Ladder, event: PhaseEvent, *, now: int) -> Ladder:
    """The record after an event, with the rungs that the event proved."""
    proved = tuple(Rung(name, now, word) for name, word in _PROOFS.get(event, ()))
    return Ladder(next_phase(record.phase, event), record.rungs + proved)


def to_mermaid() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {Phase.REQUESTED.name}"]
    lines += [
        f"    {before.name} --> {after.name}: {event.value}"
        for (before, event), after in TRANSITIONS.items()
    ]
    lines.append(f"    {Phase.ENDED.name} --> [*]")
    return "\n".join(lines) + "\n"
