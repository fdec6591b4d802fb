"""Whatever happens in whatever order: the invariants of installations hold.

Two tenants of one host, two people at Zoom, two browsers; starts, answers delivered to the right
and the wrong browser and again, confirmations by the right and the wrong subject, refreshes,
removals on both sides, restarts, keys that turn, time that runs out, and a service that dies at
any step of any of these.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
)

from databases import new_sqlite
from lifecycle.fuse import Crash, Fuse
from lifecycle.linking import challenge_of
from paraph.errors import (
    Conflict,
    NeedsReauthorization,
    NotFound,
    PeerUnavailable,
    TransportError,
    UsageError,
)
from paraph.lifecycle import link, link_request
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.active_access import ActiveAccess
from paraph.lifecycle.audit import walk_chain
from paraph.lifecycle.deauthorization import carry_out
from paraph.lifecycle.hosted_installation import remove_installation
from paraph.model.installation import Installation
from paraph.operations import key_rotation
from paraph.operations.replica import LIVE_SECONDS
from paraph.sealing.encryption_key import new_encryption_key
from paraph.secret import Secret
from paraph.service.app import open_service
from paraph.zoom.events import AppDeauthorized
from postgres_server import PostgresServer
from service_kit import (
    ACCOUNT,
    JANE,
    PUBLIC_URL,
    RAVI,
    Kit,
    agree_as,
    give_back,
    settings_for,
    simulated_zoom,
)

OTHER_ACCOUNT = "OtherAccountOfPeople01"
SUBJECTS = st.sampled_from(["tenant-a:alice", "tenant-b:bob"])
PEOPLE = st.sampled_from([JANE, RAVI])
JARS = st.sampled_from([0, 1])
ACTS = st.sampled_from(["install", "vend", "remove", "deauthorize", "turn key"])


def verifier_of(subject: str) -> str:
    """What the host keeps in a subject's session."""
    return subject.replace(":", "-") * 4


@dataclass(frozen=True)
class Answer:
    """Where Zoom sent a browser, and who began that in which one."""

    url: str
    jar: int
    subject: str
    person: str


@dataclass(frozen=True)
class Given:
    """A handoff, and what it must be good for alone."""

    code: str
    subject: str
    person: str


class AnyOrder(RuleBasedStateMachine):
    """One service, and a model of what it may have done."""

    answers: Bundle[Answer] = Bundle("answers")
    handoffs: Bundle[Given] = Bundle("handoffs")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.zoom = simulated_zoom()
        self.folder = tempfile.TemporaryDirectory()
        self.database_url = self.new_database()
        self.settings = settings_for(
            self.zoom, Path(self.folder.name), linking="host", database_url=self.database_url
        )
        self.jars = [httpx.Cookies(), httpx.Cookies()]
        self.confirmed: set[tuple[str, str]] = set()
        self.moved: set[str] = set()
        self.gone: set[str] = set()
        # The handoff that each answer of Zoom's led to.
        self.given: dict[str, str] = {}
        # Tokens of what was removed, and the number of the last request that Zoom had seen by then.
        self.ended: dict[str, int] = {}
        self.later = 0.0
        self.runner.run(self._open())

    def new_database(self) -> str:
        """Where everything is kept."""
        return new_sqlite(Path(self.folder.name) / "paraph.db")

    async def _open(self) -> None:
        self.stack = AsyncExitStack()
        service = await self.stack.enter_async_context(open_service(self.settings))
        self.kit = Kit(self.zoom, service, self.settings)
        self.context = service.context
        self.fuse = Fuse()
        self.fuse.guard(self.context)
        # What a dead holder of a lease keeps others waiting for goes by without waiting.
        patient = replace(self.context, clock=lambda: time.time() + self.later)
        self.refresher = Refresher(patient, lease_seconds=10, sleep=self._sleep)
        self.access = ActiveAccess(patient, self.refresher)

    async def _sleep(self, seconds: float) -> None:
        self.later += seconds
        await asyncio.sleep(0)

    def teardown(self) -> None:
        """Let go of everything."""
        self.fuse.left, self.fuse.blown = 0, False
        try:
            self.runner.run(self.stack.aclose())
        finally:
            self._clear_away()

    def _clear_away(self) -> None:
        self.runner.close()
        give_back(self.zoom)
        self.folder.cleanup()

    def _browser(self, jar: int) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.kit.service.public)
        return httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL, cookies=self.jars[jar])

    @rule(subject=SUBJECTS, person=PEOPLE, jar=JARS, move=st.booleans())
    def install(self, subject: str, person: str, jar: int, *, move: bool) -> None:
        """The whole way, as it is meant."""
        given = self.deliver(self.start(subject, person, jar), jar)
        assert isinstance(given, Given)
        self.confirm(given, move=move)

    @rule(target=answers, subject=SUBJECTS, person=PEOPLE, jar=JARS)
    def start(self, subject: str, person: str, jar: int) -> Answer:
        """A subject begins in a browser, and somebody agrees at Zoom."""
        return self.runner.run(self._start(subject, person, jar))

    async def _start(self, subject: str, person: str, jar: int) -> Answer:
        code, _ = await link_request.request_link(
            self.context, subject=subject, challenge=challenge_of(verifier_of(subject))
        )
        agree_as(self.zoom, person)
        async with self._browser(jar) as browser:
            url = await self.kit.agree(await browser.get(f"/install?request={code.reveal()}"))
            self.jars[jar] = httpx.Cookies(browser.cookies)
        return Answer(url, jar, subject, person)

    @rule(target=handoffs, answer=answers)
    def come_back(self, answer: Answer) -> Given | MultipleResults[Given]:
        """An answer reaches the browser that began, perhaps once more."""
        return self.deliver(answer, answer.jar)

    @rule(target=handoffs, answer=answers, jar=JARS)
    def deliver(self, answer: Answer, jar: int) -> Given | MultipleResults[Given]:
        """An answer reaches a browser, perhaps the wrong one, perhaps once more."""
        given = self.runner.run(self._deliver(answer, jar))
        return multiple() if given is None else given

    async def _deliver(self, answer: Answer, jar: int) -> Given | None:
        async with self._browser(jar) as browser:
            response = await browser.get(answer.url)
            self.jars[jar] = httpx.Cookies(browser.cookies)
        assert response.status_code < 500, response.text
        handoff = parse_qs(urlsplit(response.headers.get("location", "")).query).get("handoff")
        if handoff is None:
            return None
        # Only the browser that began gets a handoff, and for each answer always the same one.
        assert answer.jar == jar
        assert self.given.setdefault(answer.url, handoff[0]) == handoff[0]
        return Given(handoff[0], answer.subject, answer.person)

    @rule(given=handoffs, move=st.booleans())
    def confirm(self, given: Given, *, move: bool) -> None:
        """The host opens a handoff for whom it began for, who says yes."""
        self.runner.run(self._confirm(given, given.subject, given.subject, move=move))

    @rule(given=handoffs, whose=SUBJECTS, subject=SUBJECTS, move=st.booleans())
    def confirm_as_anybody(self, given: Given, whose: str, subject: str, *, move: bool) -> None:
        """A host opens a handoff with somebody's verifier, and somebody says yes."""
        self.runner.run(self._confirm(given, whose, subject, move=move))

    async def _confirm(self, given: Given, whose: str, subject: str, *, move: bool) -> None:
        try:
            claim = await link.claim(
                self.context, handoff=Secret(given.code), verifier=verifier_of(whose)
            )
            done = await link.confirm(self.context, claim=claim.claim, subject=subject, move=move)
        except (UsageError, Conflict):
            # The latter: Zoom has ended the grant meanwhile.
            return
        assert given.subject == whose == subject == done.link.subject
        assert given.person == done.grant.identity.user_id
        self.confirmed.add((subject, given.person))

    @rule(subject=SUBJECTS)
    def vend(self, subject: str) -> None:
        """The access token of a subject runs out, and is asked for; the removed have none."""
        self.runner.run(self._vend(subject))

    async def _vend(self, subject: str) -> None:
        for installation_id in self.gone:
            with pytest.raises(NotFound):
                await self.access.current(installation_id)
        async with self.context.store.transaction() as tx:
            active = await tx.links.active_for_subject(self.zoom.app.client_id, subject)
            grant = None if active is None else await tx.grants.get(active.grant_id)
            if active is None or grant is None:
                return
            await tx.grants.replace_tokens(
                grant.grant_id,
                replace(grant.tokens, access_expires_at=0),
                expected_version=grant.token_version,
                phase=grant.phase,
            )
        try:
            access = await self.access.current(active.link_id)
        except (NeedsReauthorization, PeerUnavailable, TransportError):
            # The last two: somebody died while he refreshed, and may yet have been answered.
            return
        owner = await self.context.resource_server.read_user(
            access.api_server, access_token=access.access_token
        )
        assert (subject, owner.user_id) in self.confirmed

    @rule(subject=SUBJECTS)
    def remove(self, subject: str) -> None:
        """The host removes what a subject has."""
        self.runner.run(self._remove(subject))

    async def _remove(self, subject: str) -> None:
        async with self.context.store.reading() as tx:
            active = await tx.links.active_for_subject(self.zoom.app.client_id, subject)
        if active is not None:
            before = await self._tokens_of({active.link_id})
            await remove_installation(self.context, active.link_id, reason="host")
            self._note_gone({active.link_id}, before)

    async def _tokens_of(self, link_ids: set[str]) -> set[str]:
        found = [one for one in await self.kit.installations() if one.link.link_id in link_ids]
        tokens = [one.grant.tokens for one in found]
        return {
            token.reveal()
            for one in tokens
            for token in (one.access_token, one.refresh_token)
            if token is not None
        }

    def _note_gone(self, link_ids: set[str], tokens: set[str]) -> None:
        self.gone |= link_ids
        # Not how many there are: a simulator that serves again counts on from its last test.
        last = max((int(entry["number"]) for entry in self.zoom.journal()), default=0)
        for token in tokens:
            self.ended.setdefault(token, last)

    @rule(person=PEOPLE)
    def transfer(self, person: str) -> None:
        """Zoom moves somebody to another account, or back; their tokens live on."""
        user = self.zoom.world.user(person)
        assert user is not None
        user.account_id = OTHER_ACCOUNT if user.account_id == ACCOUNT else ACCOUNT
        self.zoom.simulator.ledger.move(person, user.account_id, keep_tokens=True)
        self.moved.add(person)

    @rule(person=PEOPLE)
    def deauthorize(self, person: str) -> None:
        """Somebody removes the app at Zoom, who says so without a time."""
        self.runner.run(self._deauthorize(person))

    async def _deauthorize(self, person: str) -> None:
        user = self.zoom.world.user(person)
        assert user is not None
        concerned = {
            one.link.link_id
            for one in await self.kit.installations()
            if one.grant.identity == self.context.identity(user.account_id, person)
        }
        before = await self._tokens_of(concerned)
        self.zoom.simulator.ledger.remove(self.zoom.app.client_id, person)
        event = AppDeauthorized(
            client_id=self.zoom.app.client_id,
            account_id=user.account_id,
            user_id=person,
            deauthorization_time=None,
            user_data_retention=False,
        )
        while True:
            try:
                await carry_out(self.context, self.refresher, event, received_at=self.context.now())
            except (PeerUnavailable, TransportError):
                # As the event would be: tried again, when the lease of who died has run out.
                self.later += 10
            else:
                break
        self._note_gone(concerned, before)

    @rule()
    def restart(self) -> None:
        """The service ends and comes back."""
        self.runner.run(self.stack.aclose())
        self.runner.run(self._open())

    @rule(after=st.integers(1, 14), act=ACTS, subject=SUBJECTS, person=PEOPLE)
    def crash(self, after: int, act: str, subject: str, person: str) -> None:
        """The service dies at one of its steps, whatever it was doing, and comes back."""
        # The person says yes, so the link may exist, whether or not anybody was told.
        self.confirmed |= {(subject, person)} if act == "install" else set()
        with suppress(Crash):
            self.runner.run(self._act(act, after, subject, person))
        self.fuse.blown = True
        with suppress(Crash):
            self.runner.run(self.stack.aclose())
        self.runner.run(self._open())
        if act == "remove":
            # Whoever got no answer asks again.
            self.runner.run(self._remove(subject))
        if act == "deauthorize":
            self.runner.run(self._deauthorize(person))

    async def _act(self, act: str, after: int, subject: str, person: str) -> None:
        self.fuse.light(after)
        match act:
            case "install":
                given = await self._deliver(await self._start(subject, person, 0), 0)
                if given is not None:
                    await self._confirm(given, subject, subject, move=True)
            case "vend":
                await self._vend(subject)
            case "remove":
                await self._remove(subject)
            case "deauthorize":
                await self._deauthorize(person)
            case _:
                keys = (Secret(new_encryption_key()), *self.settings.encryption_keys)
                self.settings = replace(self.settings, encryption_keys=keys)
                await self.stack.aclose()
                await self._open()
                self.fuse.light(after)
                await self._rotate()

    @rule()
    def time_runs_out(self) -> None:
        """Ten minutes go by without a yes: what was not confirmed is declined."""
        self.runner.run(self._expire())

    async def _expire(self) -> None:
        later = replace(self.context, clock=lambda: time.time() + link.PENDING_SECONDS + 1)
        known = await self.kit.installations()
        await link.expire_pending(later)
        assert list(known) == list(await self.kit.installations())

    @rule()
    def rotate_key(self) -> None:
        """A new encryption key seals, and everything is sealed anew."""
        keys = (Secret(new_encryption_key()), *self.settings.encryption_keys)
        self.settings = replace(self.settings, encryption_keys=keys)
        self.restart()
        self.runner.run(self._rotate())

    async def _rotate(self) -> None:
        try:
            await key_rotation.begin_rotation(self.context)
        except UsageError:
            # A service that died has not said so: it counts as gone some minutes later.
            later = replace(self.context, clock=lambda: time.time() + LIVE_SECONDS + 1)
            await key_rotation.begin_rotation(later)
        await key_rotation.reseal(self.context, lambda _count: None)
        assert 0 == await key_rotation.count_outdated(self.context)

    @invariant()
    def only_what_was_confirmed_is_linked(self) -> None:
        """A link exists only if a browser began, came back, and its subject said yes."""
        found = self.runner.run(self._installations())
        pairs = [(one.link.subject, one.grant.identity.user_id) for one in found]
        assert set(pairs) <= self.confirmed
        assert len(pairs) == len({subject for subject, _ in pairs})
        assert len(pairs) == len({person for _, person in pairs})
        assert not self.gone & {one.link.link_id for one in found}

    async def _installations(self) -> list[Installation]:
        return list(await self.kit.installations())

    @invariant()
    def notices_alone_tell_what_is_installed(self) -> None:
        """A host that knows nothing but its notices, in order, knows what the store holds."""
        told = self.runner.run(self._told())
        counted: dict[str, int] = {}
        last: dict[str, int] = {}
        for one in told:
            person, sequence = one["zoom"]["user_id"], one["sequence"]
            counted[person] = counted.get(person, 0) + 1
            # A moved user may begin anew in another account, where nothing was left to continue.
            assert counted[person] == sequence or person in self.moved
            for whose in (one["id"], f"{one['zoom']['account_id']} {person}"):
                assert last.get(whose, 0) < sequence
                last[whose] = sequence
        believed = {one["id"]: one["phase"] for one in told}
        found = self.runner.run(self._installations())
        held = {one.link.link_id: one.phase.value for one in found}
        assert set(held) == {one for one, phase in believed.items() if phase != "ended"}
        # While a removal is decided the host is told nothing.
        assert all(phase in {believed[one], "undecided"} for one, phase in held.items())

    async def _told(self) -> list[dict[str, Any]]:
        async with self.context.store.reading() as tx:
            page = await tx.events.page(limit=1000)
            found = [await tx.events.get(one.event_id) for one in page if one.notice]
        notices = sorted((one for one in found if one), key=lambda one: one.arrival)
        return [json.loads(one.body or b"")["installation"] for one in notices]

    @invariant()
    def every_code_and_state_was_used_once(self) -> None:
        """Zoom saw no code twice."""
        codes = [
            value
            for entry in self.kit.token_requests()
            for name, value in entry["form"]
            if name == "code"
        ]
        assert len(codes) == len(set(codes))

    @invariant()
    def nothing_removed_comes_to_zoom(self) -> None:
        """With the tokens of what was removed nobody asks for anything but their end."""
        for entry in self.zoom.journal():
            assert entry["path"] == "/oauth/revoke" or not self._used_too_late(entry)

    def _used_too_late(self, entry: dict[str, Any]) -> bool:
        number = int(entry["number"])
        said = [value for _, value in (*entry["headers"], *entry["form"])]
        return any(
            number > last and any(token in value for value in said)
            for token, last in self.ended.items()
        )

    @invariant()
    def the_audit_chain_holds(self) -> None:
        """Nothing was left out or changed."""
        assert self.runner.run(walk_chain(self.context.store)).broken_at is None


class AnyOrderOnPostgresql(AnyOrder):
    """The same on PostgreSQL."""

    server: PostgresServer

    def new_database(self) -> str:
        """A new one on the server."""
        return self.server.create_database()

    def _clear_away(self) -> None:
        super()._clear_away()
        self.server.drop_database(self.database_url)


# ANY_ORDER=200 for a long look.
EXAMPLES = int(os.environ.get("ANY_ORDER", "10"))
LOOK = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class ShortAnyOrder(AnyOrder):
    """One order, on SQLite, in every run of the tests."""


TestAnyOrder = pytest.mark.slow(AnyOrder.TestCase)
TestAnyOrder.settings = LOOK

TestShortAnyOrder = ShortAnyOrder.TestCase
TestShortAnyOrder.settings = settings(LOOK, max_examples=1)


@pytest.fixture(scope="class")
def _server(postgres: PostgresServer) -> None:
    AnyOrderOnPostgresql.server = postgres


TestAnyOrderOnPostgresql = pytest.mark.slow(
    pytest.mark.usefixtures("_server")(AnyOrderOnPostgresql.TestCase)
)
TestAnyOrderOnPostgresql.settings = settings(LOOK, max_examples=max(1, EXAMPLES // 2))
