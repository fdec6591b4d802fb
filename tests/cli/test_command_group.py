"""The command line as a whole: names, help, versions, usage errors."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from unittest.mock import patch

import click
import pytest
from click.testing import CliRunner

from paraph.cli.api_keys import SCOPES
from paraph.cli.command_group import LazyCommandGroup
from paraph.cli.events import STATUSES, Status
from paraph.cli.main import app, main
from paraph.lifecycle.api_key import Scope
from paraph.model.event import EventStatus


def every_command(
    command: click.Command = app, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Each command and group, with the words that lead to it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from every_command(found, (*path, name))


def run(*words: str) -> tuple[int, str, str]:
    """A run of the command in a process of its own: exit code, output, errors."""
    done = subprocess.run(
        [sys.executable, "-m", "paraph", *words], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_the_table_of_commands_says_what_the_commands_say() -> None:
    """A summary in the table of lazily loaded commands is the first sentence of the command."""
    assert isinstance(app, LazyCommandGroup)
    context = click.Context(app)
    for name, place in app.places.items():
        command = app.get_command(context, name)
        assert command is not None
        assert (name, place.summary) == (command.name, command.get_short_help_str(200))
    assert app.get_command(context, "other") is None


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_shows_its_help(option: str) -> None:
    """Both spellings show the help of every command and group, with exit code 0."""
    for path, command in every_command():
        result = CliRunner().invoke(app, [*path, option], prog_name="paraph")
        assert (0, True) == (result.exit_code, "-h, --help" in result.output), path
        assert result.output.startswith(f"Usage: {' '.join(('paraph', *path))} ")
        assert command.help


def test_a_group_without_arguments_prints_its_help() -> None:
    """The exit code is 2, since no command ran."""
    for path, command in every_command():
        if isinstance(command, click.Group):
            alone = CliRunner().invoke(app, [*path])
            helped = CliRunner().invoke(app, [*path, "--help"])
            assert (2, helped.stdout) == (alone.exit_code, alone.stdout)


def test_the_version_is_that_of_the_package() -> None:
    """`python -m paraph` is the command, and its version is that of the distribution."""
    assert (0, f"paraph {version('paraph')}\n", "") == run("--version")


@pytest.mark.parametrize(
    ("words", "happened", "command"),
    [
        (["kes"], "No such command 'kes'", "paraph"),
        (["keys", "nwe"], "No such command 'nwe'", "paraph keys"),
        (["keys", "new", "--wrp"], "No such option '--wrp'", "paraph keys new"),
        (["installations", "show"], "Missing argument", "paraph installations show"),
        (["events", "list", "--limit", "0"], "'--limit'", "paraph events list"),
        (["api-keys", "create", "--label", "a"], "Choose from: link", "paraph api-keys create"),
        (["serve", "--config"], "requires an argument", "paraph serve"),
    ],
)
def test_a_usage_error_is_two_lines(words: list[str], happened: str, command: str) -> None:
    """One line says what happened, one which help to read; the exit code is 2."""
    code, said, errors = run(*words)

    assert (2, "") == (code, said)
    first, second = errors.splitlines()
    assert first.startswith("paraph: ") and happened in first
    assert f"paraph: Run `{command} --help` to see its arguments and options." == second


def test_choices_are_those_of_the_code() -> None:
    """Scopes and statuses that the command line repeats are those of the enumerations."""
    assert tuple(one.value for one in Scope) == SCOPES
    assert tuple(one.value for one in EventStatus) == tuple(STATUSES)


def test_questions_without_input_end_in_two_lines() -> None:
    """Where the input ends, the command says so and exits with 1."""
    done = subprocess.run(
        [sys.executable, "-m", "paraph", "check", "init"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (1, "paraph: the input ended before the last question") == (
        done.returncode,
        done.stderr.strip().splitlines()[-2],
    )


def test_an_interrupted_command_exits_with_130() -> None:
    """Ctrl-C is said in two lines, without a stack trace."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with (
        patch("paraph.cli.keys.new.callback", interrupted),
        patch("sys.argv", ["paraph", "keys", "new"]),
        pytest.raises(SystemExit) as caught,
    ):
        main()
    assert 130 == caught.value.code


@pytest.mark.parametrize(
    ("given", "status"), [("forwarded", "forwarded"), ("handed_on", "forwarded")]
)
def test_the_old_name_of_a_status_still_works(given: str, status: str) -> None:
    """`--status handed_on` means `forwarded`, its new name."""
    assert status == Status(list(STATUSES.values())).convert(given, None, None)
