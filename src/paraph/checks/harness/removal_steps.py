"""Steps that cases about removals share: an installation, its removal, and its remains."""

from __future__ import annotations

from typing import Any

from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.install_steps import Installed, install
from paraph.checks.harness.webhook_steps import Delivery, post, removal_of
from paraph.checks.verdict import ControlFailedError, ExpectationFailedError, HookMissingError


def installed(t: CaseContext, **changes: Any) -> Installed:
    """Install the app and check that the installation works.

    Raises:
        HookMissingError: the target has neither of the hooks `use` and `links`.
        ControlFailedError: the installation does not work.
    """
    if not (t.hooks.has("use") or t.hooks.has("links")):
        raise HookMissingError("needs the hook `use` or `links`")
    done = install(t, **changes)
    t.control(works(t, done), "an honest installation does not work")
    return done


def works(t: CaseContext, done: Installed) -> bool:
    """Return True if the app can still act for the user."""
    if t.hooks.has("links") and not t.hooks.linked(done.subject, done.user.id):
        return False
    if not t.hooks.has("use"):
        return True
    status, seen = t.hooks.use(done.subject, done.user.id)
    return status < 300 and bool(seen)


def expect_gone(t: CaseContext, done: Installed, what: str, *, later: float = 0.0) -> None:
    """Check that the link and the use of the token end within the time that the target names.

    Args:
        t: the case.
        done: the installation that was removed.
        what: the situation, for the reason of a failure.
        later: seconds by which the effect may come later than other effects.

    Raises:
        ExpectationFailedError: they do not; the reason begins with `what`.
    """
    within = t.limits.effect_within + later
    gone = t.until(lambda: not t.hooks.linked(done.subject, done.user.id), within)
    t.expect(gone, f"{what}: the link is still there")
    if t.hooks.has("use"):
        status, seen = t.hooks.use(done.subject, done.user.id)
        t.expect(not seen, f"{what}: the token is still used")
        t.expect(status >= 400, f"{what}: `use` returns {status}")


def control_gone(t: CaseContext, done: Installed) -> None:
    """Check the same as a control: an app that ignores removals proves nothing else.

    Raises:
        ControlFailedError: the installation is still there.
    """
    try:
        expect_gone(t, done, "after an honest removal")
    except ExpectationFailedError as failed:
        raise ControlFailedError(failed.reason) from None


def send_removal(t: CaseContext, delivery: Delivery) -> None:
    """Deliver a removal and check that it is accepted in time."""
    response = post(t, delivery)
    t.expect(200 <= response.status < 300, f"an honest removal got status {response.status}")
    t.expect(response.seconds < 3, f"an honest removal took {response.seconds:.1f} seconds")


def remove(t: CaseContext, done: Installed, **changes: Any) -> Delivery:
    """Remove the app as Zoom does: revoke the tokens, then send the event."""
    t.zoom.simulator.ledger.remove(t.zoom.app.client_id, done.user.id)
    delivery = removal_of(t, done.user, **changes)
    send_removal(t, delivery)
    return delivery
