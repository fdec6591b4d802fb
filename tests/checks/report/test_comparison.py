"""A run compared with an earlier report and with a baseline of known findings."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from paraph.checks.catalogue import catalogue
from paraph.checks.report.comparison import (
    KNOWN_DAYS,
    Baseline,
    Known,
    baseline_text,
    compare,
    excuse,
    load_baseline,
    load_earlier,
    written_baseline,
)
from paraph.checks.report.document import document, to_json
from paraph.checks.runner import Run
from paraph.checks.verdict import Change, Finding, Verdict
from paraph.errors import ConfigurationError

TODAY = dt.date(2026, 11, 29)
FAIL, PASS, UNKNOWN = Verdict.FAIL, Verdict.PASS, Verdict.INCONCLUSIVE
CRITICAL, LOW = "cb-state-missing", "crc-rate"


def run_of(**verdicts: Verdict) -> Run:
    """A run with these cases; `_` in a name stands for `-`."""
    run = Run("an app", "2026-01-01T00:00:00Z")
    for name, verdict in verdicts.items():
        entry = catalogue()[name.replace("_", "-")]
        run.findings.append(Finding(entry.id, entry.group, entry.severity, verdict, "because"))
    return run


def test_failures_are_new_unchanged_or_fixed(tmp_path: Path) -> None:
    """A failure that the earlier report has is unchanged; other changes say nothing."""
    file = tmp_path / "before.json"
    before = run_of(cb_state_missing=FAIL, cb_code_race=FAIL, wh_replay=PASS, crc_rate=FAIL)
    file.write_text(to_json(document(before)), "utf-8")
    run = run_of(
        cb_state_missing=FAIL, cb_code_race=PASS, wh_replay=FAIL, crc_rate=UNKNOWN, wh_timing=PASS
    )
    compare(run, load_earlier(file))

    assert [Change.UNCHANGED, Change.FIXED, Change.NEW, None, None] == [
        one.change for one in run.findings
    ]
    assert {"new": ["wh-replay"], "unchanged": ["cb-state-missing"], "fixed": ["cb-code-race"]} == {
        name: ids for name, ids in document(run)["since"].items() if name != "started_at"
    }


NESTED = pytest.param('{"x": ' + "[" * 9999, id="nested")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"started_at": 1, "cases": []}', "\\xff", NESTED]
)
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, content: str) -> None:
    """A file that is no JSON report is named, with the option that writes one."""
    file = tmp_path / "report"
    file.write_text(content, "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_earlier(file)
    assert "--format json" in caught.value.remedy


@pytest.mark.parametrize(
    ("verdicts", "fail_on", "known", "code"),
    [
        ({"crc_rate": FAIL}, "low", None, 1),
        ({"crc_rate": FAIL}, "medium", None, 0),
        ({"cb_state_missing": FAIL}, "critical", None, 1),
        ({"crc_rate": UNKNOWN}, "low", None, 3),
        ({"crc_rate": UNKNOWN}, "high", None, 0),
        ({"crc_rate": FAIL, "cb_state_missing": UNKNOWN}, "high", None, 3),
        ({"crc_rate": FAIL}, "low", TODAY, 0),
        ({"crc_rate": FAIL}, "low", TODAY - dt.timedelta(1), 1),
        ({"crc_rate": UNKNOWN}, "low", TODAY, 0),
        ({"crc_rate": FAIL, "cb_state_missing": FAIL}, "low", TODAY, 1),
    ],
)
def test_known_and_light_findings_do_not_count(
    verdicts: dict[str, Verdict], fail_on: str, known: dt.date | None, code: int
) -> None:
    """A finding counts from --fail-on upwards, and from the day after its last known day."""
    run = run_of(**verdicts)
    if known:
        excuse(run, Baseline([Known(case=LOW, until=known)]), TODAY)

    assert code == run.exit_code(fail_on)  # type: ignore[arg-type]


def test_entries_of_the_baseline_that_are_over_are_noted() -> None:
    """An entry for a case that passes, and one whose last day is over, are noted."""
    run = run_of(cb_state_missing=FAIL, wh_replay=PASS)
    yesterday = TODAY - dt.timedelta(1)
    entries = [
        Known(case="wh-replay", until=TODAY),
        Known(case=CRITICAL, until=yesterday),
        Known(case="wh-timing", until=TODAY),
    ]
    excuse(run, Baseline(entries), TODAY)

    assert [
        "wh-replay does not fail (it is pass); remove it from the baseline",
        "cb-state-missing counts again: it was excused until 2026-11-28",
    ] == run.notes
    assert "" == run.findings[0].known_until


def test_a_written_baseline_excuses_its_findings(tmp_path: Path) -> None:
    """A written baseline can be read again; known entries keep their day and their reason."""
    run = run_of(crc_rate=FAIL, cb_state_missing=UNKNOWN, wh_replay=PASS)
    reason = 'The "proxy" limits\\n\x1b\x7f Zoë'
    run.findings[0].known_until, run.findings[0].known_reason = "2027-01-31", reason
    file = tmp_path / "known.toml"
    file.write_text(baseline_text(written_baseline(run.findings, TODAY)), "utf-8")
    again = load_baseline(file)

    later = TODAY + dt.timedelta(KNOWN_DAYS)
    assert [(LOW, dt.date(2027, 1, 31)), (CRITICAL, later)] == [
        (one.case, one.until) for one in again.known
    ]
    excuse(run, again, TODAY)
    assert 0 == run.exit_code()


def test_a_replaced_baseline_keeps_reasons_and_days() -> None:
    """An entry keeps its reason, its day until it is over, and its place if it was not run."""
    yesterday, tomorrow = TODAY - dt.timedelta(1), TODAY + dt.timedelta(1)
    before = Baseline(
        [
            Known(case=LOW, until=tomorrow, reason="planned"),
            Known(case=CRITICAL, until=yesterday, reason="asked"),
            Known(case="wh-replay", until=tomorrow, reason="corrected"),
            Known(case="wh-timing", until=yesterday, reason="not run"),
        ]
    )
    run = run_of(crc_rate=FAIL, cb_state_missing=FAIL, wh_replay=PASS)
    written = written_baseline(run.findings, TODAY, before)

    later = TODAY + dt.timedelta(KNOWN_DAYS)
    assert [
        Known(case=CRITICAL, until=later, reason="asked"),
        Known(case=LOW, until=tomorrow, reason="planned"),
        Known(case="wh-timing", until=yesterday, reason="not run"),
    ] == written.known


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[[known]]\ncase = "cb-x"\nuntil = 2027-01-01\n', "there is no case cb-x"),
        ('[[known]]\ncase = "crc-rate"\n', "until"),
        ('[[known]]\ncase = "crc-rate"\nuntil = 2027-01-01\nsince = 1\n', "since"),
        ("known = 1\n", "known"),
        ("[", "Invalid"),
    ],
)
def test_a_wrong_baseline_is_refused(tmp_path: Path, content: str, said: str) -> None:
    """A baseline without a last day, of an unknown case or with a misspelt name is refused."""
    file = tmp_path / "known.toml"
    file.write_text(content, "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_baseline(file)
    assert said in caught.value.problems[0]
