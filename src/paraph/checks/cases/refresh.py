"""Group `refresh`: refresh, rotation and revocation."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from paraph.checks.harness.case import case, control
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.http.markup import require_form
from paraph.checks.harness.install_steps import Installed, install
from paraph.checks.harness.recording_zoom import ME, REVOKE, TOKEN
from paraph.checks.harness.removal_steps import control_gone, control_used, expect_gone, is_lost
from paraph.checks.harness.zoom_messages import ReceivedRequest, Reply

_EVIL = "https://evil.example/page"
# Seconds that a short-lived access token lives.
_LIFETIME = 1


@control("refresh")
def _uses(t: CaseContext) -> None:
    _installed(t)


def _installed(t: CaseContext) -> Installed:
    t.hooks.require("use")
    done = install(t)
    control_used(t, done)
    return done


def _expired(t: CaseContext) -> Installed:
    done = _installed(t)
    expire(t, done)
    return done


def expire(t: CaseContext, done: Installed) -> None:
    """Make the access token expire, at Zoom and for the app.

    Zoom refuses the token from now on, for apps that refresh when a call is refused. Apps that
    compare times learn it from the hook `expire`; without it, by consenting to a token whose short
    lifetime they are told, and which is over.
    """
    if not t.hooks.has("expire"):
        t.zoom.change(TOKEN, _shorten, times=1)
        install(t, user=done.user, subject=done.subject)
    _end(t, done)


def _end(t: CaseContext, done: Installed) -> None:
    """End the present access token; without the hook `expire` it must be a short-lived one."""
    if t.hooks.has("expire"):
        t.hooks.call("expire", subject=done.subject, user_id=done.user.id)
    else:
        time.sleep(_LIFETIME + 0.1)
    t.zoom.simulator.ledger.expire_access_tokens(t.zoom.app.client_id, done.user.id)


def _shorten(content: dict[str, Any]) -> None:
    content["expires_in"] = _LIFETIME


def _refreshes(t: CaseContext, since: int) -> list[ReceivedRequest]:
    return t.zoom.token_requests(since, "refresh_token")


def _expect_works(t: CaseContext, done: Installed, what: str) -> None:
    status, seen = t.hooks.use(done.subject, done.user.id)
    t.expect(status < 300 and seen, f"{what}: `use` returns {status}")


@case("ref-single-flight")
def _single(t: CaseContext) -> None:
    done = _expired(t)
    gate = t.zoom.hold(TOKEN)
    before = t.zoom.mark()
    with ThreadPoolExecutor(20) as pool:
        work = [pool.submit(t.hooks.use, done.subject, done.user.id) for _ in range(20)]
        t.control(gate.reached.wait(10), "an expired token was not refreshed")
        t.until(lambda: len(_refreshes(t, before)) > 1, 1.0)
        gate.open()
        statuses = [one.result()[0] for one in work]
    count = len(_refreshes(t, before))
    t.expect(count == 1, f"twenty actions at one expiry led to {count} refreshes")
    good = sum(200 <= one < 300 for one in statuses)
    t.expect(good == 20, f"only {good} of twenty actions succeeded")


@case("ref-rotated-saved")
def _rotated(t: CaseContext) -> None:
    done = _expired(t)
    t.zoom.change(TOKEN, _shorten)
    presented = []
    for number in range(2):
        if number:
            _end(t, done)
        before = t.zoom.mark()
        _expect_works(t, done, "a refresh")
        found = _refreshes(t, before)
        t.control(found, "an expired token was not refreshed")
        presented.append(found[0].parameters.get("refresh_token"))
    t.expect(presented[0] != presented[1], "the rotated refresh token was not kept")


@case("ref-not-rotated")
def _not_rotated(t: CaseContext) -> None:
    done = _expired(t)
    t.zoom.simulator.faults.switch_on("old_refresh_token_accepted", {})

    def without_refresh_token(content: dict[str, Any]) -> None:
        del content["refresh_token"]
        content["expires_in"] = _LIFETIME

    t.zoom.change(TOKEN, without_refresh_token)
    presented = []
    for number in range(2):
        if number:
            _end(t, done)
        before = t.zoom.mark()
        t.hooks.use(done.subject, done.user.id)
        found = _refreshes(t, before)
        t.expect(found, "after a response without a refresh token nothing is refreshed any more")
        presented.append(found[0].parameters.get("refresh_token"))
    t.expect(presented[0] == presented[1], "the old refresh token was dropped")


@case("ref-invalid-grant")
def _invalid(t: CaseContext) -> None:
    done = _expired(t)
    t.zoom.replace(
        TOKEN, Reply.of_json({"reason": "Invalid Token!", "error": "invalid_grant"}, 400)
    )
    before = t.zoom.mark()
    statuses = [t.hooks.use(done.subject, done.user.id)[0] for _ in range(6)]
    count = len(_refreshes(t, before))
    t.control(count, "an expired token was not refreshed")
    t.expect(all(one >= 400 for one in statuses), f"`use` returns {statuses}")
    t.expect(count <= 2, f"a dead refresh token was sent {count} times")
    t.zoom.reset()
    install(t, user=done.user, subject=done.subject)
    _expect_works(t, done, "after a new consent")


@case("ref-lost-answer")
def _lost(t: CaseContext) -> str:
    done = _expired(t)
    t.zoom.lose(TOKEN)
    status, _ = t.hooks.use(done.subject, done.user.id)
    t.expect(status, "`use` gets no response when Zoom's is lost")
    t.zoom.reset()
    status, seen = t.hooks.use(done.subject, done.user.id)
    t.expect(status not in {0, 500}, f"afterwards `use` breaks: status {status}")
    t.expect(status >= 300 or seen, "afterwards the app pretends to work")
    install(t, user=done.user, subject=done.subject)
    _expect_works(t, done, "after a new consent")
    return _crash_while_refreshing(t, done) if t.target.is_started_here else ""


def _crash_while_refreshing(t: CaseContext, done: Installed) -> str:
    """Kill the app while it refreshes; return a note if it keeps its installations in memory."""
    bystander = _installed(t)
    expire(t, done)
    gate = t.zoom.hold(TOKEN)
    waiting = threading.Thread(
        target=t.hooks.send, args=(t.hooks.require("use"),), kwargs=_whose(done)
    )
    waiting.start()
    t.expect(gate.reached.wait(10), "after a lost response nothing is refreshed any more")
    t.environment.restart(kill=True)
    gate.open()
    waiting.join(45)
    if is_lost(t, bystander):
        return "a crash was not checked: the app keeps its installations in memory"
    status, _ = t.hooks.use(done.subject, done.user.id)
    t.expect(status not in {0, 500}, f"after a crash `use` returns {status}")
    install(t, user=done.user, subject=done.subject)
    _expect_works(t, done, "after a crash and a new consent")
    return ""


def _whose(done: Installed) -> dict[str, str]:
    return {"subject": done.subject, "user_id": done.user.id}


@case("ref-transient")
def _transient(t: CaseContext) -> None:
    done = _expired(t)
    t.zoom.replace(TOKEN, Reply(503, b"busy", {"content-type": "text/plain"}), times=3)
    before = t.zoom.mark()
    works = t.until(lambda: t.hooks.use(done.subject, done.user.id)[0] < 300, 20)
    t.control(_refreshes(t, before), "an expired token was not refreshed")
    t.expect(works, "after three transient errors the app never recovers")
    t.expect(len(_refreshes(t, before)) < 60, "the app hammers a Zoom that is down")


@case("ref-user-swap")
def _swapped(t: CaseContext) -> None:
    other = _installed(t)
    done = _expired(t)
    token = t.zoom.access_token_of(other.user)
    t.zoom.change(TOKEN, lambda content: content.update(access_token=token))
    before = t.zoom.mark()
    for _ in range(2):
        status, seen = t.hooks.use(done.subject, done.user.id)
        # A call of users/me can be the comparison that finds the mistake, unless `use` succeeds.
        wrong = [o for o in seen if o.bearer == token and (o.path != ME or status < 300)]
        t.expect(not wrong, "another user's token was used after a refresh")
    t.control(_refreshes(t, before), "an expired token was not refreshed")


def _forms(t: CaseContext, done: Installed) -> tuple[str, dict[str, str]]:
    """Return the URL that disconnects, and the fields that an honest request sends."""
    page = t.hooks.send_in_browser("disconnect", done.browser)
    form = require_form(page, "disconnect", "remove", "revoke", "delete", "unlink")
    return form.action, form.fields


@case("rev-on-disconnect")
def _revoked(t: CaseContext) -> None:
    t.hooks.require("disconnect")
    for outage in (False, True):
        done = _installed(t)
        action, fields = _forms(t, done)
        if outage:
            t.zoom.replace(REVOKE, Reply(503, b"{}"))
        before = t.zoom.mark()
        response = done.browser.request("POST", action, initiator=action, form=fields)
        t.expect_no_error(response, "disconnecting")
        asked = t.until(lambda b=before: t.zoom.requests(REVOKE, since=b), 5)  # type: ignore[misc]
        t.expect(asked, "Zoom was never asked to revoke the tokens")
        revoke = t.zoom.requests(REVOKE, since=before)[0]
        known = (
            revoke.header("authorization").startswith("Basic ") or "client_secret" in revoke.form
        )
        t.expect(known, "the revocation is not authenticated")
        expect_gone(t, done, "after disconnecting")


@case("rev-csrf")
def _csrf(t: CaseContext) -> None:
    t.hooks.require("disconnect")
    done = _installed(t)
    action, fields = _forms(t, done)
    # Another site sends every field but the form token, which it cannot read; it may invent one.
    marks = [n for n in fields if "csrf" in n.lower() or "token" in n.lower()]
    without = {n: v for n, v in fields.items() if n not in marks}
    stranger = t.browser(t.subject())
    attempts = (
        (done.browser, "POST", without, _EVIL),
        (done.browser, "POST", {**fields, **dict.fromkeys(marks, "0" * 32)}, _EVIL),
        (done.browser, "GET", None, _EVIL),
        (stranger, "POST", fields, action),
        (t.browser(), "POST", fields, action),
    )
    for browser, method, form, initiator in attempts:
        response = browser.request(method, action, initiator=initiator, form=form)
        t.expect_response(response, "a forged disconnect")
        status, seen = t.hooks.use(done.subject, done.user.id)
        t.expect(status < 300 and seen, f"a forged {method} has disconnected a user")
    action, fields = _forms(t, done)
    done.browser.request("POST", action, initiator=action, form=fields)
    control_gone(t, done)
