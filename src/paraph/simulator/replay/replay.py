"""Replays the steps of a scenario in order, up to the first failure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from paraph.errors import ParaphError
from paraph.simulator.replay.expectations import find_failures
from paraph.simulator.replay.place import Failed, Place
from paraph.simulator.replay.step_work import do_step
from paraph.simulator.running import SimulatedZoom
from paraph.simulator.scenarios.steps import Scenario, Step, name_of


@dataclass(frozen=True, slots=True)
class Played:
    """One step and its result.

    Attributes:
        number: from 1.
        result: one line about what happened.
        failures: sentences, each with the expected and the actual state; empty if it passed.
        seconds: the time that it took.
    """

    number: int
    step: Step
    result: str
    failures: tuple[str, ...]
    seconds: float

    @property
    def name(self) -> str:
        """Return the name of the step."""
        return name_of(self.step)


def replay(zoom: SimulatedZoom, scenario: Scenario) -> Iterator[Played]:
    """Replay a scenario; yield each step as it is done, and end at the first that fails.

    Args:
        zoom: a running simulator, whose world the app under test knows.
        scenario: the script.

    Example:
        from paraph.simulator.replay import replay
        from paraph.simulator.scenarios.steps import Check, Scenario

        scenario = Scenario(title="Nothing happens", steps=[Check()])
        assert all(not one.failures for one in replay(zoom, scenario))
    """
    wall = zoom.simulator.wall
    with Place(zoom, scenario.start_url) as place:
        for number, step in enumerate(scenario.steps, 1):
            begun = wall()
            place.begin_step()
            result = ""
            try:
                result = do_step(place, step)
                failures = find_failures(place, step)
            except Failed as failed:
                failures = [str(failed)]
            except ParaphError as error:
                failures = [error.detail, error.remedy]
            except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError) as error:
                text = "a URL or header of the step, or of the app's response, cannot be used"
                failures = [f"{text}: {error}"]
            except httpx.HTTPError as error:
                text = f"the app was not reached: {type(error).__name__}"
                failures = [f"{text}. Start it, and point it at {zoom.url}."]
            kept = tuple(filter(None, failures))
            yield Played(number, step, result, kept, wall() - begun)
            if kept:
                return
