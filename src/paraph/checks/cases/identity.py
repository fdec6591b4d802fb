"""Group `token`, part 2: the owner of a token, and the local account that it is linked to."""

from __future__ import annotations

import base64
import json
from typing import Any

from paraph.checks.cases.token_endpoint import expect_no_install
from paraph.checks.harness.case import case
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.http.markup import find_form
from paraph.checks.harness.install_steps import (
    arrive_and_follow,
    authorize,
    finish,
    install,
    leads_to_zoom,
    shows,
)
from paraph.checks.harness.recording_zoom import ME, TOKEN
from paraph.checks.harness.zoom_messages import Reply, description_of
from paraph.checks.verdict import HookMissingError

_WORDS = ("scope", "permission", "access", "allow", "grant", "missing")


@case("tok-scope-down")
def _scope(t: CaseContext) -> None:
    # Words that are on the page in any case prove nothing.
    usual = install(t).page.text.lower()
    words = [word for word in _WORDS if word not in usual]
    subject, user = t.subject(), t.zoom.user()
    browser = t.browser(subject)
    required = t.target.zoom.required_scope

    def less(content: dict[str, Any]) -> None:
        content["scope"] = " ".join(s for s in content["scope"].split() if s != required)

    t.zoom.change(TOKEN, less)
    before = t.zoom.mark()
    page = finish(t, browser, authorize(t, browser, user))
    t.expect_no_error(page, "fewer scopes than required")
    t.control(t.zoom.token_requests(before), "the code was never exchanged")
    t.expect(not leads_to_zoom(t, page), "the browser is sent to Zoom again and again")
    told = any(word in page.text.lower() for word in words)
    t.expect(told or page.status >= 400, "the app does not say that a permission is missing")
    t.expect(not (t.hooks.linked(subject) and not told), "installed as if nothing were missing")


@case("tok-api-url")
def _api_url(t: CaseContext) -> None:
    evil = t.environment.trap_url
    t.zoom.change(
        TOKEN, lambda c: c.update(api_url=evil, instance_url=evil, userinfo_endpoint=f"{evil}/me")
    )
    browser = t.browser(t.subject())
    before = t.zoom.mark()
    page = finish(t, browser, authorize(t, browser))
    t.expect(page.status != 500, "the app responds with status 500")
    t.control(t.zoom.token_requests(before), "the code was never exchanged")
    t.expect(not t.environment.trap.hits, "the token went where the token response pointed")


@case("tok-wrong-client")
def _wrong_client(t: CaseContext) -> None:
    if not t.limits.server_names_client:
        raise HookMissingError(
            "Zoom's responses do not name the client (limits.server_names_client is false)"
        )
    t.zoom.change(TOKEN, lambda c: c.update(client_id=t.zoom.app.client_id))
    install(t)
    expect_no_install(
        t, lambda: t.zoom.change(TOKEN, lambda c: c.update(client_id="another")), "another client"
    )


@case("tok-id-mismatch")
def _id_mismatch(t: CaseContext) -> None:
    victim, user = t.zoom.user(), t.zoom.user()
    claims = {"uid": victim.id, "sub": victim.id, "user_id": victim.id, "aid": victim.account_id}
    parts = [{"alg": "HS512"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts]
    token = ".".join([*encoded, "c2lnbmF0dXJl"])
    t.zoom.change(TOKEN, lambda c: c.update(access_token=token))
    t.zoom.replace(ME, Reply.of_json(description_of(user)))
    browser = t.browser(t.subject())
    before = t.zoom.mark()
    page = finish(t, browser, authorize(t, browser, user))
    t.expect(page.status != 500, "the app responds with status 500")
    t.control(t.zoom.token_requests(before), "the code was never exchanged")
    t.expect(not t.hooks.linked(user=victim.id), "the identity was read out of the access token")
    t.expect(victim.id not in page.text, "the identity was read out of the access token")
    t.control(t.zoom.requests(ME, since=before), "the app never asked whose token it is")


@case("tok-identity-fail")
def _identity_fails(t: CaseContext) -> None:
    user = t.zoom.user()
    replies = {
        "401": Reply.of_json({"code": 124, "message": "x"}, 401),
        "403": Reply.of_json({"code": 4700, "message": "x"}, 403),
        "500": Reply.of_json({"code": 500, "message": "x"}, 500),
        "an empty id": Reply.of_json(description_of(user, id="")),
        "no id": Reply.of_json({"email": user.email}),
        "a number as id": Reply.of_json(description_of(user, id=5)),
        "a page": Reply(200, b"<html>sign in</html>", {"content-type": "text/html"}),
        "an array": Reply.of_json([description_of(user)]),
    }
    for what, reply in replies.items():
        expect_no_install(t, lambda r=reply: t.zoom.replace(ME, r), f"users/me: {what}")  # type: ignore[misc]


@case("tok-email-match")
def _email(t: CaseContext) -> None:
    done = install(t)
    if not t.hooks.has("links"):
        # Without the hook, a page must show which account is signed in.
        shown = shows(t, done.browser, done.user.display_name, done.user.id)
        if not shown:
            raise HookMissingError("needs the hook `links`, or urls.pages that name the Zoom user")
    mallory = t.subject()
    attacker = t.zoom.user(email=done.user.email)
    browser = t.browser(mallory)
    page = finish(t, browser, authorize(t, browser, attacker))
    t.expect(page.status != 500, "the app responds with status 500")
    if t.hooks.has("links"):
        taken = t.hooks.has("sign_in") and t.hooks.linked(done.subject, attacker.id)
        t.expect(not taken, "an e-mail has chosen the victim's account")
        t.expect(t.hooks.linked(done.subject, done.user.id), "the victim has lost the link")
    inside = t.hooks.has("sign_in") and done.subject in page.text
    named = not t.hooks.has("links") and shows(t, browser, done.user.display_name, done.user.id)
    t.expect(not inside and not named, "the attacker is in the victim's account")


@case("tok-id-collation")
def _collation(t: CaseContext) -> None:
    t.hooks.require("links")
    plain = t.zoom.user().id.lower()
    first = install(t, user=t.zoom.user(id=plain))
    # In lower case, because the handling of capitals is tested below and not by this control.
    install(t, user=t.zoom.user(id=t.zoom.user().id.lower(), account_id=first.user.account_id))
    apart = t.hooks.linked(first.subject, plain)
    t.control(apart, "a colleague with another id takes the link as well (tok-overwrite-tenant)")
    # An id in another case is a valid id; one with a space or a full-width letter may be refused.
    for twin, valid in (
        (plain.swapcase(), True),
        (f"{plain} ", False),
        (chr(ord(plain[0]) + 0xFEE0) + plain[1:], False),
    ):
        user = t.zoom.user(id=twin, account_id=first.user.account_id)
        subject = t.subject()
        browser = t.browser(subject)
        page = finish(t, browser, authorize(t, browser, user))
        t.expect(page.status < 500, f"status {page.status}")
        own = t.hooks.linked(subject, twin) or not (valid or t.hooks.linked(subject))
        t.expect(own, f"{twin!r} was taken for another identity")
        kept = t.hooks.linked(first.subject, plain)
        t.expect(kept, f"the first one has lost the link to {twin!r}")


@case("tok-overwrite-tenant")
def _overwrite(t: CaseContext) -> None:
    t.hooks.require("links")
    admin = t.zoom.user(role="admin")
    member = t.zoom.user(account_id=admin.account_id)
    first = install(t, user=admin)
    second = install(t, user=member)
    t.expect(
        t.hooks.linked(first.subject, admin.id), "the second user has replaced the first one's link"
    )
    t.expect(t.hooks.linked(second.subject, member.id), "the second user has no link")
    if t.hooks.has("use"):
        token = t.zoom.access_token_of(admin)
        _, seen = t.hooks.use(first.subject, admin.id)
        t.expect([o for o in seen if o.bearer == token], "the first user's token is not used")


@case("tok-relink-other-tenant")
def _relink(t: CaseContext) -> None:
    t.hooks.require("sign_in")
    t.hooks.require("links")
    first = install(t)
    other = t.subject()
    browser = t.browser(other)
    page = arrive_and_follow(t, browser, authorize(t, browser, first.user))
    t.expect(page.status < 500, f"status {page.status}")
    t.expect(not t.hooks.linked(other), "the Zoom user was moved without a word")
    form = find_form(page, "confirm", "claim", "link")
    if form is None or page.status != 200:
        return
    words = ("already", "moved", "replace", "another", "belongs", "linked to")
    t.expect(
        any(word in page.text.lower() for word in words),
        "the confirmation does not say that it moves",
    )
    browser.submit(form)
    both = t.hooks.linked(other, first.user.id) and t.hooks.linked(first.subject, first.user.id)
    t.expect(not both, "one Zoom user is linked to two accounts")


@case("tok-profile-xss")
def _profile(t: CaseContext) -> None:
    shown = False
    for name in (
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "\u202egnp.exe",
        "x" * 10_000,
        "a\x00b",
    ):
        user = t.zoom.user(display_name=name)
        browser = t.browser(t.subject())
        page = arrive_and_follow(t, browser, authorize(t, browser, user))
        pages = [page]
        form = find_form(page, "confirm", "claim", "link")
        if form is not None:
            pages.append(browser.submit(form))
        pages += [browser.open(t.environment.absolute(one)) for one in t.target.urls.pages]
        for one in pages:
            t.expect(one.status < 500, f"a display name broke the app with {one.status}")
            shown = shown or "alert(1)" in one.text
            if one.is_html and "<" in name:
                t.expect(name not in one.text, "a display name is shown as markup")
        t.hooks.links()
    if not shown:
        raise HookMissingError("needs `urls.pages` with a page that shows the Zoom user's name")
