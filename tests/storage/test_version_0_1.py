"""Databases that version 0.1 wrote: this version opens, migrates and reads them.

`version_0_1/` holds one dump of each kind, made by that version's own service: an installation, a
notice, a meeting event that could not be forwarded, two API keys and the audit. `known.json` holds
what was sealed. Every key and token in it was made for these files.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from paraph.lifecycle.audit import walk_chain
from paraph.model.phase import Phase
from paraph.sealing.key_ring import KeyRing, secret_hash
from paraph.secret import Secret
from paraph.storage.database import Database, contract_schema, open_store
from storage import sample

pytestmark = pytest.mark.anyio

DUMPS = Path(__file__).parent / "version_0_1"
KNOWN = json.loads((DUMPS / "known.json").read_text(encoding="utf-8"))
JANE = "KDcuGIm1QgePTO8WbOqwIQ"


async def load_dump(url: str) -> dict[str, Any]:
    """Fill an empty database with the dump of its kind; return what is known of its content."""
    kind = url.partition(":")[0]
    statements = (DUMPS / f"{kind}.sql").read_text(encoding="utf-8")
    if kind == "sqlite":
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.executescript(statements)
        connection.close()
    else:
        server = await asyncpg.connect(url)
        await server.execute(statements)
        await server.close()
    known: dict[str, Any] = KNOWN[kind]
    return known


@pytest.fixture
async def known(empty_database_url: str) -> dict[str, Any]:
    """The content of a database of version 0.1, of each kind."""
    return await load_dump(empty_database_url)


@pytest.fixture
async def store(empty_database_url: str, known: dict[str, Any]) -> AsyncIterator[Database]:
    """The same database, opened by this version."""
    ring = KeyRing.parse([KNOWN["encryption_key"]])
    opened = await open_store(empty_database_url, ring, randomness=os.urandom)
    yield opened
    await opened.close()


async def test_its_installation_is_read(store: Database, known: dict[str, Any]) -> None:
    """Ids, owner, scopes and the sealed access token are what version 0.1 stored."""
    async with store.reading() as tx:
        (found,) = await tx.installations.page(sample.CLIENT)

    assert known["installation_id"] == found.link.link_id
    assert "acct_42" == found.link.subject
    assert (Phase.ACTIVE, Phase.ACTIVE) == (found.grant.phase, found.link.phase)
    identity = found.grant.identity
    assert (sample.ACCOUNT, JANE) == (identity.account_id, identity.user_id)
    assert known["access_token"] == found.grant.tokens.access_token.reveal()
    assert "user:read:user" in found.grant.tokens.scopes


async def test_its_events_open(store: Database) -> None:
    """The notice and the meeting event are there, and the sealed body of the event opens."""
    async with store.reading() as tx:
        page = await tx.events.page(limit=10)
        events = {one.name: await tx.events.get(one.event_id) for one in page}

    assert {"installation.activated", "meeting.ended"} == set(events)
    event = events["meeting.ended"]
    assert event is not None
    assert "kept by version 0.1" == json.loads(event.body)["payload"]["object"]["topic"]


async def test_its_api_key_is_accepted(store: Database, known: dict[str, Any]) -> None:
    """A key that the host holds stays valid, with its scopes."""
    _, key_id, secret = known["api_key"].split("_", 2)
    async with store.reading() as tx:
        key = await tx.api_keys.get(key_id)

    assert key is not None
    assert secret_hash(Secret(secret)) == key.secret_hash
    assert {"link", "proxy", "read", "remove", "vend"} == set(key.scopes)


async def test_its_audit_is_whole(store: Database) -> None:
    """Every digest of the audit chain is confirmed under the stored key."""
    verdict = await walk_chain(store)

    assert (4, None) == (verdict.entries, verdict.broken_at)


async def test_it_is_opened_again(empty_database_url: str, store: Database) -> None:
    """The migration leaves a database that opens again and has nothing to remove."""
    ring = KeyRing.parse([KNOWN["encryption_key"]])
    again = await open_store(empty_database_url, ring, randomness=os.urandom)
    await again.close()

    assert [] == await contract_schema(empty_database_url)
