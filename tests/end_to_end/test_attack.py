"""The cases of `paraph check` against our own service.

`make test` runs one case of each group, `make verify` every case on every inbox.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from end_to_end.attack import INBOXES
from faults.chaos import ENVIRONMENT
from paraph.checks.catalogue import GROUPS, catalogue

# The service has no pending installs, no second registration and no issuer in the authorization
# response, on purpose; Zoom's token responses do not name the client.
NOT_OURS = {
    *("mp-pending-unowned", "mp-pending-confirm", "mp-pending-expiry"),
    *("cb-mixup", "cb-iss-removed", "tok-wrong-client"),
}


def first_cases() -> list[str]:
    """The first case of each group that applies to the service."""
    cases = [one for one in catalogue().values() if one.id not in NOT_OURS]
    return list({one.group: one.id for one in reversed(cases)}.values())


def attack(report: Path, *arguments: str) -> list[dict[str, Any]]:
    """Run `make attack` in its own process; return the cases of its report."""
    done = subprocess.run(
        [sys.executable, "-m", "end_to_end.attack", "--json", str(report), *arguments],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), done.stderr[-3000:]
    cases: list[dict[str, Any]] = json.loads(report.read_text())["cases"]
    undecided = [one for one in cases if one["verdict"] not in {"pass", "not-applicable"}]
    assert [] == [f"{one['id']}: {one['verdict']}, {one['reason']}" for one in undecided]
    assert 0 == done.returncode, done.stdout[-3000:]
    return cases


def test_the_service_withstands_an_attack_of_each_group(tmp_path: Path) -> None:
    """One case of every group passes on SQLite."""
    chosen = first_cases()
    only = [word for one in chosen for word in ("--only", one)]

    cases = attack(tmp_path / "report.json", *only)

    assert len(GROUPS) == len(chosen)
    assert dict.fromkeys(chosen, "pass") == {one["id"]: one["verdict"] for one in cases}


@pytest.mark.slow
@pytest.mark.parametrize("inbox", INBOXES)
def test_the_service_withstands_every_attack(inbox: str, tmp_path: Path) -> None:
    """Every case passes on every inbox, except those that do not apply on purpose."""
    cases = attack(tmp_path / "report.json", "--inbox", inbox)

    assert len(catalogue()) == len(cases)
    assert [] == [
        f"{one['id']}: {one['verdict']}, {one['reason']}"
        for one in cases
        if one["verdict"] != ("not-applicable" if one["id"] in NOT_OURS else "pass")
    ]
