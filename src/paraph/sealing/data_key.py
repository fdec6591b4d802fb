"""Event bodies that a removal makes unreadable: it destroys the data key, not the bodies.

    version (1) | UTC day (4) | number of wraps (4) | wraps | nonce (12) | ciphertext and tag.

The cipher is AES-256-GCM. A data key is 32 random bytes, stored sealed with the key ring. It
belongs to one owner (`Owner`), and it is deleted with the owner's last grant. No ciphertext names
the key ring, so a body opens only with the data key of one of its owners.

A body with one owner is sealed with a key derived from the data key and the UTC day. A body with
several owners is sealed with a random key of its own. That key is sealed once for each owner, as a
*wrap*, in the order of the owners. So a body can be opened as long as one of its owners has a key.
No key seals more than the bodies of one day (NIST SP 800-38D section 8.3).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from paraph.encoding import random_text
from paraph.errors import SealBroken
from paraph.sealing.encryption_key import KEY_BYTES
from paraph.sealing.key_ring import DAY_SECONDS, derive_key

if TYPE_CHECKING:
    from paraph.sealing.row import Sealing

DATA_KEY = "data_keys.sealed"
# The most opened keys that are kept in memory, of all owners and days.
OPENED_KEPT = 4096
# 88 random bits: the id of a destroyed key is never the id of another one.
_ID_BYTES = 11
_VERSION = 2
_HEADER = struct.Struct(">BII")
_NONCE_BYTES = 12
_TAG_BYTES = 16
_WRAP_BYTES = _NONCE_BYTES + KEY_BYTES + _TAG_BYTES


class Owner(NamedTuple):
    """The grants that a data key stands for; it is destroyed with the last of them.

    Attributes:
        account_id: a Zoom account; "" for all accounts, for events that name none.
        user_id: a Zoom user; "" for the whole account.
    """

    account_id: str
    user_id: str


class SealedDataKey(NamedTuple):
    """A data key as it is stored: sealed, and bound to its id and its owner."""

    key_id: str
    client_id: str
    account_id: str
    user_id: str
    sealed: bytes

    @property
    def owner(self) -> Owner:
        """The grants that it stands for."""
        return Owner(self.account_id, self.user_id)


class BodySealing:
    """Seals event bodies with data keys, and opens them.

    Opened keys are kept in memory by their stored rows. So a caller without the row of a key opens
    nothing with it, whether or not this process opened it before.

    Args:
        sealing: seals the data keys themselves.
        kept: the largest number of opened keys in memory.
    """

    def __init__(self, sealing: Sealing, *, kept: int = OPENED_KEPT) -> None:
        self._sealing = sealing
        self._cipher = lru_cache(maxsize=kept)(self._derive)

    def new_key(self, client_id: str, owner: Owner, *, randomness: bytes) -> SealedDataKey:
        """Return a new data key of an owner, sealed.

        Args:
            client_id: the app's client.
            owner: the owner.
            randomness: `NEW_KEY_BYTES` random bytes of the operating system.
        """
        key_id = random_text(randomness[KEY_BYTES:])
        bound = (client_id, *owner)
        sealed = self._sealing.seal(DATA_KEY, key_id, randomness[:KEY_BYTES], *bound)
        return SealedDataKey(key_id, client_id, *owner, sealed)

    def seal(
        self, place: str, event_id: str, body: bytes, *, at: int, keys: Sequence[SealedDataKey]
    ) -> bytes:
        """Seal a body for all owners of these keys. Each of them alone opens it.

        Args:
            place: the column, as "table.column".
            event_id: the row.
            body: the body.
            at: the time of its arrival, in epoch seconds; its UTC day selects the derived keys.
            keys: at least one, of different owners.

        Raises:
            UnknownEncryptionKey, SealBroken: a data key cannot be opened.
        """
        day = at // DAY_SECONDS
        if len(keys) == 1:
            header = _HEADER.pack(_VERSION, day, 0)
            cipher = self._cipher(keys[0], _use("body", day))
        else:
            header = _HEADER.pack(_VERSION, day, len(keys))
            body_key = os.urandom(KEY_BYTES)
            header += b"".join(self._wrap(one, day, place, event_id, body_key) for one in keys)
            cipher = AESGCM(body_key)
        bound = header + self._sealing.associated_data(place, event_id)
        nonce = os.urandom(_NONCE_BYTES)
        return header + nonce + cipher.encrypt(nonce, body, bound)

    def open(
        self,
        place: str,
        event_id: str,
        sealed: bytes,
        *,
        sealed_for: Sequence[str],
        keys: Mapping[str, SealedDataKey],
    ) -> bytes | None:
        """Open a body. Return None if the keys of all its owners were destroyed.

        Args:
            place: the column, as "table.column".
            event_id: the row.
            sealed: the ciphertext.
            sealed_for: the ids of the keys that it was sealed for, in their order.
            keys: by id, those that exist at this moment.

        Raises:
            UnknownEncryptionKey: the key ring does not hold the key of a data key: try later.
            SealBroken: the body or a data key was changed, or belongs to another place.
        """
        living = [(at, keys[key_id]) for at, key_id in enumerate(sealed_for) if key_id in keys]
        if not living:
            return None
        sealed = bytes(sealed)
        day, wraps, header = _read_header(sealed)
        if wraps != (len(sealed_for) if len(sealed_for) > 1 else 0):
            raise SealBroken("a body has another number of owners than its row")
        at, key = living[0]
        if wraps:
            start = _HEADER.size + at * _WRAP_BYTES
            wrap = sealed[start : start + _WRAP_BYTES]
            cipher = AESGCM(self._unwrap(key, day, place, event_id, wrap))
        else:
            cipher = self._cipher(key, _use("body", day))
        bound = header + self._sealing.associated_data(place, event_id)
        return _decrypt(cipher, sealed[len(header) :], bound)

    def _wrap(
        self, key: SealedDataKey, day: int, place: str, event_id: str, body_key: bytes
    ) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        bound = self._sealing.associated_data(place, event_id, key.key_id)
        return nonce + self._cipher(key, _use("wrap", day)).encrypt(nonce, body_key, bound)

    def _unwrap(
        self, key: SealedDataKey, day: int, place: str, event_id: str, wrap: bytes
    ) -> bytes:
        bound = self._sealing.associated_data(place, event_id, key.key_id)
        return _decrypt(self._cipher(key, _use("wrap", day)), wrap, bound)

    def _derive(self, key: SealedDataKey, use: str) -> AESGCM:
        root = self._sealing.open(DATA_KEY, key.key_id, key.sealed, key.client_id, *key.owner)
        return AESGCM(derive_key(root, use))


NEW_KEY_BYTES = KEY_BYTES + _ID_BYTES


@lru_cache(maxsize=64)
def _use(kind: str, day: int) -> str:
    return f"{kind}/{day}"


def _read_header(sealed: bytes) -> tuple[int, int, bytes]:
    if len(sealed) < _HEADER.size or sealed[0] != _VERSION:
        raise SealBroken("the value is not a body under a data key")
    _, day, wraps = _HEADER.unpack_from(sealed)
    header = sealed[: _HEADER.size + wraps * _WRAP_BYTES]
    if len(sealed) < _HEADER.size + wraps * _WRAP_BYTES + _NONCE_BYTES + _TAG_BYTES:
        raise SealBroken("the value is not a body under a data key")
    return day, wraps, header


def _decrypt(cipher: AESGCM, sealed: bytes, bound: bytes) -> bytes:
    try:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound)
    except InvalidTag:
        raise SealBroken("a body does not open here") from None
