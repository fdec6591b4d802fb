"""Compares the state after a step with its expectations."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from paraph.simulator.replay.place import Place
from paraph.simulator.scenarios.steps import Check, DeliveryMatch, RequestMatch, Step

_EXCERPT = 160


def find_failures(place: Place, step: Step) -> list[str]:
    """Return a sentence for each expectation that does not hold: the expected and actual state.

    Args:
        place: the replay, after the step.
        step: the step.
    """
    return [
        *_wrong_response(place, step),
        *_wrong_grants(place, step),
        *_wrong_history(place, step),
    ]


def _wrong_response(place: Place, step: Step) -> Iterator[str]:
    wanted = step.expect.status
    status, text = place.response or (0, "")
    if wanted is not None and status not in (wanted if isinstance(wanted, list) else [wanted]):
        yield f"expected status {_words(wanted)}, the app's response was {_status(status)}"
    if step.expect.text and place.fill(step.expect.text) not in text:
        shown = " ".join(text.split())[:_EXCERPT]
        yield f"expected the text {step.expect.text!r} in the response: {shown!r}"
    if step.expect.absent and place.fill(step.expect.absent) in text:
        yield f"expected a response without {step.expect.absent!r}"
    beginning = place.fill(step.expect.url)
    actual = urlsplit(place.url).path if beginning.startswith("/") else place.url
    if not actual.startswith(beginning):
        shown = place.url.partition("?")[0]
        yield f"expected the page {beginning}, the browser is at {shown or 'no page'}"


def _wrong_grants(place: Place, step: Step) -> Iterator[str]:
    if step.expect.grants is None:
        return
    wanted = {place.user_id(one) for one in step.expect.grants}
    actual = {one["user_id"] for one in place.zoom.grants()}
    if wanted != actual:
        yield f"expected live grants of {_people(wanted)}, there are those of {_people(actual)}"


def _wrong_history(place: Place, step: Step) -> Iterator[str]:
    whole = isinstance(step, Check)
    if step.expect.attempts is not None:
        found = next((one for one in place.zoom.deliveries() if one["id"] == place.delivery), None)
        count = 0 if found is None else len(found["attempts"]) - place.earlier_attempts
        if count != step.expect.attempts:
            yield f"expected {step.expect.attempts} attempts of the delivery, there were {count}"
    for wanted in step.expect.requests:
        count = len(place.requests(wanted, whole=whole))
        if not _is_count(wanted.count, count):
            yield f"expected {describe(wanted)}, there were {count}"
    for delivery in step.expect.deliveries:
        count = len(place.deliveries(delivery, whole=whole))
        if not _is_count(delivery.count, count):
            yield f"expected {describe(delivery)}, there were {count}"


def describe(wanted: RequestMatch | DeliveryMatch) -> str:
    """Describe what a match looks for, in words for a failure."""
    number = "at least one" if wanted.count is None else f"{wanted.count}"
    status = "" if wanted.status is None else f" with status {_status(wanted.status)}"
    if isinstance(wanted, RequestMatch):
        return f"{number} request {wanted.method or 'to'} {wanted.path}{status}"
    return f"{number} delivery of {wanted.event or 'any event'}{status}"


def _is_count(wanted: int | None, actual: int) -> bool:
    return actual > 0 if wanted is None else actual == wanted


def _status(status: int) -> str:
    return str(status) if status else "missing"


def _words(wanted: int | list[int]) -> str:
    return " or ".join(map(_status, wanted if isinstance(wanted, list) else [wanted]))


def _people(ids: set[str]) -> str:
    return ", ".join(sorted(ids)) or "no user"
