"""The users whom the twin finds in an event."""

from __future__ import annotations

from typing import Any

import pytest

from paraph.checks.cases.late_events import SHAPES
from paraph.checks.twin.concerned import KNOWN, account_of, users_of
from paraph.simulator.state.world import User

USER = User(id="user-of-the-event", account_id="account-of-the-event")


@pytest.mark.parametrize("place", list(SHAPES))
def test_the_twin_finds_the_user_of_every_shape(place: str) -> None:
    """The reference reads every place that the check uses; a weak twin reads the host alone."""
    name, shape = SHAPES[place]
    payload = shape(USER, {"topic": "marker", "uuid": "marker"})

    assert {USER.id} == users_of(name, payload)
    assert set() == users_of(name, payload, host_only=True)
    assert name in KNOWN
    assert account_of(payload) in {USER.account_id, ""}


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"object": None},
        {"object": []},
        {"object": {"host_id": 5}},
        {"object": {"users": [None, "text", {"user_id": None}]}},
    ],
)
def test_odd_payloads_name_no_user(payload: dict[str, Any]) -> None:
    """A payload of an unknown shape names no user and raises nothing."""
    assert set() == users_of("meeting.ended", payload)
