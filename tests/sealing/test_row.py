from __future__ import annotations

import pytest

from paraph.errors import SealBroken
from paraph.sealing.row import Sealing
from paraph.secret import Secret
from storage.sample import ring

HERE = Sealing(ring(), "database-1")
SEALED = HERE.seal("grants.access_token", "grant-1", b"value")


def test_a_value_opens_where_it_was_sealed() -> None:
    """Same database, column and row: the value comes back."""
    assert b"value" == HERE.open("grants.access_token", "grant-1", SEALED)


@pytest.mark.parametrize(
    ("database", "place", "row"),
    [
        ("database-2", "grants.access_token", "grant-1"),
        ("database-1", "grants.refresh_token", "grant-1"),
        ("database-1", "revocations.access_token", "grant-1"),
        ("database-1", "grants.access_token", "grant-2"),
        ("database-1", "grants.access_token", "Grant-1"),
        ("database-1", "grants.access_tokeng", "rant-1"),
        ("database-1grants", ".access_token", "grant-1"),
    ],
)
def test_a_value_opens_nowhere_else(database: str, place: str, row: str) -> None:
    """Moved to another database, table, column or row, or with a border shifted: refused."""
    with pytest.raises(SealBroken):
        Sealing(ring(), database).open(place, row, SEALED)


def test_a_secret_goes_in_and_out_and_nothing_stays_nothing() -> None:
    """A missing refresh token is a missing ciphertext."""
    sealed = HERE.seal_secret("grants.refresh_token", "grant-1", Secret("tökèn"))

    assert sealed is not None
    assert Secret("tökèn") == HERE.open_secret("grants.refresh_token", "grant-1", sealed)
    assert HERE.seal_secret("grants.refresh_token", "grant-1", None) is None
