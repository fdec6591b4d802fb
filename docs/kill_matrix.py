"""Writes the page check-matrix.md from a self-test of every case, and its summary into src."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from paraph.checks.catalogue import GROUPS, catalogue
from paraph.checks.report.document import to_json
from paraph.checks.report.terminal import kill_line
from paraph.checks.runner import select
from paraph.checks.self_test import SUMMARY, Kill, Matrix, self_test
from paraph.checks.verdict import Finding, Verdict

DOCUMENT = Path(__file__).parent / "reference" / "check-matrix.md"
_ROW = re.compile(r"\| `([a-z0-9-]+)` \|.*\| ([a-z-]+) \| ([a-z-]+) \|")
_HEAD = """# The kill matrix of `paraph check`

Written by `make matrix`; do not edit. Each case runs against the hardened reference, where it must
pass, and against the same app with one switch on, where it must fail. This comparison shows that a
check works.

"""


def table(matrix: Matrix) -> str:
    """Return the document for the results of all cases."""
    kills = {one.id: one for one in matrix.kills}
    lines = [f"**{matrix.killed} of {len(matrix.kills)}** cases tell the two apart.", ""]
    for group, title in GROUPS.items():
        lines += [f"## {title}", "", "| case | severity | attack | reference | its switch on |"]
        lines.append("|---|---|---|---|---|")
        for entry in catalogue().values():
            if entry.group == group:
                kill = kills[entry.id]
                verdicts = f"{kill.reference.verdict.value} | {kill.twin.verdict.value}"
                lines.append(f"| `{entry.id}` | {entry.severity} | {entry.attack} | {verdicts} |")
        lines.append("")
    return _HEAD + "\n".join(lines)


def merged(matrix: Matrix, document: str) -> Matrix:
    """Return a self-test of some cases, completed with the other rows of the document."""
    kills = {one.id: one for one in matrix.kills}
    for name, reference, twin in _ROW.findall(document):
        if name in catalogue() and name not in kills:
            kills[name] = Kill(name, _finding(name, reference), _finding(name, twin))
    return Matrix([kills[name] for name in catalogue()], matrix.seconds, matrix.started_at)


def _finding(name: str, verdict: str) -> Finding:
    entry = catalogue()[name]
    return Finding(name, entry.group, entry.severity, Verdict(verdict))


def main() -> None:
    """Run the self-test and write the table; with `--only` the other rows are kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", default=[], help="a case, or a pattern")
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1))
    given = parser.parse_args()
    chosen = select(given.only)
    matrix = self_test(chosen, jobs=given.jobs, told=lambda one: print(kill_line(one), flush=True))
    if given.only:
        matrix = merged(matrix, DOCUMENT.read_text(encoding="utf-8"))
    DOCUMENT.write_text(table(matrix), encoding="utf-8")
    kept = to_json(matrix.summary())
    SUMMARY.write_text(kept, encoding="utf-8")
    print(f"{matrix.killed} of {len(matrix.kills)} in {matrix.seconds:.0f} seconds")


if __name__ == "__main__":
    main()
