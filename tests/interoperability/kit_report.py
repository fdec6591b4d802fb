"""Runs every case against every published kit: `make kits`. Writes the table of kits.md.

The complete reports, with evidence, stay in `.interoperability/kit-reports/`.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from interoperability.environments import HERE, KEPT
from interoperability.kit_targets import KITS, check, in_kits, kits_folder
from paraph.checks.catalogue import GROUPS
from paraph.checks.report.page import to_html
from paraph.checks.runner import Run, select
from paraph.checks.verdict import Verdict

_PAGE = HERE.parents[1] / "docs" / "explanation" / "kits.md"
_BLOCK = re.compile(r"(<!-- the table: make kits -->\n).*?(<!-- end -->)", re.DOTALL)
_ORDER = (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE)


def versions() -> dict[str, str]:
    """The pinned version of each package that the kits consist of."""
    packages: dict[str, str] = json.loads((HERE / "kits" / "package.json").read_text())[
        "dependencies"
    ]
    lines = (HERE / "kits" / "requirements.in").read_text().splitlines()
    pinned = [one.partition("==") for one in lines if "==" in one]
    return packages | {name.partition("[")[0]: version for name, _, version in pinned}


def table(runs: dict[str, Run]) -> str:
    """One row per kit, one column per group: pass / fail / inconclusive / not applicable."""
    known = versions()
    rows = [
        (
            f"Run on {datetime.now(tz=UTC):%Y-%m-%d}, {len(select())} cases each; "
            "each cell: pass / fail / inconclusive / not applicable."
        ),
        "",
        f"| kit | version | {' | '.join(GROUPS)} | all |",
        "|---" * (len(GROUPS) + 3) + "|",
    ]
    for found in runs.values():
        name = found.target.lower()
        cells = [_cell(found, group) for group in (*GROUPS, "")]
        rows.append(f"| {found.target} | {known[name]} | {' | '.join(cells)} |")
    rows += ["", "All failing cases:", ""]
    for found in runs.values():
        rows += [f"- {found.target}", *_failing(found)]
    return "\n".join(rows) + "\n"


def _failing(found: Run) -> list[str]:
    lines = []
    for group in GROUPS:
        failing = [
            f"`{one.id}`"
            for one in found.findings
            if one.group == group and one.verdict is Verdict.FAIL
        ]
        if failing:
            lines.append(f"  - {group}: {', '.join(failing)}")
    return lines


def _cell(found: Run, group: str) -> str:
    count = Counter(one.verdict for one in found.findings if not group or one.group == group)
    return " / ".join(str(count[one]) for one in _ORDER)


def main() -> int:
    """Install, run, write."""
    reports = KEPT / "kit-reports"
    reports.mkdir(parents=True, exist_ok=True)
    runs: dict[str, Run] = {}
    with in_kits(kits_folder()):
        for kit in KITS:
            runs[kit] = found = check(kit, select())
            (reports / f"{kit}.html").write_text(to_html(found), encoding="utf-8")
            sys.stdout.write(f"{kit}: {found.summary()} in {found.seconds:.0f} seconds\n")
            sys.stdout.flush()
    _fill(_PAGE, table(runs))
    return 0


def _fill(page: Path, content: str) -> None:
    text = page.read_text(encoding="utf-8")
    page.write_text(_BLOCK.sub(lambda m: m[1] + content + m[2], text), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
