"""`paraph check`: attack a running app and say what it withstands."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from paraph.checks.catalogue import GROUPS, SEVERITIES, catalogue
from paraph.checks.questions import target_text
from paraph.checks.report.document import document, matrix_document, to_json
from paraph.checks.report.live import KILLS, VERDICTS, progress
from paraph.checks.report.machines import to_junit, to_sarif
from paraph.checks.report.page import to_html
from paraph.checks.report.terminal import kill_line, line_of, matrix_text, to_text
from paraph.checks.runner import Run, run, select
from paraph.checks.self_test import self_test
from paraph.checks.target import load_target
from paraph.errors import ConfigurationError


class Format(StrEnum):
    """How the report is written."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"
    SARIF = "sarif"
    JUNIT = "junit"


class Profile(StrEnum):
    """Where the app's pages are shown."""

    WEB = "web"
    EMBEDDED = "embedded"


def check(
    target: Annotated[Path | None, typer.Argument(help="Target file (TOML).")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="A case, or a pattern like 'cb-*'; may repeat.")
    ] = None,
    group: Annotated[list[str] | None, typer.Option(help=f"One of: {', '.join(GROUPS)}.")] = None,
    severity: Annotated[
        list[str] | None, typer.Option(help=f"One of: {', '.join(SEVERITIES)}.")
    ] = None,
    profile: Annotated[Profile | None, typer.Option(help="Overrides the target file.")] = None,
    jobs: Annotated[int, typer.Option(min=1, max=32, help="Groups at a time.")] = 1,
    form: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.TEXT,
    output: Annotated[Path | None, typer.Option(help="A file instead of the output.")] = None,
    impersonate: Annotated[
        bool, typer.Option(help="zoom.us is the simulator for the app's process (Linux).")
    ] = False,
    self_check: Annotated[
        bool, typer.Option("--self-test", help="Judge the check itself: the kill matrix.")
    ] = False,
) -> None:
    """Attack the app that TARGET describes, and say what it withstands.

    `paraph check init` writes such a file. Exit codes: 0 everything passes or does not apply,
    1 something fails, 3 nothing fails but something is inconclusive, 2 the check could not run.
    """
    _demand_place(output)
    if target == Path("init"):
        _write(target_text(_asked), output)
        return
    ids = _chosen(only or [], _known(group, GROUPS), _known(severity, SEVERITIES))
    if self_check:
        if target is not None or form not in {Format.TEXT, Format.JSON}:
            raise ConfigurationError(
                ["--self-test has no target, and is written as text or json"],
                remedy="`paraph check --help` says more.",
            )
        raise typer.Exit(_self_test(ids, jobs, form, output))
    if target is None:
        raise ConfigurationError(
            ["which app? Name a target file"], remedy="`paraph check --help` says more."
        )
    described = load_target(target)
    if profile is not None:
        described.profile = profile.value
    described.impersonate = described.impersonate or impersonate
    with _stoppable(), progress(ids, VERDICTS, ("fail", "inconclusive")) as noted:
        found = run(
            described,
            ids,
            jobs=jobs,
            told=lambda one: noted(one.id, one.verdict.value, line_of(one)),
        )
    found.file = target.as_posix()
    _write(_written(found, form), output)
    raise typer.Exit(found.exit_code())


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM does what Ctrl-C does: apps that were started are ended, and their folders go."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _chosen(only: list[str], groups: list[str], severities: list[str]) -> list[str]:
    problems = [_misspelt(one) for one in only if not select([one])]
    if problems:
        raise ConfigurationError(problems, remedy="docs/check-matrix.md lists every case.")
    ids = select(only, groups, severities)
    if not ids:
        raise ConfigurationError(
            ["no case is chosen by --only, --group and --severity together"],
            remedy="Leave one of them out.",
        )
    return ids


def _misspelt(pattern: str) -> str:
    near = get_close_matches(pattern, list(catalogue()), 1)
    return f"--only {pattern} fits no case" + (f"; {near[0]}?" if near else "")


def _asked(question: str, given: str) -> str:
    return str(typer.prompt(question, given, show_default=bool(given)))


def _known(chosen: list[str] | None, names: object) -> list[str]:
    known = list(names)  # type: ignore[call-overload]
    wrong = [one for one in chosen or [] if one not in known]
    if wrong:
        raise ConfigurationError([f"{wrong[0]} is none of: {', '.join(known)}"])
    return chosen or []


def _written(found: Run, form: Format) -> str:
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
    with _stoppable(), progress(ids, KILLS, ("open",)) as noted:
        matrix = self_test(
            ids,
            jobs=jobs,
            told=lambda one: noted(one.id, "ok" if one.works else "open", kill_line(one)),
        )
    as_json = form is Format.JSON
    _write(to_json(matrix_document(matrix)) if as_json else matrix_text(matrix), output)
    return 0 if matrix.killed == len(matrix.kills) else 1


def _demand_place(output: Path | None) -> None:
    """Say before the work, not after it, that its result cannot be written."""
    folder = output.parent if output is not None else Path()
    if output is not None and (output.is_dir() or not os.access(folder, os.W_OK)):
        raise ConfigurationError([f"{output}: cannot be written"], remedy="Name another --output.")


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError([f"{output}: {error.strerror}"]) from None
