"""`paraph check init` writes a file that the check can read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from paraph.checks.harness.environment import Environment
from paraph.checks.questions import read_app, target_text
from paraph.checks.target import load_target
from paraph.checks.twin_target import twin_target
from paraph.errors import ConfigurationError


@pytest.fixture(scope="module")
def environment() -> Iterator[Environment]:
    """A running app."""
    with Environment(twin_target()) as made:
        yield made


def test_a_running_app_tells_its_doors(environment: Environment) -> None:
    """A URL that rejects an unsigned POST is proposed as the webhook."""
    found = read_app(environment.base)
    assert ("/webhook", ("/account",)) == (found.webhook, found.pages)


def test_an_app_elsewhere_is_not_looked_at() -> None:
    """Only an app on this machine is probed."""
    with pytest.raises(ConfigurationError):
        read_app("http://10.255.255.1")


@pytest.mark.parametrize("command", ["", "node server.js"])
def test_the_file_that_is_written_can_be_read(
    environment: Environment, tmp_path: Path, command: str
) -> None:
    """The written file loads, with the defaults for unanswered questions."""
    answers = {"Which command": command, "Which URL": environment.base}

    def ask(question: str, given: str) -> str:
        return next((a for start, a in answers.items() if question.startswith(start)), given)

    file = tmp_path / "app.toml"
    file.write_text(target_text(ask), "utf-8")
    target = load_target(file)
    assert ("my app", "/oauth/callback", bool(command)) == (
        target.name,
        target.urls.redirect,
        target.is_started_here,
    )
