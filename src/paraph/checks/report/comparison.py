"""Compares a run with an earlier report, and with a baseline of known findings."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from pathlib import Path

import msgspec

from paraph.checks.catalogue import catalogue
from paraph.checks.report.order import worst_first
from paraph.checks.runner import Run
from paraph.checks.verdict import Change, Finding, Verdict
from paraph.errors import ConfigurationError
from paraph.settings.source import parse_toml
from paraph.visible_text import visible

# Long enough for a planned change, short enough that a finding is not excused for ever.
KNOWN_DAYS = 90
_HEAD = """\
# Known findings of `paraph check`, for --baseline. Each one counts again after its day `until`.
# Say in `reason` why the finding may wait.
"""


class EarlierCase(msgspec.Struct):
    """One case of an earlier report; its other members do not matter here."""

    id: str
    verdict: Verdict


class Earlier(msgspec.Struct):
    """An earlier report of `--format json`."""

    started_at: str
    cases: list[EarlierCase]


class Known(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A known finding: the case, the last day on which it is excused, and why."""

    case: str
    until: dt.date
    reason: str = ""


class Baseline(msgspec.Struct, forbid_unknown_fields=True):
    """The content of a baseline file."""

    known: list[Known] = []


def load_earlier(path: Path) -> Earlier:
    """Read a JSON report of an earlier run.

    Raises:
        ConfigurationError: the file cannot be read, or is no such report.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Earlier)
    except OSError as error:
        raise ConfigurationError([f"{path}: {error.strerror}"]) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(
            [f"{path} is not a JSON report of paraph check: {error}"],
            remedy="Write one with `--format json --output FILE`.",
        ) from None


def load_baseline(path: Path) -> Baseline:
    """Read a baseline file.

    Raises:
        ConfigurationError: the file cannot be read, or names an unknown case.
    """
    try:
        content = msgspec.convert(parse_toml(path.read_bytes()), Baseline)
    except OSError as error:
        raise ConfigurationError(
            [f"{path}: {error.strerror}"],
            remedy="`--write-baseline FILE` writes a baseline from the findings of a run.",
        ) from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise ConfigurationError(
            [f"{path}: {error}"],
            remedy="Each [[known]] has `case`, `until` (a date) and `reason`.",
        ) from None
    unknown = [one.case for one in content.known if one.case not in catalogue()]
    if unknown:
        raise ConfigurationError(
            [f"{path}: there is no case {one}" for one in unknown],
            remedy="docs/reference/check-matrix.md lists every case.",
        )
    return content


def compare(run: Run, earlier: Earlier) -> None:
    """Mark each failure of a run as new or unchanged, and each corrected one as fixed."""
    run.since = earlier.started_at
    failed = {one.id for one in earlier.cases if one.verdict is Verdict.FAIL}
    for one in run.findings:
        if one.verdict is Verdict.FAIL:
            one.change = Change.UNCHANGED if one.id in failed else Change.NEW
        elif one.verdict is Verdict.PASS and one.id in failed:
            one.change = Change.FIXED


def excuse(run: Run, baseline: Baseline, today: dt.date) -> None:
    """Mark the findings that a baseline excuses, and note its entries that are over."""
    found = {one.id: one for one in run.findings}
    for known in baseline.known:
        finding = found.get(known.case)
        if finding is None:
            continue
        if finding.verdict not in {Verdict.FAIL, Verdict.INCONCLUSIVE}:
            run.notes.append(
                f"{known.case} does not fail (it is {finding.verdict}); remove it from the baseline"
            )
        elif known.until < today:
            run.notes.append(f"{known.case} counts again: it was excused until {known.until}")
        else:
            finding.known_until = known.until.isoformat()
            finding.known_reason = known.reason


def written_baseline(
    findings: Iterable[Finding], today: dt.date, before: Baseline | None = None
) -> Baseline:
    """Return a baseline of the failed and inconclusive findings, the worst one first.

    Findings that are excused already keep their day and their reason. All others are excused for
    90 days.

    Args:
        findings: all findings of a run.
        today: the day on which the baseline is written.
        before: the content that it replaces. Its entries keep their reason, and their day until it
            is over. Entries of cases that were not run are kept.
    """
    found = worst_first(findings)
    old = {one.case: one for one in before.known} if before else {}
    written = [
        _known(one, today, old.get(one.id))
        for one in found
        if one.verdict in {Verdict.FAIL, Verdict.INCONCLUSIVE}
    ]
    run = {one.id for one in found}
    return Baseline([*written, *(one for case, one in old.items() if case not in run)])


def _known(finding: Finding, today: dt.date, before: Known | None) -> Known:
    """Return the entry of a finding: the one that excuses it, or a new one with the old reason."""
    if finding.known_until:
        until = dt.date.fromisoformat(finding.known_until)
        return Known(case=finding.id, until=until, reason=finding.known_reason)
    if before is not None and before.until >= today:
        return before
    until = today + dt.timedelta(days=KNOWN_DAYS)
    return Known(case=finding.id, until=until, reason=before.reason if before else "")


def baseline_text(baseline: Baseline) -> str:
    """Format a baseline as the content of its file."""
    parts = [_HEAD]
    for one in baseline.known:
        entry = catalogue()[one.case]
        parts += [
            "[[known]]",
            f'case = "{one.case}"  # {entry.severity}: {entry.title}',
            f"until = {one.until}",
            f"reason = {json.dumps(visible(one.reason), ensure_ascii=False)}",
            "",
        ]
    return "\n".join(parts)
