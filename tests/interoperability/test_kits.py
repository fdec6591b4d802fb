"""`paraph check` finds the proven holes of published kits, and calls no sound part a hole.

Each kit is set up as its documentation says; docs/explanation/kits.md has all results. Here a short
selection is run: what is known to be open must fail, what is known to be sound must pass.
"""

from __future__ import annotations

import pytest

from interoperability.kit_targets import check
from paraph.checks.verdict import Verdict

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("kits")]

OPEN = {
    "rivet": [
        "start-pkce-s256",
        "cb-code-race",
        "ref-single-flight",
        "wh-ts-stale",
        "wh-raw-body",
        "wh-reserialised",
        "crc-token-shape",
        "ck-attributes",
    ],
    "passport": ["start-state-entropy", "cb-state-cross-browser", "cb-code-injection"],
    "authlib": ["start-pkce-s256", "ref-single-flight"],
    "authjs": ["start-state-entropy", "cb-state-forged", "cb-code-race"],
    "allauth": ["start-pkce-s256", "leak-db"],
    "httpx_oauth": ["start-state-entropy", "cb-state-missing", "cb-session-fixation"],
}
SOUND = {
    "rivet": [
        "start-state-entropy",
        "cb-state-forged",
        "wh-sig-wrong",
        "crc-valid",
        "crc-oracle",
        "tok-api-url",
    ],
    "passport": ["tok-client-auth", "leak-token-route"],
    "authlib": ["start-state-entropy", "tok-client-auth", "leak-token-route"],
    "authjs": ["start-pkce-s256", "cb-state-missing", "cb-session-fixation", "cb-code-injection"],
    "allauth": ["cb-state-cross-browser", "cb-session-fixation", "start-csrf-link"],
    "httpx_oauth": ["tok-client-auth", "leak-token-route"],
}


@pytest.mark.parametrize("kit", OPEN)
def test_what_is_proven_is_found_and_nothing_else(kit: str) -> None:
    """The kit runs unmodified, with Zoom's addresses in its code."""
    found = check(kit, [*OPEN[kit], *SOUND[kit]])
    expected = dict.fromkeys(OPEN[kit], Verdict.FAIL) | dict.fromkeys(SOUND[kit], Verdict.PASS)
    assert expected == {one.id: one.verdict for one in found.findings}, [
        (one.id, one.reason) for one in found.findings if one.verdict != expected[one.id]
    ]
