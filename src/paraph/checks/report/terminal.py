"""The report as text: a line for each case as it ends, then a table of the groups."""

from __future__ import annotations

from paraph.checks.catalogue import GROUPS, catalogue
from paraph.checks.report.visible import visible_run
from paraph.checks.runner import Run
from paraph.checks.self_test import Kill, Matrix
from paraph.checks.verdict import Finding, Verdict
from paraph.visible_text import visible

_SIGNS = {
    Verdict.PASS: "pass        ",
    Verdict.FAIL: "FAIL        ",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.NOT_APPLICABLE: "n/a         ",
}


def line_of(finding: Finding) -> str:
    """Format one case as a line."""
    reason = f"  {visible(finding.reason)}" if finding.reason else ""
    return f"{_SIGNS[finding.verdict]}  {finding.severity:<8}  {finding.id:<30}{reason}"


def kill_line(kill: Kill) -> str:
    """Format one case of the self-test as a line."""
    sign = "ok  " if kill.works else "OPEN"
    why = "" if kill.works else f"  {visible(kill.reference.reason or kill.twin.reason)}"
    return f"{sign}  {kill.id:<30} {kill.reference.verdict.value} / {kill.twin.verdict.value}{why}"


def to_text(run: Run) -> str:
    """Format a run: failures in full, then one line for each group."""
    run = visible_run(run)
    parts = [f"paraph check: {run.target}, {run.started_at}, {run.seconds:.0f} seconds"]
    for one in run.findings:
        if one.verdict is Verdict.FAIL:
            entry = catalogue()[one.id]
            parts += [
                "",
                f"FAIL {one.id} ({one.severity}): {entry.title}",
                f"  attack       {entry.attack}",
                f"  expectation  {entry.expectation}",
                f"  found        {one.reason}",
                f"  standards    {'; '.join(entry.standards)}",
                f"  fix          {entry.fix}",
            ]
    parts.append("")
    for group, title in GROUPS.items():
        found = [one for one in run.findings if one.group == group]
        if found:
            counts = [sum(one.verdict is verdict for one in found) for verdict in Verdict]
            words = " ".join(f"{n:>3} {v.value}" for n, v in zip(counts, Verdict, strict=True))
            parts.append(f"{title:<32} {words}")
    summary = ", ".join(f"{count} {name}" for name, count in run.summary().items())
    return "\n".join([*parts, f"{'in all':<32} {summary}"]) + "\n"


def matrix_text(matrix: Matrix) -> str:
    """Format the kill matrix: the cases that do not work, then one line in total."""
    open_ones = [kill_line(one) for one in matrix.kills if not one.works]
    counts = f"{matrix.killed} of {len(matrix.kills)}"
    line = f"{counts} cases pass on the reference and fail on their switch"
    return "\n".join([*open_ones, f"{line} ({matrix.seconds:.0f} seconds)"]) + "\n"
