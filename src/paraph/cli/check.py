"""`paraph check`: attacks a running app and reports which attacks it withstands."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click

from paraph.checks.advice import FRAMEWORKS
from paraph.checks.catalogue import GROUPS, RENAMED_GROUPS, SEVERITIES, Severity, catalogue
from paraph.cli.check_init import CommandWithInit
from paraph.cli.output import demand_writable, report_options, write_report
from paraph.errors import ConfigurationError

if TYPE_CHECKING:
    from paraph.checks.report.comparison import Baseline, Earlier
    from paraph.checks.runner import Run


class Format(StrEnum):
    """The format of the report."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"
    SARIF = "sarif"
    JUNIT = "junit"


class Profile(StrEnum):
    """The kind of site on which the app's pages are shown."""

    WEB = "web"
    EMBEDDED = "embedded"


_WORKERS = click.IntRange(1, 32)
_FILE = click.Path(path_type=Path)


@click.command(cls=CommandWithInit)
@click.argument("target", required=False, type=_FILE)
@click.option(
    "--only", multiple=True, help="A case, a pattern like 'cb-*', or a severity. Repeatable."
)
@click.option("--group", multiple=True, help=f"One of: {', '.join(GROUPS)}. Repeatable.")
@click.option("--severity", multiple=True, help=f"One of: {', '.join(SEVERITIES)}. Repeatable.")
@click.option(
    "--profile",
    type=click.Choice([one.value for one in Profile]),
    help="Overrides the target file.",
)
@click.option(
    "--framework",
    type=click.Choice(list(FRAMEWORKS)),
    help="The framework whose code the advice shows. Overrides the target file.",
)
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    default=SEVERITIES[-1],
    show_default=True,
    help="The lowest severity that decides the exit code.",
)
@click.option("--since", type=_FILE, help="Compare with this JSON report of an earlier run.")
@click.option("--baseline", type=_FILE, help="A file of known findings, excused until a day each.")
@click.option(
    "--write-baseline",
    type=_FILE,
    help="Write the failed and inconclusive findings of this run to this baseline file.",
)
@click.option(
    "--jobs", type=_WORKERS, default=1, help="The number of copies of the app that run at once."
)
@report_options(Format)
@click.option(
    "--impersonate/--no-impersonate",
    default=False,
    help="Make zoom.us the simulator for the app's process (Linux).",
)
@click.option(
    "--self-test", "self_check", is_flag=True, help="Test the check itself: the kill matrix."
)
def check(
    *,
    target: Path | None,
    only: tuple[str, ...],
    group: tuple[str, ...],
    severity: tuple[str, ...],
    profile: str | None,
    framework: str | None,
    fail_on: Severity,
    since: Path | None,
    baseline: Path | None,
    write_baseline: Path | None,
    jobs: int,
    form: str,
    output: Path | None,
    impersonate: bool,
    self_check: bool,
) -> None:
    """Attack a running app and report which attacks it withstands.

    TARGET is a target file (TOML); `paraph check init` writes one. Exit codes: 0 everything
    passes or does not apply, 1 something fails, 3 nothing fails but something is inconclusive,
    2 the check could not run. Findings below --fail-on and known findings of --baseline do not
    count.
    """
    demand_writable(output)
    demand_writable(write_baseline, "--write-baseline")
    ids = _chosen(only, _known(_renamed(group), GROUPS), _known(severity, SEVERITIES))
    if self_check:
        if target is not None or form not in {Format.TEXT, Format.JSON}:
            raise ConfigurationError(
                ["--self-test takes no target, and its --format is text or json"],
                remedy="Run `paraph check --help` to see the options.",
            )
        raise click.exceptions.Exit(_self_test(ids, jobs, Format(form), output))
    if target is None:
        raise ConfigurationError(
            ["no target file is given"],
            remedy="Pass a target file; `paraph check init` writes one.",
        )
    from paraph.checks.report.comparison import load_baseline, load_earlier

    earlier = load_earlier(since) if since else None
    known = load_baseline(baseline) if baseline else None
    # The reasons that a person has written into the file are not lost.
    replaced = load_baseline(write_baseline) if write_baseline and write_baseline.exists() else None
    found = _attack(target, ids, profile=profile, jobs=jobs, impersonate=impersonate)
    found.framework = framework or found.framework
    _compare(found, earlier, known, write_baseline, replaced)
    write_report(_written(found, Format(form)), output)
    raise click.exceptions.Exit(found.exit_code(fail_on))


def _compare(
    found: Run,
    earlier: Earlier | None,
    known: Baseline | None,
    write_baseline: Path | None,
    replaced: Baseline | None,
) -> None:
    """Compare a run with an earlier report and with known findings; write a new baseline."""
    import datetime as dt

    from paraph.checks.report.comparison import baseline_text, compare, excuse, written_baseline

    today = dt.datetime.now(tz=dt.UTC).date()
    if earlier:
        compare(found, earlier)
    if known:
        excuse(found, known, today)
    if write_baseline:
        written = written_baseline(found.findings, today, replaced)
        write_report(baseline_text(written), write_baseline)
        excuse(found, written, today)


def _attack(
    target: Path, ids: list[str], *, profile: str | None, jobs: int, impersonate: bool
) -> Run:
    from paraph.checks.report.live import VERDICTS, progress
    from paraph.checks.report.terminal import line_of
    from paraph.checks.runner import run
    from paraph.checks.target import load_target

    described = load_target(target)
    if profile is not None:
        described.profile = Profile(profile).value
    described.impersonate = described.impersonate or impersonate
    with _stoppable(), progress(ids, VERDICTS, ("fail", "inconclusive")) as noted:
        found = run(
            described,
            ids,
            jobs=jobs,
            told=lambda one: noted(one.id, one.verdict.value, line_of(one)),
        )
    found.file, found.framework = target.as_posix(), described.framework
    return found


@contextmanager
def _stoppable() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C: stop the started apps and delete their folders."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _chosen(only: Sequence[str], groups: Sequence[str], severities: Sequence[str]) -> list[str]:
    from paraph.checks.runner import select

    problems = [_misspelt(one) for one in only if not select([one])]
    if problems:
        raise ConfigurationError(
            problems, remedy="See docs/reference/check-matrix.md for all cases."
        )
    ids = select(only, groups, severities)
    if not ids:
        raise ConfigurationError(
            ["no case is chosen by --only, --group and --severity together"],
            remedy="Omit one of these options.",
        )
    return ids


def _misspelt(pattern: str) -> str:
    near = get_close_matches(pattern, list(catalogue()), 1)
    return f"--only {pattern} matches no case" + (f"; did you mean {near[0]}?" if near else "")


def _renamed(groups: Sequence[str]) -> Sequence[str]:
    """Replace the old names of groups, with a note."""
    for old in (one for one in groups if one in RENAMED_GROUPS):
        note = f"The group {old} is now called {RENAMED_GROUPS[old]}; use the new name."
        click.echo(note, err=True)
    return [RENAMED_GROUPS.get(one, one) for one in groups]


def _known(chosen: Sequence[str], names: Iterable[str]) -> Sequence[str]:
    known = list(names)
    wrong = [one for one in chosen if one not in known]
    if wrong:
        raise ConfigurationError(
            [f"{wrong[0]} is not one of: {', '.join(known)}"], remedy="Choose one of these names."
        )
    return chosen


def _written(found: Run, form: Format) -> str:
    from paraph.checks.report.document import document, to_json
    from paraph.checks.report.machines import to_junit, to_sarif
    from paraph.checks.report.page import to_html
    from paraph.checks.report.terminal import to_text

    match form:
        case Format.JSON:
            return to_json(document(found))
        case Format.HTML:
            return to_html(found)
        case Format.SARIF:
            return to_sarif(found)
        case Format.JUNIT:
            return to_junit(found)
        case _:
            return to_text(found)


def _self_test(ids: list[str], jobs: int, form: Format, output: Path | None) -> int:
    from paraph.checks.report.document import matrix_document, to_json
    from paraph.checks.report.live import KILLS, progress
    from paraph.checks.report.terminal import kill_line, matrix_text
    from paraph.checks.self_test import self_test

    with _stoppable(), progress(ids, KILLS, ("open",)) as noted:
        matrix = self_test(
            ids,
            jobs=jobs,
            told=lambda one: noted(one.id, "ok" if one.works else "open", kill_line(one)),
        )
    as_json = form is Format.JSON
    write_report(to_json(matrix_document(matrix)) if as_json else matrix_text(matrix), output)
    return 0 if matrix.killed == len(matrix.kills) else 1
