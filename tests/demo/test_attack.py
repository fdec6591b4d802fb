from __future__ import annotations

from dataclasses import replace

import pytest

from paraph.demo.attack import ATTACKS, Report
from paraph.demo.attacker import Exchange, mask

REFUSED = Exchange("GET /oauth/redirect?code=***", 400, "This did not start here")
WITHSTOOD = Report(
    title="An attack",
    assumed="nothing",
    exchanges=(REFUSED, REFUSED, Exchange("GET /marketplace", 303, "to /zoom/start"), REFUSED),
    reached_zoom=(),
    before=("ada is Jane",),
    after=("ada is Jane",),
    leaks=(),
    held=("nothing was signed",),
)


def test_a_verdict_names_all_observations() -> None:
    """A verdict names the requests that reached Zoom, the installations, and other observations."""
    assert (
        "Withstood: 0 requests reached Zoom, installations unchanged, nothing was signed."
        == WITHSTOOD.verdict
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reached_zoom": ("POST /oauth/token",)}, "1 request reached Zoom"),
        ({"after": ()}, "installations changed"),
        ({"leaks": ("the code was passed on",)}, "the code was passed on"),
        ({"exchanges": (replace(REFUSED, status=500),)}, "It got through"),
    ],
    ids=["Zoom", "changed", "leak", "5xx"],
)
def test_any_single_failure_is_reported(changes: dict[str, object], said: str) -> None:
    """An attack that got through in one way is never shown as withstood."""
    report = replace(WITHSTOOD, **changes)  # type: ignore[arg-type]

    assert not report.withstood
    assert report.verdict.startswith("It got through: ") and said in report.verdict


def test_equal_exchanges_are_grouped() -> None:
    """Equal exchanges in a row share one line with their count."""
    assert [2, 1, 1] == [count for count, _ in WITHSTOOD.grouped]


def test_shown_text_contains_no_secret() -> None:
    """Codes, states, handoffs and link requests are masked anywhere in a text."""
    shown = mask("GET /a?code=secret1&state=secret2&x=1 to /b?handoff=secret3&request=secret4")

    assert "GET /a?code=***&state=***&x=1 to /b?handoff=***&request=***" == shown


def test_every_attack_has_a_name_of_its_own() -> None:
    """Each of the eight attacks has its own name, which is part of its URL."""
    names = {attack.name for attack in ATTACKS}

    assert (8, True) == (len(names), all(name.replace("-", "").isalpha() for name in names))
