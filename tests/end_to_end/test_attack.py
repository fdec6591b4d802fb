"""Every case of `paraph check` against our own service, wherever it keeps things."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from end_to_end.attack import INBOXES
from faults.chaos import ENVIRONMENT

pytestmark = pytest.mark.slow

# What the service does not have on purpose: installs that wait for an owner, a second registration,
# an issuer in the authorization response. And Zoom's token answers do not name the client.
NOT_OURS = {
    *("mp-pending-unowned", "mp-pending-confirm", "mp-pending-expiry"),
    *("cb-mixup", "cb-iss-removed", "tok-wrong-client"),
}


@pytest.mark.parametrize("inbox", INBOXES)
def test_the_service_withstands_every_attack(inbox: str, tmp_path: Path) -> None:
    """No failure, nothing undecided; what does not apply is what we said does not."""
    report = tmp_path / "report.json"
    done = subprocess.run(
        [sys.executable, "-m", "end_to_end.attack", "--inbox", inbox, "--json", str(report)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert report.exists(), done.stderr[-3000:]
    cases = json.loads(report.read_text())["cases"]
    assert 150 == len(cases)
    assert [] == [
        f"{one['id']}: {one['verdict']}, {one['reason']}"
        for one in cases
        if one["verdict"] != ("not-applicable" if one["id"] in NOT_OURS else "pass")
    ]
    assert 0 == done.returncode
