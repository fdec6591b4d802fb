"""Events about removed users."""

from __future__ import annotations

import json

import pytest

from paraph.checks.cases import late_events
from paraph.checks.cases.late_events import SHAPES
from paraph.checks.runner import run
from paraph.checks.twin_target import twin_target
from paraph.checks.verdict import Verdict
from paraph.simulator.state.world import User


@pytest.mark.parametrize("place", list(SHAPES))
def test_a_shape_names_its_user_once_beside_a_marker(place: str) -> None:
    """Each shape names its user at one place only, so no app finds the user at another."""
    _, shape = SHAPES[place]
    user = User(id="user-of-the-event", account_id="account-of-the-event")

    text = json.dumps(shape(user, {"topic": "the-marker", "uuid": "the-marker"}))

    assert 1 == text.count(user.id)
    assert "the-marker" in text


def test_events_that_an_app_does_not_handle_prove_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app that handles none of the shapes before the removal is not applicable."""
    shapes = {
        place: (f"unknown.{number}", one[1]) for number, (place, one) in enumerate(SHAPES.items())
    }
    monkeypatch.setattr(late_events, "SHAPES", shapes)
    target = twin_target()
    target.limits.effect_within = 0.5

    (finding,) = run(target, ["deauth-odd-places"], told=lambda _finding: None).findings

    assert Verdict.NOT_APPLICABLE is finding.verdict, finding.reason
    assert "elsewhere than at `host_id`" in finding.reason
