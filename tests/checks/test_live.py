"""Progress: a table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import pytest
from rich.console import Console

from paraph.checks.report.live import VERDICTS, Board, progress


def test_elsewhere_every_line_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Elsewhere every case is printed on its own line, and text from the app is no markup."""
    with progress(["cb-code-race"], VERDICTS, ["fail"]) as noted:
        noted("cb-code-race", "pass", "pass  cb-code-race  [red]" + "x" * 200)
    assert "pass  cb-code-race  [red]" + "x" * 200 + "\n" == capsys.readouterr().err


def test_the_table_counts_by_group() -> None:
    """Only chosen groups have a row; the last row is the total."""
    board = Board(["start-pkce-s256", "cb-code-race", "cb-code-replay"], VERDICTS)
    board.count("cb-code-race", "fail")
    board.count("start-pkce-s256", "pass")
    console = Console(width=80, record=True)
    with console.capture() as drawn:
        console.print(board.table())
    lines = [line.split() for line in drawn.get().splitlines()]
    assert ["pass", "fail", "inconcl.", "n/a"] == lines[0]
    assert ("1/1", "1") == (lines[1][-2], lines[1][-1])
    assert ("1/2", "1") == (lines[2][-2], lines[2][-1])
    assert ["2/3", "1", "1"] == lines[3][-3:]
    assert all(len(line) <= 80 for line in drawn.get().splitlines())


def test_the_time_left_follows_the_slow_cases() -> None:
    """The estimate weighs slow cases, and is not shown before it means something."""
    ids = ["tok-tls", "cb-code-race", "cb-code-replay", "tok-slow"]
    board = Board(ids, VERDICTS)
    assert board.seconds_left(1) is None
    board.count("cb-code-race", "pass")
    assert board.seconds_left(1) is None
    board.count("tok-tls", "pass")
    left = board.seconds_left(12.8)
    assert left is not None and 9 < left < 10.5
    board.count("tok-slow", "pass")
    board.count("cb-code-replay", "pass")
    assert 0 == board.seconds_left(22)
