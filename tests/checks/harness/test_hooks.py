"""The hooks of a target."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from paraph.checks.harness.environment import Environment
from paraph.checks.harness.hooks import Hooks
from paraph.checks.harness.http.browser import Browser
from paraph.checks.harness.http.response import Response
from paraph.checks.harness.http.sender import Sender
from paraph.checks.target import Hook
from paraph.checks.twin_target import twin_target
from paraph.checks.verdict import ControlFailedError, HookMissingError


@pytest.fixture(scope="module")
def environment() -> Iterator[Environment]:
    """The running twin without the hook `pending`, and with four hooks that are commands."""
    target = twin_target()
    target.hooks.pending = None
    target.hooks.stored = Hook(command=[sys.executable, "-c", "print('[\"a\"]')"])
    target.hooks.rotate = Hook(command=[sys.executable, "-c", "print('{}')"])
    target.hooks.expire = Hook(command=[sys.executable, "-c", "print('no')"])
    target.hooks.cells = Hook(command=[sys.executable, "-c", "import sys; sys.exit(7)"])
    with Environment(target) as made:
        yield made


def test_a_missing_hook_is_named(environment: Environment) -> None:
    """Without the hook the case is not applicable, and the reason names the hook."""
    assert not Hooks(environment).has("pending")
    with pytest.raises(HookMissingError, match="`pending`"):
        Hooks(environment).call("pending")


def test_the_output_of_a_command_is_the_response(environment: Environment) -> None:
    """A hook can be a command that prints JSON."""
    assert ["a"] == Hooks(environment).call_list("stored")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("cells", "ended with 7"), ("expire", "must print JSON"), ("rotate", "JSON list")],
)
def test_a_hook_that_fails_is_a_failed_control(
    name: str, reason: str, environment: Environment
) -> None:
    """A failing command, and content of another type, prove nothing about the app."""
    with pytest.raises(ControlFailedError, match=reason):
        Hooks(environment).call_list(name)


def test_a_hook_that_no_system_runs_is_a_failed_control(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command with NUL is named as a missing program is."""
    monkeypatch.setattr(environment.target.hooks, "cells", Hook(command=["true\0"]))
    with pytest.raises(ControlFailedError, match="`cells` cannot be run"):
        Hooks(environment).call("cells")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_headers_are_sent_in_the_browser_too(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """A hook of the browser can carry the key of the test hooks."""
    hook = Hook(method=method, url="{url}/sign-in", headers={"x-check-key": "of {subject}"})
    monkeypatch.setattr(environment.target.hooks, "sign_out", hook)
    sent: list[Response] = []
    sender = Sender("", sent.append)
    try:
        Hooks(environment).send_in_browser("sign_out", Browser(sender, []), subject="me")
    finally:
        sender.close()
    assert ("x-check-key", "of me") in sent[0].sent


def test_advancing_adds_up(environment: Environment) -> None:
    """The hook `advance` gets the total offset, not the single step."""
    hooks = Hooks(environment)
    hooks.advance(5)
    hooks.advance(7)
    assert 12 == environment.offset


def test_the_calls_of_a_subject_without_a_link_are_none(environment: Environment) -> None:
    """`use` returns the status of the hook and the requests that Zoom received meanwhile."""
    status, calls = Hooks(environment).use("stranger")
    assert status >= 400
    assert [] == list(calls)


def test_an_app_without_sign_in_has_no_local_accounts(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such an app cannot name the check's account, so its links are those of the Zoom users."""
    hooks = Hooks(environment)
    monkeypatch.setattr(hooks, "call_list", lambda _name: [{"subject": "", "user_id": "u"}])
    assert not hooks.linked("person", "u")
    monkeypatch.setattr(environment.target.hooks, "sign_in", None)
    assert hooks.linked("person", "u")
    assert not hooks.linked("person", "another")
    assert not hooks.linked("person")
