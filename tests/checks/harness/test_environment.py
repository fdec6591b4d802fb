"""The simulated Zoom beside the app under attack."""

from __future__ import annotations

import pytest

from paraph.checks.harness.app_process import Running
from paraph.checks.harness.environment import Environment
from paraph.checks.twin_target import twin_target
from paraph.checks.verdict import HookMissingError


def test_a_variant_changes_the_level_of_the_registration() -> None:
    """The simulated Zoom and its new users follow the level, and return with it."""
    with Environment(twin_target()) as environment:
        seen = [(environment.level, environment.zoom.app.level, environment.zoom.user().role)]
        for variant in ("account", ""):
            environment.restart(variant)
            seen.append(
                (environment.level, environment.zoom.app.level, environment.zoom.user().role)
            )
    user = ("user", "user", "member")
    assert [user, ("account", "account", "admin"), user] == seen


def test_the_simulated_zoom_delivers_no_removal_by_itself() -> None:
    """No deauthorization URL is registered, because the cases send all removals."""
    with Environment(twin_target()) as environment:
        app = environment.zoom.app
        urls = (app.event_url, app.deauthorization_url)
        assert (f"{environment.base}/webhook", "") == urls


class _Counted(Running):
    stops = 0

    def stop(self) -> None:
        """Count the call."""
        self.stops += 1


def test_a_missing_variant_stops_no_app() -> None:
    """A case that is not applicable costs no start of the app."""
    environment = Environment(twin_target())
    environment.app = app = _Counted()
    with pytest.raises(HookMissingError, match="misspelt"):
        environment.restart("misspelt")
    assert 0 == app.stops
    environment.close()
