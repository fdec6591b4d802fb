"""The installations an event is forwarded with: its users', and nobody else's."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from events.inbox_kit import install, keep
from paraph.errors import UnknownEncryptionKey
from paraph.events.inbox import Inbox
from paraph.events.recipients import Recipients, find_recipients
from paraph.lifecycle.context import Context
from paraph.lifecycle.removal import Removal, remove_grant
from paraph.model.event import KeptEvent
from paraph.zoom.concerned_users import Selection
from storage import sample

pytestmark = pytest.mark.anyio

JANE, BOB, STRANGER = "user-1", "user-2", "user-9"


def phone(*, account_id: str | None = sample.ACCOUNT, **users: str) -> dict[str, Any]:
    """A call between these users."""
    payload: dict[str, Any] = {"object": {side: {"user_id": one} for side, one in users.items()}}
    if account_id:
        payload["account_id"] = account_id
    return {"event": "phone.callee_answered", "event_ts": 1_785_369_054_000, "payload": payload}


async def claimed(context: Context, content: dict[str, Any]) -> KeptEvent:
    """The event of this content, kept and claimed."""
    await keep(Inbox(context), content)
    now = context.now() + 10
    async with context.store.transaction() as tx:
        (event,) = (await tx.events.claim(now=now, until=now + 60, limit=10, urgent=False)).events
    return event


async def found(context: Context, content: dict[str, Any]) -> Recipients:
    """The recipients of the event of this content."""
    recipients = await find_recipients(context, await claimed(context, content))
    assert recipients is not None
    return recipients


@pytest.mark.parametrize(
    ("users", "expected", "lacking"),
    [
        ({"callee": JANE}, ["link-1"], ""),
        ({"callee": BOB}, ["link-2"], ""),
        ({"callee": JANE, "caller": BOB}, ["link-1", "link-2"], ""),
        ({"callee": JANE, "caller": STRANGER}, ["link-1"], ""),
        ({"callee": STRANGER}, [], "no_installation"),
        ({}, ["link-1", "link-2"], ""),
    ],
)
async def test_user_level(
    context: Context, users: dict[str, str], expected: list[str], lacking: str
) -> None:
    """At user level the named users receive an event; the whole account if it names no user."""
    await install(context, "2")
    recipients = await found(context, phone(**users))
    assert (expected, lacking) == (
        [one.link_id for one in recipients.installations],
        recipients.lacking,
    )
    assert tuple(users.values()) == recipients.concerned_users
    assert (Selection.USERS if users else Selection.ACCOUNT) is recipients.selected_by


@pytest.mark.parametrize(
    ("users", "expected", "lacking"),
    [
        ({"callee": JANE}, ["link-1"], ""),
        ({"callee": BOB}, ["link-2"], ""),
        ({"callee": STRANGER}, [], "no_installation"),
        ({}, [], "no_user"),
    ],
)
async def test_without_an_account(
    context: Context, users: dict[str, str], expected: list[str], lacking: str
) -> None:
    """An event without an account goes to the users that it names, whatever their account."""
    await install(context, "2", account_id="another-account")
    recipients = await found(context, phone(account_id=None, **users))
    assert (expected, lacking) == (
        [one.link_id for one in recipients.installations],
        recipients.lacking,
    )


@pytest.mark.parametrize("level", ["user", "account"])
async def test_an_account_without_an_installation(context: Context, level: Any) -> None:
    """An event of such an account, a sub-account for one, has an empty list and is counted."""
    whole = replace(context, level=level)
    for content in (phone(account_id="sub-account"), phone(account_id="sub-account", callee=JANE)):
        recipients = await found(whole, content)
        assert ((), "no_installation") == (recipients.installations, recipients.lacking)


async def test_account_level(context: Context) -> None:
    """At account level every event of the account goes to the account's installation."""
    whole = replace(context, level="account")
    recipients = await found(whole, phone(callee=STRANGER))
    assert ["link-1"] == [one.link_id for one in recipients.installations]
    assert Selection.ACCOUNT is recipients.selected_by


async def test_the_same_user_id_in_another_account(context: Context) -> None:
    """A user is concerned in the account of the event alone."""
    await install(context, "2", account_id="another-account", user_id=JANE)
    recipients = await found(context, phone(callee=JANE))
    assert ["link-1"] == [one.link_id for one in recipients.installations]


async def test_the_installation_is_named_with_its_zoom_user(context: Context) -> None:
    """Each installation says whose it is at Zoom."""
    (one,) = (await found(context, phone(callee=JANE))).installations
    expected = ("link-1", "subject-1", JANE, sample.ACCOUNT)
    assert expected == (one.link_id, one.subject, one.user_id, one.account_id)


async def test_a_removal_after_the_claim(context: Context) -> None:
    """A user who is removed after the claim is no recipient, not even when installed again."""
    await install(context, "2")
    event = await claimed(context, phone(callee=JANE, caller=BOB))
    async with context.store.transaction() as tx:
        await tx.grants.delete("grant-1")
    await install(context)
    recipients = await find_recipients(context, event)
    assert recipients is not None
    assert ["link-2"] == [one.link_id for one in recipients.installations]
    assert (BOB,) == recipients.concerned_users
    assert recipients.body
    async with context.store.transaction() as tx:
        await tx.grants.delete("grant-2")
    recipients = await find_recipients(context, event)
    assert recipients is not None
    assert ((), None) == (recipients.installations, recipients.body)


async def test_a_user_who_installs_while_an_event_waits(context: Context) -> None:
    """The event names a user without an installation: it is for them if they install in time."""
    event = await claimed(context, phone(callee=JANE, caller=BOB))
    await install(context, "2")
    recipients = await find_recipients(context, event)
    assert recipients is not None
    assert ["link-1", "link-2"] == [one.link_id for one in recipients.installations]


async def test_a_user_who_was_removed_while_an_event_waits(context: Context) -> None:
    """Without a data key at its arrival too: the event is older than the removal of the user."""
    event = await claimed(context, phone(callee=JANE, caller=BOB))
    await install(context, "2")
    async with context.store.transaction() as tx:
        grant = await tx.grants.get("grant-2")
        assert grant is not None
        await remove_grant(tx, context, grant, Removal("by the host", context.now(), revoke=False))
    await install(context, "2")
    recipients = await find_recipients(context, event)
    assert recipients is not None
    assert ["link-1"] == [one.link_id for one in recipients.installations]
    assert recipients.body


async def test_a_body_whose_encryption_key_is_missing_waits(context: Context) -> None:
    """The data key is there and cannot be opened: that is no removal."""
    event = await claimed(context, phone(callee=JANE))
    context.ring._roots["later"] = context.ring._roots.pop("old")
    context.store._sealing.bodies._cipher.cache_clear()
    with pytest.raises(UnknownEncryptionKey):
        await find_recipients(context, event)


async def test_an_event_of_an_earlier_version(context: Context) -> None:
    """The body says whom an event concerns where its row does not."""
    await install(context, "2")
    content = phone(callee=BOB)
    event = await claimed(context, content)
    old = structs.replace(event, concerned=None, user_id="", body=json.dumps(content).encode())
    recipients = await find_recipients(context, old)
    assert recipients is not None
    assert ["link-2"] == [one.link_id for one in recipients.installations]
