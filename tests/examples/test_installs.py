"""The products on `paraph.installs` under attack: Flask, and a Lambda function behind a gateway."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from paraph.checks.runner import run, select
from paraph.checks.target import load_target
from programs import skip_test

HERE = Path(__file__).parent
GROUPS = ("start", "redirection", "token", "webhook")
# Another registration, a server that announces `iss`, and responses that name the client: each is a
# property of Zoom's side that these products do not have.
NOT_APPLICABLE = {"cb-iss-removed", "cb-mixup", "tok-wrong-client"}
# The forum question's own attack, login CSRF, a stolen code, and a forged webhook.
SENTINELS = ["start-browser-bound", "cb-flood-random-codes", "cb-state-cross-browser"]


def attacked(target: str, ids: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The verdict of each case, and the reason of a failure."""
    monkeypatch.chdir(HERE.parent)
    if target == "installs_flask" and find_spec("gunicorn") is None:
        skip_test("gunicorn is not installed")
    found = run(load_target(HERE / f"{target}.toml"), ids, jobs=2, told=lambda _finding: None)
    return {
        one.id: f"{one.verdict.value}: {one.reason}"
        if one.verdict.value in {"fail", "inconclusive"}
        else one.verdict.value
        for one in found.findings
    }


def test_random_requests_and_another_browser_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One case of each kind passes on the Lambda function, in a few seconds."""
    assert dict.fromkeys(SENTINELS, "pass") == attacked("installs_lambda", SENTINELS, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["installs_flask", "installs_lambda"])
def test_the_products_withstand_every_attack(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every case of four groups passes, except those that do not apply."""
    ids = select([], GROUPS)
    found = attacked(target, ids, monkeypatch)
    other = {one: verdict for one, verdict in found.items() if verdict != "pass"}
    assert dict.fromkeys(NOT_APPLICABLE, "not-applicable") == other
    assert len(ids) == len(found)
