"""The examples that receive webhooks alone: what `paraph check` finds, and their own pages."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from paraph.checks.runner import run, select
from paraph.checks.target import load_target
from programs import skip_test

EXAMPLES = Path(__file__).parents[2] / "examples"
# One case for each kind of mistake: a wrong signature, a replay, other bytes.
SENTINELS = ("wh-sig-wrong", "wh-replay", "wh-reserialised")
# They have no accounts, so no event is a stranger's, and no installation can be ended.
NOT_APPLICABLE = {"wh-tenant", "wh-notice-name"}


def found_by_check(folder: Path, monkeypatch: pytest.MonkeyPatch, ids: list[str]) -> dict[str, str]:
    """The verdict of each case; the commands of the target run in its folder."""
    monkeypatch.chdir(folder)
    run_of = run(load_target(folder / "check.toml"), ids, jobs=2, told=lambda _finding: None)
    return {
        one.id: one.verdict.value if one.verdict.value != "fail" else one.reason
        for one in run_of.findings
    }


def need_gunicorn() -> None:
    """Skip the running test where the server of the Flask example is not installed."""
    if find_spec("gunicorn") is None:
        skip_test("gunicorn is not installed")


def test_the_lambda_example_withstands_one_attack_of_each_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Behind a gateway the function refuses what is not Zoom's, and acts once on what is."""
    found = found_by_check(EXAMPLES / "aws_lambda", monkeypatch, list(SENTINELS))
    assert dict.fromkeys(SENTINELS, "pass") == found


@pytest.mark.slow
@pytest.mark.parametrize("example", ["webhooks_flask", "aws_lambda"])
def test_the_examples_withstand_every_attack_on_webhooks(
    example: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every case about webhooks and challenges passes, but those that need an installation."""
    need_gunicorn()
    ids = select(groups=["webhook", "challenge"])
    found = found_by_check(EXAMPLES / example, monkeypatch, ids)
    wrong = {one: verdict for one, verdict in found.items() if verdict != "pass"}
    assert dict.fromkeys(NOT_APPLICABLE, "not-applicable") == wrong
    assert len(ids) == len(found)


def test_a_webhook_alone_is_a_target() -> None:
    """Cases that need a redirection endpoint do not apply; the others do."""
    target = load_target(EXAMPLES / "webhooks_flask" / "check.toml")
    assert ("", "/zoom/webhook") == (target.urls.redirect, target.urls.webhook)
