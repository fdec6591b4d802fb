from __future__ import annotations

import copy
import json
import pickle

import pytest

from paraph.secret import Secret

HUSH = Secret("the-token-itself")


def test_nothing_that_prints_shows_it() -> None:
    """repr, str, format, f-strings and containers show stars."""
    shown = [
        repr(HUSH),
        str(HUSH),
        f"{HUSH}",
        f"{HUSH:>40}",
        f"{HUSH!r}",
        str([HUSH]),
        str({"x": HUSH}),
    ]

    assert [] == [text for text in shown if "token" in text]
    assert "the-token-itself" == HUSH.reveal()


def test_no_machinery_copies_it_out() -> None:
    """Pickling, deep copying, JSON and hashing fail instead of leaking."""
    for leak in (pickle.dumps, copy.deepcopy, json.dumps, hash):
        with pytest.raises(TypeError):
            leak(HUSH)


def test_equality_is_of_content_and_only_among_secrets() -> None:
    """Two secrets of one text are equal; a secret never equals a string."""
    assert HUSH == Secret("the-token-itself")
    assert HUSH != Secret("the-token-itselF")
    assert "the-token-itself" != HUSH
    assert Secret("\ud800") == Secret("\ud800")


def test_an_empty_one_is_false() -> None:
    """An empty secret is no secret."""
    assert not Secret("")
    assert HUSH
