"""`paraph check`: attack a running app and say what it withstands."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from paraph.checks.catalogue import GROUPS, SEVERITIES
from paraph.checks.questions import target_text
from paraph.checks.report.document import document, matrix_document, to_json
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
    """Attack the app that TARGET describes; `paraph check init` writes such a file."""
    if target == Path("init"):
        _write(target_text(_asked), output)
        return
    ids = select(only or (), _known(group, GROUPS), _known(severity, SEVERITIES))
    if not ids:
        raise ConfigurationError(["no case has been chosen"], remedy="Look at --only and --group.")
    if self_check:
        raise typer.Exit(_self_test(ids, jobs, form, output))
    if target is None:
        raise ConfigurationError(
            ["which app? Name a target file"], remedy="`paraph check --help` says more."
        )
    described = load_target(target)
    if profile is not None:
        described.profile = profile.value
    described.impersonate = described.impersonate or impersonate
    found = run(described, ids, jobs=jobs, told=lambda one: typer.echo(line_of(one), err=True))
    _write(_written(found, form), output)
    raise typer.Exit(found.exit_code())


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
    matrix = self_test(ids, jobs=jobs, told=lambda one: typer.echo(kill_line(one), err=True))
    as_json = form is Format.JSON
    _write(to_json(matrix_document(matrix)) if as_json else matrix_text(matrix), output)
    return 0 if matrix.killed == len(matrix.kills) else 1


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError([f"{output}: {error.strerror}"]) from None
