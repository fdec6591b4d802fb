"""Group I: the user removes the app at Zoom."""

from __future__ import annotations

import threading
from typing import Any

from paraph.checks.delivery import Delivery, iso
from paraph.checks.flow import Installed
from paraph.checks.refresh import expire
from paraph.checks.trial import Trial, case, control
from paraph.checks.verdict import ControlFailedError, ExpectationFailedError, HookMissingError
from paraph.checks.webhook import without
from paraph.checks.zoom import ME, TOKEN


@control("deauthorization")
def _installs(t: Trial) -> None:
    t.url("webhook")
    _installed(t)


def _installed(t: Trial, **changes: Any) -> Installed:
    if not (t.has("use") or t.has("links")):
        raise HookMissingError("needs the hook `use` or `links`")
    done = t.install(**changes)
    t.control(_works(t, done), "an honest installation does not work")
    return done


def _works(t: Trial, done: Installed) -> bool:
    """Whether the app still acts for somebody."""
    if t.has("links") and not t.linked(done.subject, done.user.id):
        return False
    if not t.has("use"):
        return True
    status, seen = t.use(done.subject, done.user.id)
    return status < 300 and bool(seen)


def _expect_gone(t: Trial, done: Installed, what: str) -> None:
    within = t.stage.target.limits.effect_within
    gone = t.until(lambda: not t.linked(done.subject, done.user.id), within)
    t.expect(gone, f"{what}: the link is still there")
    if t.has("use"):
        status, seen = t.use(done.subject, done.user.id)
        t.expect(not seen, f"{what}: the token is still used")
        t.expect(status >= 400, f"{what}: `use` answers {status}")


def _control_gone(t: Trial, done: Installed) -> None:
    """The same where it is not the question: an app that removes nothing proves nothing more."""
    try:
        _expect_gone(t, done, "after an honest removal")
    except ExpectationFailedError as failed:
        raise ControlFailedError(failed.reason) from None


def _send(t: Trial, delivery: Delivery) -> None:
    answer = t.post(delivery)
    t.expect(200 <= answer.status < 300, f"an honest removal was answered {answer.status}")
    t.expect(answer.seconds < 3, f"an honest removal took {answer.seconds:.1f} seconds")


def _remove(t: Trial, done: Installed, **changes: Any) -> Delivery:
    """As Zoom does it: the tokens die, then the app is told."""
    t.zoom.simulator.ledger.remove(t.zoom.app.client_id, done.user.id)
    delivery = t.removal(done.user, **changes)
    _send(t, delivery)
    return delivery


@case("deauth-valid")
def _valid(t: Trial) -> None:
    done = _installed(t)
    _remove(t, done, deauthorization_time=iso(t.now()))
    _expect_gone(t, done, "after a removal")
    again = _installed(t, user=done.user, subject=done.subject)
    t.expect(_works(t, again), "after a removal the app cannot be installed again")


@case("deauth-forged")
def _forged(t: Trial) -> None:
    bystander = t.known_user()
    done = _installed(t)

    def wrong(delivery: Delivery) -> None:
        delivery.signature = "v0=" + "0" * 64

    def other(delivery: Delivery) -> None:
        delivery.secret = "another-secret-of-another-app"

    def retired(delivery: Delivery) -> None:
        delivery.more = [("authorization", "verification-token")]
        delivery.signature = ""

    for spoil in (wrong, other, retired):
        delivery = t.removal(done.user)
        spoil(delivery)
        t.expect_rejected(t.post(delivery), "a forged removal")
    bare = without(t.removal(done.user), "x-zm-signature", "x-zm-request-timestamp")
    t.expect_rejected(t.post(bare), "an unsigned removal")
    t.control_delivery(bystander)
    t.expect(_works(t, done), "a forged removal had its effect")


@case("deauth-other-tenant")
def _other(t: Trial) -> None:
    bystander = t.known_user()
    first = _installed(t)
    colleague = _installed(t, user=t.zoom.user(account_id=first.user.account_id))
    stranger = _installed(t)
    account = t.stage.target.zoom.level == "account"
    _remove(t, first)
    _control_gone(t, first)
    t.expect(_works(t, stranger), "a removal has hit another account")
    if not account:
        t.expect(_works(t, colleague), "a removal has hit a colleague in the same account")
    # The same user id in another account is another user.
    mixed = t.removal(stranger.user, account_id=first.user.account_id)
    _send(t, mixed)
    t.control_delivery(bystander)
    t.expect(_works(t, stranger), "a removal without the right account had an effect")


@case("deauth-wrong-client")
def _wrong_client(t: Trial) -> None:
    bystander = t.known_user()
    done = _installed(t)
    for client in ("another-client", "", None, t.zoom.app.client_id.lower() + "x"):
        answer = t.post(t.removal(done.user, client_id=client))
        t.expect_answered(answer, "a removal of another client")
    t.control_delivery(bystander)
    t.expect(_works(t, done), "a removal of another client had an effect")


@case("deauth-replay-reinstall")
def _reinstalled(t: Trial) -> None:
    bystander = t.known_user()
    first = _installed(t)
    then = iso(t.now() - 600)
    _remove(t, first, deauthorization_time=then)
    again = t.install(user=first.user, subject=first.subject)
    old = t.removal(first.user, deauthorization_time=then)
    _send(t, old)
    t.control_delivery(bystander)
    within = t.stage.target.limits.effect_within
    t.expect(t.until(lambda: _works(t, again), within), "an old removal has hit a new installation")


@case("deauth-early")
def _early(t: Trial) -> None:
    subject, user = t.subject(), t.zoom.user()
    browser = t.browser(subject)
    callback = t.agree(t.begin(browser).url, user)
    gate = t.zoom.hold(ME)
    coming = threading.Thread(target=t.finish, args=(browser, callback))
    coming.start()
    try:
        t.control(gate.reached.wait(10), "the app never asked whose token it has")
        t.zoom.simulator.ledger.remove(t.zoom.app.client_id, user.id)
        _send(t, t.removal(user))
    finally:
        gate.open()
        coming.join(45)
    within = t.stage.target.limits.effect_within
    gone = t.until(lambda: not t.linked(subject, user.id), within)
    if t.has("use"):
        status, seen = t.use(subject, user.id)
        t.expect(not [o for o in seen if o.status < 300], "a removed user's token is used")
        t.expect(status >= 400, f"`use` of a removed user answers {status}")
    t.expect(gone, "a removal that came before the link is forgotten")


@case("deauth-refresh-race")
def _race(t: Trial) -> None:
    t.hook("use")
    done = _installed(t)
    expire(t, done)
    gate = t.zoom.hold(TOKEN)
    whose = {"subject": done.subject, "user_id": done.user.id}
    waiting = threading.Thread(target=t.ask, args=(t.hook("use"),), kwargs=whose)
    waiting.start()
    try:
        t.control(gate.reached.wait(10), "an expired token was not refreshed")
        # Zoom answered the refresh before the removal; the answer arrives after it.
        t.zoom.simulator.ledger.remove(t.zoom.app.client_id, done.user.id)
        _send(t, t.removal(done.user))
        within = t.stage.target.limits.effect_within
        t.until(lambda: not t.linked(done.subject, done.user.id), within)
    finally:
        gate.open()
        waiting.join(45)
    _expect_gone(t, done, "a late refresh after a removal")


@case("deauth-idempotent")
def _idempotent(t: Trial) -> None:
    done = _installed(t)
    delivery = _remove(t, done)
    _control_gone(t, done)
    _send(t, delivery)
    _send(t, t.removal(done.user))
    _send(t, t.removal(t.zoom.user()))
    threads = [threading.Thread(target=t.post, args=(t.removal(done.user),)) for _ in range(5)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    bad = [a.status for a in t.exchanges[-5:] if not 200 <= a.status < 300]
    t.expect(not bad, f"removals at the same moment were answered {bad}")


@case("deauth-retention")
def _retention(t: Trial) -> None:
    for value in (False, "false", None, "absent", "true", 0):
        done = _installed(t)
        name = done.user.display_name
        if not t.shows(done.browser, name):
            raise HookMissingError("needs urls.pages with a page that shows the Zoom user's name")
        changes = {} if value == "absent" else {"user_data_retention": value}
        _remove(t, done, **changes)
        _expect_gone(t, done, "after a removal")
        within = t.stage.target.limits.effect_within
        gone = t.until(lambda d=done, n=name: not t.shows(d.browser, n), within)  # type: ignore[misc]
        t.expect(gone, f"with user_data_retention {value!r} the user's data stay")


@case("deauth-durable")
def _durable(t: Trial) -> None:
    if not t.stage.target.is_started_here:
        raise HookMissingError("needs a command in [start]")
    for _ in range(2):
        done = _installed(t)
        _remove(t, done)
        t.stage.restart(kill=True)
        patience = t.stage.target.limits.recovery_within
        if patience and t.has("advance"):
            # What the dead process had claimed is free again after this time.
            t.advance(patience)
        _expect_gone(t, done, "after a crash")
