"""Byte encodings that are written once: base64url, random ids, values preceded by their lengths."""

from __future__ import annotations

import base64
from collections.abc import Iterable


def encode_base64url(value: bytes) -> str:
    """Encode as base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode("ascii")


def decode_base64url(text: str) -> bytes:
    """Decode base64url without padding; the alphabet of plain base64 is understood as well.

    Raises:
        ValueError: the text has another character or an impossible length.
    """
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def random_text(value: bytes) -> str:
    """Encode random bytes as base64url that begins with a letter from A to P.

    Command lines read a text that begins with `-` as an option. So the padding bits, which base64
    puts into the last character, are put into the first one instead. No randomness is lost, and
    the length stays the same.

    Args:
        value: its length must not be a multiple of three, which would leave no padding bits.

    Raises:
        ValueError: its length is a multiple of three.
    """
    missing = -len(value) % 3
    if not missing:
        raise ValueError("a multiple of three bytes fills every character")
    return encode_base64url(bytes(missing) + value)[missing:]


def with_lengths(parts: Iterable[bytes | str], *, length_bytes: int = 4) -> bytes:
    """Join values, each preceded by its length, so that ("ab", "c") and ("a", "bc") differ.

    Args:
        parts: bytes, or texts, which are encoded as UTF-8. A text from outside may hold half a
            surrogate pair, which is encoded as well.
        length_bytes: the size of each length, in bytes, big-endian.

    Raises:
        OverflowError: a value is longer than its length can state.
    """
    pieces: list[bytes] = []
    for part in parts:
        value = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        pieces += (len(value).to_bytes(length_bytes, "big"), value)
    return b"".join(pieces)
