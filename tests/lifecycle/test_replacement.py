"""Installations that outlive their grant: a user who is moved, an administrator who leaves."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from msgspec import structs

from events.inbox_kit import keep, kept
from lifecycle.linking import claim, confirm, handoff_of, link
from lifecycle.test_deauthorization import carry
from lifecycle.test_outbox import told
from paraph.errors import InvalidGrant
from paraph.events.inbox import Inbox
from paraph.events.recipients import find_recipients
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.hosted_installation import remove_installation
from paraph.lifecycle.replacement import ADMINISTRATOR_REPLACED, TRANSFERRED
from paraph.model.event import KeptEvent, Outcome
from paraph.model.phase import Phase
from paraph.oauth.token_endpoint import TokenSet
from paraph.secret import Secret
from paraph.storage.database import Database
from service_kit import ACCOUNT, JANE, RAVI, Kit, agree_as, running

pytestmark = pytest.mark.anyio

NEW_ACCOUNT = "NewAccountOfJaneDev001"
SUBJECT = "tenant:ada"


@pytest.fixture
async def kit(tmp_path: Path, database_url: str) -> AsyncIterator[Kit]:
    """A service that links to a host, on every kind of store."""
    async with running(tmp_path, linking="host", database_url=database_url) as kit:
        yield kit


@pytest.fixture
async def whole(tmp_path: Path, database_url: str) -> AsyncIterator[Kit]:
    """The same of an account-level app."""
    changes: dict[str, Any] = {"linking": "host", "level": "account"}
    async with running(tmp_path, database_url=database_url, **changes) as kit:
        yield kit


async def transfer(kit: Kit, account_id: str = NEW_ACCOUNT) -> None:
    """Zoom moves Jane to another account."""
    async with httpx.AsyncClient(base_url=kit.zoom.url, trust_env=False) as steering:
        url, order = f"/_simulator/users/{JANE}", {"account_id": account_id}
        assert 200 == (await steering.patch(url, json=order)).status_code


async def leave(kit: Kit) -> None:
    """Jane, who administers the account, is deleted at Zoom, and the next refresh learns it."""
    async with httpx.AsyncClient(base_url=kit.zoom.url, trust_env=False) as steering:
        assert 200 == (await steering.delete(f"/_simulator/users/{JANE}")).status_code
    with pytest.raises(InvalidGrant, match="4735"):
        await refresh(kit)


async def refresh(kit: Kit) -> None:
    """Refresh the one installation's grant."""
    (one,) = await kit.installations()
    await Refresher(kit.service.context).refresh(one.grant.grant_id)


async def notices(kit: Kit) -> list[tuple[str, str, int, str]]:
    """Name, account, sequence and reason of all notices in their order."""
    return [
        (
            name.removeprefix("installation."),
            body["installation"]["zoom"]["account_id"],
            body["installation"]["sequence"],
            body["reason"],
        )
        for name, body in await told(kit.service.context)
    ]


async def audited(kit: Kit, action: str) -> list[dict[str, str]]:
    """The details of the audit entries of one action."""
    async with kit.service.context.store.reading() as tx:
        entries = await tx.audit.page(after=0, limit=500)
    return [dict(one.details) for one in entries if one.action == action]


async def remove_ravi(kit: Kit) -> None:
    """The host removes Ravi's installation."""
    for one in await kit.installations():
        if one.grant.identity.user_id == RAVI:
            await remove_installation(kit.service.context, one.link.link_id, reason="test")


async def revocations(kit: Kit) -> int:
    """The number of tokens that wait to be revoked."""
    async with kit.service.context.store.reading() as tx:
        return len(await tx.revocations.due(now=10**11, limit=99))


class Postponing:
    """Keeps events for a later hour, so that no dispatcher takes them before the test looks."""

    def __init__(self, store: Database) -> None:
        self._store = store

    async def keep_events(self, events: Sequence[KeptEvent], *, client_id: str) -> list[Outcome]:
        """As the store keeps them, an hour later."""
        later = [structs.replace(one, next_attempt_at=one.next_attempt_at + 3600) for one in events]
        return await self._store.keep_events(later, client_id=client_id)


async def named_in(kit: Kit, account_id: str | None, *users: str, mark: str) -> Any:
    """The installations of an event that was taken in now; None where it was not kept."""
    context = kit.service.context
    payload: dict[str, Any] = {"object": {"uuid": mark, "host_id": users[0]}} if users else {}
    if account_id:
        payload["account_id"] = account_id
    inbox = Inbox(context, Postponing(context.store))
    if Outcome.KEPT is not await keep(inbox, {"event": "meeting.ended", "payload": payload}):
        return None
    event = (await kept(context))[-1]
    found = await find_recipients(context, event)
    assert found is not None
    return [one.link_id for one in found.installations]


async def test_a_moved_user_keeps_the_installation(kit: Kit) -> None:
    """The same subject confirms a consent in the new account: same id, told once, audited."""
    api = await kit.api("link", "read", "vend")
    installation = await link(kit, api, SUBJECT)
    await transfer(kit)
    handoff = await handoff_of(kit, api, SUBJECT)
    claimed = (await claim(api, handoff)).json()
    assert ([], NEW_ACCOUNT) == (claimed["replaces"], claimed["zoom"]["account_id"])
    done = (await confirm(api, claimed["claim"], SUBJECT)).json()
    assert (installation, SUBJECT, 6) == (done["id"], done["subject"], len(done["proofs"]))
    (one,) = await kit.installations()
    assert (installation, NEW_ACCOUNT, Phase.ACTIVE) == (
        one.link.link_id,
        one.grant.identity.account_id,
        one.phase,
    )
    assert [
        ("activated", ACCOUNT, 1, "confirmed"),
        ("activated", NEW_ACCOUNT, 2, TRANSFERRED),
    ] == await notices(kit)
    (entry,) = await audited(kit, "installation.grant_replaced")
    assert (installation, TRANSFERRED) == (entry["installation"], entry["reason"])
    assert 0 == await revocations(kit)
    vended = await api.post(
        f"/v1/installations/{installation}/access-token", json={"subject": SUBJECT}
    )
    assert 200 == vended.status_code
    removed = await remove_installation(kit.service.context, installation, reason="test")
    assert installation == removed.installation_id
    assert ("removed", NEW_ACCOUNT, 3, "test") == (await notices(kit))[-1]


async def test_a_late_removal_in_the_old_account_kills_nothing(kit: Kit) -> None:
    """Zoom reports that the app was removed from the old account: the kept installation lives."""
    api = await kit.api()
    installation = await link(kit, api, SUBJECT)
    await transfer(kit)
    assert installation == await link(kit, api, SUBJECT)
    await carry(kit, time.time() + 120)
    (one,) = await kit.installations()
    assert (installation, Phase.ACTIVE) == (one.link.link_id, one.phase)
    assert [installation] == await named_in(kit, NEW_ACCOUNT, JANE, mark="new")
    assert [installation] == await named_in(kit, None, JANE, mark="without an account")
    assert None is await named_in(kit, ACCOUNT, JANE, mark="old")
    await carry(kit, time.time() + 120, account_id=NEW_ACCOUNT)
    assert [] == await kit.installations()


async def test_events_after_a_move(kit: Kit) -> None:
    """Events of the new account name the installation, those of the old one name none."""
    api = await kit.api()
    installation = await link(kit, api, SUBJECT)
    assert [installation] == await named_in(kit, ACCOUNT, JANE, mark="before")
    await transfer(kit)
    assert [] == await named_in(kit, NEW_ACCOUNT, JANE, mark="not yet")
    await link(kit, api, SUBJECT)
    bodies = [one.body for one in await kept(kit.service.context) if not one.notice and one.body]
    assert ["not yet"] == [json.loads(body)["payload"]["object"]["uuid"] for body in bodies]
    assert [installation] == await named_in(kit, NEW_ACCOUNT, JANE, mark="new")
    assert [installation] == await named_in(kit, NEW_ACCOUNT, mark="whole account")
    assert [] == await named_in(kit, ACCOUNT, JANE, mark="old")


async def test_a_move_that_a_refresh_finds_asks_for_consent(kit: Kit) -> None:
    """A refresh proves no consent: the host is told why, and the new consent keeps the id."""
    api = await kit.api()
    installation = await link(kit, api, SUBJECT)
    await transfer(kit)
    with pytest.raises(InvalidGrant, match=TRANSFERRED):
        await refresh(kit)
    assert [] == await named_in(kit, NEW_ACCOUNT, JANE, mark="dead")
    assert installation == await link(kit, api, SUBJECT)
    assert [
        ("activated", ACCOUNT, 1, "confirmed"),
        ("needs_reauthorization", ACCOUNT, 2, TRANSFERRED),
        ("activated", NEW_ACCOUNT, 3, TRANSFERRED),
    ] == await notices(kit)


async def test_a_user_who_comes_back_keeps_the_installation(kit: Kit) -> None:
    """There and back again: one installation, and one count of its notices."""
    api = await kit.api()
    installation = await link(kit, api, SUBJECT)
    for account_id in (NEW_ACCOUNT, ACCOUNT):
        await transfer(kit, account_id)
        assert installation == await link(kit, api, SUBJECT)
    assert [1, 2, 3] == [sequence for _, _, sequence, _ in await notices(kit)]
    assert 1 == len(await kit.installations())


async def test_another_subject_takes_a_moved_user_over_only_when_it_says_so(kit: Kit) -> None:
    """The Zoom user is linked already, whatever the account: 409 without `move`."""
    api = await kit.api()
    first = await link(kit, api, SUBJECT)
    await transfer(kit)
    claimed = (await claim(api, await handoff_of(kit, api, "tenant:eve"))).json()
    assert [first] == [one["installation_id"] for one in claimed["replaces"]]
    assert 409 == (await confirm(api, claimed["claim"], "tenant:eve")).status_code
    done = await confirm(api, claimed["claim"], "tenant:eve", move=True)
    assert 200 == done.status_code
    (one,) = await kit.installations()
    assert (done.json()["id"], "tenant:eve") == (one.link.link_id, one.link.subject)
    assert first != one.link.link_id
    assert ("removed", ACCOUNT, 2, "moved") in await notices(kit)
    # It would end the new grant: at Zoom both are of one user.
    assert 0 == await revocations(kit)


async def test_a_removal_before_the_confirmation_ends_the_installation(kit: Kit) -> None:
    """The app was removed from the old account: what comes afterwards is a new installation."""
    api = await kit.api()
    first = await link(kit, api, SUBJECT)
    await transfer(kit)
    handoff = await handoff_of(kit, api, SUBJECT)
    await carry(kit, time.time() + 120)
    code = (await claim(api, handoff)).json()["claim"]
    done = (await confirm(api, code, SUBJECT)).json()
    assert first != done["id"]
    assert ["activated", "removed", "activated"] == [name for name, *_ in await notices(kit)]


class LateServer:
    """An authorization server whose answer to a refresh is held back on its way."""

    def __init__(self, kit: Kit) -> None:
        self._server = kit.service.context.authorization_server
        self.asked, self.gate = asyncio.Event(), asyncio.Event()

    async def refresh(self, token: Secret) -> TokenSet:
        """Have Zoom rotate the tokens, and wait at the gate."""
        answer = await self._server.refresh(token)
        self.asked.set()
        await self.gate.wait()
        return answer


async def test_a_refresh_under_way_during_the_move_revokes_nothing(kit: Kit) -> None:
    """Its late answer belongs to the same Zoom user; a revocation would end the new grant."""
    api = await kit.api()
    await link(kit, api, SUBJECT)
    (old,) = await kit.installations()
    late = LateServer(kit)
    context = replace(kit.service.context, authorization_server=cast("Any", late))
    flight = Refresher(context).begin(old.grant.grant_id)
    await late.asked.wait()
    await transfer(kit)
    await link(kit, api, SUBJECT)
    late.gate.set()
    assert None is await flight
    assert 0 == await revocations(kit)
    assert 1 == len(await audited(kit, "grant.late_tokens_dropped"))


async def test_without_a_host_the_id_stays_and_the_subject_follows(
    tmp_path: Path, database_url: str
) -> None:
    """Where nothing is linked to a host, the subject is made of account and user."""
    async with running(tmp_path, database_url=database_url) as kit, kit.browser() as browser:
        await kit.install(browser)
        (before,) = await kit.installations()
        await transfer(kit)
        await kit.install(browser)
        (after,) = await kit.installations()
        assert before.link.link_id == after.link.link_id
        assert f"zoom:{NEW_ACCOUNT}:{JANE}" == after.link.subject
        assert [
            ("activated", ACCOUNT, 1, "installed"),
            ("activated", NEW_ACCOUNT, 2, TRANSFERRED),
        ] == await notices(kit)
        # The last notice of the old subject is delivered before the first one of the new.
        context = kit.service.context
        async with context.store.reading() as tx:
            page = await tx.events.page(limit=99)
        keys = {one.subject_key for one in page if one.notice}
        assert {context.identifier(f"zoom:{ACCOUNT}:{JANE}")} == keys


async def test_without_a_host_another_administrator_continues_a_dead_installation(
    tmp_path: Path, database_url: str
) -> None:
    """At account level the installation is the account's, whoever linked it."""
    changes: dict[str, Any] = {"level": "account"}
    async with (
        running(tmp_path, database_url=database_url, **changes) as kit,
        kit.browser() as browser,
    ):
        await kit.install(browser)
        (before,) = await kit.installations()
        agree_as(kit.zoom, RAVI)
        await kit.install(browser)
        assert 2 == len(await kit.installations())
        await remove_ravi(kit)
        agree_as(kit.zoom, JANE)
        await leave(kit)
        agree_as(kit.zoom, RAVI)
        await kit.install(browser)
        (after,) = await kit.installations()
        assert (before.link.link_id, RAVI) == (after.link.link_id, after.grant.identity.user_id)


async def test_an_administrator_who_leaves_is_replaced(whole: Kit) -> None:
    """Another administrator consents for the same subject: same id, without `move`."""
    api = await whole.api()
    installation = await link(whole, api, SUBJECT)
    await leave(whole)
    assert [] == await named_in(whole, ACCOUNT, RAVI, mark="dead")
    agree_as(whole.zoom, RAVI)
    assert installation == await link(whole, api, SUBJECT)
    (one,) = await whole.installations()
    assert (installation, RAVI) == (one.link.link_id, one.grant.identity.user_id)
    reasons = [(name, sequence, reason[:4]) for name, _, sequence, reason in await notices(whole)]
    assert [
        ("activated", 1, "conf"),
        ("needs_reauthorization", 2, "4735"),
        ("activated", 3, ADMINISTRATOR_REPLACED[:4]),
    ] == reasons
    assert [installation] == await named_in(whole, ACCOUNT, RAVI, mark="alive")
    # Zoom reports, late, that the one who left removed the app: one refresh decides.
    await carry(whole, time.time() + 120)
    (one,) = await whole.installations()
    assert (installation, Phase.ACTIVE) == (one.link.link_id, one.phase)


async def test_a_moved_administrator_keeps_the_subjects_installation(whole: Kit) -> None:
    """In an account-level app, too, the host confirms the new account for the same subject."""
    api = await whole.api()
    installation = await link(whole, api, SUBJECT)
    await transfer(whole)
    assert installation == await link(whole, api, SUBJECT)
    assert [installation] == await named_in(whole, NEW_ACCOUNT, RAVI, mark="new")
    assert [] == await named_in(whole, ACCOUNT, RAVI, mark="old")


async def test_a_moved_administrator_may_serve_another_subject(whole: Kit) -> None:
    """The installation of the old account stays: another administrator there may continue it."""
    api = await whole.api()
    first = await link(whole, api, SUBJECT)
    await transfer(whole)
    second = await link(whole, api, "tenant:eve")
    assert {first, second} == {one.link.link_id for one in await whole.installations()}
    agree_as(whole.zoom, RAVI)
    async with whole.service.context.store.reading() as tx:
        served = await tx.links.get(first)
    assert served is not None
    with pytest.raises(InvalidGrant):
        await Refresher(whole.service.context).refresh(served.grant_id)
    assert first == await link(whole, api, SUBJECT)


async def test_a_working_administrator_is_replaced_only_when_it_is_said(whole: Kit) -> None:
    """Two administrators of one account: 409 without `move`, the same id with it."""
    api = await whole.api()
    installation = await link(whole, api, SUBJECT)
    agree_as(whole.zoom, RAVI)
    code = (await claim(api, await handoff_of(whole, api, SUBJECT))).json()["claim"]
    assert 409 == (await confirm(api, code, SUBJECT)).status_code
    done = (await confirm(api, code, SUBJECT, move=True)).json()
    assert installation == done["id"]
    assert 0 == await revocations(whole)
    assert ["activated", "activated"] == [name for name, *_ in await notices(whole)]


async def test_an_administrator_of_another_account_takes_nothing_over(
    tmp_path: Path, database_url: str
) -> None:
    """Without a host, an account-level installation stays with its account."""
    async with (
        running(tmp_path, level="account", database_url=database_url) as kit,
        kit.browser() as browser,
    ):
        await kit.install(browser)
        (before,) = await kit.installations()
        await transfer(kit)
        await kit.install(browser)
        accounts = {
            one.link.link_id: one.grant.identity.account_id for one in await kit.installations()
        }
        assert {ACCOUNT, NEW_ACCOUNT} == set(accounts.values())
        assert ACCOUNT == accounts[before.link.link_id]


async def test_a_stale_notice_of_the_old_account_is_not_delivered(kit: Kit) -> None:
    """A `needs_reauthorization` that waits is untrue once the new consent is confirmed."""
    from paraph.lifecycle.outbox import is_stale

    api = await kit.api()
    await link(kit, api, SUBJECT)
    await transfer(kit)
    with pytest.raises(InvalidGrant):
        await refresh(kit)
    await link(kit, api, SUBJECT)
    context = kit.service.context
    async with context.store.reading() as tx:
        found = [await tx.events.get(one.event_id) for one in await tx.events.page(limit=99)]
        stale = [
            (one.name, await is_stale(tx, context, one)) for one in found if one and one.notice
        ]
    assert ("installation.needs_reauthorization", True) in stale
    assert 1 == sum(one for _, one in stale)
