"""Does one step of a scenario, and says in one line what happened."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sized
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from paraph.simulator.replay.expectations import describe
from paraph.simulator.replay.place import Failed, Place
from paraph.simulator.scenarios import steps
from paraph.simulator.scenarios.steps import DeliveryMatch, RequestMatch, Step

# A receiver has three seconds for each attempt.
_SECONDS = 30.0


def do_step(place: Place, step: Step) -> str:
    """Do a step; return one line about what happened.

    Args:
        place: the replay.
        step: the step.

    Raises:
        Failed: it cannot be done.
        ParaphError: the simulator refuses it.
        httpx.HTTPError: the app cannot be reached.
    """
    return _WORK[type(step)](place, step)


def _start(place: Place, step: steps.Start) -> str:
    browser = place.browser(step.browser)
    place.show(browser.get(place.fill(step.url or place.start_url)))
    if browser.is_at_consent:
        return "the browser is at Zoom's consent page"
    return f"the browser is at {_without_query(browser.url)}"


def _approve(place: Place, step: steps.Approve) -> str:
    browser = place.browser(step.browser)
    user = place.zoom.world.chosen_user(step.user)
    page = browser.approve(user, follow=step.follow)
    place.show(page)
    if step.keep:
        redirect = page.headers.get("location") or str(page.url)
        if page.history:
            redirect = page.history[0].headers["location"]
        given = dict(parse_qsl(urlsplit(redirect).query))
        place.values[f"{step.keep}.redirect"] = redirect
        for name in ("code", "state"):
            place.values[f"{step.keep}.{name}"] = given.get(name, "")
    result = f"{user.display_name} gave consent"
    return (
        f"{result}; {_shown(page)}" if step.follow else f"{result}; the code is kept from the app"
    )


def _deny(place: Place, step: steps.Deny) -> str:
    page = place.browser(step.browser).deny()
    place.show(page)
    return f"consent was denied; {_shown(page)}"


def _press(place: Place, step: steps.Press) -> str:
    page = place.browser(step.browser).press(step.text, **place.fill_all(step.fields))
    place.show(page)
    return f"pressed {step.text}; {_shown(page)}"


def _request(place: Place, step: steps.Request) -> str:
    url, headers = place.fill(step.url), place.fill_all(step.headers)
    content: dict[str, Any] = {}
    if step.form is not None:
        content["data"] = place.fill_all(step.form)
    elif step.body:
        content["content"] = place.fill(step.body).encode()
    if not step.browser:
        place.program.cookies.clear()
        page = place.program.request(step.method, url, headers=headers, **content)
    elif step.method == "GET":
        page = place.browser(step.browser).get(url, headers=headers)
    else:
        page = place.browser(step.browser).post(url, headers=headers, **content)
    place.show(page)
    return f"{step.method} {_without_query(url)}: {_shown(page)}"


def _send(place: Place, step: steps.Send) -> str:
    with ExitStack() as faults:
        for name, settings in step.faults.items():
            faults.enter_context(place.zoom.fault(name, **settings))
        place.delivery = place.zoom.send_event(
            step.event,
            place.fill_all(step.payload),
            user_id=place.user_id(step.user) if step.user else "",
            client_id=step.client_id,
            variant=step.variant,
        )
    return _responded(place, step) if step.wait else f"{step.event} is on its way"


def _repeat(place: Place, step: steps.Repeat) -> str:
    if not place.delivery:
        raise Failed("no delivery was sent before this step: send an event first")
    place.earlier_attempts = _attempts(place)
    place.zoom.repeat(place.delivery)
    return _responded(place, step)


def _validate(place: Place, step: steps.Validate) -> str:
    passed, reason = place.zoom.validate_url(client_id=step.client_id)
    if passed != step.passed:
        raise Failed(f"the challenge {'passed' if passed else 'failed'}: {reason}")
    return f"the challenge {'passed' if passed else 'failed'}: {reason}"


def _end_token(place: Place, step: steps.EndToken) -> str:
    count = place.zoom.expire_access_token(place.user_id(step.user), client_id=step.client_id)
    if not count:
        raise Failed("the user has no live access token of this app")
    return "the access token has expired"


def _revoke(place: Place, step: steps.Revoke) -> str:
    place.zoom.revoke(place.user_id(step.user), client_id=step.client_id)
    place.zoom.settle()
    return "the grant is revoked"


def _deauthorize(place: Place, step: steps.Deauthorize) -> str:
    user_id = place.user_id(step.user)
    sent = place.zoom.deauthorize(user_id, client_id=step.client_id, variant=step.variant)
    if sent is None:
        return "the app was removed; it is not notified"
    place.delivery = sent
    return _responded(place, step)


def _fault_on(place: Place, step: steps.FaultOn) -> str:
    place.switch_on(step.name, step.settings)
    return f"{step.name} is on"


def _fault_off(place: Place, step: steps.FaultOff) -> str:
    place.switch_off(step.name)
    return f"{step.name} is off"


def _consent(place: Place, step: steps.ConsentRule) -> str:
    place.zoom.consent(step.auto, place.user_id(step.user))
    return f"consent: {step.auto}"


def _clock(place: Place, step: steps.Clock) -> str:
    place.zoom.advance(step.advance)
    place.zoom.settle()
    return f"the timers moved by {step.advance:g} s"


def _wait(place: Place, step: steps.Wait) -> str:
    if step.seconds is not None:
        threading.Event().wait(step.seconds)
        return f"{step.seconds:g} s have passed"
    if step.url:
        url = place.fill(step.url)
        place.wait_for(
            lambda: _is_up(place, url), f"a response of {_without_query(url)}", step.within
        )
        return f"{_without_query(url)} responds"
    if step.request is not None:
        return f"{_arrived(place, step.request, place.requests, step.within)} arrived"
    if step.delivery is not None:
        return f"{_arrived(place, step.delivery, place.deliveries, step.within)} was answered"
    raise Failed("the step waits for nothing")


def _arrived(
    place: Place,
    wanted: RequestMatch | DeliveryMatch,
    found: Callable[..., Sized],
    within: float,
) -> str:
    """Wait until as many entries as wanted are there, and return their description."""
    least = wanted.count or 1
    place.wait_for(lambda: len(found(wanted, whole=True)) >= least, describe(wanted), within)
    return describe(wanted)


def _check(_place: Place, _step: steps.Check) -> str:
    return "checked"


_WORK: Mapping[type[Step], Callable[[Place, Any], str]] = {
    steps.Start: _start,
    steps.Approve: _approve,
    steps.Deny: _deny,
    steps.Press: _press,
    steps.Request: _request,
    steps.Send: _send,
    steps.Repeat: _repeat,
    steps.Validate: _validate,
    steps.EndToken: _end_token,
    steps.Revoke: _revoke,
    steps.Deauthorize: _deauthorize,
    steps.FaultOn: _fault_on,
    steps.FaultOff: _fault_off,
    steps.ConsentRule: _consent,
    steps.Clock: _clock,
    steps.Wait: _wait,
    steps.Check: _check,
}


def _attempts(place: Place) -> int:
    return sum(
        len(one["attempts"]) for one in place.zoom.deliveries() if one["id"] == place.delivery
    )


def _responded(place: Place, step: Step) -> str:
    """Wait for the response to the last delivery, and note it as the response of this step."""
    least = place.earlier_attempts + max(1, step.expect.attempts or 1)
    try:
        found = place.zoom.wait_for_delivery(place.delivery, attempts=least, seconds=_SECONDS)
    except TimeoutError:
        raise Failed(f"the delivery had no attempt number {least} within {_SECONDS:g} s") from None
    status = found["attempts"][-1]["status"]
    place.response = (status, "")
    return f"{found['event']}: {found['attempts'][-1]['reason']}"


def _is_up(place: Place, url: str) -> bool:
    try:
        place.program.get(url)
    except httpx.HTTPError:
        return False
    return True


def _shown(page: httpx.Response) -> str:
    return f"status {page.status_code} at {_without_query(str(page.url))}"


def _without_query(url: str) -> str:
    """Return a URL without its query, which may hold a code or a state."""
    return url.partition("?")[0]
