"""Sealed cookies."""

from __future__ import annotations

import pytest

from paraph.errors import SealBroken
from paraph.sealing.cookie import open_cookie, seal_cookie
from paraph.sealing.encryption_key import new_encryption_key
from paraph.sealing.key_ring import KeyRing

RING = KeyRing.parse([new_encryption_key()])
NOON = 12 * 3600


def test_a_cookie_opens_in_its_own_hour_use_and_place() -> None:
    """Only the use, hour and associated data of the sealing open a cookie."""
    value = seal_cookie(RING, "test", b"content", issued_at=NOON, associated_data=b"name")
    opened = open_cookie(RING, "test", value, issued_at=NOON + 3599, associated_data=b"name")
    assert b"content" == opened
    for use, issued_at, data in (
        ("other", NOON, b"name"),
        ("test", NOON + 3600, b"name"),
        ("test", NOON, b"other"),
    ):
        with pytest.raises(SealBroken):
            open_cookie(RING, use, value, issued_at=issued_at, associated_data=data)


def test_a_value_that_is_no_base64url_is_refused() -> None:
    """A malformed cookie is a ValueError, before any key is derived."""
    with pytest.raises(ValueError):  # noqa: PT011 - The text is the library's.
        open_cookie(RING, "test", "a value", issued_at=NOON, associated_data=b"")
