"""The phases of an installation, and the events that lead from one to another.

The rules:

- A phase is left only by an event of the table; any other event is a programming error.
- Each proof of an installation is an event, and it is recorded in order.
- Nothing that a browser sends leads to ACTIVE by itself. Zoom confirms every step from
  REQUESTED to PENDING, and the host confirms the step from PENDING to ACTIVE.
- In UNDECIDED, while a deauthorization is being decided, no access token is vended.
- In SUSPENDED, after a restore, no access token is vended until a refresh has proved the grant.
- ENDED is final: a user who comes back begins a new installation.

The diagram in the documentation is generated from the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from paraph.errors import UsageError


class Phase(StrEnum):
    """A phase of an installation."""

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
    """An event that leads from one phase to another."""

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

# The proofs that each event gives, with the side that vouches for them.
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
    """One proof: its name, its time in epoch seconds, and who vouches for it."""

    name: str
    held_at: int
    word: Word


@dataclass(frozen=True, slots=True)
class Ladder:
    """A phase with the proofs that led to it."""

    phase: Phase
    rungs: tuple[Rung, ...]


def next_phase(phase: Phase, event: PhaseEvent) -> Phase:
    """Return the phase that an event leads to.

    Raises:
        UsageError: the table has no transition for this event in this phase.
    """
    following = TRANSITIONS.get((phase, event))
    if following is None:
        raise UsageError(f"{event.value!r} cannot happen in phase {phase.value!r}")
    return following


def advance(record: Ladder, event: PhaseEvent, *, now: int) -> Ladder:
    """Apply an event at `now` (epoch seconds): return the next phase with the added proofs.

    Raises:
        UsageError: the table has no transition for this event in this phase.
    """
    proved = tuple(Rung(name, now, word) for name, word in _PROOFS.get(event, ()))
    return Ladder(next_phase(record.phase, event), record.rungs + proved)


def to_mermaid() -> str:
    """Return the table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {Phase.REQUESTED.name}"]
    lines += [
        f"    {before.name} --> {after.name}: {event.value}"
        for (before, event), after in TRANSITIONS.items()
    ]
    lines.append(f"    {Phase.ENDED.name} --> [*]")
    return "\n".join(lines) + "\n"
