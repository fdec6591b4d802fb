"""Steps that cases about removals share: an installation, its removal, and its remains."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.install_steps import Installed, install
from paraph.checks.harness.webhook_steps import Delivery, post, removal_of
from paraph.checks.verdict import ControlFailedError, ExpectationFailedError, HookMissingError


@dataclass(slots=True)
class _Use:
    status: int
    calls: int


def installed(t: CaseContext, **changes: Any) -> Installed:
    """Install the app and check that the installation works.

    Raises:
        HookMissingError: the target has neither of the hooks `use` and `links`.
        ControlFailedError: the installation does not work.
    """
    if not (t.hooks.has("use") or t.hooks.has("links")):
        raise HookMissingError("needs the hook `use` or `links`")
    done = install(t, **changes)
    t.control(t.until(lambda: works(t, done)), "an honest installation does not work")
    return done


def works(t: CaseContext, done: Installed) -> bool:
    """Return True if the app can still act for the user."""
    if t.hooks.has("links") and not t.hooks.linked(done.subject, done.user.id):
        return False
    if not t.hooks.has("use"):
        return True
    status, seen = t.hooks.use(done.subject, done.user.id)
    return status < 300 and bool(seen)


def control_used(t: CaseContext, done: Installed) -> None:
    """Check as a control that the hook `use` makes the app call Zoom's API for a user.

    Raises:
        HookMissingError: the target has no hook `use`.
        ControlFailedError: the hook fails, or Zoom receives no call.
    """
    found = _Use(0, 0)

    def used() -> bool:
        status, seen = t.hooks.use(done.subject, done.user.id)
        found.status, found.calls = status, len(seen)
        return 0 < status < 300 and bool(seen)

    t.control(
        t.until(used),
        f"`use` returns {found.status} and Zoom saw {found.calls} calls",
        "Let the hook `use` make the app call Zoom's API with the token of {subject} "
        "(or of {user_id}), and return 2xx if the call succeeds.",
    )


def is_lost(t: CaseContext, done: Installed) -> bool:
    """Return True if the app, started again, no longer knows an installation.

    Such an app keeps its installations in memory.
    """
    if t.hooks.has("links"):
        return not t.until(lambda: t.hooks.linked(done.subject, done.user.id))
    status, seen = t.hooks.use(done.subject, done.user.id)
    stranger, _ = t.hooks.use(f"person-{os.urandom(4).hex()}", t.zoom.user().id)
    return not seen and status == stranger


def expect_gone(t: CaseContext, done: Installed, what: str) -> None:
    """Check that the link and the use of the token end within the time that the target names.

    Raises:
        ExpectationFailedError: they do not; the reason begins with `what`.
    """
    gone = t.until(lambda: not t.hooks.linked(done.subject, done.user.id))
    t.expect(gone, f"{what}: the link is still there")
    if t.hooks.has("use"):
        expect_unused(t, done, what)


def expect_unused(t: CaseContext, done: Installed, what: str) -> None:
    """Check that the use of the token ends within the time that the target names.

    Raises:
        ExpectationFailedError: it does not; the reason begins with `what`.
    """
    found = _Use(0, 0)

    def ended() -> bool:
        status, seen = t.hooks.use(done.subject, done.user.id)
        found.status, found.calls = status, len(seen)
        return not seen and status >= 400

    t.until(ended)
    t.expect(not found.calls, f"{what}: the token is still used")
    t.expect(found.status >= 400, f"{what}: `use` returns {found.status}")


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
