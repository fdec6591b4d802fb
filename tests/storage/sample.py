"""Valid records to spoil, and the secrets that must never stand in a file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from paraph.model.event import KeptEvent
from paraph.model.grant import Grant, OwnerlessTokens, Revocation, Tokens, ZoomIdentity
from paraph.model.link import Link, LinkRequest, Proof
from paraph.model.management import ApiKey, AuditEntry
from paraph.model.phase import Phase
from paraph.model.removal import Receipt
from paraph.sealing.key_ring import KeyRing
from paraph.secret import Secret

CLIENT = "pR8qClientId"
ACCOUNT = "AbcDEFghiJKLmnoPQRst01"
OLD_KEY = "old:" + "b2xk" * 10 + "b2w"
NEW_KEY = "new:" + "bmV3" * 10 + "bmU"


def ring(*keys: str) -> KeyRing:
    """A ring of known keys, newest first; the old one alone unless said otherwise."""
    return KeyRing.parse(keys or (OLD_KEY,))


def tokens(mark: str = "1", **changes: Any) -> Tokens:
    """A token set whose secrets carry a mark."""
    made = Tokens(
        access_token=Secret(f"canary-access-token-{mark}"),
        refresh_token=Secret(f"canary-refresh-token-{mark}"),
        access_expires_at=5_000,
        scopes=frozenset({"user:read:user", "meeting:read:meeting"}),
        api_server="https://api.zoom.us",
        received_at=1_400,
        zoom_time=1_401,
    )
    return replace(made, **changes)


def grant(mark: str = "1", **changes: Any) -> Grant:
    """An active grant of user `user-<mark>`."""
    made = Grant(
        grant_id=f"grant-{mark}",
        identity=ZoomIdentity(CLIENT, ACCOUNT, f"user-{mark}"),
        phase=Phase.ACTIVE,
        tokens=tokens(mark),
        token_version=1,
        email=f"canary-{mark}@people.example",
        display_name=f"Canary Näme {mark}",
        granted_at=1_000,
        granted_zoom_time=1_001,
    )
    return replace(made, **changes)


def link(mark: str = "1", **changes: Any) -> Link:
    """An active link of `grant-<mark>` to `subject-<mark>`."""
    made = Link(
        link_id=f"link-{mark}",
        grant_id=f"grant-{mark}",
        client_id=CLIENT,
        subject=f"subject-{mark}",
        phase=Phase.ACTIVE,
        proofs=(Proof("state", 1_000, "paraph"), Proof("confirmation", 1_100, "host")),
        created_at=1_000,
        confirmed_at=1_100,
    )
    return replace(made, **changes)


def pending_link(mark: str = "1", **changes: Any) -> Link:
    """A pending link whose handoff lives until 1060 and which runs out at 1600."""
    made = link(
        mark,
        phase=Phase.PENDING,
        confirmed_at=None,
        expires_at=1_600,
        challenge="challenge",
        return_to="/settings",
        handoff_hash=f"handoff-{mark}".encode(),
        handoff_expires_at=1_060,
    )
    return replace(made, **changes)


def link_request(mark: str = "1") -> LinkRequest:
    """A link request that lives until 1300."""
    return LinkRequest(f"request-{mark}".encode(), f"subject-{mark}", "challenge", "/back", 1_300)


def event(mark: str = "1", **changes: Any) -> KeptEvent:
    """A received event of one user, due at 1000."""
    made = KeptEvent(
        event_id=f"event-{mark}",
        name="meeting.ended",
        received_at=1_000,
        body=f'{{"canary-body-{mark}": true}}'.encode(),
        account_id=ACCOUNT,
        user_id="user-1",
        next_attempt_at=1_000,
        arrival=1_000_000_000,
    )
    return msgspec.structs.replace(made, **changes)


def ownerless(mark: str = "1", **changes: Any) -> OwnerlessTokens:
    """A token set without an owner, due at 1000."""
    made = OwnerlessTokens(f"ownerless-{mark}", CLIENT, tokens(f"ownerless-{mark}"), 900, 0, 1_000)
    return replace(made, **changes)


def revocation(mark: str = "1", **changes: Any) -> Revocation:
    """A token to revoke, due at 1000."""
    secret = Secret(f"canary-revoked-token-{mark}")
    return replace(Revocation(f"revocation-{mark}", CLIENT, secret, 900, 0, 1_000), **changes)


def receipt(mark: str = "1", **changes: Any) -> Receipt:
    """Proof of a removal completed at 1005."""
    made = Receipt(f"receipt-{mark}", "link-1", "deauthorized", 1_000, 1_005, {"grants": 1})
    return replace(made, **changes)


def audit_entry(sequence: int) -> AuditEntry:
    """An entry of the chain."""
    return AuditEntry(sequence, 1_000, "linked", {"link": "link-1"}, b"p" * 32, b"d" * 32)


def api_key(mark: str = "1", **changes: Any) -> ApiKey:
    """A key of the management API."""
    scopes = frozenset({"link", "read"})
    return replace(ApiKey(f"key-{mark}", b"h" * 32, "host", scopes, "tenant-", 1_000), **changes)
