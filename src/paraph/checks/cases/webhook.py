"""Group `webhook`, part 1: the signature and the timestamp of a delivery."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from paraph.checks.harness.case import case, control
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.webhook_steps import (
    Delivery,
    control_delivery,
    effects,
    event_body,
    expect_no_effect,
    expect_rejected,
    has_effect_soon,
    known_user,
    marked_delivery,
    post,
    sign,
    signed_delivery,
)
from paraph.checks.verdict import ControlFailedError, HookMissingError

_DAY = 86400


@control("webhook")
def _accepted(t: CaseContext) -> None:
    t.url("webhook")
    control_delivery(t, known_user(t))


def _expect_all_rejected(
    t: CaseContext, spoilt: dict[str, Callable[[Delivery], None]], *, unbroken: bool = False
) -> None:
    """Check that deliveries are rejected: each is an honest one with one part changed."""
    user = known_user(t)
    markers = []
    for what, spoil in spoilt.items():
        marker, delivery = marked_delivery(t, user)
        spoil(delivery)
        markers.append((what, marker))
        expect_rejected(t, post(t, delivery), what, unbroken=unbroken)
    if t.hooks.has("events"):
        control_delivery(t, user)
        for what, marker in markers:
            t.expect(not effects(t, marker), f"{what} had an effect")


@case("wh-sig-missing")
def _missing(t: CaseContext) -> None:
    user = known_user(t)
    for names in (
        ("x-zm-signature",),
        ("x-zm-request-timestamp",),
        ("x-zm-signature", "x-zm-request-timestamp"),
    ):
        marker, delivery = marked_delivery(t, user)
        response = post(t, delivery.without(*names))
        expect_rejected(t, response, f"a delivery without {' and '.join(names)}")
        expect_no_effect(t, marker, "an unsigned delivery", user)


def _set(name: str, value: str) -> Callable[[Delivery], None]:
    return lambda delivery: setattr(delivery, name, value)


@case("wh-sig-wrong")
def _wrong(t: CaseContext) -> None:
    def other_body(delivery: Delivery) -> None:
        delivery.signature = sign(delivery.secret, delivery.timestamp, b"{}")

    def other_stamp(delivery: Delivery) -> None:
        delivery.signature = sign(delivery.secret, str(int(delivery.timestamp) - 1), delivery.body)

    _expect_all_rejected(
        t,
        {
            "another key": _set("secret", "another-secret-of-another-app"),
            "the client secret as key": _set("secret", t.zoom.app.client_secret),
            "an empty key": _set("secret", ""),
            "the signature of another body": other_body,
            "the signature of another time": other_stamp,
            "zeros": _set("signature", "v0=" + "0" * 64),
        },
    )


def _shape(change: Callable[[str], str]) -> Callable[[Delivery], None]:
    def spoil(delivery: Delivery) -> None:
        delivery.signature = change(delivery.right())

    return spoil


@case("wh-sig-short")
def _short(t: CaseContext) -> None:
    cuts = (1, 2, 8, 32, 62, 63)
    shapes: dict[str, Callable[[Delivery], None]] = {
        "an empty signature": _set("signature", ""),
        "`v0`": _set("signature", "v0"),
        "`v0=`": _set("signature", "v0="),
        "two digits too many": _shape(lambda right: right + "00"),
    }
    for n in cuts:
        shapes[f"the first {n} digits"] = _shape(lambda right, n=n: right[: 3 + n])  # type: ignore[misc]
    _expect_all_rejected(t, shapes)


@case("wh-sig-format")
def _format(t: CaseContext) -> None:
    def base64_form(right: str) -> str:
        return "v0=" + base64.b64encode(bytes.fromhex(right[3:])).decode()

    _expect_all_rejected(
        t,
        {
            "upper-case digits": _shape(lambda r: "v0=" + r[3:].upper()),
            "`V0=`": _shape(lambda r: "V0" + r[2:]),
            "`v1=`": _shape(lambda r: "v1" + r[2:]),
            "no prefix": _shape(lambda r: r[3:]),
            "a space inside": _shape(lambda r: "v0= " + r[3:]),
            "a list": _shape(lambda r: f"v0={'0' * 64},{r}"),
            "a list in reverse order": _shape(lambda r: f"{r},v0={'0' * 64}"),
            "base64": _shape(base64_form),
        },
    )


@case("wh-sig-nonascii")
def _nonascii(t: CaseContext) -> None:
    _expect_all_rejected(
        t,
        {
            "bytes above 127 in the signature": _set("signature", "v0=" + "\xe9" * 64),
            "one such byte": _shape(lambda r: r[:-1] + "\xe9"),
            "bytes above 127 in the time": _set("timestamp", "170000000\xb2"),
        },
        unbroken=True,
    )


@case("wh-dup-headers")
def _duplicates(t: CaseContext) -> None:
    user = known_user(t)
    bad = "v0=" + "0" * 64
    for name in ("x-zm-signature", "x-zm-request-timestamp"):
        for first in (True, False):
            marker, delivery = marked_delivery(t, user)
            right = delivery.right()
            old = str(int(delivery.timestamp) - _DAY)
            if name == "x-zm-signature":
                delivery.signature = bad if first else right
                delivery.more = [(name, right if first else bad)]
            else:
                delivery.signature = right
                good, delivery.timestamp = delivery.timestamp, old if first else delivery.timestamp
                delivery.more = [(name, good if first else old)]
            expect_rejected(t, post(t, delivery), f"two headers {name}")
            expect_no_effect(t, marker, f"a delivery with two headers {name}", user)


def _aged(t: CaseContext, seconds: float) -> tuple[str, Delivery]:
    marker, delivery = marked_delivery(t, known_user(t))
    delivery.timestamp = str(int(t.now() - seconds))
    return marker, delivery


@case("wh-ts-stale")
def _stale(t: CaseContext) -> None:
    window = t.limits.freshness_past
    _expect_stale(t, (window + 2, window + 3600, window + _DAY, time.time()))
    if window > 300:
        # Within a wide window a replay is still fresh; then it must not have a second effect.
        marker, delivery = _aged(t, window / 2)
        for _ in range(2):
            response = post(t, delivery)
            t.expect_no_error(response, "a delivery inside the window")
        if t.hooks.has("events"):
            t.control(has_effect_soon(t, marker), "an older delivery is lost")
            control_delivery(t, known_user(t))
            t.expect(effects(t, marker) == 1, "a replay inside the window counts twice")


def _expect_stale(t: CaseContext, ages: tuple[float, ...]) -> None:
    for age in ages:
        marker, delivery = _aged(t, age)
        what = f"a delivery {abs(age):.0f} seconds {'old' if age > 0 else 'ahead of the clock'}"
        response = t.expect_no_error(post(t, delivery), what)
        if t.hooks.has("events"):
            expect_no_effect(t, marker, what, known_user(t))
        else:
            t.expect(response.status >= 400, f"{what} was accepted")


@case("wh-ts-future")
def _future(t: CaseContext) -> None:
    window = t.limits.freshness_future
    _expect_stale(t, (-(window + 5), -(window + 3600), -365.0 * _DAY))


@case("wh-ts-format")
def _stamps(t: CaseContext) -> None:
    now = int(t.now())
    text = str(now)
    odd = {
        "milliseconds": f"{now}000",
        "an exponent": f"{now / 1e9:.9f}e9",
        "nan": "nan",
        "infinity": "inf",
        "a plus": f"+{text}",
        "underscores": f"{text[0]}_{text[1:]}",
        "a fraction": f"{text}.0",
        "hexadecimal": hex(now),
        "negative": f"-{text}",
        "400 digits": "1" * 400,
        "leading zeros": f"000{text}",
        "words": "now",
    }
    spoilt = {what: _set("timestamp", value) for what, value in odd.items()}
    _expect_all_rejected(t, spoilt, unbroken=True)
    arabic = "".join(chr(0x660 + int(c)) for c in text).encode()
    body = event_body(t)
    mac = hmac.new(
        t.zoom.app.webhook_secret.encode(), b"v0:" + arabic + b":" + body, hashlib.sha256
    )
    response = _raw_post(
        t,
        body,
        [
            (b"x-zm-request-timestamp", arabic),
            (b"x-zm-signature", f"v0={mac.hexdigest()}".encode()),
        ],
    )
    t.expect(response != 500, "digits of another script broke the app")
    t.expect(not 200 <= response < 300, "digits of another script were accepted")


def _raw_post(t: CaseContext, body: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    parts = urlsplit(t.url("webhook"))
    lines = [
        b"POST " + parts.path.encode() + b" HTTP/1.1",
        b"host: " + parts.netloc.encode(),
        b"content-type: application/json",
        b"connection: close",
        b"content-length: " + str(len(body)).encode(),
        *(n + b": " + v for n, v in headers),
    ]
    return t.direct.raw(t.url("webhook"), b"\r\n".join(lines) + b"\r\n\r\n" + body).status


@case("wh-boundary-shift")
def _shift(t: CaseContext) -> None:
    user = known_user(t)
    marker, delivery = marked_delivery(t, user)
    right, stamp, body = delivery.right(), delivery.timestamp, delivery.body
    # The MAC covers `time:body`, so it also fits other splits at another colon.
    rest = json.dumps({"event": "meeting.ended", "payload": {"account_id": user.account_id}})
    for cut in (1, 10, len(body) // 2):
        delivery.timestamp, delivery.body = f"{stamp}:{body[:cut].decode()}", body[cut:]
        delivery.signature = right
        expect_rejected(t, post(t, delivery), "a shifted boundary")
    inner = f'{stamp}:{{"a":1'
    shifted = signed_delivery(t, rest.encode())
    shifted.timestamp = inner
    expect_rejected(t, post(t, shifted), "a timestamp that carries a part of a body")
    expect_no_effect(t, marker, "a shifted boundary", user)


@case("wh-fail-open")
def _fail_open(t: CaseContext) -> None:
    if "no_webhook_secret" not in t.target.variants:
        raise HookMissingError("needs `[variants.no_webhook_secret]`")
    user = known_user(t)
    try:
        t.environment.restart("no_webhook_secret")
    except ControlFailedError:
        return
    marker, delivery = marked_delivery(t, user)
    for sent in (
        delivery.without("x-zm-signature"),
        delivery.without("x-zm-signature", "x-zm-request-timestamp"),
        delivery,
    ):
        sent.secret = ""
        response = post(t, sent)
        t.expect(not 200 <= response.status < 300, "without a secret everything is accepted")
    if t.hooks.has("events"):
        t.expect(not effects(t, marker), "without a secret a delivery had an effect")
    known = post(t, marked_delivery(t, user)[1]).status
    t.control(not 200 <= known < 300, "[variants.no_webhook_secret] leaves the secret in place")
