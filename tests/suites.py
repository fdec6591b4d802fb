"""The two suites: `make test` runs tests without the marker `slow`, `make verify` those with it.

`project/suites.txt` lists every test file with its suite and its number of tests, so that no test
disappears unnoticed. `pytest --write-suites --collect-only` writes it again after a change.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
LIST = TESTS / "project" / "suites.txt"
# Folders of programs that tests run in environments of their own.
_PROGRAMS = {"kits", "python", "node"}

FileSuites = dict[str, tuple[str, int]]
COLLECTED = pytest.StashKey[FileSuites]()


def count_tests(items: Iterable[pytest.Item]) -> FileSuites:
    """Return the suite (`test`, `verify` or `both`) and the number of tests of each file."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        suite = "verify" if item.get_closest_marker("slow") else "test"
        counts[item.path.relative_to(TESTS).as_posix()][suite] += 1
    return {
        name: ("both" if len(count) > 1 else next(iter(count)), count.total())
        for name, count in counts.items()
    }


def test_files() -> set[str]:
    """Return the name of every test file below `tests/`."""
    paths = (path.relative_to(TESTS) for path in TESTS.rglob("test_*.py"))
    return {path.as_posix() for path in paths if not _PROGRAMS & set(path.parts)}


def read_list() -> FileSuites:
    """Read the list of suites."""
    rows = (row.split() for row in LIST.read_text(encoding="utf-8").splitlines())
    return {name: (suite, int(count)) for name, suite, count in rows}


def write_list(found: FileSuites) -> None:
    """Write the list of suites."""
    rows = (f"{name} {suite} {count}\n" for name, (suite, count) in sorted(found.items()))
    LIST.write_text("".join(rows), encoding="utf-8")
