"""`paraph init`: writes the first settings, and shows what to enter at Zoom."""

from __future__ import annotations

import base64
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from paraph.cli.invocation import own_command
from paraph.errors import ConfigurationError
from paraph.settings.sqlite_url import sqlite_file

if TYPE_CHECKING:
    from paraph.settings.first_file import FirstSettings
    from paraph.settings.validation import SettingChecks

_FILE = Path("paraph.toml")
_MANIFEST = Path("zoom-manifest.json")
_REQUIRED = ("client_id", "client_secret", "webhook_secret", "public_url")
_LOCAL = "http://127.0.0.1:8000"
_SCOPES = "user:read:user"
_EVENTS = "meeting.started, meeting.ended"

# Each question with its default, in the order in which they are asked.
_QUESTIONS: dict[str, tuple[str, str]] = {
    "app_name": ("The name of your app", "my app"),
    "client_id": ("Client ID, from App Credentials at Zoom", ""),
    "client_secret": ("Client Secret, from the same place (not shown)", ""),
    "webhook_secret": ("Secret Token, from Features > Access at Zoom (not shown)", ""),
    "public_url": ("The URL that browsers and Zoom will use", _LOCAL),
    "level": ("Who adds the app: each user, or an administrator for the account", "user"),
    "scopes": ("Scopes that your product needs, separated by commas", _SCOPES),
    "events": ("Events that your product needs, separated by commas", _EVENTS),
    "linking": ("Linking: host if your signed-in users connect Zoom, else none", "none"),
    "start_url": ("Your page that signs a person in and starts the installation", ""),
    "link_url": ("Your page where the person confirms both accounts", ""),
    "forward_url": ("The URL of your product that receives events (empty: none)", ""),
    "database_url": ("Database: sqlite:///FILE or postgresql://…", "sqlite:///paraph.db"),
    "trusted_proxies": ("Networks of your own proxies, separated by commas", "127.0.0.1"),
    "security_contact": ("Contact for security reports, mailto:… or https://… (empty: none)", ""),
}
_HIDDEN = frozenset({"client_secret", "webhook_secret"})
_CHOICES = {"level": ["user", "account"], "linking": ["none", "host"]}


def _option(name: str, help: str, **more: Any) -> Callable[[Any], Any]:  # noqa: A002 - Click's name.
    return click.option(f"--{name.replace('_', '-')}", name, help=help, **more)


@click.command()
@click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path),
    default=_FILE,
    help="The settings file to write.",
)
@click.option(
    "--manifest",
    type=click.Path(path_type=Path),
    default=_MANIFEST,
    help="The manifest of the app to write.",
)
@click.option("--force", is_flag=True, help="Replace existing files.")
@_option("app_name", "The name of the app.")
@_option("client_id", "Client ID at Zoom.", envvar="ZOOM_CLIENT_ID", show_envvar=True)
@_option(
    "client_secret",
    "Client Secret at Zoom; as a variable it is not in the list of processes.",
    envvar="ZOOM_CLIENT_SECRET",
    show_envvar=True,
)
@_option("webhook_secret", "Secret Token at Zoom.", envvar="ZOOM_SECRET_TOKEN", show_envvar=True)
@_option("public_url", "The URL that browsers and Zoom use.")
@_option(
    "level",
    "The people who add the app: each user, or an administrator.",
    type=click.Choice(_CHOICES["level"]),
)
@_option("scopes", "Scopes that your product needs, separated by commas.")
@_option("events", "Events that your product needs, separated by commas.")
@_option(
    "linking",
    "With host, your signed-in users confirm the link.",
    type=click.Choice(_CHOICES["linking"]),
)
@_option("start_url", "Your page that starts an installation, with --linking host.")
@_option("link_url", "Your page that confirms a link, with --linking host.")
@_option("forward_url", "The URL of your product that receives events.")
@_option("database_url", "sqlite:///FILE or postgresql://…")
@_option("trusted_proxies", "Networks of your own proxies, separated by commas.")
@_option("security_contact", "Contact for security reports: mailto:… or https://…")
def init(*, config: Path, manifest: Path, force: bool, **given: str | None) -> None:
    """Write paraph.toml and the app's manifest, and show what to enter at Zoom.

    It asks for what is not given. With client id, both secrets and URL given it asks nothing, and
    takes the defaults. Nothing is overwritten without --force, and --force keeps a copy of the old
    settings, because they hold the encryption key of the database.
    """
    from paraph.settings.first_file import keep_copy, settings_text, write_private

    _demand_free(config, manifest, force=force)
    answers = _answers(given)
    _demand_text(answers)
    first = _first(answers)
    text = settings_text(first)
    _demand_sound(config, text)
    kept = keep_copy(config) if config.exists() else None
    write_private(config, text, overwrite=force)
    click.echo(f"{config} is written, with a new encryption key. Only you can read it (mode 0600).")
    if kept is not None:
        click.echo(
            f"{kept} holds the old settings. Their encryption key opens the data stored so far: "
            "put it behind the new one in encryption_keys."
        )
    _ignore_in_git(config, first.database_url, kept)
    events = _listed(answers["events"])
    if first.public_url.startswith("https://"):
        _show_form(first, events)
    written = _write_manifest(manifest, first, events, overwrite=force)
    click.echo("")
    _show_next(config, manifest if written else None)


def _demand_free(config: Path, manifest: Path, *, force: bool) -> None:
    if config.absolute() == manifest.absolute():
        raise ConfigurationError(
            ["--config and --manifest name the same file"], remedy="Name two files."
        )
    for file in (config, manifest):
        if file.exists() and not force:
            raise ConfigurationError(
                [f"{file} exists and was not changed"], remedy="Add --force to replace it."
            )


def _demand_text(answers: dict[str, str]) -> None:
    """Refuse bytes of the command line that are no text: no file of settings can hold them."""
    wrong = [name for name, value in answers.items() if not value.isascii() and not _is_text(value)]
    if wrong:
        raise ConfigurationError(
            [f"{name} is not text in UTF-8" for name in wrong],
            remedy="Write it in UTF-8; nothing was written.",
        )


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _answers(given: dict[str, str | None]) -> dict[str, str]:
    """Return a value for each question: given, asked for, or the default."""
    asks = any(not given[name] for name in _REQUIRED)
    answers: dict[str, str] = {}
    for name, (question, default) in _QUESTIONS.items():
        value = given[name]
        skipped = not _applies(name, answers)
        if value is None and asks and not skipped:
            value = _ask(name, question, default)
        answers[name] = ("" if skipped else default) if value is None else value.strip()
    return answers


def _applies(name: str, answers: dict[str, str]) -> bool:
    if name in {"start_url", "link_url"}:
        return answers["linking"] == "host"
    if name == "trusted_proxies":
        return answers["public_url"].startswith("https://")
    return True


def _ask(name: str, question: str, default: str) -> str:
    """Ask until the answer passes the check of its setting."""

    def checked(text: str) -> str:
        from paraph.settings.validation import SettingChecks

        checks = SettingChecks()
        if name in _CHECKS:
            _CHECKS[name](checks, text.strip())
        if checks.problems:
            raise click.BadParameter("; ".join(checks.problems))
        return text.strip()

    choices = _CHOICES.get(name)
    return str(
        click.prompt(
            question,
            default=default,
            show_default=bool(default),
            hide_input=name in _HIDDEN and sys.stdin.isatty(),
            type=click.Choice(choices) if choices else None,
            value_proc=None if choices else checked,
        )
    )


_CHECKS: dict[str, Callable[[SettingChecks, str], object]] = {
    "client_id": lambda checks, text: checks.client_id(text),
    "client_secret": lambda checks, text: checks.secret("client_secret", text),
    "webhook_secret": lambda checks, text: checks.secret("webhook_secrets", text),
    "public_url": lambda checks, text: checks.base_url("public_url", text),
    "scopes": lambda checks, text: checks.scopes("required_scopes", _listed(text)),
    "start_url": lambda checks, text: checks.url("start_url", text),
    "link_url": lambda checks, text: checks.url("link_url", text),
    "forward_url": lambda checks, text: text and checks.url("forward_url", text),
    "database_url": lambda checks, text: checks.database_url("database_url", text),
    "trusted_proxies": lambda checks, text: checks.networks("trusted_proxies", _listed(text)),
    "security_contact": lambda checks, text: checks.contact("security_contact", text),
}


def _listed(text: str) -> list[str]:
    return list(dict.fromkeys(one for one in text.replace(",", " ").split() if one))


def _first(answers: dict[str, str]) -> FirstSettings:
    from paraph.sealing.encryption_key import new_encryption_key
    from paraph.secret import Secret
    from paraph.settings.first_file import FirstSettings

    forward_secret = base64.b64encode(os.urandom(32)).decode("ascii")
    return FirstSettings(
        app_name=answers["app_name"],
        # Zoom, the proxy and the service must spell the URL in one way.
        public_url=answers["public_url"].rstrip("/"),
        client_id=answers["client_id"],
        client_secret=Secret(answers["client_secret"]),
        webhook_secret=Secret(answers["webhook_secret"]),
        encryption_key=Secret(new_encryption_key()),
        level="account" if answers["level"] == "account" else "user",
        linking="host" if answers["linking"] == "host" else "none",
        required_scopes=_listed(answers["scopes"]),
        start_url=answers["start_url"],
        link_url=answers["link_url"],
        database_url=answers["database_url"],
        trusted_proxies=_listed(answers["trusted_proxies"]),
        security_contact=answers["security_contact"],
        forward_url=answers["forward_url"],
        forward_secret=Secret(f"whsec_{forward_secret}"),
    )


def _demand_sound(config: Path, text: str) -> None:
    """Check the settings before they are written.

    Raises:
        ConfigurationError: it names every problem.
    """
    import tempfile

    from paraph.settings.first_file import write_private
    from paraph.settings.loading import load_settings

    # Modes are checked too, so the file must be one; its folder is not readable by others.
    with tempfile.TemporaryDirectory(prefix="paraph-init-") as folder:
        file = Path(folder) / config.name
        write_private(file, text, overwrite=False)
        try:
            load_settings(file)
        except ConfigurationError as error:
            remedy = "Correct every value listed above, and run it again; nothing was written."
            raise ConfigurationError(error.problems, remedy=remedy) from None


def _ignore_in_git(config: Path, database_url: str, kept: Path | None) -> None:
    """Add files with secrets and personal data to .gitignore if they lie in a repository."""
    folder = config.absolute().parent.resolve()
    if not any((one / ".git").exists() for one in (folder, *folder.parents)):
        return
    lines = [f"/{config.name}"]
    if kept is not None:
        lines.append(f"/{config.name}.bak*")
    if file := sqlite_file(database_url):
        # The service opens a relative path from the folder that it is started in.
        database = Path(file).resolve()
        if database.is_relative_to(folder):
            lines.append(f"/{database.relative_to(folder).as_posix()}*")
        else:
            click.echo(f"{database} is outside {folder}: keep it out of git yourself.")
    ignored = folder / ".gitignore"
    # Bytes, because a file of ignored names may be in any encoding.
    content = ignored.read_bytes() if ignored.exists() else b""
    known = content.splitlines()
    missing = [one for one in lines if os.fsencode(one) not in known]
    if missing:
        gap = b"" if not content or content.endswith(b"\n") else b"\n"
        ignored.write_bytes(content + gap + b"".join(os.fsencode(one) + b"\n" for one in missing))
        click.echo(f"{', '.join(missing)}: added to {ignored.name}.")


def _show_form(first: FirstSettings, events: Sequence[str]) -> None:
    from paraph.zoom.app_form import app_form

    fields = app_form(
        public_url=first.public_url,
        level=first.level,
        scopes=first.required_scopes,
        events=events,
    )
    click.echo("\nEnter this at https://marketplace.zoom.us, under Manage > your app:")
    width = max(len(one.name) for one in fields)
    page = ""
    for one in fields:
        if one.page != page:
            page = one.page
            click.echo(f"\n  {page}")
        note = f"  ({one.note})" if one.note else ""
        click.echo(f"    {one.name:<{width}}  {one.value}{note}")


def _write_manifest(
    file: Path, first: FirstSettings, events: Sequence[str], *, overwrite: bool
) -> bool:
    """Write the manifest; not for a URL that Zoom cannot reach."""
    import json

    from paraph.settings.first_file import write_private
    from paraph.zoom.manifest import build_manifest

    click.echo("")
    if not first.public_url.startswith("https://"):
        click.echo(
            "Zoom sends events to public https URLs only, so no manifest is written. Run this "
            "again with such a URL before you register the app; until then use `paraph simulate`."
        )
        return False
    content = build_manifest(
        name=first.app_name,
        level=first.level,
        public_url=first.public_url,
        scopes=first.required_scopes,
        event_types=events,
    )
    write_private(file, json.dumps(content, indent=2) + "\n", overwrite=overwrite)
    click.echo(f"{file} holds the same for Zoom's manifest page or API (docs/how-to/publish.md).")
    return True


def _show_next(config: Path, manifest: Path | None) -> None:
    words = [own_command(), "doctor"]
    words += [] if config == _FILE else ["--config", shlex.quote(str(config))]
    words += [] if manifest is None else ["--manifest", shlex.quote(str(manifest))]
    click.echo(f"Next: {' '.join(words)}")
