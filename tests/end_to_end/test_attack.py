"""Every case of `paraph check` against our own service, wherever it keeps things."""

from __future__ import annotations

import pytest

from end_to_end.attack import INBOXES, attack
from paraph.checks.verdict import Verdict

pytestmark = pytest.mark.slow

# What the service does not have on purpose: installs that wait for an owner, a second registration,
# an issuer in the authorization response. And Zoom's token answers do not name the client.
NOT_OURS = {
    *("mp-pending-unowned", "mp-pending-confirm", "mp-pending-expiry"),
    *("cb-mixup", "cb-iss-removed", "tok-wrong-client"),
}


@pytest.mark.parametrize("inbox", INBOXES)
def test_the_service_withstands_every_attack(inbox: str) -> None:
    """No failure, nothing undecided; what does not apply is what we said does not."""
    found = attack(inbox)

    assert 150 == len(found.findings)
    assert [] == [
        f"{one.id}: {one.verdict.value}, {one.reason}"
        for one in found.findings
        if one.verdict is not (Verdict.NOT_APPLICABLE if one.id in NOT_OURS else Verdict.PASS)
    ]
