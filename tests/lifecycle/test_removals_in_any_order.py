"""Removals that Zoom tells twice, late, misdated or about the wrong admin.

Histories of consents and removals run on a clock of Zoom's that the test moves. Each removal is
told at least once, in whichever writing. No live grant ends without Zoom's word, no consent is
barred, and at the end no dead grant is left.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paraph.events.inbox import reopen_deauthorization
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.deauthorization import carry_out
from paraph.model.event import KeptEvent
from paraph.model.phase import Phase
from service_kit import ACCOUNT, JANE, RAVI, Kit, agree_as, running

Level = Literal["user", "account"]
PEOPLE = (JANE, RAVI)
# Seconds from one step to the next: on either side of what counts as near.
GAPS = (0, 1, 59, 62, 1500)
FUTURE = 400 * 86400


def _zulu(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _in_zone(at: float, hours: float) -> str:
    return datetime.fromtimestamp(at, timezone(timedelta(hours=hours))).isoformat()


# How Zoom may write the time of a removal; None leaves it out.
WRITINGS = {
    "as documented": _zulu,
    "east of Greenwich": lambda at: _in_zone(at, 5.5),
    "west of Greenwich": lambda at: _in_zone(at, -8),
    "cut": lambda at: _zulu(at)[:19],
    "absent": lambda _at: None,
    "unreadable": lambda _at: "yesterday",
    "a number": lambda at: int(at * 1000),
    "local time as UTC, ahead": lambda at: _zulu(at + 9 * 3600),
    "local time as UTC, behind": lambda at: _zulu(at - 8 * 3600),
    "far in the future": lambda at: _zulu(at + FUTURE),
    "long ago": lambda at: _zulu(at - FUTURE),
}


@dataclass(frozen=True)
class Step:
    """One thing that happens, some seconds after the one before."""

    what: Literal["consent", "remove", "tell"]
    gap: int = 62
    person: str = JANE
    # Of a removal by an admin of an account-level app: whether the others' grants end with it.
    ends_all: bool = True
    # Of a telling: which removal, how it is written, and whether it is signed as the first time.
    which: int = 0
    writing: str = "as documented"
    is_signed_again: bool = True


@dataclass
class Told:
    """A removal that happened at Zoom."""

    person: str
    at: float
    signed_at: int
    tellings: int = 0


@dataclass
class History:
    """One service, its Zoom, and what happened there."""

    kit: Kit
    level: Level
    now: float = field(default_factory=lambda: time.time() - 4 * 3600)
    removals: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        transport = self.kit.service.context.authorization_server.transport
        send = transport.send

        async def send_dated(request: Any) -> Any:
            response = await send(request)
            others = [(name, value) for name, value in response.headers if name.lower() != "date"]
            date = datetime.fromtimestamp(self.now, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
            return replace(response, headers=(*others, ("date", date)))

        transport.send = send_dated  # type: ignore[method-assign]

    @property
    def live(self) -> set[str]:
        """The users whose grants live at Zoom."""
        return {user for _, user in self.kit.zoom.simulator.ledger.grants}

    async def held(self) -> dict[str, Phase]:
        """The users whose grants are kept."""
        return {one.grant.identity.user_id: one.phase for one in await self.kit.installations()}

    async def take(self, step: Step) -> None:
        """Let a step happen; nobody's live grant may have suffered."""
        self.now += step.gap
        match step.what:
            case "consent":
                agree_as(self.kit.zoom, step.person)
                async with self.kit.browser() as browser:
                    answer = await self.kit.install(browser)
                assert 303 == answer.status_code, answer.text
            case "remove":
                self._remove(step)
            case "tell" if self.removals:
                told = self.removals[step.which % len(self.removals)]
                await self._tell(told, step.writing, is_signed_again=step.is_signed_again)
        held = await self.held()
        assert self.live <= set(held)
        assert all(held[person] is Phase.ACTIVE for person in self.live)

    def _remove(self, step: Step) -> None:
        ledger, client_id = self.kit.zoom.simulator.ledger, self.kit.zoom.app.client_id
        everybody = self.level == "account" and step.ends_all
        for person in PEOPLE if everybody else (step.person,):
            ledger.remove(client_id, person)
        self.removals.append(Told(step.person, self.now, int(self.now)))

    async def _tell(self, told: Told, writing: str, *, is_signed_again: bool) -> None:
        told.tellings += 1
        payload: dict[str, Any] = {
            "client_id": self.kit.zoom.app.client_id,
            "account_id": ACCOUNT,
            "user_id": told.person,
        }
        written = WRITINGS[writing](told.at)  # type: ignore[no-untyped-call]
        if written is not None:
            payload["deauthorization_time"] = written
        body = json.dumps({"event": "app_deauthorized", "payload": payload}).encode()
        kept = KeptEvent("id", "app_deauthorized", int(self.now), body, account_id=ACCOUNT)
        context = replace(self.kit.service.context, clock=lambda: self.now)
        await carry_out(
            context,
            Refresher(context),
            reopen_deauthorization(kept),
            received_at=int(self.now),
            signed_at=int(self.now) if is_signed_again else told.signed_at,
        )

    async def finish(self) -> None:
        """Tell what was not told yet: then Zoom and the store agree."""
        for told in self.removals:
            if not told.tellings:
                await self._tell(told, "as documented", is_signed_again=True)
        assert self.live == set(await self.held())


async def run(level: Level, steps: list[Step]) -> None:
    """One history, from an empty database."""
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder), level=level) as kit:
            kit.zoom.app.deauthorization_url = ""
            history = History(kit, level)
            for step in steps:
                await history.take(step)
            await history.finish()


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(["consent", "consent", "remove", "tell", "tell"]),
        gap=st.sampled_from(GAPS),
        person=st.sampled_from(PEOPLE),
        ends_all=st.booleans(),
        which=st.integers(0, 5),
        writing=st.sampled_from(sorted(WRITINGS)),
        is_signed_again=st.booleans(),
    ),
    min_size=3,
    max_size=9,
)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["user", "account"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_zoom_and_the_store_agree_in_the_end(level: Level, steps: list[Step]) -> None:
    """Whatever the order, the repetitions and the writing: what lives at Zoom is kept, alone."""
    asyncio.run(run(level, steps))


@pytest.mark.anyio
@pytest.mark.parametrize("writing", sorted(WRITINGS))
async def test_a_removal_in_any_writing_spares_the_next_install(writing: str) -> None:
    """Removed and installed again, then told, twice and late: the new grant stays."""
    again = Step("tell", gap=1500, writing=writing, is_signed_again=False)
    steps = [Step("consent"), Step("remove"), Step("consent"), Step("tell", writing=writing), again]
    await run("user", steps)


@pytest.mark.anyio
@pytest.mark.parametrize("ends_all", [True, False])
async def test_a_stale_admins_removal_is_decided_at_zoom(*, ends_all: bool) -> None:
    """The grant of the other admin ends if, and only if, Zoom ended it."""
    steps = [
        Step("consent", person=RAVI),
        Step("consent", person=JANE),
        Step("remove", person=RAVI, ends_all=ends_all),
        Step("tell"),
        Step("consent", person=RAVI),
    ]
    await run("account", steps)
