"""The key ring: seals and opens every stored value, and the sealed cookie.

    version (1) | length of key id (1) | key id | nonce (12) | AES-256-GCM ciphertext and tag

Event bodies are sealed with a key of their UTC day. Their key id is followed by a slash and the
day's number. Older code takes that for an unknown key and tries later.

Each use ("row", "cookie/<hour>") has a key of its own, derived from the ring's key by HKDF with the
use as label. So a value sealed for one use can never be opened for another. The header and the
caller's associated data are authenticated: a ciphertext moved to another row, column or
database does not open. Nonces are random. A derived key seals far fewer than the 2^32 messages
at which a random nonce of 96 bits becomes a risk (NIST SP 800-38D section 8.3). A key of one day
reaches that number at 49,000 events a second.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from paraph.errors import ConfigurationError, SealBroken, UnknownEncryptionKey
from paraph.sealing.encryption_key import KEY_BYTES, parse_encryption_key
from paraph.secret import Secret

_VERSION = 1
_NONCE_BYTES = 12
_TAG_BYTES = 16
_DERIVED_KEPT = 64
# From 1997 to 2243 the number of a day has five digits, so all headers have the same length.
_DAY_DIGITS = 5
DAY_SECONDS = 86400


def secret_hash(secret: Secret) -> bytes:
    """Return the SHA-256 under which a one-use code or key secret of 256 random bits is stored.

    A secret of that length cannot be guessed from its hash, so no slow hash is needed.
    """
    return hashlib.sha256(secret.reveal().encode("utf-8", "surrogatepass")).digest()


class KeyRing:
    """Encryption keys, newest first. One seals, all of them open.

    The database decides which one seals (`seal_with`), so that no replica seals with a key that
    another cannot open yet. Until it has decided, the newest one seals.
    """

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        self._roots = dict(keys)
        self.newest = keys[0][0]
        self.key_id = self.newest
        # Bounded, because the uses of cookies change every hour.
        self._cipher = lru_cache(maxsize=_DERIVED_KEPT)(self._derive)

    @classmethod
    def parse(cls, values: Sequence[str]) -> KeyRing:
        """Parse keys as `paraph keys new` prints them, newest first.

        Raises:
            ConfigurationError: it names every invalid key by its position, never by its value.
        """
        problems = []
        keys: list[tuple[str, bytes]] = []
        for place, value in enumerate(values):
            try:
                key_id, raw = parse_encryption_key(value)
            except ValueError:
                problems.append(f"encryption_keys[{place}] is not what `paraph keys new` prints")
                continue
            if key_id in dict(keys):
                problems.append(f"encryption_keys[{place}] repeats a key id")
            else:
                keys.append((key_id, raw))
        if not values:
            problems.append("encryption_keys is missing: make one with `paraph keys new`")
        if problems:
            raise ConfigurationError(problems)
        return cls(keys)

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of all keys, newest first."""
        return tuple(self._roots)

    def seal_with(self, key_id: str) -> None:
        """Seal with this key from now on.

        Raises:
            UnknownEncryptionKey: the ring does not hold it.
        """
        if key_id not in self._roots:
            raise UnknownEncryptionKey(
                f"the database seals with the key {key_id}, which is not in encryption_keys"
            )
        self.key_id = key_id

    def seal(
        self, use: str, plaintext: bytes, *, associated_data: bytes, day: int | None = None
    ) -> bytes:
        """Encrypt with the sealing key, bound to the use and the associated data.

        Args:
            use: the label of the derived key.
            plaintext: the value.
            associated_data: authenticated with the ciphertext.
            day: the day of the derived key, in days since 1970; None: one key serves for all days.
        """
        key_id = self.key_id
        header = header_of(key_id, day)
        nonce = os.urandom(_NONCE_BYTES)
        cipher = self._cipher(key_id, use if day is None else _label(use, day))
        return header + nonce + cipher.encrypt(nonce, plaintext, header + associated_data)

    def open(self, use: str, sealed: bytes, *, associated_data: bytes) -> bytes:
        """Decrypt a value that `seal` made for the same use and associated data.

        Raises:
            UnknownEncryptionKey: the ring does not hold the key that it names: try later.
            SealBroken: it was changed, or sealed for another use or place.
        """
        name, header = _read_header(sealed)
        key_id, slash, day = name.partition("/")
        if key_id not in self._roots:
            raise UnknownEncryptionKey("a ciphertext names a key that is not in the ring")
        nonce_end = len(header) + _NONCE_BYTES
        nonce, ciphertext = sealed[len(header) : nonce_end], sealed[nonce_end:]
        try:
            cipher = self._cipher(key_id, f"{use}{slash}{day}")
            return cipher.decrypt(nonce, ciphertext, header + associated_data)
        except InvalidTag:
            raise SealBroken("a ciphertext does not open here") from None

    def authentication_key(self, use: str, key_id: str) -> bytes:
        """Return the MAC key of a use, derived from one key of the ring.

        Raises:
            UnknownEncryptionKey: the ring does not hold it.
        """
        if key_id not in self._roots:
            raise UnknownEncryptionKey(f"the key {key_id} is not in encryption_keys")
        return self._derived_bytes(key_id, f"mac/{use}")

    @staticmethod
    def key_id_of(sealed: bytes) -> str:
        """Return the id of a ciphertext's key. Raise `SealBroken` for another layout."""
        return _read_header(sealed)[0].partition("/")[0]

    @staticmethod
    def day_of(sealed: bytes) -> int | None:
        """Return the day of the key that sealed it. Raise `SealBroken` for another layout."""
        day = _read_header(sealed)[0].partition("/")[2]
        return int(day) if day.isdecimal() else None

    def _derive(self, key_id: str, use: str) -> AESGCM:
        return AESGCM(self._derived_bytes(key_id, use))

    def _derived_bytes(self, key_id: str, use: str) -> bytes:
        return derive_key(self._roots[key_id], use)


def derive_key(root: bytes, use: str) -> bytes:
    """Return the key of a use, derived by HKDF from a key of `KEY_BYTES` random bytes."""
    # No salt: the root is uniformly random already (RFC 5869 section 3.1).
    hkdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"paraph/1 {use}".encode())
    return hkdf.derive(root)


@lru_cache(maxsize=_DERIVED_KEPT)
def _label(use: str, day: int) -> str:
    return f"{use}/{day:0{_DAY_DIGITS}d}"


@lru_cache(maxsize=_DERIVED_KEPT)
def header_of(key_id: str, day: int | None = None) -> bytes:
    """Return the first bytes of every ciphertext of a key, or of its key of one day."""
    name = key_id if day is None else f"{key_id}/{day:0{_DAY_DIGITS}d}"
    return bytes((_VERSION, len(name))) + name.encode("ascii")


def headers_of(key_id: str) -> tuple[bytes, bytes]:
    """Return the first bytes of a key's ciphertexts: of the key itself, and of its daily keys."""
    of_days = f"{key_id}/"
    return header_of(key_id), bytes((_VERSION, len(of_days) + _DAY_DIGITS)) + of_days.encode(
        "ascii"
    )


def _read_header(sealed: bytes) -> tuple[str, bytes]:
    length = sealed[1] if len(sealed) > 1 else 0
    header = sealed[: 2 + length]
    shortest = len(header) + _NONCE_BYTES + _TAG_BYTES
    if not length or sealed[0] != _VERSION or len(sealed) < shortest or not header.isascii():
        raise SealBroken("the value is not a ciphertext of paraph")
    return header[2:].decode("ascii"), header
