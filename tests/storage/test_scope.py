from __future__ import annotations

from paraph.storage.scope import NOTHING_READ, Scope, account, in_order


def test_a_scope_has_one_key_everywhere() -> None:
    """Replicas agree on it, also in another process: it is no hash of Python's."""
    assert 784_131_405_612_165_906 == Scope(("fixed",)).key


def test_different_scopes_have_different_keys() -> None:
    """Also where their parts, run together, would be the same text or differ in case alone."""
    scopes = [
        account("client", "account"),
        account("clienta", "ccount"),
        account("CLIENT", "account"),
        NOTHING_READ,
        Scope(("account", "client")),
    ]

    assert len(scopes) == len({scope.key for scope in scopes})
    assert all(-(2**63) <= scope.key < 2**63 for scope in scopes)


def test_scopes_are_taken_in_one_order() -> None:
    """Two blocks that name the same ones otherwise arranged cannot wait for each other."""
    first, second = account("client", "1"), account("client", "2")

    assert in_order([first, second]) == in_order([second, first])


def test_owning_beats_sharing() -> None:
    """A lock that is both owned and shared is taken once, and owned."""
    owned, shared = account("client", "1"), account("client", "1", shared=True)

    assert [owned] == in_order([shared, owned]) == in_order([owned, shared, shared])
