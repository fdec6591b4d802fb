"""Turns what was done on the console into a scenario: the buttons, and the consents of people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from paraph.simulator.engine import Simulator
from paraph.simulator.scenarios import steps
from paraph.simulator.scenarios.steps import AnyStep, Check, Expectations, Scenario, Start
from paraph.simulator.scenarios.writing import write_scenario
from paraph.simulator.state.journal import Performed

_ABOUT = (
    "Exported from the console of the simulator. Set start_url to the URL at which your app starts "
    "an install."
)


def export_scenario(simulator: Simulator) -> str:
    """Return everything since the last reset as a scenario file.

    Args:
        simulator: the simulated Zoom.
    """
    timed = [*_consents(simulator), *_buttons(simulator)]
    done = [step for _, step in sorted(timed, key=lambda one: one[0])]
    people = [simulator.world.user(one.user_id) for one in simulator.ledger.grants.values()]
    grants = [user.email for user in people if user is not None]
    done.append(Check(expect=Expectations(grants=grants)))
    scenario = Scenario(
        title="What was done on the console",
        about=_ABOUT,
        start_url=_start_url(simulator),
        steps=done,
    )
    return write_scenario(scenario)


def _start_url(simulator: Simulator) -> str:
    """Return the usual start URL at the origin of the first redirect URI."""
    uris = [uri for app in simulator.world.apps for uri in app.redirect_uris]
    parts = urlsplit(uris[0] if uris else "http://127.0.0.1:8000")
    return f"{parts.scheme}://{parts.netloc}/install"


def _buttons(simulator: Simulator) -> Iterator[tuple[float, AnyStep]]:
    for one in simulator.performed:
        _expect_status(simulator, one)
        yield one.time, one.step


def _expect_status(simulator: Simulator, done: Performed) -> None:
    """Let a step that has sent something expect the response that it got."""
    delivery = simulator.sender.find(done.delivery_id) if done.delivery_id else None
    # An attempt that is still on its way has no response yet.
    if delivery is not None and len(delivery.attempts) > done.attempts:
        done.step.expect = Expectations(status=delivery.attempts[done.attempts].status)


def _consents(simulator: Simulator) -> Iterator[tuple[float, AnyStep]]:
    """Yield the installs of people: a start at the app, then the decision on Zoom's page."""
    for exchange in simulator.journal.exchanges:
        entry = exchange.entry
        if entry["path"] != "/oauth/authorize":
            continue
        form: Mapping[str, str] = {pair[0]: pair[1] for pair in entry["form"]}
        if entry["method"] == "GET" and entry["status"] == 302:
            yield entry["time"], Start()
        elif entry["method"] == "POST" and entry["status"] == 302 and "decision" in form:
            yield entry["time"], Start()
            user = simulator.world.user(form.get("user_id", ""))
            named = "" if user is None else user.email
            allowed = form["decision"] == "allow"
            yield entry["time"], steps.Approve(user=named) if allowed else steps.Deny()
