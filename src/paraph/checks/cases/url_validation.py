"""Group H: the URL validation challenge, a signing oracle if an app answers it unverified."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from typing import Any

from paraph.checks.cases.webhook import without
from paraph.checks.harness.case import Trial, case, control
from paraph.checks.harness.response import Answer
from paraph.checks.harness.webhook_steps import Delivery

_FLOOD = 200


@control("challenge")
def _accepted(t: Trial) -> None:
    t.url("webhook")
    t.control_delivery(t.known_user())


def _plain() -> str:
    return os.urandom(16).hex()[:22]


def _challenge(t: Trial, plain: Any) -> Delivery:
    return t.delivery(t.event("endpoint.url_validation", {"plainToken": plain}))


def _mac(t: Trial, text: str) -> str:
    key = t.zoom.app.webhook_secret.encode()
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _expect_nothing_signed(t: Trial, answer: Answer, plain: Any, what: str) -> None:
    texts = {str(plain), json.dumps(plain)}
    shown = answer.everything().lower()
    for text in texts:
        t.expect(_mac(t, text) not in shown, f"{what}: the app signed it")
    t.expect("encryptedtoken" not in shown, f"{what}: an encryptedToken came back")


@case("crc-valid")
def _valid(t: Trial) -> None:
    plain = _plain()
    answer = t.post(_challenge(t, plain))
    t.expect(answer.status == 200, f"a signed challenge was answered {answer.status}")
    content = answer.json()
    wanted = {"plainToken": plain, "encryptedToken": _mac(t, plain)}
    t.expect(isinstance(content, dict) and content == wanted, "the answer is not what Zoom wants")
    t.expect(answer.seconds < 3, f"the answer took {answer.seconds:.1f} seconds")
    t.expect("json" in answer.header("content-type"), "the response's content type is not JSON")


@case("crc-unsigned")
def _unsigned(t: Trial) -> None:
    t.control(t.post(_challenge(t, _plain())).status == 200, "a signed challenge is not answered")
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
                delivery = without(delivery, "x-zm-signature", "x-zm-request-timestamp")
            case "a wrong signature":
                delivery.signature = "v0=" + "0" * 64
            case "another app's signature":
                delivery.secret = "another-secret-of-another-app"
            case _:
                age = t.stage.target.limits.freshness_past + 3600
                delivery.timestamp = str(int(t.now() - age))
        answer = t.post(delivery)
        t.expect_came(answer, f"a challenge with {what}")
        _expect_nothing_signed(t, answer, plain, f"a challenge with {what}")
        t.expect(answer.status >= 400, f"a challenge with {what} was answered {answer.status}")


@case("crc-oracle")
def _oracle(t: Trial) -> None:
    user = t.known_user()
    removal = t.removal(user)
    base = f"v0:{removal.timestamp}:{removal.body.decode()}"
    challenge = _challenge(t, base)
    # An attacker cannot sign the challenge, so only these unsigned forms are in reach.
    forged = _challenge(t, base)
    forged.signature = "v0=" + "0" * 64
    for sent in (without(challenge, "x-zm-signature", "x-zm-request-timestamp"), forged):
        answer = t.post(sent)
        t.expect_came(answer, "a challenge that is a forged delivery")
        content = answer.json()
        stolen = str(content.get("encryptedToken", "")) if isinstance(content, dict) else ""
        _expect_nothing_signed(t, answer, base, "a challenge that is a forged delivery")
        removal.signature = f"v0={stolen or '0' * 64}"
        t.expect_rejected(t.post(removal), "a forged removal")
    if t.has("links"):
        t.expect(t.linked(user=user.id), "a forged removal had its effect")


@case("crc-token-shape")
def _shapes(t: Trial) -> None:
    t.control(t.post(_challenge(t, _plain())).status == 200, "a signed challenge is not answered")
    odd = (
        *("v0:1:x", "a:b", "line\nbreak", "ends\n", "x" * 200, "", " ", "<b>bold</b>"),
        *("a\x00b", "\u00fcmlaut", 12345, {"a": 1}, ["x"], None, True),
    )
    for plain in odd:
        delivery = _challenge(t, plain)
        unsigned = without(delivery, "x-zm-signature", "x-zm-request-timestamp")
        for sent, how in ((unsigned, "an unsigned"), (delivery, "a signed")):
            what = f"{how} challenge of {str(plain)[:20]!r}"
            answer = t.expect_answered(t.post(sent), what)
            _expect_nothing_signed(t, answer, plain, what)
            t.expect(answer.status >= 400, f"{what} was answered {answer.status}")
            shown = isinstance(plain, str) and "<" in plain and plain in answer.text
            t.expect(not shown, f"{what} is shown again")


@case("crc-anywhere")
def _anywhere(t: Trial) -> None:
    urls = t.stage.target.urls
    doors = [t.url("redirect"), t.url("start"), t.stage.url("marketplace"), t.stage.base + "/"]
    doors += [t.stage.absolute(one) for one in (*urls.pages, *urls.private_pages)]
    doors += [t.stage.absolute(one) for one in ("/healthz", "/health", "/api/webhook", "/events")]
    doors += [t.stage.absolute(one) for one in ("/deauthorize", "/deauth", "/webhooks/zoom")]
    for door in dict.fromkeys(one for one in doors if one):
        plain = _plain()
        delivery = _challenge(t, plain)
        unsigned = without(delivery, "x-zm-signature", "x-zm-request-timestamp")
        answer = t.post(unsigned, url=door)
        t.expect(answer.status, f"a challenge at {door} got no answer")
        _expect_nothing_signed(t, answer, plain, f"a challenge at {door}")


@case("crc-rate")
def _rate(t: Trial) -> None:
    statuses = [t.post(_challenge(t, _plain())).status for _ in range(_FLOOD)]
    t.control(statuses[0] == 200, f"a signed challenge was answered {statuses[0]}")
    answered = statuses.count(200)
    t.expect(all(0 < one < 500 or one == 503 for one in statuses), f"answers: {set(statuses)}")
    t.expect(answered < _FLOOD * 0.75, f"{answered} of {_FLOOD} challenges were answered at once")
    t.control_delivery(t.known_user())
