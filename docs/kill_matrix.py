"""Writes docs/check-matrix.md, and its sum into the package: every case and its switch."""

from __future__ import annotations

import os
from pathlib import Path

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


def table(matrix: Matrix) -> str:
    """The document."""
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


def main() -> None:
    """Run the self-test and write the table."""
    jobs = min(4, os.cpu_count() or 1)
    matrix = self_test(select(), jobs=jobs, told=lambda one: print(kill_line(one)))
    Path(__file__).with_name("check-matrix.md").write_text(table(matrix), encoding="utf-8")
    kept = to_json(judged.summary_of(matrix))
    Path(judged.__file__).with_name(judged.FILE).write_text(kept, encoding="utf-8")
    print(f"{matrix.killed} of {len(matrix.kills)} in {matrix.seconds:.0f} seconds")


if __name__ == "__main__":
    main()
