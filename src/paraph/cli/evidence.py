"""`paraph evidence`: writes the pack that Zoom's review asks for."""

from __future__ import annotations

import asyncio
import html
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from paraph.cli.settings_file import config_option
from paraph.errors import ConfigurationError

if TYPE_CHECKING:
    from paraph.review.pack import Pack
    from paraph.settings.model import Settings

_SHORTEST = 8
_PDF = "evidence.pdf"
_FILES = ("evidence.md", "evidence.html", "data-flow.svg", "sbom.cdx.json", _PDF)


@click.command()
@config_option
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("evidence"),
    help="The folder to write into.",
)
@click.option(
    "--manifest", type=click.Path(path_type=Path), help="The manifest of the app at Zoom."
)
@click.option(
    "--check",
    "check_file",
    type=click.Path(path_type=Path),
    help="The last report of `paraph check --format json`.",
)
@click.option(
    "--live-file",
    type=click.Path(path_type=Path),
    default=Path("paraph-live.json"),
    help="The answers that `paraph doctor --live` has kept.",
)
@click.option("--force", is_flag=True, help="Replace the files of an earlier pack.")
@click.option("--offline", is_flag=True, help="Connect neither to Zoom nor to the public URL.")
def evidence(
    *,
    config: Path | None,
    output: Path,
    manifest: Path | None,
    check_file: Path | None,
    live_file: Path,
    force: bool,
    offline: bool,
) -> None:
    """Write the security evidence of this set-up for Zoom's review.

    It writes Markdown, one HTML page, the data-flow diagram, a list of dependencies (CycloneDX),
    and a PDF if Chromium is installed. Nothing in them is secret. Nothing is overwritten without
    --force.
    """
    from paraph.logs import set_up_logs
    from paraph.operations.findings.examination import examine
    from paraph.operations.probes.collecting import Wanted, collect
    from paraph.operations.probes.public_url_probe import USUAL_LOGS
    from paraph.review.dependencies import cyclonedx, installed_packages, license_of
    from paraph.review.earlier_reports import load_check_report, load_live_report
    from paraph.review.evidence import Reports, build_pack
    from paraph.review.pack import picture_of, to_html, to_markdown
    from paraph.service.context import probe_sources
    from paraph.settings.loading import inspect_settings

    _demand_free(output, force=force)
    set_up_logs(stream=io.StringIO())
    inspected = inspect_settings(config)
    settings = inspected.settings
    if settings is None:
        raise ConfigurationError(
            inspected.problems,
            remedy="Fix every problem listed above; `paraph doctor` explains them.",
        )
    packages = installed_packages()
    reports = Reports(
        check=None if check_file is None else load_check_report(check_file),
        live=load_live_report(live_file) if live_file.exists() else None,
        packages=[(one.metadata["Name"], one.version, license_of(one)) for one in packages],
    )
    wanted = Wanted(network=not offline, manifest_file=manifest, proxy_logs=USUAL_LOGS)
    facts = asyncio.run(collect(inspected, wanted, probe_sources(), file=config))
    pack = build_pack(facts, settings, examine(facts), reports)
    files = {
        "evidence.md": to_markdown(pack),
        "evidence.html": to_html(pack),
        "data-flow.svg": picture_of(pack).svg,
        "sbom.cdx.json": cyclonedx(packages, made_at=pack.made_at),
    }
    _demand_no_secret(pack, files, settings)
    _write(output, files)


def _demand_free(folder: Path, *, force: bool) -> None:
    there = [folder / one for one in _FILES if (folder / one).exists()]
    if there and not force:
        raise ConfigurationError(
            [f"{one} exists and was not changed" for one in there],
            remedy="Add --force to replace the pack, or name another folder with --output.",
        )


def _demand_no_secret(pack: Pack, files: Mapping[str, str], settings: Settings) -> None:
    """Refuse to write a pack that holds a secret, for instance one that a report repeats.

    Raises:
        ConfigurationError: a file would hold one.
    """
    from paraph.review.pack import in_markdown, texts_of

    # Formatting changes a text, so texts are searched before it, and files for each form.
    written = {**files, "the pack": "\n".join(texts_of(pack))}
    for secret in _secrets_of(settings):
        forms = {secret, html.escape(secret), in_markdown(secret), json.dumps(secret)[1:-1]}
        for name, text in written.items():
            if any(one in text for one in forms):
                raise ConfigurationError(
                    [f"{name} would hold a secret of the settings; nothing was written"],
                    remedy="Remove it from app_name, the URLs or the report that repeats it.",
                )


def _secrets_of(settings: Settings) -> list[str]:
    from urllib.parse import unquote, urlsplit

    lists = (settings.webhook_secrets, settings.encryption_keys, settings.forward_secrets)
    found = [settings.client_secret.reveal(), *(one.reveal() for some in lists for one in some)]
    # The material of a key stands behind its id.
    found += [one.reveal().partition(":")[2] for one in settings.encryption_keys]
    found += [urlsplit(url).password or "" for url in (settings.database_url, settings.events_url)]
    if settings.key_service is not None:
        found.append(settings.key_service.token.reveal())
    if settings.outgoing.proxy is not None:
        found.append(settings.outgoing.proxy.password.reveal())
    # A password of a URL is written with escapes there, and without them elsewhere.
    found += [unquote(one) for one in found]
    return [one for one in found if len(one) >= _SHORTEST]


def _write(folder: Path, files: Mapping[str, str]) -> None:
    from paraph.review.printing import find_browser, print_page

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        click.echo(f"{folder / name}")
    # An older one would pass for the print of this pack.
    (folder / _PDF).unlink(missing_ok=True)
    browser = find_browser()
    if not browser:
        click.echo(
            "No PDF: Chromium is not installed. Print evidence.html from any browser.", err=True
        )
        return
    failure = print_page(browser, folder / "evidence.html", folder / _PDF)
    if failure:
        click.echo(f"No PDF: {failure}. Print evidence.html from any browser.", err=True)
    else:
        click.echo(f"{folder / _PDF}")
