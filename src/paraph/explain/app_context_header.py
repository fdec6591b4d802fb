"""Explains a captured Home URL request: the X-Zoom-App-Context header."""

from __future__ import annotations

from paraph.explain.capture import CapturedRequest
from paraph.explain.explanation import Explanation, Finding, FirstStep, Outcome, Step, run_steps
from paraph.secret import Secret
from paraph.zoom import app_context

HEADER = b"x-zoom-app-context"
_HEADER = FirstStep("header", "There is exactly one X-Zoom-App-Context header.")


def explain_app_context(
    captured: CapturedRequest, *, client_id: str, client_secrets: list[str], now: float
) -> Explanation:
    """Check the app context of a request as a Home URL does.

    Args:
        captured: the request.
        client_id: the app's client id.
        client_secrets: possible client secrets; the first one that opens the context is used.
        now: epoch seconds.
    """
    steps: list[Step] = [_HEADER, *app_context.VERIFICATION_STEPS]
    count = captured.count(HEADER)
    if count != 1:
        detail = (
            "the app context is absent: Zoom's client adds X-Zoom-App-Context only to requests of "
            "the Home URL"
            if not count
            else f"X-Zoom-App-Context appears {count} times"
        )
        findings = [Finding(_HEADER, Outcome.REFUSED, detail)]
        findings += [Finding(one, Outcome.SKIPPED) for one in steps[1:]]
        return Explanation(findings, list(captured.notes))
    value = (captured.header(HEADER) or b"").strip()
    best: list[Finding] = []
    for secret in client_secrets:

        def check(secret: str = secret) -> None:
            app_context.open_app_context(
                value, client_secret=Secret(secret), client_id=client_id, now=now
            )

        found = run_steps(steps, check, app_context.step_of)
        if _held_count(found) > _held_count(best):
            best = found
    if not value:
        best = [Finding(_HEADER, Outcome.REFUSED, "the app context is empty"), *best[1:]]
    return Explanation(best, list(captured.notes))


def _held_count(findings: list[Finding]) -> int:
    return sum(one.outcome is Outcome.HELD for one in findings)
