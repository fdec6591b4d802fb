"""The live table on a terminal: a row for each group, and a line for each important case."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from paraph.checks.catalogue import GROUPS, catalogue

Noted = Callable[[str, str, str], None]
# The verdicts of a run and the results of a self-test, with their colours.
VERDICTS = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "not-applicable": "dim"}
KILLS = {"ok": "green", "open": "bold red"}
# Seconds of the slowest cases on a small app, and of every other case: for the time left.
_SLOW = {
    "tok-tls": 12.0,
    "leak-key-rotation": 12.0,
    "tok-slow": 9.0,
    "leak-swap": 8.0,
    "cb-open-redirect": 6.0,
    "ref-single-flight": 6.0,
    "net-forwarded-limits": 5.0,
    "wh-no-account": 4.5,
    "tok-verifier": 4.5,
    "start-state-entropy": 4.0,
}
_USUAL = 0.8
# An estimate from fewer seconds of the usual time would jump.
_ENOUGH = 4.0


@contextmanager
def progress(ids: Sequence[str], words: Mapping[str, str], loud: Sequence[str]) -> Iterator[Noted]:
    """Yield a function to call for each case with its id, a word of `words`, and a line.

    On a terminal a table is updated, and only lines with a word of `loud` are printed above it.
    Elsewhere every line is printed, because a log cannot be overwritten.
    """
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal or console.is_dumb_terminal:

        def plain(_name: str, _word: str, line: str) -> None:
            console.print(Text(line), soft_wrap=True)

        yield plain
        return
    board = Board(ids, words)
    with Live(get_renderable=board.table, console=console, refresh_per_second=4) as live:

        def noted(name: str, word: str, line: str) -> None:
            board.count(name, word)
            if word in loud:
                text = Text(line, style=words[word], no_wrap=True, overflow="ellipsis")
                live.console.print(text)

        yield noted


class Board:
    """The counts of the current run; cases end in several threads."""

    def __init__(self, ids: Sequence[str], words: Mapping[str, str]) -> None:
        self._words = words
        self._sizes = Counter(catalogue()[one].group for one in ids)
        self._done: dict[str, Counter[str]] = {group: Counter() for group in self._sizes}
        self._begun = time.monotonic()
        self._left = {one: _SLOW.get(one, _USUAL) for one in ids}
        self._usual = sum(self._left.values())
        self._lock = threading.Lock()

    def count(self, name: str, word: str) -> None:
        """Count a case that has ended."""
        with self._lock:
            self._done[catalogue()[name].group][word] += 1
            self._left.pop(name, None)

    def seconds_left(self, spent: float) -> float | None:
        """Estimate the rest of the run.

        Args:
            spent: the seconds so far.

        Returns the seconds, or None as long as too little has been done.
        """
        left = sum(self._left.values())
        done = self._usual - left
        return spent * left / done if done >= _ENOUGH else None

    def table(self) -> Table:
        """Return the current table."""
        table = Table(box=None, pad_edge=False, padding=(0, 1))
        table.add_column("", no_wrap=True, overflow="ellipsis")
        table.add_column("", width=12)
        table.add_column("", justify="right", no_wrap=True)
        for word, style in self._words.items():
            table.add_column(_short(word), justify="right", style=style, no_wrap=True)
        with self._lock:
            for group in (one for one in GROUPS if one in self._sizes):
                self._row(table, GROUPS[group], self._done[group], self._sizes[group])
            whole = sum(self._done.values(), Counter[str]())
            table.add_section()
            spent = time.monotonic() - self._begun
            left = self.seconds_left(spent)
            title = _clock(spent) + (f", about {_clock(left)} left" if left else " in all")
            self._row(table, title, whole, self._sizes.total())
        return table

    def _row(self, table: Table, title: str, done: Counter[str], size: int) -> None:
        bar = ProgressBar(total=size, completed=done.total(), width=12)
        figures = [str(done[word]) if done[word] else "" for word in self._words]
        table.add_row(title, bar, f"{done.total()}/{size}", *figures)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _short(word: str) -> str:
    return {"inconclusive": "inconcl.", "not-applicable": "n/a"}.get(word, word)
