"""The products on `paraph.installs` under attack: Flask, and a Lambda function behind a gateway."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from paraph.checks.runner import select
from programs import skip_test

HERE = Path(__file__).parent
GROUPS = ("start", "redirection", "token", "webhook")
# Another registration, a server that announces `iss`, and responses that name the client: each is a
# property of Zoom's side that these products do not have.
NOT_APPLICABLE = {"cb-iss-removed", "cb-mixup", "tok-wrong-client"}
# The forum question's own attack, login CSRF, a stolen code, and a forged webhook.
SENTINELS = ["start-browser-bound", "cb-flood-random-codes", "cb-state-cross-browser"]


def attacked(target: str, report: Path, *arguments: str) -> dict[str, str]:
    """Run `paraph check` in a process of its own; the verdict of each case, or why it is wrong."""
    if target == "installs_flask" and find_spec("gunicorn") is None:
        skip_test("gunicorn is not installed")
    command = [sys.executable, "-m", "paraph", "check", str(HERE / f"{target}.toml"), "--jobs", "2"]
    done = subprocess.run(
        [*command, "--format", "json", "--output", str(report), *arguments],
        cwd=HERE.parent,
        env={**os.environ, "PYTHONPATH": str(HERE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), done.stderr[-3000:]
    found = json.loads(report.read_text())["cases"]
    return {
        one["id"]: one["verdict"]
        if one["verdict"] in {"pass", "not-applicable"}
        else f"{one['verdict']}: {one['reason']}"
        for one in found
    }


def test_random_requests_and_another_browser_are_refused(tmp_path: Path) -> None:
    """One case of each kind passes on the Lambda function, in a few seconds."""
    only = [word for one in SENTINELS for word in ("--only", one)]
    found = attacked("installs_lambda", tmp_path / "report.json", *only)
    assert dict.fromkeys(SENTINELS, "pass") == found


@pytest.mark.slow
@pytest.mark.parametrize("target", ["installs_flask", "installs_lambda"])
def test_the_products_withstand_every_attack(target: str, tmp_path: Path) -> None:
    """Every case of four groups passes, except those that do not apply."""
    groups = [word for one in GROUPS for word in ("--group", one)]
    found = attacked(target, tmp_path / "report.json", *groups)
    other = {one: verdict for one, verdict in found.items() if verdict != "pass"}
    assert dict.fromkeys(NOT_APPLICABLE, "not-applicable") == other
    assert len(select([], GROUPS)) == len(found)
