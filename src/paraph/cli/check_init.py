"""`paraph check init`: writes a target file, and with `--hooks` the test hooks as code."""

from __future__ import annotations

import secrets
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from paraph.checks.advice import FRAMEWORKS
from paraph.cli.output import demand_writable
from paraph.errors import ConfigurationError

if TYPE_CHECKING:
    from paraph.checks.init.target_file import Facts


@click.command("init")
@click.option(
    "--framework", type=click.Choice(list(FRAMEWORKS)), help="Read the app's source in this folder."
)
@click.option("--url", default="", help="Follow the links of the running app at this URL.")
@click.option("--hooks", is_flag=True, help="Write the test hooks as code; needs --framework.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("app.toml"),
    show_default=True,
    help="The target file to write; an existing file is never overwritten.",
)
def init(*, framework: str | None, url: str, hooks: bool, output: Path) -> None:
    """Write a target file for `paraph check`.

    With --framework it reads the source of the app in this folder, with --url it looks at the
    running app. Without both it asks a few questions.
    """
    if hooks and framework is None:
        raise ConfigurationError(
            ["--hooks needs --framework"], remedy="Name the framework that the hooks are for."
        )
    code = output.with_name("check_hooks.mjs" if framework == "express" else "check_hooks.py")
    for file in (output, code) if hooks else (output,):
        _demand_new(file)
    from paraph.checks.init.target_file import target_text

    facts = _facts(framework, url)
    if hooks:
        facts.hook_key = secrets.token_hex(16)
    _write(output, target_text(facts))
    if hooks:
        text = (files("paraph.checks") / "init" / "hooks" / f"{framework}.txt").read_text("utf-8")
        _write(code, text)
        click.echo("Its first lines say how to add it to the app; fill in its functions.")
    _explain(facts)
    click.echo(f"Next: paraph check {output} --severity critical")


class CommandWithInit(click.Command):
    """The command `check`, whose first argument may be the command `init` instead of a file."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Return the context of `init` if that is the first argument."""
        if args[:1] == ["init"]:
            return init.make_context(f"{info_name} init", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    @property
    def commands(self) -> dict[str, click.Command]:
        """The commands that the first argument may name, as those of a group."""
        return {"init": init}


def _facts(framework: str | None, url: str) -> Facts:
    from paraph.checks.init.questions import ask_facts
    from paraph.checks.init.running_app import read_app
    from paraph.checks.init.source import read_source

    if framework is None:
        return read_app(url) if url else ask_facts(_asked)
    facts = read_source(framework, Path())
    if url:
        seen = read_app(url)
        facts.start, facts.redirect = seen.start or facts.start, seen.redirect or facts.redirect
        facts.webhook, facts.pages = seen.webhook or facts.webhook, seen.pages
    return facts


def _explain(facts: Facts) -> None:
    """Say what was not found, so that the person looks at it."""
    unknown = [one for one in ("start", "redirect", "webhook") if not getattr(facts, one)]
    if unknown:
        click.echo(f"Not found: {', '.join(unknown)}. Correct [urls] in the file.")
    if facts.more_variables:
        names = ", ".join(facts.more_variables)
        click.echo(f"No value is known for {names}. Give those that the app needs in the file.")
    if facts.base and facts.knows_zoom_only:
        click.echo("The app has Zoom's address in its code: write its command into [start].")
    elif facts.base:
        where = f"http://localhost:{facts.zoom_port}"
        click.echo(f"Start the app with {where} as Zoom's address, and with the secrets of [zoom].")


def _asked(question: str, given: str) -> str:
    return str(click.prompt(question, given, show_default=bool(given)))


def _demand_new(file: Path) -> None:
    if file.exists():
        raise ConfigurationError(
            [f"{file} exists already"], remedy="Choose another file with --output, or delete it."
        )
    demand_writable(file)


def _write(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise ConfigurationError([f"{file}: {error.strerror}"]) from None
    click.echo(f"Wrote {file}")
