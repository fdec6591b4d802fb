from __future__ import annotations

from paraph.simulator.state.journal import MAX_BYTES, MAX_ENTRIES, Exchange, Journal


def exchange(weight: int = 1) -> Exchange:
    """An exchange of no content that counts for so many bytes."""
    return Exchange({}, [], b"", weight)


def test_the_oldest_go_first_at_ten_thousand() -> None:
    """The journal keeps 10 000 entries, and numbers tell how many there were."""
    journal = Journal()
    for _ in range(MAX_ENTRIES + 7):
        journal.add(exchange())
    numbers = [entry["number"] for entry in journal.entries]
    assert list(range(8, 10_008)) == numbers


def test_the_oldest_go_first_when_they_weigh_too_much() -> None:
    """Large requests push out old ones before the journal outgrows its bound."""
    journal = Journal()
    for _ in range(10):
        journal.add(exchange(MAX_BYTES // 4))
    assert [7, 8, 9, 10] == [entry["number"] for entry in journal.entries]
    journal.clear()
    journal.add(exchange(MAX_BYTES // 2))
    journal.add(exchange(MAX_BYTES // 2))
    assert [11, 12] == [entry["number"] for entry in journal.entries]
