"""Random histories of installations, removals and events, with `paraph migrate` in between.

After each step every event is opened. Its body is there if one of its users has had the app since
its arrival. It is gone if at one moment since then no user or account of the event had it any more.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from databases import expand_schema
from events.inbox_kit import keep, open_context
from paraph.errors import StorageError
from paraph.events.inbox import Inbox
from paraph.lifecycle.context import Context
from paraph.lifecycle.hosted_installation import remove_installation
from paraph.model.event import Outcome
from paraph.model.grant import ZoomIdentity
from paraph.operations.data_keys import add_data_keys
from paraph.storage.contraction import contract_schema
from storage import sample

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ACCOUNTS, USERS, STRANGER = ("one", "two"), ("ada", "bob", "eve"), "stranger"
STEPS = 30
MIGRATED_AFTER = 8

Owner = tuple[str, str]


@dataclass(frozen=True)
class Arrived:
    """A kept event, and all installations at its arrival and after each removal since."""

    event_id: str
    account_id: str
    users: tuple[str, ...]
    since: list[set[Owner]]

    def has_app(self, installed: set[Owner], user_id: str) -> bool:
        """Whether a user has the app where the event concerns them."""
        return any(user_id == one[1] and self.account_id in ("", one[0]) for one in installed)

    def must_be_readable(self) -> bool | None:
        """Whether the body has to be there; None if neither is demanded."""
        first, *later = self.since
        had = [one for one in self.users if self.has_app(first, one)]
        if any(all(self.has_app(now, one) for now in later) for one in had):
            return True
        of_account = [any(one[0] == self.account_id for one in now) for now in self.since]
        if of_account[0] and not all(of_account):
            return False
        if not self.users:
            return True if of_account[0] else None
        is_gone = any(not any(self.has_app(now, one) for one in self.users) for now in later)
        return False if had and is_gone else None


@dataclass
class History:
    """One database, what happened to it, and what it must hold."""

    url: str
    context: Context
    chance: random.Random
    installed: dict[Owner, str] = field(default_factory=dict)
    arrived: list[Arrived] = field(default_factory=list)
    said: list[Any] = field(default_factory=list)
    is_migrated: bool = False
    has_all_keys: bool = False

    def __post_init__(self) -> None:
        self.numbers: Iterator[int] = iter(range(10**6))

    async def install(self, owner: Owner) -> None:
        """A user installs the app; before the pass of the keys perhaps at an older replica."""
        mark, identity = str(next(self.numbers)), ZoomIdentity(sample.CLIENT, *owner)
        has_key = self.has_all_keys or self.chance.random() < 0.4
        async with self.context.store.transaction() as tx:
            await tx.grants.add(sample.grant(mark, identity=identity))
            await tx.links.add(sample.link(mark))
            if has_key:
                await tx.data_keys.add_missing(identity, os.urandom)
        self.installed[owner] = f"link-{mark}"
        self.said.append(("installed", owner, has_key))

    async def remove(self, owner: Owner) -> None:
        """The host removes an installation."""
        await remove_installation(self.context, self.installed.pop(owner), reason="test")
        self.said.append(("removed", owner))
        for event in self.arrived:
            event.since.append(set(self.installed))

    async def deliver(self) -> None:
        """An event of an account or of none arrives."""
        account_id = self.chance.choice((*ACCOUNTS, ""))
        users = tuple(self.chance.sample((*USERS, STRANGER), self.chance.choice((0, 1, 2, 2))))
        sides = zip(("callee", "caller"), users, strict=False)
        call = {side: {"user_id": one} for side, one in sides}
        payload: dict[str, Any] = {"object": {"call_id": str(next(self.numbers)), **call}}
        if account_id:
            payload["account_id"] = account_id
        content = {"event": "phone.callee_answered", "event_ts": 10**12, "payload": payload}
        outcome = await keep(Inbox(self.context), content)
        self.said.append((outcome.value, account_id, users))
        if outcome is Outcome.KEPT:
            async with self.context.store.reading() as tx:
                page = await tx.events.page(limit=STEPS * 4)
            known = {one.event_id for one in self.arrived}
            (new,) = [one.event_id for one in page if not one.notice and one.event_id not in known]
            self.arrived.append(Arrived(new, account_id, users, [set(self.installed)]))

    async def migrate(self) -> None:
        """`paraph migrate` beside this process, which finds out by a statement that fails."""
        await contract_schema(self.url)
        with suppress(StorageError):
            async with self.context.store.reading() as tx:
                await tx.events.backlog()
        self.is_migrated = True
        self.said.append("migrated")

    async def check(self) -> None:
        """Open every event."""
        async with self.context.store.reading() as tx:
            for one in self.arrived:
                event = await tx.events.get(one.event_id)
                expected = one.must_be_readable()
                if expected is not None:
                    assert event is not None
                    assert expected == (event.body is not None), (one, self.said)

    async def step(self, number: int) -> None:
        """Let something happen."""
        owner = self.chance.choice(ACCOUNTS), self.chance.choice(USERS)
        match self.chance.choice(["install"] * 2 + ["remove"] + ["deliver"] * 3 + ["keys", "move"]):
            case "install" if owner not in self.installed:
                await self.install(owner)
            case "remove" if owner in self.installed:
                await self.remove(owner)
            case "deliver":
                await self.deliver()
            case "keys" if self.is_migrated:
                await add_data_keys(self.context)
                self.has_all_keys = True
            case "move" if number > MIGRATED_AFTER and not self.is_migrated:
                await self.migrate()


@pytest.mark.parametrize("seed", range(10))
async def test_a_body_lives_as_long_as_one_of_its_users_has_the_app(
    empty_database_url: str, seed: int
) -> None:
    """Whatever the order, and whether the key ring or a data key seals the body."""
    await expand_schema(empty_database_url)
    async with open_context(empty_database_url, installed=False) as context:
        history = History(empty_database_url, context, random.Random(seed))
        for number in range(STEPS):
            await history.step(number)
            await history.check()
