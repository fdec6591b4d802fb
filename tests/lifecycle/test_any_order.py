"""Whatever happens in whatever order: the invariants of installations hold.

Two tenants of one host, two people at Zoom, two browsers; starts, answers delivered to the right
and the wrong browser and again, confirmations by the right and the wrong subject, refreshes,
removals on both sides, restarts, and keys that turn.
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
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

from lifecycle.test_link import challenge_of
from paraph.errors import NeedsReauthorization, NotFound, UsageError
from paraph.lifecycle import key_rotation, link
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.active_access import ActiveAccess
from paraph.lifecycle.audit import walk_chain
from paraph.lifecycle.deauthorization import carry_out
from paraph.lifecycle.removal import remove_installation
from paraph.secret import Secret
from paraph.service.app import open_service
from paraph.storage.encryption import new_encryption_key
from paraph.storage.records import Installation
from paraph.zoom.events import AppDeauthorized
from service_kit import ACCOUNT, JANE, PUBLIC_URL, RAVI, Kit, agree_as, settings_for, simulated_zoom

pytestmark = pytest.mark.slow

SUBJECTS = st.sampled_from(["tenant-a:alice", "tenant-b:bob"])
PEOPLE = st.sampled_from([JANE, RAVI])
JARS = st.sampled_from([0, 1])


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
        self.settings = settings_for(self.zoom, Path(self.folder.name), linking="host")
        self.jars = [httpx.Cookies(), httpx.Cookies()]
        self.confirmed: set[tuple[str, str]] = set()
        self.gone: set[str] = set()
        self.used: set[str] = set()
        self.runner.run(self._open())

    async def _open(self) -> None:
        self.stack = AsyncExitStack()
        service = await self.stack.enter_async_context(open_service(self.settings))
        self.kit = Kit(self.zoom, service, self.settings)
        self.context = service.context
        self.refresher = Refresher(self.context)
        self.access = ActiveAccess(self.context, self.refresher)

    def teardown(self) -> None:
        """Let go of everything."""
        self.runner.run(self.stack.aclose())
        self.runner.close()
        self.zoom.stop()
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
        code, _ = await link.request_link(
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
        # Somebody got through: only the browser that began can have, and only the first time.
        assert answer.jar == jar
        assert answer.url not in self.used
        self.used.add(answer.url)
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
        except UsageError:
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
        except NeedsReauthorization:
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
            await remove_installation(self.context, active.link_id, reason="host")
            self.gone.add(active.link_id)

    @rule(person=PEOPLE)
    def deauthorize(self, person: str) -> None:
        """Somebody removes the app at Zoom, who says so without a time."""
        self.runner.run(self._deauthorize(person))

    async def _deauthorize(self, person: str) -> None:
        before = await self.kit.installations()
        self.zoom.simulator.ledger.remove(self.zoom.app.client_id, person)
        event = AppDeauthorized(
            client_id=self.zoom.app.client_id,
            account_id=ACCOUNT,
            user_id=person,
            deauthorization_time=None,
            user_data_retention=False,
        )
        await carry_out(self.context, self.refresher, event, received_at=self.context.now())
        self.gone |= {one.link.link_id for one in before if one.grant.identity.user_id == person}

    @rule()
    def restart(self) -> None:
        """The service ends and comes back."""
        self.runner.run(self.stack.aclose())
        self.runner.run(self._open())

    @rule()
    def turn_key(self) -> None:
        """A new encryption key seals, and everything is sealed anew."""
        keys = (Secret(new_encryption_key()), *self.settings.encryption_keys)
        self.settings = replace(self.settings, encryption_keys=keys)
        self.restart()
        self.runner.run(self._turn())

    async def _turn(self) -> None:
        await key_rotation.begin_turn(self.context)
        await key_rotation.seal_anew(self.context, lambda _count: None)
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
    def the_audit_chain_holds(self) -> None:
        """Nothing was left out or changed."""
        assert self.runner.run(walk_chain(self.context.store)).broken_at is None


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(
    max_examples=10,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
