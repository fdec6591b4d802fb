"""The phases of grants and links, and the table of transitions that leads from one to another.

Grants and links have one table each (`grant`, `link`). A phase is written only as the result of
`TransitionTable.after`; any event that the table does not allow is a programming error. The
diagram in the documentation is generated from both tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from paraph.errors import UsageError


class Phase(StrEnum):
    """A phase of a grant, a link, or an installation."""

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


Event = TypeVar("Event", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class TransitionTable(Generic[Event]):
    """All transitions of one kind of record.

    Attributes:
        kind: the name of the record, for messages.
        first: the phase of a new record; None if an event decides it.
        transitions: from a phase and an event to the next phase. A record in phase None does not
            exist yet. One in ENDED is deleted or was never stored.
    """

    kind: str
    first: Phase | None
    transitions: Mapping[tuple[Phase | None, Event], Phase]

    def after(self, phase: Phase | None, event: Event) -> Phase:
        """Return the phase that an event leads to.

        Raises:
            UsageError: the table has no transition for this event in this phase.
        """
        following = self.transitions.get((phase, event))
        if following is None:
            before = "none" if phase is None else repr(phase.value)
            raise UsageError(f"{event.value!r} cannot happen to a {self.kind} in phase {before}")
        return following

    def before(self, event: Event) -> tuple[Phase, ...]:
        """Return the phases in which an event can happen to a stored record."""
        return tuple(phase for phase, one in self.transitions if one == event and phase is not None)

    def to_mermaid(self) -> str:
        """Return the table as a Mermaid state diagram."""
        lines = ["stateDiagram-v2"]
        if self.first is not None:
            lines.append(f"    [*] --> {self.first.name}")
        lines += [
            f"    {'[*]' if before is None else before.name} --> {after.name}: {event.value}"
            for (before, event), after in self.transitions.items()
        ]
        lines.append(f"    {Phase.ENDED.name} --> [*]")
        return "\n".join(lines) + "\n"
