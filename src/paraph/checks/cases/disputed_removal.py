"""Group I, part 3: genuine removals whose content can be wrong.

A signed `app_deauthorized` can still be wrong. In an account-level app an admin may remove an
authorization that was already replaced, and its time can be in the future. Only Zoom knows which
grants are valid: a request to its token endpoint tells.
"""

from __future__ import annotations

from paraph.checks.harness.case import case
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.install_steps import Installed
from paraph.checks.harness.removal_steps import (
    control_gone,
    expect_gone,
    installed,
    remove,
    send_removal,
    works,
)
from paraph.checks.harness.webhook_steps import control_delivery, iso, known_user, removal_of
from paraph.checks.verdict import ControlFailedError, ExpectationFailedError
from paraph.simulator.state.world import User

_YEAR = 365 * 86400
_CLEARLY = 300


def _account_level(t: CaseContext) -> User:
    """Run the app at account level; return an installed user whom the removal does not concern."""
    bystander = known_user(t)
    if t.environment.level != "account":
        t.environment.restart("account")
        t.control(t.environment.level == "account", '[variants.account] must say level = "account"')
    return bystander


def _two_admins(t: CaseContext) -> tuple[Installed, User]:
    """Return an admin's installation and another admin of the account."""
    holder = installed(t, user=t.zoom.user(role="admin"))
    other = t.zoom.user(account_id=holder.user.account_id, role="admin")
    if t.hooks.has("advance"):
        t.hooks.advance(_CLEARLY)
    return holder, other


@case("deauth-stale-admin")
def _stale_admin(t: CaseContext) -> None:
    bystander = _account_level(t)
    holder, other = _two_admins(t)
    send_removal(t, removal_of(t, other, deauthorization_time=iso(t.now())))
    control_delivery(t, bystander)
    within = t.limits.effect_within
    kept = t.until(lambda: works(t, holder), within)
    t.expect(kept, "another admin's removal has ended a grant that Zoom still honours")


@case("deauth-other-admin")
def _other_admin(t: CaseContext) -> None:
    _account_level(t)
    holder, other = _two_admins(t)
    t.zoom.simulator.ledger.remove(t.zoom.app.client_id, holder.user.id)
    send_removal(t, removal_of(t, other, deauthorization_time=iso(t.now())))
    expect_gone(t, holder, "after the removal by another admin of the account")


@case("deauth-future")
def _future(t: CaseContext) -> None:
    bystander = known_user(t)
    future = iso(t.now() + _YEAR)
    done = installed(t)
    newcomer = t.zoom.user()
    send_removal(t, removal_of(t, newcomer, deauthorization_time=future))
    remove(t, done, deauthorization_time=future)
    control_gone(t, done)
    # Times on the wire are whole seconds, so wait until the next one is certainly later.
    begun = t.now()
    t.until(lambda: t.now() > begun + 2, 5)
    for user in (newcomer, done.user):
        again = _installed_later(t, user)
        send_removal(t, removal_of(t, user, deauthorization_time=future))
        control_delivery(t, bystander)
        within = t.limits.effect_within
        kept = t.until(lambda one=again: works(t, one), within)  # type: ignore[misc]
        t.expect(kept, "a removal dated in the future has ended a later installation")


def _installed_later(t: CaseContext, user: User) -> Installed:
    """Install again as before; if that fails, the removal has blocked it."""
    try:
        return installed(t, user=user)
    except ControlFailedError as failed:
        raise ExpectationFailedError(
            f"a removal dated in the future bars a later installation: {failed.reason}"
        ) from None
