"""The table of what the simulator imitates."""

from __future__ import annotations

from paraph.simulator.state.behaviours import all_behaviours


def test_every_behaviour_has_a_mark_and_no_row_stands_twice() -> None:
    """What is documented or seen names where; rows are sentences of one line."""
    rows = all_behaviours()
    assert len({(row.area, row.text) for row in rows}) == len(rows)
    assert [] == [row for row in rows if row.mark in {"documented", "seen"} and not row.source]
    assert [] == [row for row in rows if "\n" in row.text or not row.text]
