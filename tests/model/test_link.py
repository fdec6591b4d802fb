"""The proofs of a link, in order."""

from __future__ import annotations

import itertools

from paraph.model.link import LINK_TRANSITIONS, PROOF_NAMES, LinkEvent, Progress, advance
from paraph.model.phase import Phase

STEPS = (
    LinkEvent.STATE_MATCHED,
    LinkEvent.CODE_EXCHANGED,
    LinkEvent.OWNER_READ,
    LinkEvent.SCOPES_GRANTED_TO_CONFIRM,
    LinkEvent.HOST_CONFIRMED,
)


def test_proofs_are_recorded_in_order() -> None:
    """Five events give six proofs, and the host vouches for the last one."""
    progress = Progress()
    for now, event in enumerate(STEPS):
        progress = advance(progress, event, now=now)
    assert Phase.ACTIVE is progress.phase
    assert PROOF_NAMES == tuple(proof.name for proof in progress.proofs)
    assert ["paraph"] * 5 + ["host"] == [proof.word for proof in progress.proofs]


def test_no_shorter_path_to_active() -> None:
    """From REQUESTED, ACTIVE is at least four events away, each of which proves something."""
    paths = [
        events
        for length in range(1, 5)
        for events in itertools.product(LinkEvent, repeat=length)
        if _leads_to_active(events)
    ]
    assert [(*STEPS[:3], LinkEvent.SCOPES_GRANTED_UNLINKED)] == paths


def _leads_to_active(events: tuple[LinkEvent, ...]) -> bool:
    phase: Phase | None = Phase.REQUESTED
    for event in events:
        phase = LINK_TRANSITIONS.transitions.get((phase, event)) if phase else None
    return phase is Phase.ACTIVE
