"""`paraph`: one command line; the one place where an error becomes an exit code."""

from __future__ import annotations

import sys

import typer

from paraph.cli.api_keys import api_keys
from paraph.cli.audit import audit
from paraph.cli.backup import backup
from paraph.cli.check import check
from paraph.cli.demo import demo
from paraph.cli.events import events
from paraph.cli.explain import explain
from paraph.cli.installations import installations
from paraph.cli.keys import keys
from paraph.cli.migrate import migrate
from paraph.cli.restore import restore
from paraph.cli.serve import serve
from paraph.cli.simulate import simulate
from paraph.errors import ConfigurationError, ParaphError

app = typer.Typer(
    name="paraph",
    help="Publish a Zoom app that acts only on what really came from Zoom and from the right "
    "person, and proves it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(demo)
app.command()(serve)
app.command()(simulate)
app.command()(check)
app.command()(migrate)
app.command()(backup)
app.command()(restore)
app.add_typer(explain, name="explain")
app.add_typer(keys, name="keys")
app.add_typer(api_keys, name="api-keys")
app.add_typer(installations, name="installations")
app.add_typer(events, name="events")
app.add_typer(audit, name="audit")


def main() -> None:
    """Run a command; say in one line what went wrong, and in one what to do."""
    try:
        app()
    except ParaphError as error:
        lines = error.problems if isinstance(error, ConfigurationError) else (error.detail,)
        for line in lines:
            sys.stderr.write(f"paraph: {line}\n")
        sys.stderr.write(f"paraph: {error.remedy}\n")
        sys.exit(2 if isinstance(error, ConfigurationError) else 1)


if __name__ == "__main__":
    main()
