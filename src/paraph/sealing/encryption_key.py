"""The written form of an encryption key, `ID:BASE64URL`.

Making or checking one needs no cryptography library, so `paraph keys new` and the settings do not
load it.
"""

from __future__ import annotations

import os
import re

from paraph.encoding import decode_base64url, encode_base64url

KEY_BYTES = 32
_FORM = re.compile(r"([A-Za-z0-9_-]{1,32}):([A-Za-z0-9_-]{43})=?")


def new_encryption_key() -> str:
    """Return a new encryption key in the form of the setting `encryption_keys`."""
    return f"{os.urandom(4).hex()}:{encode_base64url(os.urandom(KEY_BYTES))}"


def parse_encryption_key(value: str) -> tuple[str, bytes]:
    """Return the id and the bytes of a key in clear.

    Raises:
        ValueError: it is not what `paraph keys new` prints. The value is not repeated.
    """
    match = _FORM.fullmatch(value)
    if match is None:
        raise ValueError("not an encryption key")
    return match[1], decode_base64url(match[2])
