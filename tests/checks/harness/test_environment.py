"""The simulated Zoom beside the app under attack."""

from __future__ import annotations

from paraph.checks.harness.environment import Stage
from paraph.checks.twin_target import twin_target


def test_a_variant_changes_the_level_of_the_registration() -> None:
    """The simulated Zoom and its new users follow the level, and return with it."""
    with Stage(twin_target()) as stage:
        seen = [(stage.level, stage.zoom.app.level, stage.zoom.user().role)]
        for variant in ("account", ""):
            stage.restart(variant)
            seen.append((stage.level, stage.zoom.app.level, stage.zoom.user().role))
    user = ("user", "user", "member")
    assert [user, ("account", "account", "admin"), user] == seen


def test_the_simulated_zoom_delivers_no_removal_by_itself() -> None:
    """The cases deliver removals: one that a revoked token causes would come between."""
    with Stage(twin_target()) as stage:
        app = stage.zoom.app
        urls = (app.event_url, app.deauthorization_url)
        assert (f"{stage.base}/webhook", "") == urls
