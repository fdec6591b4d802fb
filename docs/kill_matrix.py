"""Writes docs/check-matrix.md, and its sum into the package: every case and its switch."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paraph.checks import judged
from paraph.checks.catalogue import GROUPS, catalogue
from paraph.checks.report.document import to_json
from paraph.checks.report.terminal import kill_line
from paraph.checks.runner import select
from paraph.checks.self_test import Matrix, self_test

_HEAD = """# The kill matrix of `paraph check`

Written by `make matrix`; do not edit. Each case runs against the hardened reference, where it must
pass, and against the same app with one switch on, where it must fail. Nothing else says that a
check works.

"""


DOCUMENT = Path(__file__).with_name("check-matrix.md")
Row = tuple[str, str]
_ROW = re.compile(r"\| `([a-z0-9-]+)` \|.*\| ([a-z-]+) \| ([a-z-]+) \|")


def rows_of(text: str) -> dict[str, Row]:
    """The verdicts on the reference and on the switch that a document names, by case."""
    return {one[1]: (one[2], one[3]) for one in _ROW.finditer(text)}


def verdicts_of(matrix: Matrix) -> dict[str, Row]:
    """The verdicts of a self-test, by case."""
    return {one.id: (one.reference.verdict.value, one.twin.verdict.value) for one in matrix.kills}


def killed(rows: Mapping[str, Row]) -> list[str]:
    """The cases that pass on the reference and fail on their switch."""
    return [name for name, row in rows.items() if row == ("pass", "fail")]


def table(rows: Mapping[str, Row]) -> str:
    """The document."""
    lines = [f"**{len(killed(rows))} of {len(rows)}** cases tell the two apart.", ""]
    for group, title in GROUPS.items():
        lines += [f"## {title}", "", "| case | severity | attack | reference | its switch on |"]
        lines.append("|---|---|---|---|---|")
        lines += [
            f"| `{entry.id}` | {entry.severity} | {entry.attack} | {' | '.join(rows[entry.id])} |"
            for entry in catalogue().values()
            if entry.group == group
        ]
        lines.append("")
    return _HEAD + "\n".join(lines)


def summary(rows: Mapping[str, Row], started_at: str) -> dict[str, Any]:
    """The summary that is kept in the package; it has the names of `judged.summary_of`."""
    return {
        "killed": len(killed(rows)),
        "cases": len(rows),
        "started_at": started_at,
        "open": sorted(set(rows) - set(killed(rows))),
    }


def main() -> None:
    """Run the self-test and write the table; with `--only` other rows stay as they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", default=[], help="a case, or a pattern")
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1))
    given = parser.parse_args()
    matrix = self_test(
        select(given.only), jobs=given.jobs, told=lambda one: print(kill_line(one), flush=True)
    )
    known = rows_of(DOCUMENT.read_text(encoding="utf-8")) if given.only else {}
    found = known | verdicts_of(matrix)
    rows = {name: found[name] for name in catalogue()}
    DOCUMENT.write_text(table(rows), encoding="utf-8")
    kept = to_json(summary(rows, matrix.started_at))
    Path(judged.__file__).with_name(judged.FILE).write_text(kept, encoding="utf-8")
    print(f"{matrix.killed} of {len(matrix.kills)} in {matrix.seconds:.0f} seconds")


if __name__ == "__main__":
    main()
