"""The report as text: a line for each case as it ends, then the failures and their fixes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from paraph.checks.advice import FRAMEWORKS, incidents
from paraph.checks.catalogue import catalogue
from paraph.checks.report.order import (
    TARGET_PAGE,
    Fix,
    advice_page,
    by_group,
    case_page,
    changes,
    fixes,
    reasons,
    severities,
    worst_first,
)
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
_WIDTH = 100
_SET_FRAMEWORK = "Set `framework` in the target file, or pass --framework, to see the code here."


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
    """Format a run: failures, the worst first, then their fixes, then one line for each group."""
    run = visible_run(run)
    parts = [f"paraph check: {run.target}, {run.started_at}, {run.seconds:.0f} seconds"]
    failed = [one for one in run.findings if one.verdict is Verdict.FAIL]
    for one in worst_first(failed):
        parts += ["", *_failure(one)]
    needed = fixes(run)
    if needed:
        parts += ["", f"HOW TO FIX, in this order ({len(needed)})"]
    if needed and run.framework not in FRAMEWORKS:
        parts += [_SET_FRAMEWORK]
    for number, fix in enumerate(needed, 1):
        parts += ["", *_fix(number, fix, run.framework)]
    parts += [*_undecided(run), *_since(run), *(f"note: {one}" for one in run.notes), ""]
    for title, found in by_group(run.findings).items():
        counts = [sum(one.verdict is verdict for one in found) for verdict in Verdict]
        words = " ".join(f"{n:>3} {v.value}" for n, v in zip(counts, Verdict, strict=True))
        parts.append(f"{title:<32} {words}")
    summary = ", ".join(f"{count} {name}" for name, count in run.summary().items())
    parts.append(f"{'in all':<32} {summary}")
    if failed:
        parts.append(f"{'failed':<32} {', '.join(severities(failed))}")
    return "\n".join(parts) + "\n"


def _failure(finding: Finding) -> Iterator[str]:
    entry = catalogue()[finding.id]
    change = f" [{finding.change}]" if finding.change else ""
    yield f"FAIL {finding.id} ({finding.severity}): {entry.title}{change}"
    if finding.known_until:
        yield f"  known        until {finding.known_until}: {finding.known_reason}"
    yield f"  attack       {entry.attack}"
    yield f"  expectation  {entry.expectation}"
    yield f"  found        {finding.reason}"
    yield f"  why          {entry.why}"
    for one in incidents().get(finding.id, []):
        yield f"  happened     {one.name}: {one.text} {one.url}"
    yield f"  standards    {'; '.join(entry.standards)}"
    yield f"  fix          {entry.fix}"
    yield f"  more         {case_page(finding.id)}"


def _fix(number: int, fix: Fix, framework: str) -> Iterator[str]:
    yield f"{number}. {fix.advice.title}"
    names = ", ".join(one.id for one in fix.findings)
    yield from _wrapped(f"for: {names}")
    yield from _wrapped(fix.advice.text)
    codes = fix.advice.codes(framework)
    if not codes:
        return
    if framework not in FRAMEWORKS:
        yield from _wrapped(f"Code for {' · '.join(codes)}: {advice_page(fix.advice.id)}")
        return
    yield from _wrapped(fix.advice.given_for(framework))
    yield ""
    for code in codes.values():
        yield from textwrap.indent(code, "       ").splitlines()


def _wrapped(text: str) -> list[str]:
    indent = "   "
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _undecided(run: Run) -> Iterator[str]:
    """Say each cause once, however many cases it concerns."""
    titles = {Verdict.INCONCLUSIVE: "INCONCLUSIVE", Verdict.NOT_APPLICABLE: "NOT APPLICABLE"}
    for verdict, title in titles.items():
        found = reasons(run, verdict)
        if found:
            yield ""
            yield title
        for reason, findings in found:
            ids = ", ".join(one.id for one in findings[:3])
            more = f" and {len(findings) - 3} more" if len(findings) > 3 else ""
            yield f"  {len(findings):>3}  {reason or 'no reason is given'} ({ids}{more})"
        if found and verdict is Verdict.NOT_APPLICABLE:
            yield f"       {TARGET_PAGE} says what each hook, variant and URL is for."


def _since(run: Run) -> Iterator[str]:
    if not run.since:
        return
    found = changes(run)
    counts = ", ".join(f"{len(findings)} {change}" for change, findings in found.items())
    yield ""
    yield f"since {run.since}: {counts}"
    for change, findings in found.items():
        if findings and change != "unchanged":
            yield f"  {change:<10} {', '.join(one.id for one in findings)}"


def matrix_text(matrix: Matrix) -> str:
    """Format the kill matrix: the cases that do not work, then one line in total."""
    open_ones = [kill_line(one) for one in matrix.kills if not one.works]
    counts = f"{matrix.killed} of {len(matrix.kills)}"
    line = f"{counts} cases pass on the reference and fail on their switch"
    return "\n".join([*open_ones, f"{line} ({matrix.seconds:.0f} seconds)"]) + "\n"
