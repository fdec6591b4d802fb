"""Random ids as arguments of commands."""

from __future__ import annotations

import asyncio
import random
import shlex
import string
import subprocess
import sys
from itertools import cycle, islice
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner

from installing import install
from paraph.cli import events, installations
from paraph.cli.main import app
from paraph.service.context import open_context
from paraph.settings.loading import load_settings

ALPHABET = string.ascii_letters + string.digits + "-_"


def ids(count: int) -> list[str]:
    """Ids as they were drawn once: each leading character, and the two that options begin with."""
    drawn = random.Random(7)
    leading = islice(cycle([*ALPHABET, "--", "-c", "-h", "-_", "---"]), count)
    return [one + "".join(drawn.choices(ALPHABET, k=22 - len(one))) for one in leading]


@pytest.mark.parametrize("command", ["show", "remove"])
def test_a_thousand_ids_pass_through_a_shell_and_the_parser(command: str) -> None:
    """Each id arrives as it is, with options before it and behind it."""
    seen: list[tuple[str, str]] = []

    def stub(installation_id: str, config: Path | None) -> None:
        seen.append((installation_id, str(config)))

    wanted = ids(1000)
    with patch.object(getattr(installations, command), "callback", stub):
        for place, one in enumerate(wanted):
            line = (f"-c a.toml {one}", f"{one} --config a.toml", f"--config=a.toml -- {one}")
            words = shlex.split(f"installations {command} {line[place % 3]}")
            result = CliRunner().invoke(app, words)
            assert 0 == result.exit_code, (words, result.output)

    assert [(one, "a.toml") for one in wanted] == seen


@pytest.mark.parametrize(
    ("words", "event"),
    [
        (["-Uxy"], "-Uxy"),
        (["-U"], "-U"),
        (["-_"], "-_"),
        (["-c", "-U.toml", "ab"], "ab"),
        (["-ca.toml", "ab"], "ab"),
    ],
)
def test_an_id_that_is_cut_short_is_an_id(words: list[str], event: str) -> None:
    """The beginning of an id is one unless an option of that letter exists; values stay values."""
    seen: list[str] = []

    def stub(event: str, config: Path | None) -> None:
        del config
        seen.append(event)

    with patch.object(events.show, "callback", stub):
        assert 0 == CliRunner().invoke(app, ["events", "show", *words]).exit_code
    assert [event] == seen


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--confg", "x"], "No such option"),
        (["--confg=x", "abc"], "No such option"),
        (["abc", "-def"], "unexpected extra argument"),
        ([], "Missing argument"),
        (["abc", "--config"], "requires an argument"),
        (["--"], "Missing argument"),
    ],
)
def test_a_misspelt_option_is_no_id(words: list[str], said: str) -> None:
    """What has not the form of an id is a usage error as in every other command."""
    result = CliRunner().invoke(app, ["installations", "show", *words])

    assert 2 == result.exit_code
    assert said in result.output


def test_help_is_not_an_id() -> None:
    """Both spellings of the option show the help."""
    for option in ("-h", "--help"):
        result = CliRunner().invoke(app, ["installations", "show", option])
        assert (0, True) == (result.exit_code, "INSTALLATION_ID" in result.output)


def test_an_installation_whose_id_begins_with_a_hyphen_is_shown_and_removed(
    folder: Path,
) -> None:
    """Ids of earlier versions work on a real database, as one argument of a shell command."""
    settings = folder / "paraph.toml"
    wanted = "-cUxy0123456789abcdefg"

    async def work() -> None:
        async with open_context(load_settings(settings)) as (context, _readiness):
            with patch.object(type(context), "new_id", lambda _self: wanted):
                assert wanted == await install(context, 1)

    asyncio.run(work())
    shown, removed = (
        subprocess.run(
            [sys.executable, "-m", "paraph", "installations", *words, "--config", str(settings)],
            capture_output=True,
            text=True,
            check=False,
        )
        for words in (["show", wanted], ["remove", wanted])
    )

    assert (0, True) == (shown.returncode, "active" in shown.stdout)
    assert (0, True) == (removed.returncode, f"{wanted} is removed" in removed.stdout)


@pytest.mark.parametrize("word", ["\udcff", "\u00e9", "\uff0d"])
def test_an_argument_of_other_characters_is_a_usage_error(word: str) -> None:
    """Bytes that are not UTF-8 reach a command as halves of pairs, which no database stores."""
    result = CliRunner().invoke(app, ["installations", "show", word])

    assert 2 == result.exit_code
    assert "an id consists of letters, digits, _ and -" in result.output
