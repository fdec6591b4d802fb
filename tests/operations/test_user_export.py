"""The export of one user's data: all of it, nothing secret, and nothing of another user."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from msgspec.structs import replace

from events.inbox_kit import open_context
from paraph.errors import NotFound
from paraph.lifecycle import audit
from paraph.lifecycle.context import Context
from paraph.model.link import LinkRequest
from paraph.operations.user_export import export_user
from paraph.storage.tables import metadata
from storage import sample

pytestmark = pytest.mark.anyio

# Tables whose rows are of one user, with the member of the export that shows them.
_SHOWN = {
    "grants": "grant",
    "refresh_attempts": "grant",
    "links": "links",
    "link_requests": "link_requests",
    "events": "events",
    "former_events": "events",
    "kept_events": "events",
    "notice_counters": "notices_sent",
    "tombstones": "removals",
    "receipts": "receipts",
    "audit_entries": "audit",
}
_NOT_OF_A_USER = {
    "database_identity",
    "stored_keys",
    "key_turns",
    "replicas",
    "forwarding_pause",
    "api_keys",
    # Secrets that are destroyed with the grant, which is shown.
    "data_keys",
    # A hash of a state, for an hour.
    "used_states",
    # Tokens: of an unknown user, or queued for their revocation without a user.
    "ownerless_tokens",
    "revocations",
    # Copies of tombstones and receipts, until they are written to the receipt book.
    "removal_exports",
    # Sealed responses, for a day; the export says so.
    "given_answers",
}
_ID = {mark: f"user-{mark}" for mark in "12"}


def _body(mark: str, **thing: Any) -> bytes:
    account = {"account_id": sample.ACCOUNT, "object": {"host_id": _ID[mark], **thing}}
    return json.dumps({"event": "meeting.ended", "payload": account}).encode()


async def _fill(context: Context, mark: str) -> None:
    """Everything that can be kept of one user, with the user's mark in it."""
    identity = context.identity(sample.ACCOUNT, _ID[mark])
    person = context.identifier(sample.ACCOUNT, _ID[mark])
    async with context.store.transaction() as tx:
        await tx.grants.add(sample.grant(mark, identity=identity))
        link = sample.link(mark)
        await tx.links.add(link)
        await tx.links.add_request(
            LinkRequest(mark.encode() * 32, link.subject, "canary-challenge", f"back-{mark}", 2**40)
        )
        for name, users, body in (
            ("own", (_ID[mark],), _body(mark, topic=f"topic-{mark}", password="canary-password")),
            ("shared", ("user-1", "user-2"), _body(mark, topic="canary-shared-topic")),
        ):
            event = sample.event(f"{name}-{mark}", body=body, concerned=users)
            await tx.events.add(replace(event, account_id=sample.ACCOUNT, user_id=users[0]))
        await tx.notices.count(
            context.tombstone_hash(identity),
            f"installation.mark-{mark}",
            subject_key="k",
            ends=False,
            now=1,
        )
        await tx.removals.add_tombstone(
            context.tombstone_hash(identity), zoom_time=int(mark) * 1111, now=1
        )
        await tx.removals.add_receipt(
            dataclasses.replace(sample.receipt(mark), installation_id=f"former-{mark}"),
            identity_hash=b"1",
        )
        for action, details in (
            ("grant.added", {"person": person}),
            ("grant.removed", {"person": person, "installation": f"former-{mark}"}),
        ):
            await audit.record(tx, context, action, mark=mark, **details)


async def test_all_of_one_user_and_nothing_of_another(database_url: str) -> None:
    """Two users of one account: each export holds the rows of its own user alone."""
    async with open_context(database_url, installed=False) as context:
        for mark in "12":
            await _fill(context, mark)
        exports = {m: await export_user(context, sample.ACCOUNT, _ID[m]) for m in "12"}
    for mark, other in ("12", "21"):
        found = exports[mark]
        text = json.dumps(found)
        assert f"canary-{mark}@people.example" == found["grant"]["email"]
        assert [sample.link(mark).link_id] == [one["installation_id"] for one in found["links"]]
        assert [f"back-{mark}"] == [one["return_to"] for one in found["link_requests"]]
        assert [int(mark) * 1111] == [one["zoom_time"] for one in found["removals"]]
        assert [f"former-{mark}"] == [one["installation_id"] for one in found["receipts"]]
        assert [mark, mark] == [one["details"]["mark"] for one in found["audit"]]
        assert f"installation.mark-{mark}" == found["notices_sent"]["last"]
        events = {one["id"]: one["content"] for one in found["events"]}
        assert {f"event-own-{mark}", "event-shared-1", "event-shared-2"} == set(events)
        assert f"topic-{mark}" == events[f"event-own-{mark}"]["payload"]["object"]["topic"]
        assert events["event-shared-1"] is None
        for secret in ("canary-access", "canary-refresh", "canary-password", "canary-challenge"):
            assert secret not in text
        for foreign in (_ID[other], f"topic-{other}", f"canary-{other}@", f"back-{other}"):
            assert foreign not in text
        assert "canary-shared-topic" not in text


async def test_every_table_is_thought_of(database_url: str) -> None:
    """A new table is either part of the export or named here as one without a user."""
    async with open_context(database_url) as context:
        found = await export_user(context, sample.ACCOUNT, "user-1")
    assert set(metadata.tables) == {*_SHOWN, *_NOT_OF_A_USER}
    assert set(_SHOWN.values()) <= set(found)


async def test_the_export_is_audited_and_a_typing_error_is_not_found(database_url: str) -> None:
    """The audit names the operator; an unknown user, or one in other case, has no export."""
    async with open_context(database_url) as context:
        await export_user(context, sample.ACCOUNT, "user-1", operator="key-1")
        for account_id, user_id in ((sample.ACCOUNT, "USER-1"), ("other", "user-1")):
            with pytest.raises(NotFound):
                await export_user(context, account_id, user_id)
        async with context.store.reading() as tx:
            (entry,) = await tx.audit.page(after=0, limit=9)
    person = context.identifier(sample.ACCOUNT, "user-1")
    assert ("user.exported", {"person": person, "operator": "key-1"}) == (
        entry.action,
        entry.details,
    )


async def test_a_former_user_learns_nothing_of_the_next(database_url: str) -> None:
    """The change to another user is in both exports; installation and subject only in the new."""
    async with open_context(database_url, installed=False) as context:
        person, former = (context.identifier(sample.ACCOUNT, _ID[mark]) for mark in "21")
        theirs = {"installation": "link-2", "subject": "subject-2"}
        async with context.store.transaction() as tx:
            await audit.record(
                tx,
                context,
                "installation.grant_replaced",
                reason="moved",
                person=person,
                former=former,
                **theirs,
            )
        exports = [await export_user(context, sample.ACCOUNT, _ID[mark]) for mark in "12"]
    assert [
        {"reason": "moved", "former": former},
        {"reason": "moved", "person": person, **theirs},
    ] == [one["audit"][0]["details"] for one in exports]
