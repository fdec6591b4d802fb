"""What every step of the lifecycle works with, handed out by the composition root."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from paraph.oauth.roles import Client
from paraph.secret import Secret
from paraph.storage.encryption import KeyRing
from paraph.storage.protocols import Store
from paraph.storage.records import ZoomIdentity

if TYPE_CHECKING:
    # The HTTP client comes with them, and `paraph explain` needs none.
    from paraph.remote.authorization_server import RemoteAuthorizationServer
    from paraph.remote.resource_server import RemoteResourceServer

ANY_USER = "*"


@dataclass(frozen=True, slots=True)
class Context:
    """Store, remote sides, policy, clock and randomness.

    `clock` gives epoch seconds; `random_bytes` the operating system's randomness.
    """

    store: Store
    ring: KeyRing
    client: Client
    authorization_server: RemoteAuthorizationServer
    resource_server: RemoteResourceServer
    linking: Literal["none", "host"]
    level: Literal["user", "account"]
    required_scopes: frozenset[str]
    clock: Callable[[], float]
    random_bytes: Callable[[int], bytes]
    # Where a person installs again what Zoom has ended; the host is told of it.
    mend_url: str = ""

    def now(self) -> int:
        """Epoch seconds, whole."""
        return int(self.clock())

    def one_use_code(self) -> Secret:
        """256 bits for a state, verifier, handoff or claim (ASVS 11.5.1)."""
        return Secret(random_text(self.random_bytes(32)))

    def new_id(self) -> str:
        """128 bits for a row: no secret, yet not guessable either."""
        return random_text(self.random_bytes(16))

    def identifier(self, *parts: str) -> str:
        """A keyed hash that stands for a person or account where no personal data may be."""
        return _keyed_hash(self.store.hash_keys["identifier"], parts).hex()[:24]

    def identity(self, account_id: str, user_id: str) -> ZoomIdentity:
        """The identity of a Zoom user towards this app."""
        return ZoomIdentity(self.client.client_id, account_id, user_id)

    def tombstone_hash(self, identity: ZoomIdentity) -> bytes:
        """Under which a removed identity is remembered without being known."""
        return _keyed_hash(
            self.store.hash_keys["tombstone"],
            (identity.client_id, identity.account_id, identity.user_id),
        )

    def tombstone_hashes(self, identity: ZoomIdentity) -> tuple[bytes, ...]:
        """All that concern an identity: its own, and the whole account's at account level."""
        own = self.tombstone_hash(identity)
        if self.level == "user":
            return (own,)
        whole = ZoomIdentity(identity.client_id, identity.account_id, ANY_USER)
        return own, self.tombstone_hash(whole)

    def removal_mark(self, user_id: str, account_id: str = "") -> bytes:
        """The hash that remembers a removal for late events: of a user, or of an account.

        A user's mark names no account, because many events name none either. It is another hash
        than the identity's tombstone, so it decides about events alone, never about an install.
        """
        key, client_id = self.store.hash_keys["tombstone"], self.client.client_id
        return _removal_mark(key, client_id, user_id, account_id)

    def removal_marks(
        self, account_id: str, user_ids: tuple[str, ...]
    ) -> tuple[tuple[str, bytes], ...]:
        """The marks that decide whether an event of this account and these users is kept."""
        key, client_id = self.store.hash_keys["tombstone"], self.client.client_id
        return _removal_marks(key, client_id, self.level, account_id, user_ids)


def _removal_mark(key: bytes, client_id: str, user_id: str, account_id: str) -> bytes:
    if user_id:
        return _keyed_hash(key, (client_id, user_id))
    # No id contains a space.
    return _keyed_hash(key, (client_id, account_id, "whole account"))


# The same few people are in most events, and this is on the path of every event.
@lru_cache(maxsize=4096)
def _removal_marks(
    key: bytes, client_id: str, level: str, account_id: str, user_ids: tuple[str, ...]
) -> tuple[tuple[str, bytes], ...]:
    whose = user_ids if level == "user" else ("",) if account_id else ()
    marks = [(user_id, _removal_mark(key, client_id, user_id, account_id)) for user_id in whose]
    if account_id and level == "user":
        # The last user of an account who removes the app removes it from the account.
        marks.append(("", _removal_mark(key, client_id, "", account_id)))
    if account_id:
        # Tombstones of removals that a version without marks carried out.
        marks += [
            (user_id, _keyed_hash(key, (client_id, account_id, user_id or ANY_USER)))
            for user_id in whose
        ]
    return tuple(marks)


def random_text(value: bytes) -> str:
    """Random bytes as base64url that begins with a letter from A to P.

    Command lines read a text that begins with `-` as an option. The padding bits, which base64
    puts into the last character, are put into the first one instead. No randomness is lost, and
    the length stays the same.

    Args:
        value: a number of bytes that is no multiple of three, which would leave no such bits.
    """
    missing = -len(value) % 3
    if not missing:
        raise ValueError("a multiple of three bytes fills every character")
    return base64.urlsafe_b64encode(bytes(missing) + value)[missing:].decode("ascii")


def _keyed_hash(key: bytes, parts: tuple[str, ...]) -> bytes:
    # Each part with its length in front: ("ab", "c") and ("a", "bc") must not meet.
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    message = b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
    return hmac.digest(key, message, hashlib.sha256)
