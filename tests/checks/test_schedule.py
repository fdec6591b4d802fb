"""The distribution of cases among the copies of the app."""

from __future__ import annotations

from paraph.checks.runner import select
from paraph.checks.schedule import Schedule


def test_every_group_begins_before_one_gets_a_second_copy() -> None:
    """The first copies take one group each; then the group with the most waiting cases goes on."""
    schedule = Schedule(select([], ["challenge", "marketplace", "start"]))
    shares = [schedule.next_share() for _ in range(4)]
    assert [("start", True), ("marketplace", True), ("challenge", True), ("start", False)] == [
        (one.group, one.is_first) for one in shares if one
    ]


def test_each_case_is_taken_once_and_in_order() -> None:
    """Two copies of one group share its cases."""
    ids = select([], ["start"])
    schedule = Schedule(ids)
    shares = [schedule.next_share(), schedule.next_share()]
    takers = [iter(one) for one in shares if one]
    taken = [next(takers[number % 2]) for number in range(len(ids))]
    assert ids == taken
    assert [None, None] == [next(one, None) for one in takers]


def test_a_copy_for_few_cases_is_not_started() -> None:
    """Another copy costs more than the wait for one or two cases."""
    schedule = Schedule(["start-no-secrets", "start-pkce-s256", "start-csrf-link"])
    assert schedule.next_share() is not None
    assert schedule.next_share() is None
    assert Schedule([]).next_share() is None
