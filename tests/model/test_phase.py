"""The life of an installation as a table."""

from __future__ import annotations

import itertools

import pytest

from paraph.errors import UsageError
from paraph.model.phase import (
    RUNG_NAMES,
    TRANSITIONS,
    Ladder,
    Phase,
    PhaseEvent,
    advance,
    to_mermaid,
)

CLIMB = (
    PhaseEvent.STATE_MATCHED,
    PhaseEvent.CODE_EXCHANGED,
    PhaseEvent.OWNER_READ,
    PhaseEvent.SCOPES_GRANTED_TO_CONFIRM,
    PhaseEvent.HOST_CONFIRMED,
)


def test_the_ladder_is_climbed_in_order() -> None:
    """Five events, six rungs, the last one on the host's word."""
    ladder = Ladder(Phase.REQUESTED, ())
    for now, event in enumerate(CLIMB):
        ladder = advance(ladder, event, now=now)
    assert Phase.ACTIVE is ladder.phase
    assert RUNG_NAMES == tuple(rung.name for rung in ladder.rungs)
    assert ["paraph"] * 5 + ["host"] == [rung.word for rung in ladder.rungs]


@pytest.mark.parametrize(("phase", "event"), list(itertools.product(Phase, PhaseEvent)))
def test_what_the_table_does_not_name_cannot_happen(phase: Phase, event: PhaseEvent) -> None:
    """Every pair is a row of the table or a UsageError."""
    record = Ladder(phase, ())
    if (phase, event) in TRANSITIONS:
        assert TRANSITIONS[phase, event] is advance(record, event, now=0).phase
    else:
        with pytest.raises(UsageError):
            advance(record, event, now=0)


def test_no_shorter_way_to_active() -> None:
    """From REQUESTED, ACTIVE is at least four events away, each of which proves something."""
    ways = [
        events
        for length in range(1, 5)
        for events in itertools.product(PhaseEvent, repeat=length)
        if _leads_to_active(events)
    ]
    assert [(*CLIMB[:3], PhaseEvent.SCOPES_GRANTED_UNLINKED)] == ways


def _leads_to_active(events: tuple[PhaseEvent, ...]) -> bool:
    phase: Phase | None = Phase.REQUESTED
    for event in events:
        phase = TRANSITIONS.get((phase, event)) if phase else None
    return phase is Phase.ACTIVE


def test_ended_is_final() -> None:
    """Who comes back begins anew."""
    assert not [key for key in TRANSITIONS if key[0] is Phase.ENDED]


def test_every_phase_stands_in_the_diagram() -> None:
    """The diagram is generated from the table."""
    diagram = to_mermaid()
    assert all(phase.name in diagram for phase in Phase)
