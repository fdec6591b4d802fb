"""The dependencies of every lifecycle function, created by the composition root."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from paraph.encoding import random_text, with_lengths
from paraph.model.grant import ZoomIdentity
from paraph.oauth.roles import AuthorizationServer, Client
from paraph.sealing.key_ring import KeyRing
from paraph.secret import Secret
from paraph.zoom.concerned_users import Selection, select

if TYPE_CHECKING:
    # Importing these loads the HTTP client and the database library, which `paraph explain` does
    # not need.
    from paraph.remote.authorization_server import RemoteAuthorizationServer
    from paraph.remote.resource_server import RemoteResourceServer
    from paraph.storage.database import Database

ANY_USER = "*"


@dataclass(frozen=True, slots=True)
class Context:
    """Store, connections to Zoom, policy, clock and randomness.

    `clock` returns epoch seconds; `random_bytes` reads the operating system's randomness.
    """

    store: Database
    ring: KeyRing
    client: Client
    authorization_server: RemoteAuthorizationServer
    resource_server: RemoteResourceServer
    linking: Literal["none", "host"]
    level: Literal["user", "account"]
    required_scopes: frozenset[str]
    clock: Callable[[], float]
    random_bytes: Callable[[int], bytes]
    # The URL at which a person reauthorizes a grant that Zoom ended.
    reauthorize_url: str = ""

    @property
    def server(self) -> AuthorizationServer:
        """The authorization server."""
        return self.authorization_server.server

    def now(self) -> int:
        """Return the time in whole epoch seconds."""
        return int(self.clock())

    def reauthorization(self) -> dict[str, str]:
        """Return the JSON members that send a person to reauthorize a grant.

        `mend_url` is the name of version 0.1, and is sent for one more version.
        """
        return {"reauthorize_url": self.reauthorize_url, "mend_url": self.reauthorize_url}

    def one_use_code(self) -> Secret:
        """Return 256 random bits for a state, verifier, handoff or claim (ASVS 11.5.1)."""
        return Secret(random_text(self.random_bytes(32)))

    def new_id(self) -> str:
        """Return 128 random bits for the id of a row: not secret, but not guessable."""
        return random_text(self.random_bytes(16))

    def identifier(self, *parts: str) -> str:
        """Return a keyed hash of a person or account, for places without personal data."""
        return _keyed_hash(self.store.hash_keys["identifier"], parts).hex()[:24]

    def identity(self, account_id: str, user_id: str) -> ZoomIdentity:
        """Return the identity of a Zoom user in this app."""
        return ZoomIdentity(self.client.client_id, account_id, user_id)

    def tombstone_hash(self, identity: ZoomIdentity) -> bytes:
        """Return the hash that records a removed identity without revealing it."""
        return _keyed_hash(
            self.store.hash_keys["tombstone"],
            (identity.client_id, identity.account_id, identity.user_id),
        )

    def tombstone_hashes(self, identity: ZoomIdentity) -> tuple[bytes, ...]:
        """Return all hashes of an identity: its own, and at account level its account's."""
        own = self.tombstone_hash(identity)
        if self.level == "user":
            return (own,)
        whole = ZoomIdentity(identity.client_id, identity.account_id, ANY_USER)
        return own, self.tombstone_hash(whole)

    def removal_mark(self, user_id: str, account_id: str = "") -> bytes:
        """Return the hash that marks a removal for late events.

        It differs from the identity's tombstone, so it affects events only, never an installation.

        Args:
            user_id: the removed user; "" for the whole account.
            account_id: the account from which the user was removed; "" if the user has the app
                nowhere else: many events name no account.
        """
        key, client_id = self.store.hash_keys["tombstone"], self.client.client_id
        return _removal_mark(key, client_id, user_id, account_id)

    def marks_of_user(self, identity: ZoomIdentity) -> tuple[bytes, bytes, bytes]:
        """Return every hash under which a removal of this user may be recorded."""
        user_id, account_id = identity.user_id, identity.account_id
        return (
            self.tombstone_hash(identity),
            self.removal_mark(user_id),
            self.removal_mark(user_id, account_id),
        )

    def removal_marks(
        self, account_id: str, user_ids: tuple[str, ...]
    ) -> tuple[tuple[str, bytes], ...]:
        """Return the marks that decide whether an event of these users is kept."""
        key, client_id = self.store.hash_keys["tombstone"], self.client.client_id
        return _removal_marks(key, client_id, self.level, account_id, user_ids)

    def owners_of(self, account_id: str, user_ids: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        """Return the owners of an event's body: its account, or the users that it concerns."""
        if select(account_id, user_ids, level=self.level) is Selection.ACCOUNT:
            return ((account_id, ""),)
        return tuple((account_id, user_id) for user_id in user_ids)


def _removal_mark(key: bytes, client_id: str, user_id: str, account_id: str) -> bytes:
    if user_id and account_id:
        return _keyed_hash(key, (client_id, account_id, user_id, "events"))
    if user_id:
        return _keyed_hash(key, (client_id, user_id))
    # No id contains a space.
    return _keyed_hash(key, (client_id, account_id, "whole account"))


# Most events concern the same few people, and every event needs these marks.
@lru_cache(maxsize=4096)
def _removal_marks(
    key: bytes, client_id: str, level: str, account_id: str, user_ids: tuple[str, ...]
) -> tuple[tuple[str, bytes], ...]:
    whose = user_ids if level == "user" else ()
    marks = [(user_id, _removal_mark(key, client_id, user_id, "")) for user_id in whose]
    if account_id:
        # A user may have the app in another account, and stay there.
        marks += [(one, _removal_mark(key, client_id, one, account_id)) for one in whose]
        # When the last user of an account removes the app, the account no longer has it.
        marks.append(("", _removal_mark(key, client_id, "", account_id)))
        whose = whose if level == "user" else ("",)
        # Tombstones of removals by a version that wrote no marks.
        marks += [
            (user_id, _keyed_hash(key, (client_id, account_id, user_id or ANY_USER)))
            for user_id in whose
        ]
    return tuple(marks)


def _keyed_hash(key: bytes, parts: tuple[str, ...]) -> bytes:
    return hmac.digest(key, with_lengths(parts), hashlib.sha256)
