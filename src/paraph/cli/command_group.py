"""Groups of commands: each command's module is imported when that command runs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any, NamedTuple

import click

from paraph.extras import needs

_SENTENCE = 200


class CommandPlace(NamedTuple):
    """The module of a command, and its line in the list of commands.

    Args:
        module: the module to import when the command runs.
        attribute: the name of the command in that module.
        summary: one line of help, equal to the first line of the command's help.
        extra: the extra that installs what the command imports; "" for the base installation.
    """

    module: str
    attribute: str
    summary: str
    extra: str = ""


class CommandGroup(click.Group):
    """A group that lists its commands in the order in which they are defined.

    Run without arguments it prints its help and exits with 2.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of their definition, without hidden commands."""
        del ctx
        return [name for name, command in self.commands.items() if not command.hidden]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Print the help if there are no arguments."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help())
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a usage error names the command that it belongs to."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            name = ctx.invoked_subcommand
            command = None if name is None else self.get_command(ctx, name)
            if error.ctx is None and command is not None:
                error.ctx = click.Context(command, info_name=name, parent=ctx)
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, each with the whole first sentence of its help."""
        rows = [
            (name, self.commands[name].get_short_help_str(limit=_SENTENCE))
            for name in self.list_commands(ctx)
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class LazyCommandGroup(CommandGroup):
    """A group whose list of commands is a table: showing it imports no command's module."""

    def __init__(self, name: str, *, places: Mapping[str, CommandPlace], help: str) -> None:  # noqa: A002 - Click's own name.
        summaries = {
            key: click.Command(key, short_help=place.summary) for key, place in places.items()
        }
        super().__init__(
            name,
            # Placeholders for the list of commands; get_command() returns the real ones.
            commands=summaries,
            help=help,
            context_settings={
                "help_option_names": ["-h", "--help"],
                "max_content_width": 100,
                "show_default": True,
            },
        )
        self.places = places

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command's module and return the command; None for an unknown name.

        Raises:
            MissingExtra: a package that the command needs is not installed.
            TypeError: the table names something that is not a command.
        """
        place = self.places.get(cmd_name)
        if place is None:
            return None
        with self._needed_by(ctx, cmd_name):
            found = getattr(import_module(place.module), place.attribute)
        if not isinstance(found, click.Command):
            raise TypeError(f"{place.module}.{place.attribute} is not a command")
        return found

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, which imports the larger part of what it needs when it runs.

        Raises:
            MissingExtra: a package that the command needs is not installed.
        """
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError:
            with self._needed_by(ctx, ctx.invoked_subcommand or ""):
                raise

    def _needed_by(self, ctx: click.Context, name: str) -> AbstractContextManager[None]:
        place = self.places.get(name)
        return needs("" if place is None else place.extra, f"`{ctx.command_path} {name}`")
