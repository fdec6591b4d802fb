from __future__ import annotations

import pytest

from paraph.zoom.token_errors import MEANINGS, in_zooms_words


@pytest.mark.parametrize("number", sorted(MEANINGS))
def test_a_documented_number_is_told_with_its_meaning(number: str) -> None:
    """A person learns why, not only that."""
    assert f"{number}: {MEANINGS[number]}" == in_zooms_words(f"Zoom error {number}")


@pytest.mark.parametrize("detail", ["", "Zoom error 4799", "xZoom error 4741", "no refresh token"])
def test_anything_else_stays_as_it_is(detail: str) -> None:
    """No meaning is made up."""
    assert detail == in_zooms_words(detail)
