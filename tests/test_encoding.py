"""Byte encodings: one value, one text, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraph.encoding import decode_base64url, encode_base64url, random_text, with_lengths


@given(st.binary(max_size=80))
def test_base64url_is_decoded_again(value: bytes) -> None:
    """Any bytes are encoded without padding, in the characters of a URL, and decoded again."""
    text = encode_base64url(value)
    assert not set(text) & set("+/=")
    assert value == decode_base64url(text)


@pytest.mark.parametrize("text", ["a", "ab d", "ab\n", "äöü", "=", "ab=cd"])
def test_another_text_is_refused(text: str) -> None:
    """A character outside the alphabet, or an impossible length, is an error."""
    with pytest.raises(ValueError):  # noqa: PT011 - The text is the library's.
        decode_base64url(text)


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_different_values_differ_with_their_lengths(one: list[str], other: list[str]) -> None:
    """Two lists of values give the same bytes only if they are equal."""
    assert (one == other) == (with_lengths(one) == with_lengths(other))


def test_a_length_has_its_size() -> None:
    """Each value stands behind its big-endian length; a longer one is an error."""
    assert b"\0\0\0\2ab\0\0\0\0" == with_lengths(("ab", b""))
    assert b"\0\2ab" == with_lengths((b"ab",), length_bytes=2)
    with pytest.raises(OverflowError):
        with_lengths((bytes(1 << 16),), length_bytes=2)


@pytest.mark.parametrize("size", [16, 32])
def test_new_ids_and_codes_begin_with_a_letter(size: int) -> None:
    """Ids and one-use codes have all their bits, their usual length and a letter in front."""
    texts = {random_text(bytes([first]) + bytes(size - 1)) for first in range(256)}
    texts.add(random_text(b"\xff" * size))

    assert 257 == len(texts)
    assert {len(text) for text in texts} == {-(-size * 4 // 3)}
    assert {text[0] for text in texts} <= set("ABCDEFGHIJKLMNOP")
    with pytest.raises(ValueError, match="multiple of three"):
        random_text(bytes(24))
