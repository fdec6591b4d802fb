"""Group `challenge`: the URL validation challenge, a signing oracle if it is not verified."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from typing import Any

from paraph.checks.harness.case import case, control
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.http.response import Response
from paraph.checks.harness.webhook_steps import (
    Delivery,
    control_delivery,
    event_body,
    expect_rejected,
    known_user,
    post,
    removal_of,
    signed_delivery,
)

_FLOOD = 200


@control("challenge")
def _accepted(t: CaseContext) -> None:
    t.url("webhook")
    control_delivery(t, known_user(t))


def _plain() -> str:
    return os.urandom(16).hex()[:22]


def _challenge(t: CaseContext, plain: Any) -> Delivery:
    return signed_delivery(t, event_body(t, "endpoint.url_validation", {"plainToken": plain}))


def _mac(t: CaseContext, text: str) -> str:
    key = t.zoom.app.webhook_secret.encode()
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _expect_nothing_signed(t: CaseContext, response: Response, plain: Any, what: str) -> None:
    texts = {str(plain), json.dumps(plain)}
    shown = response.everything().lower()
    for text in texts:
        t.expect(_mac(t, text) not in shown, f"{what}: the app signed it")
    t.expect("encryptedtoken" not in shown, f"{what}: an encryptedToken came back")


@case("crc-valid")
def _valid(t: CaseContext) -> None:
    plain = _plain()
    response = post(t, _challenge(t, plain))
    t.expect(response.status == 200, f"a signed challenge got status {response.status}")
    content = response.json()
    wanted = {"plainToken": plain, "encryptedToken": _mac(t, plain)}
    t.expect(isinstance(content, dict) and content == wanted, "the response is not what Zoom wants")
    t.expect(response.seconds < 3, f"the response took {response.seconds:.1f} seconds")
    t.expect("json" in response.header("content-type"), "the response's content type is not JSON")


@case("crc-unsigned")
def _unsigned(t: CaseContext) -> None:
    t.control(post(t, _challenge(t, _plain())).status == 200, "a signed challenge is not accepted")
    for what in (
        "no signature",
        "a wrong signature",
        "another app's signature",
        "an old signature",
    ):
        plain = _plain()
        delivery = _challenge(t, plain)
        match what:
            case "no signature":
                delivery = delivery.without("x-zm-signature", "x-zm-request-timestamp")
            case "a wrong signature":
                delivery.signature = "v0=" + "0" * 64
            case "another app's signature":
                delivery.secret = "another-secret-of-another-app"
            case _:
                age = t.limits.freshness_past + 3600
                delivery.timestamp = str(int(t.now() - age))
        response = post(t, delivery)
        t.expect_response(response, f"a challenge with {what}")
        _expect_nothing_signed(t, response, plain, f"a challenge with {what}")
        t.expect(response.status >= 400, f"a challenge with {what} got status {response.status}")


@case("crc-oracle")
def _oracle(t: CaseContext) -> None:
    user = known_user(t)
    removal = removal_of(t, user)
    base = f"v0:{removal.timestamp}:{removal.body.decode()}"
    challenge = _challenge(t, base)
    # An attacker cannot sign the challenge, so only these unsigned forms are in reach.
    forged = _challenge(t, base)
    forged.signature = "v0=" + "0" * 64
    for sent in (challenge.without("x-zm-signature", "x-zm-request-timestamp"), forged):
        response = post(t, sent)
        t.expect_response(response, "a challenge that is a forged delivery")
        content = response.json()
        stolen = str(content.get("encryptedToken", "")) if isinstance(content, dict) else ""
        _expect_nothing_signed(t, response, base, "a challenge that is a forged delivery")
        removal.signature = f"v0={stolen or '0' * 64}"
        expect_rejected(t, post(t, removal), "a forged removal")
    if t.hooks.has("links"):
        t.expect(t.hooks.linked(user=user.id), "a forged removal had its effect")


@case("crc-token-shape")
def _shapes(t: CaseContext) -> None:
    t.control(post(t, _challenge(t, _plain())).status == 200, "a signed challenge is not accepted")
    odd = (
        *("v0:1:x", "a:b", "line\nbreak", "ends\n", "x" * 200, "", " ", "<b>bold</b>"),
        *("a\x00b", "\u00fcmlaut", 12345, {"a": 1}, ["x"], None, True),
    )
    for plain in odd:
        delivery = _challenge(t, plain)
        unsigned = delivery.without("x-zm-signature", "x-zm-request-timestamp")
        for sent, how in ((unsigned, "an unsigned"), (delivery, "a signed")):
            what = f"{how} challenge of {str(plain)[:20]!r}"
            response = t.expect_no_error(post(t, sent), what)
            _expect_nothing_signed(t, response, plain, what)
            t.expect(response.status >= 400, f"{what} got status {response.status}")
            shown = isinstance(plain, str) and "<" in plain and plain in response.text
            t.expect(not shown, f"{what} is shown again")


@case("crc-anywhere")
def _anywhere(t: CaseContext) -> None:
    urls = t.target.urls
    endpoints = [
        t.environment.url("redirect"),
        t.environment.url("start"),
        t.environment.url("marketplace"),
        t.environment.base + "/",
    ]
    endpoints += [t.environment.absolute(one) for one in (*urls.pages, *urls.private_pages)]
    endpoints += [
        t.environment.absolute(one) for one in ("/healthz", "/health", "/api/webhook", "/events")
    ]
    endpoints += [
        t.environment.absolute(one) for one in ("/deauthorize", "/deauth", "/webhooks/zoom")
    ]
    for endpoint in dict.fromkeys(one for one in endpoints if one):
        plain = _plain()
        delivery = _challenge(t, plain)
        unsigned = delivery.without("x-zm-signature", "x-zm-request-timestamp")
        response = post(t, unsigned, url=endpoint)
        t.expect(response.status, f"a challenge at {endpoint} got no response")
        _expect_nothing_signed(t, response, plain, f"a challenge at {endpoint}")


@case("crc-rate")
def _rate(t: CaseContext) -> None:
    statuses = [post(t, _challenge(t, _plain())).status for _ in range(_FLOOD)]
    t.control(statuses[0] == 200, f"a signed challenge got status {statuses[0]}")
    accepted = statuses.count(200)
    t.expect(all(0 < one < 500 or one == 503 for one in statuses), f"responses: {set(statuses)}")
    t.expect(accepted < _FLOOD * 0.75, f"{accepted} of {_FLOOD} challenges were accepted at once")
    control_delivery(t, known_user(t))
