"""The actions of the console's buttons: each takes a form and returns a sentence to show."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from paraph.errors import UsageError
from paraph.simulator.apps.deauthorization import deauthorize
from paraph.simulator.apps.zoom_apps import open_home
from paraph.simulator.engine import Consent, Simulator
from paraph.simulator.scenarios import steps
from paraph.simulator.state.journal import Performed
from paraph.simulator.state.world import App, User
from paraph.simulator.steering.control import advance_clock

Fields = Mapping[str, str]
Action = Callable[[Simulator, Fields], Awaitable[str]]
_CONSENTS: Mapping[str, Literal["ask", "approve", "deny"]] = {
    "ask": "ask",
    "approve": "approve",
    "deny": "deny",
}


async def perform(simulator: Simulator, name: str, fields: Fields) -> str:
    """Perform the action of a button, and return the sentence to show.

    Args:
        simulator: the simulated Zoom.
        name: the name of the button in its URL.
        fields: the fields of its form.

    Raises:
        UsageError: the button or a value of the form is unknown, or the action failed.
        NotFound: the form names an unknown app, user or fault.
    """
    if name not in _ACTIONS:
        raise UsageError("the console has no such button")
    replayed = simulator.sender.find(fields.get("delivery", "")) if name == "repeat" else None
    done = Performed(simulator.wall(), None, attempts=len(replayed.attempts) if replayed else 0)
    before = simulator.sender.deliveries.newest
    said = await _ACTIONS[name](simulator, fields)
    step_of = _STEPS.get(name)
    if step_of is not None:
        done.step = step_of(simulator, fields)
        newest = simulator.sender.deliveries.newest
        sent = newest if newest is not before and name != "validate" else replayed
        done.delivery_id = "" if sent is None else sent.id
        simulator.performed.append(done)
    return said


async def _event(simulator: Simulator, fields: Fields) -> str:
    app, user, name = _app(simulator, fields), _user(simulator, fields), fields.get("event", "")
    if not app.event_url:
        raise UsageError("the app has no event URL")
    sent = simulator.publish(app, name, user=user, variant=fields.get("variant", ""))
    return f"Sent {name}." if sent else "The subscription is disabled: validate its URL first."


async def _deauthorize(simulator: Simulator, fields: Fields) -> str:
    user = _user(simulator, fields)
    variant = fields.get("variant", "")
    delivery = deauthorize(simulator, _app(simulator, fields), user, variant=variant)
    notified = "was" if delivery is not None else "was not"
    return f"{user.display_name} removed the app, and the app {notified} notified."


async def _validate(simulator: Simulator, fields: Fields) -> str:
    app = _app(simulator, fields)
    if not app.event_url:
        raise UsageError("the app has no event URL")
    passed, reason = await simulator.validation.validate(app, app.event_url)
    if not passed:
        raise UsageError(f"The challenge failed: {reason}.")
    return f"Passed: {reason}."


async def _open_home(simulator: Simulator, fields: Fields) -> str:
    opening = await open_home(
        simulator,
        _app(simulator, fields),
        _user(simulator, fields),
        place=fields.get("place", "panel"),
        variant=fields.get("variant", ""),
    )
    result = "Zoom's client shows the page" if opening.shown else "Zoom's client shows no page"
    status = f", status {opening.status}" if opening.status else ""
    text = f"{result}{status}{': ' if opening.problems else '.'}{'; '.join(opening.problems)}"
    if not opening.shown:
        raise UsageError(text)
    return text


async def _clock(simulator: Simulator, fields: Fields) -> str:
    advance_clock(simulator, _seconds(fields))
    return "The timers were moved."


def _seconds(fields: Fields) -> float:
    try:
        return float(fields.get("preset") or fields.get("seconds", ""))
    except ValueError:
        raise UsageError("seconds must be a number") from None


async def _consent(simulator: Simulator, fields: Fields) -> str:
    auto = _CONSENTS.get(fields.get("auto", ""))
    if auto is None:
        raise UsageError("the decision is unknown: choose one of the form")
    simulator.consent = Consent(auto, _user(simulator, fields).id)
    return "Consent is decided like this from now on."


async def _fault(simulator: Simulator, fields: Fields) -> str:
    name = fields.get("name", "")
    if fields.get("on") != "1":
        simulator.faults.switch_off(name)
        return f"{name} is off."
    simulator.faults.switch_on(name, _settings(simulator, fields))
    return f"{name} is on."


def _settings(simulator: Simulator, fields: Fields) -> dict[str, Any]:
    """Return the parameters of a fault's form, each of its type."""
    name = fields.get("name", "")
    known = {one["name"]: one["parameters"] for one in simulator.faults.listing()}
    parameters = {
        key: _typed(fields[f"set.{key}"], default)
        for key, default in known.get(name, {}).items()
        if fields.get(f"set.{key}")
    }
    if fields.get("times"):
        parameters["times"] = _typed(fields["times"], 1)
    return parameters


async def _repeat(simulator: Simulator, fields: Fields) -> str:
    delivery = simulator.sender.find(fields.get("delivery", ""))
    if delivery is None or not delivery.url:
        raise UsageError("there is no such delivery")
    simulator.sender.repeat(delivery)
    return "The same bytes are sent again."


async def _clear(simulator: Simulator, _fields: Fields) -> str:
    simulator.journal.clear()
    return "The journal is empty."


async def _reset(simulator: Simulator, _fields: Fields) -> str:
    simulator.reset()
    return "Everything was reset."


_ACTIONS: Mapping[str, Action] = {
    "event": _event,
    "deauthorize": _deauthorize,
    "validate": _validate,
    "open-home": _open_home,
    "clock": _clock,
    "consent": _consent,
    "fault": _fault,
    "repeat": _repeat,
    "clear": _clear,
    "reset": _reset,
}


def _email(simulator: Simulator, fields: Fields) -> str:
    return _user(simulator, fields).email


def _client(simulator: Simulator, fields: Fields) -> str:
    """Return the client id, unless it is that of the first app."""
    client_id = fields.get("client_id", "")
    return "" if client_id == simulator.world.apps[0].client_id else client_id


def _fault_step(simulator: Simulator, fields: Fields) -> steps.AnyStep:
    name = fields.get("name", "")
    if fields.get("on") != "1":
        return steps.FaultOff(name=name)
    return steps.FaultOn(name=name, settings=_settings(simulator, fields))


# The buttons that a scenario can repeat, as its steps.
_STEPS: Mapping[str, Callable[[Simulator, Fields], steps.AnyStep]] = {
    "event": lambda simulator, fields: steps.Send(
        event=fields.get("event", ""),
        user=_email(simulator, fields),
        client_id=_client(simulator, fields),
        variant="mixed_escapes" if fields.get("variant") else "",
    ),
    "deauthorize": lambda simulator, fields: steps.Deauthorize(
        user=_email(simulator, fields),
        client_id=_client(simulator, fields),
        variant=fields.get("variant", ""),
    ),
    "validate": lambda simulator, fields: steps.Validate(client_id=_client(simulator, fields)),
    "clock": lambda _simulator, fields: steps.Clock(advance=_seconds(fields)),
    "consent": lambda simulator, fields: steps.ConsentRule(
        auto=_CONSENTS[fields["auto"]], user=_email(simulator, fields)
    ),
    "fault": _fault_step,
    "repeat": lambda _simulator, _fields: steps.Repeat(),
}


def _typed(text: str, default: Any) -> Any:
    """Parse a form's text as a parameter of the default's type."""
    if isinstance(default, bool):
        return text == "true"
    if isinstance(default, str):
        return text
    try:
        return int(text) if isinstance(default, int) else float(text)
    except ValueError:
        raise UsageError(f"{text} is not of type {type(default).__name__}") from None


def _app(simulator: Simulator, fields: Fields) -> App:
    return simulator.world.known_app(fields.get("client_id", ""))


def _user(simulator: Simulator, fields: Fields) -> User:
    return simulator.world.known_user(fields.get("user_id", ""))
