"""Ids and one-use codes, as the context draws them."""

from __future__ import annotations

import pytest

from paraph.lifecycle.context import random_text


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
