"""`paraph`: the command line. Only this module turns an error into an exit code."""

from __future__ import annotations

import io
import os
import sys
import traceback
from typing import NoReturn

import click

from paraph.cli.command_group import CommandPlace, LazyCommandGroup
from paraph.errors import ConfigurationError, ParaphError
from paraph.extras import MissingExtra
from paraph.visible_text import visible

_PLACES = {
    "demo": CommandPlace(
        "paraph.cli.demo",
        "demo",
        "Run the simulator, the service and a small host product until Ctrl-C.",
        "service",
    ),
    "serve": CommandPlace("paraph.cli.serve", "serve", "Run the service.", "service"),
    "simulate": CommandPlace(
        "paraph.cli.simulate", "simulate", "Run a simulated Zoom.", "simulator"
    ),
    "check": CommandPlace(
        "paraph.cli.check",
        "check",
        "Attack a running app and report which attacks it withstands.",
        "check",
    ),
    "init": CommandPlace(
        "paraph.cli.init",
        "init",
        "Write paraph.toml and the app's manifest, and show what to enter at Zoom.",
        "service",
    ),
    "doctor": CommandPlace(
        "paraph.cli.doctor",
        "doctor",
        "Find every weakness of the settings, the machine, the public URL and the app at Zoom.",
        "service",
    ),
    "evidence": CommandPlace(
        "paraph.cli.evidence",
        "evidence",
        "Write the security evidence of this set-up for Zoom's review.",
        "service",
    ),
    "migrate": CommandPlace(
        "paraph.cli.migrate", "migrate", "Remove unused parts of the database schema.", "service"
    ),
    "backup": CommandPlace(
        "paraph.cli.backup",
        "backup",
        "Write a consistent backup while the service runs.",
        "service",
    ),
    "restore": CommandPlace(
        "paraph.cli.restore", "restore", "Restore the database from a backup.", "service"
    ),
    "explain": CommandPlace(
        "paraph.cli.explain",
        "explain",
        "Explain step by step why one captured request is accepted or refused.",
        "service",
    ),
    "keys": CommandPlace(
        "paraph.cli.keys", "keys", "Create, rotate and list encryption keys.", "service"
    ),
    "api-keys": CommandPlace(
        "paraph.cli.api_keys",
        "api_keys",
        "Create, list and revoke keys of the management API.",
        "service",
    ),
    "installations": CommandPlace(
        "paraph.cli.installations",
        "installations",
        "List, show, export and remove installations.",
        "service",
    ),
    "events": CommandPlace(
        "paraph.cli.events",
        "events",
        "List, show and redeliver events; pause and resume their forwarding.",
        "service",
    ),
    "audit": CommandPlace("paraph.cli.audit", "audit", "Verify the audit log.", "service"),
}

app = LazyCommandGroup(
    "paraph",
    places=_PLACES,
    help="Publish a Zoom app that acts only on what really came from Zoom and from the right "
    "person, and proves it.",
)


def _show_version(ctx: click.Context, _parameter: click.Parameter, wanted: object) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"paraph {version('paraph')}")
        ctx.exit()


app.params.append(
    click.Option(
        ["--version"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_show_version,
        help="Show the version and exit.",
    )
)


def main() -> None:
    """Run a command. An error is printed as the problem and its remedy, one line each."""
    _escape_output()
    try:
        # Click returns the code of an explicit exit; a command itself returns nothing.
        code = app.main(prog_name="paraph", standalone_mode=False)
    except MissingExtra as error:
        _fail(str(error), code=2)
    except ParaphError as error:
        lines = error.problems if isinstance(error, ConfigurationError) else (error.detail,)
        _fail(*lines, error.remedy, code=2 if isinstance(error, ConfigurationError) else 1)
    except click.UsageError as error:
        _fail(_one_line(error), _usage_remedy(error), code=2)
    except click.ClickException as error:
        _fail(_one_line(error), "Run `paraph --help` to see all commands.", code=1)
    except OSError as error:
        # The usual cause is a full disk under the output file.
        where = f"{error.filename}: " if error.filename else ""
        _fail(
            f"{where}{error.strerror or type(error).__name__}",
            "Free disk space or give access there, and run the command again.",
            code=2,
        )
    except click.Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            _fail("interrupted", "Run the command again to start over.", code=130)
        _fail("the input ended before the last question", "Answer on a terminal.", code=1)
    except Exception as error:  # noqa: BLE001 - The last resort: 1 would mean that something is weak.
        _fail(
            f"an error in paraph itself: {type(error).__name__} at {_place(error)}",
            "Report these two lines, and with which words and files you ran the command.",
            code=2,
        )
    sys.exit(code if isinstance(code, int) else 0)


def _escape_output() -> None:
    """Escape characters that the output encoding lacks: a name must not make a command fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fail(*lines: str, code: int) -> NoReturn:
    for line in lines:
        sys.stderr.write(f"paraph: {visible(line)}\n")
    sys.exit(code)


def _place(error: Exception) -> str:
    """Return the innermost lines of our own code; the error's text might repeat a secret."""
    places = [
        f"{frame.filename.replace(os.sep, '/').rpartition('/paraph/')[2]}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__, limit=-64)
        if "/paraph/" in frame.filename.replace(os.sep, "/")
    ]
    return ", called by ".join(places[:-4:-1]) or "an unknown place"


def _one_line(error: click.ClickException) -> str:
    return " ".join(error.format_message().split())


def _usage_remedy(error: click.UsageError) -> str:
    path = "paraph" if error.ctx is None else error.ctx.command_path
    return f"Run `{path} --help` to see its arguments and options."


if __name__ == "__main__":
    main()
