"""Every test file stands in the list of suites, and no test disappears unnoticed."""

from __future__ import annotations

import pytest

import suites

# The number of tests of version 0.1.0.
FIRST_RELEASE = 4350


def test_the_list_is_that_of_the_tree(request: pytest.FixtureRequest) -> None:
    """Each file runs in the suite that the list names, with no fewer tests."""
    collected = request.config.stash[suites.COLLECTED]
    if suites.test_files() - set(collected):
        pytest.skip("only a part of the tests was collected")
    listed = suites.read_list()

    assert set(listed) == suites.test_files()
    assert {} == {
        name: (found, listed[name])
        for name, found in collected.items()
        if found[0] != listed[name][0] or found[1] < listed[name][1]
    }


def test_no_test_of_the_first_release_was_lost() -> None:
    """The listed tests are at least as many as those of version 0.1.0."""
    assert sum(count for _, count in suites.read_list().values()) >= FIRST_RELEASE
