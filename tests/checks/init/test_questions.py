"""The questions of `paraph check init` lead to a file that the check can read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from paraph.checks.init import questions
from paraph.checks.init.questions import ask_facts
from paraph.checks.init.target_file import Facts, target_text
from paraph.checks.target import load_target
from paraph.errors import ConfigurationError


def answering(**answers: str) -> Callable[[str, str], str]:
    """Answers by the second word of the question; all others keep their default."""
    return lambda question, given: answers.get(question.split()[1], given)


@pytest.mark.parametrize("command", ["", "node 'my server.js'"])
def test_the_file_that_is_written_can_be_read(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The written file loads, with the defaults for unanswered questions."""
    seen = Facts(base="http://127.0.0.1:9", webhook="/hook", pages=["/me"])
    monkeypatch.setattr(questions, "read_app", lambda _base: seen)
    file = tmp_path / "app.toml"
    file.write_text(target_text(ask_facts(answering(command=command))), "utf-8")
    target = load_target(file)
    assert ("my app", "/oauth/callback") == (target.name, target.urls.redirect)
    expected = (["node", "my server.js"], 0) if command else ([], 8100)
    assert expected == (target.start.command, target.zoom.port)


def test_a_command_with_an_open_quotation_mark_is_refused() -> None:
    """The answer is not taken apart wrongly, and the remedy says how words are quoted."""
    with pytest.raises(ConfigurationError, match="no closing quotation") as caught:
        ask_facts(answering(command="echo it's"))
    assert "quotation mark" in caught.value.remedy
