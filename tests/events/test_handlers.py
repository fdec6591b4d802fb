"""Handlers: chosen by name, handed what they ask for, and at least once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from events.inbox_kit import install, keep, kept, meeting
from paraph.errors import UsageError
from paraph.events.handlers import HandedEvent, Handlers
from paraph.events.inbox import Inbox
from paraph.lifecycle.context import Context
from paraph.storage.records import Installation, KeptEvent
from storage import sample

pytestmark = pytest.mark.anyio


async def _kept(context: Context, content: dict[str, Any] | None = None) -> KeptEvent:
    await keep(Inbox(context), content or meeting())
    return (await kept(context))[-1]


async def test_a_handler_is_handed_event_installation_and_client(context: Context) -> None:
    """All three, of the person whom the event names."""
    handlers = Handlers()
    seen: list[tuple[HandedEvent, Installation | None, Any]] = []

    @handlers.on("meeting.*")
    async def meeting_handler(event: HandedEvent, installation: Installation, zoom: Any) -> None:
        seen.append((event, installation, zoom))

    event = await _kept(context)
    await handlers.bind(context, client_of=lambda one: f"client of {one.link.subject}").hand_on(
        event, []
    )
    ((handed, installation, client),) = seen
    assert ("meeting.ended", "canary-topic-1") == (handed.name, handed.payload["object"]["topic"])
    assert event.body == handed.body and event.event_id == handed.id
    assert installation is not None and "link-1" == installation.link.link_id
    assert "client of subject-1" == client


async def test_patterns_choose_by_name(context: Context) -> None:
    """A name means itself, a star what begins so; nothing else is called."""
    handlers = Handlers()
    called: list[str] = []
    for pattern in ("meeting.ended", "meeting.*", "*", "meeting", "meeting.ended.*", "recording.*"):
        handlers.on(pattern)(_noting(called, pattern))
    await handlers.bind(context).hand_on(await _kept(context), [])
    assert ["meeting.ended", "meeting.*", "*"] == called


def _noting(called: list[str], pattern: str) -> Callable[[HandedEvent], None]:
    def handler(_event: HandedEvent) -> None:
        called.append(pattern)

    return handler


async def test_an_event_of_nobody_in_particular_has_no_installation(context: Context) -> None:
    """Two installations and an event that names neither: the handler decides, nobody guesses."""
    await install(context, "2")
    handlers = Handlers()
    seen: list[Any] = []

    @handlers.on("*")
    async def handler(event: HandedEvent, installation: Installation | None) -> None:
        seen.append((installation, len(event.installations)))

    await handlers.bind(context).hand_on(await _kept(context, meeting(host_id="user-9")), [])
    assert [(None, 2)] == seen


async def test_what_a_handler_raises_is_a_failed_attempt(context: Context) -> None:
    """It reaches the dispatcher, which retries."""
    handlers = Handlers()

    @handlers.on("*")
    def handler(_event: HandedEvent) -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await handlers.bind(context).hand_on(await _kept(context), [])


async def test_notices_are_handed_on_too(context: Context) -> None:
    """What the host must hear of its installations has the notice itself as payload."""
    handlers = Handlers()
    seen: list[Any] = []

    @handlers.on("installation.removed")
    async def handler(event: HandedEvent) -> None:
        seen.append(event.payload)

    notice = replace(
        sample.event(), name="installation.removed", notice=True, body=b'{"reason":"asked"}'
    )
    await handlers.bind(context).hand_on(notice, [])
    assert [{"reason": "asked"}] == seen


@pytest.mark.parametrize("pattern", ["", "meeting ended", "*.ended", "meet*ing", "meeting.**"])
def test_a_pattern_that_means_nothing_is_refused(pattern: str) -> None:
    """At registration, not by silence later."""
    with pytest.raises(UsageError):
        Handlers().on(pattern)


def test_a_handler_with_other_parameters_is_refused() -> None:
    """One to three values are handed in."""
    with pytest.raises(UsageError):
        Handlers().on("*")(lambda: None)
