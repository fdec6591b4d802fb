"""Dropped events are counted by reason, and logged without a flood."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from paraph.events.drops import DroppedEvents
from paraph.model.event import Outcome

pytestmark = pytest.mark.anyio


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    """The lines of a log."""
    return [json.loads(line) for line in log.getvalue().splitlines()]


async def test_a_flood_becomes_two_lines_for_each_reason(log: io.StringIO) -> None:
    """The first of a reason is logged with its name, the others as a number; all are counted."""
    dropped = DroppedEvents()
    for number in range(500):
        dropped.note(Outcome.REMOVED_USER, event_name="meeting.ended", event_id=f"{number:064x}")
    dropped.note(Outcome.REMOVED_ACCOUNT, event_name="user.updated", event_id="b" * 64)
    dropped.close()
    assert {"removed_user": 500, "removed_account": 1} == dropped.by_reason
    first, other, summary = lines(log)
    assert ("event.dropped", "removed_user", "meeting.ended", "0" * 16) == (
        first["event"],
        first["reason"],
        first["event_name"],
        first["event_id"],
    )
    assert "removed_account" == other["reason"]
    assert (499, {"removed_user": 499}) == (summary["count"], summary["reasons"])


@pytest.mark.parametrize("outcome", [one for one in Outcome if one.is_dropped])
async def test_every_reason_says_why(log: io.StringIO, outcome: Outcome) -> None:
    """Each reason is logged with a sentence that explains it."""
    dropped = DroppedEvents()
    dropped.note(outcome, event_name="meeting.ended", event_id="a" * 64)
    dropped.close()
    (line,) = lines(log)
    assert (outcome.value, True) == (line["reason"], len(line["why"]) > 20)
