"""Proof Key for Code Exchange."""

from __future__ import annotations

from typing import Any

import pytest

from paraph.errors import StateMismatch, UsageError
from paraph.oauth.pkce import code_challenge_of, verify_challenge
from paraph.secret import Secret
from vector_files import cases


@pytest.mark.parametrize("case", cases("pkce"))
def test_vectors(case: dict[str, Any]) -> None:
    """S256 of the verifier is the challenge, or StateMismatch."""
    if case["result"] == "valid":
        verify_challenge(case["verifier"], case["challenge"])
        assert case["challenge"] == code_challenge_of(Secret(case["verifier"]))
    else:
        with pytest.raises(StateMismatch):
            verify_challenge(case["verifier"], case["challenge"])


def test_a_verifier_of_the_wrong_shape_is_a_usage_error() -> None:
    """We never make such a verifier, so making a challenge of one is our own mistake."""
    with pytest.raises(UsageError):
        code_challenge_of(Secret("too short"))
