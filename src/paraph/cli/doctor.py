"""`paraph doctor`: names every weakness of a set-up at once."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click

from paraph.cli.output import demand_writable, report_options, write_report
from paraph.cli.settings_file import config_option
from paraph.errors import ConfigurationError

if TYPE_CHECKING:
    from paraph.operations.probes.facts import Facts

TOKEN_VARIABLE = "PARAPH_ZOOM_TOKEN"


class Format(StrEnum):
    """The format of the report."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


@click.command()
@config_option
@click.option(
    "--manifest",
    type=click.Path(path_type=Path),
    help="The manifest of the app: exported at Zoom, or written by `paraph init`.",
)
@click.option(
    "--app-id",
    default="",
    help=f"Fetch the manifest of this app at Zoom, with the access token in {TOKEN_VARIABLE}.",
)
@click.option(
    "--proxy-log",
    multiple=True,
    help="A log file of your proxy, searched for authorization codes. Repeatable. Those of "
    "Debian's nginx, Caddy and Apache are searched without it.",
)
@click.option("--offline", is_flag=True, help="Connect neither to Zoom nor to the public URL.")
@click.option(
    "--live",
    is_flag=True,
    help="Ask Zoom what its documentation leaves open. Use development credentials.",
)
@click.option(
    "--live-file",
    type=click.Path(path_type=Path),
    default=Path("paraph-live.json"),
    help="Where --live keeps the answers of Zoom. Only such a file is replaced, and only by "
    "answers.",
)
@report_options(Format)
def doctor(
    *,
    config: Path | None,
    manifest: Path | None,
    app_id: str,
    proxy_log: tuple[str, ...],
    offline: bool,
    live: bool,
    live_file: Path,
    form: str,
    output: Path | None,
) -> None:
    """Find every weakness of the settings, the machine, the public URL and the app at Zoom.

    Nothing is changed. Exit codes: 0 nothing is weak, 1 something is weak, 3 nothing is weak but
    a part could not be checked, 2 the doctor could not run.
    """
    from paraph.logs import set_up_logs
    from paraph.operations.findings.examination import examine
    from paraph.operations.probes.collecting import Wanted, collect
    from paraph.operations.probes.public_url_probe import USUAL_LOGS
    from paraph.review.doctor_report import to_json, to_text
    from paraph.review.doctor_sarif import to_sarif
    from paraph.secret import Secret
    from paraph.service.context import probe_sources
    from paraph.settings.loading import inspect_settings

    demand_writable(output)
    if live and offline:
        raise ConfigurationError(
            ["--live needs the network, and --offline forbids it"], remedy="Give one of the two."
        )
    if live:
        _demand_answers_file(live_file)
    wanted = Wanted(
        network=not offline,
        manifest_file=manifest,
        app_id=app_id,
        token=Secret(_token(app_id)),
        proxy_logs=[*proxy_log, *USUAL_LOGS],
        live=live,
        paste=_paste if sys.stdin.isatty() else None,
    )
    # The report says what could not be reached; a log beside it would say it twice.
    set_up_logs(stream=io.StringIO())
    inspected = inspect_settings(config)
    facts = asyncio.run(collect(inspected, wanted, probe_sources(), file=config))
    if live:
        _keep_answers(facts, live_file)
    examination = examine(facts, inspected.written)
    text = {
        Format.TEXT: lambda: to_text(examination, facts.live),
        Format.JSON: lambda: to_json(examination, facts.live),
        Format.SARIF: lambda: to_sarif(examination, file=facts.settings_file),
    }[Format(form)]()
    write_report(text, output)
    raise click.exceptions.Exit(examination.exit_code)


def _token(app_id: str) -> str:
    token = os.environ.get(TOKEN_VARIABLE, "")
    if app_id and not token:
        raise ConfigurationError(
            [f"--app-id needs an access token in {TOKEN_VARIABLE}"],
            remedy="Put an access token with the scope marketplace:read:app there, or export the "
            "manifest at Zoom and pass it with --manifest.",
        )
    return token


def _paste(url: str) -> str:
    """Ask a person to consent, and for the address at which the browser ended."""
    click.echo("Open this URL in a browser, and allow the app:", err=True)
    click.echo(f"  {url}", err=True)
    # The address holds a code, so it is not shown while it is pasted.
    prompt = "Paste the address where the browser ended, or Zoom's error"
    return str(click.prompt(prompt, hide_input=True, default="", show_default=False, err=True))


def _demand_answers_file(file: Path) -> None:
    """Check before Zoom is asked that the answers can be written, and replace no other file.

    Raises:
        ConfigurationError: they cannot be written there.
    """
    from paraph.review.earlier_reports import load_live_report

    demand_writable(file, "--live-file")
    if file.exists():
        load_live_report(file)


def _keep_answers(facts: Facts, file: Path) -> None:
    from paraph.review.doctor_report import live_document, moment
    from paraph.visible_text import json_text

    if facts.settings is None:
        return
    if all(one.refused is None for one in facts.live):
        click.echo(f"Zoom answered no question, and {file} was not written.", err=True)
        return
    content = {
        "asked_at": moment(facts.now),
        "authorization_server": facts.settings.authorization_server,
        "client_id": facts.settings.client_id,
        "answers": live_document(facts.live),
    }
    write_report(json_text(content), file)
    click.echo(f"The answers of Zoom are in {file}.", err=True)
