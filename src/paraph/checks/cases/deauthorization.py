"""Group `deauthorization`, part 1: the user removes the app at Zoom.

A signed `app_deauthorized` can still be wrong. In an account-level app an admin may remove an
authorization that was already replaced, and its time can be in the future. Only Zoom knows which
grants are valid: a request to its token endpoint tells.
"""

from __future__ import annotations

import threading

from paraph.checks.cases.refresh import expire
from paraph.checks.harness.case import case, control
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.install_steps import Installed, authorize, finish, install, shows
from paraph.checks.harness.recording_zoom import ME, TOKEN
from paraph.checks.harness.removal_steps import (
    control_gone,
    expect_gone,
    installed,
    is_lost,
    remove,
    send_removal,
    works,
)
from paraph.checks.harness.webhook_steps import (
    Delivery,
    control_delivery,
    expect_rejected,
    iso,
    known_user,
    post,
    removal_of,
)
from paraph.checks.verdict import ControlFailedError, ExpectationFailedError, HookMissingError
from paraph.simulator.state.world import User


@control("deauthorization")
def _installs(t: CaseContext) -> None:
    t.url("webhook")
    installed(t)


@case("deauth-valid")
def _valid(t: CaseContext) -> None:
    done = installed(t)
    remove(t, done, deauthorization_time=iso(t.now()))
    expect_gone(t, done, "after a removal")
    again = installed(t, user=done.user, subject=done.subject)
    t.expect(works(t, again), "after a removal the app cannot be installed again")


@case("deauth-forged")
def _forged(t: CaseContext) -> None:
    bystander = known_user(t)
    done = installed(t)

    def wrong(delivery: Delivery) -> None:
        delivery.signature = "v0=" + "0" * 64

    def other(delivery: Delivery) -> None:
        delivery.secret = "another-secret-of-another-app"

    def retired(delivery: Delivery) -> None:
        delivery.more = [("authorization", "verification-token")]
        delivery.signature = ""

    for spoil in (wrong, other, retired):
        delivery = removal_of(t, done.user)
        spoil(delivery)
        expect_rejected(t, post(t, delivery), "a forged removal")
    bare = removal_of(t, done.user).without("x-zm-signature", "x-zm-request-timestamp")
    expect_rejected(t, post(t, bare), "an unsigned removal")
    control_delivery(t, bystander)
    t.expect(works(t, done), "a forged removal had its effect")


@case("deauth-other-tenant")
def _other(t: CaseContext) -> None:
    bystander = known_user(t)
    first = installed(t)
    colleague = installed(t, user=t.zoom.user(account_id=first.user.account_id))
    stranger = installed(t)
    account = t.target.zoom.level == "account"
    remove(t, first)
    control_gone(t, first)
    t.expect(works(t, stranger), "a removal has hit another account")
    if not account:
        t.expect(works(t, colleague), "a removal has hit a colleague in the same account")
    # The same user id in another account is another user.
    mixed = removal_of(t, stranger.user, account_id=first.user.account_id)
    send_removal(t, mixed)
    control_delivery(t, bystander)
    t.expect(works(t, stranger), "a removal without the right account had an effect")


@case("deauth-wrong-client")
def _wrong_client(t: CaseContext) -> None:
    bystander = known_user(t)
    done = installed(t)
    for client in ("another-client", "", None, t.zoom.app.client_id.lower() + "x"):
        response = post(t, removal_of(t, done.user, client_id=client))
        t.expect_no_error(response, "a removal of another client")
    control_delivery(t, bystander)
    t.expect(works(t, done), "a removal of another client had an effect")


@case("deauth-replay-reinstall")
def _reinstalled(t: CaseContext) -> None:
    bystander = known_user(t)
    first = installed(t)
    then = iso(t.now() - 600)
    remove(t, first, deauthorization_time=then)
    again = install(t, user=first.user, subject=first.subject)
    old = removal_of(t, first.user, deauthorization_time=then)
    send_removal(t, old)
    control_delivery(t, bystander)
    t.expect(t.until(lambda: works(t, again)), "an old removal has hit a new installation")


@case("deauth-early")
def _early(t: CaseContext) -> None:
    subject, user = t.subject(), t.zoom.user()
    browser = t.browser(subject)
    returned = authorize(t, browser, user)
    gate = t.zoom.hold(ME)
    coming = threading.Thread(target=finish, args=(t, browser, returned))
    coming.start()
    try:
        t.control(gate.reached.wait(10), "the app never asked whose token it has")
        t.zoom.simulator.ledger.remove(t.zoom.app.client_id, user.id)
        send_removal(t, removal_of(t, user))
    finally:
        gate.open()
        coming.join(45)
    gone = t.until(lambda: not t.hooks.linked(subject, user.id))
    if t.hooks.has("use"):
        t.until(lambda: t.hooks.use(subject, user.id)[0] >= 400)
        status, seen = t.hooks.use(subject, user.id)
        t.expect(not [o for o in seen if o.status < 300], "a removed user's token is used")
        t.expect(status >= 400, f"`use` of a removed user returns {status}")
    t.expect(gone, "a removal that came before the link had no effect")


@case("deauth-refresh-race")
def _race(t: CaseContext) -> None:
    t.hooks.require("use")
    done = installed(t)
    expire(t, done)
    gate = t.zoom.hold(TOKEN)
    whose = {"subject": done.subject, "user_id": done.user.id}
    waiting = threading.Thread(target=t.hooks.send, args=(t.hooks.require("use"),), kwargs=whose)
    waiting.start()
    try:
        t.control(gate.reached.wait(10), "an expired token was not refreshed")
        # Zoom sent its response to the refresh before the removal, but it arrives afterwards.
        t.zoom.simulator.ledger.remove(t.zoom.app.client_id, done.user.id)
        send_removal(t, removal_of(t, done.user, deauthorization_time=iso(t.now())))
        t.until(lambda: not t.hooks.linked(done.subject, done.user.id))
    finally:
        gate.open()
        waiting.join(45)
    expect_gone(t, done, "a late refresh after a removal")


@case("deauth-idempotent")
def _idempotent(t: CaseContext) -> None:
    done = installed(t)
    delivery = remove(t, done)
    control_gone(t, done)
    send_removal(t, delivery)
    send_removal(t, removal_of(t, done.user))
    send_removal(t, removal_of(t, t.zoom.user()))
    threads = [threading.Thread(target=post, args=(t, removal_of(t, done.user))) for _ in range(5)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    bad = [a.status for a in t.exchanges[-5:] if not 200 <= a.status < 300]
    t.expect(not bad, f"removals at the same moment got status {bad}")


@case("deauth-retention")
def _retention(t: CaseContext) -> None:
    for value in (False, "false", None, "absent", "true", 0):
        done = installed(t)
        name = done.user.display_name
        if not shows(t, done.browser, name):
            raise HookMissingError("needs `urls.pages` with a page that shows the Zoom user's name")
        changes = {} if value == "absent" else {"user_data_retention": value}
        remove(t, done, **changes)
        expect_gone(t, done, "after a removal")
        gone = t.until(lambda d=done, n=name: not shows(t, d.browser, n))  # type: ignore[misc]
        t.expect(gone, f"with user_data_retention {value!r} the user's data stay")


@case("deauth-durable")
def _durable(t: CaseContext) -> None:
    if not t.target.is_started_here:
        raise HookMissingError("needs a `command` in [start]")
    bystander = installed(t)
    for _ in range(2):
        done = installed(t)
        remove(t, done)
        t.environment.restart(kill=True)
        recovery = t.limits.recovery_within
        if recovery and t.hooks.has("advance"):
            # The claims of the killed process expire after this time.
            t.hooks.advance(recovery)
        if is_lost(t, bystander):
            raise HookMissingError("the app keeps its installations in memory: a crash ends all")
        expect_gone(t, done, "after a crash")


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
    kept = t.until(lambda: works(t, holder))
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
        kept = t.until(lambda one=again: works(t, one))  # type: ignore[misc]
        t.expect(kept, "a removal dated in the future has ended a later installation")


def _installed_later(t: CaseContext, user: User) -> Installed:
    """Install again as before; if that fails, the removal has blocked it."""
    try:
        return installed(t, user=user)
    except ControlFailedError as failed:
        raise ExpectationFailedError(
            f"a removal dated in the future bars a later installation: {failed.reason}"
        ) from None
