"""Group `webhook`, part 3: bodies, event names, spellings of the path, stalling senders."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from paraph.checks.harness.case import case
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.install_steps import Installed
from paraph.checks.harness.removal_steps import installed, works
from paraph.checks.harness.webhook_steps import (
    Delivery,
    control_delivery,
    effects,
    event_body,
    expect_no_effect,
    expect_rejected,
    has_effect_soon,
    iso,
    known_user,
    marked_delivery,
    new_marker,
    post,
    signed_delivery,
)
from paraph.checks.verdict import HookMissingError
from paraph.simulator.state.world import User

_STALLED = 200
# Just below the usual body limit of servers.
_LONG = 999_000
_PIECES_APART = 0.3
_NOTICES = (
    *("installation.removed", "installation.needs_reauthorization", "installation.moved"),
    *("zoom.app_deauthorized", "app.deauthorized", "app_deauthorized.installation"),
)


def _notice_bodies(t: CaseContext, done: Installed, name: str) -> list[dict[str, Any]]:
    """Return bodies that look like an app's own notice about an installation."""
    ids = {"user_id": done.user.id, "account_id": done.user.account_id}
    installation = {"subject": done.subject, "zoom": ids, "phase": "removed", "generation": 9}
    payload = {
        **ids,
        "client_id": t.zoom.app.client_id,
        "deauthorization_time": iso(t.now()),
        "object": {"id": done.user.id, "host_id": done.user.id, **ids},
        "installation": installation,
    }
    notice = {"type": name, "data": {"installation": installation, "reason": "removed"}}
    stamp = int(t.now() * 1000)
    return [
        {"event": name, "event_ts": stamp, "payload": payload},
        {"event": name, "event_ts": stamp, "payload": payload, **notice},
        {"event": "meeting.ended", "event_ts": stamp, "payload": payload, **notice},
    ]


@case("wh-notice-name")
def _notice_name(t: CaseContext) -> None:
    bystander = known_user(t)
    done = installed(t)
    for name in _NOTICES:
        for content in _notice_bodies(t, done, name):
            response = post(t, signed_delivery(t, json.dumps(content).encode()))
            t.expect_no_error(response, f"an event named {name}")
    control_delivery(t, bystander)
    t.expect(works(t, done), "an event with the name of a notice has ended an installation")


# Zoom sends these events without an account, some of them only since a certain day.
_WITHOUT_ACCOUNT = ("whiteboard.created", "meeting.rtms_stopped", "whiteboard.updated")


def _send_owned(t: CaseContext, user: User, name: str, **account: str) -> str:
    """Deliver an event that names its user at two usual places; return its marker."""
    marker = new_marker()
    item = {"title": marker, "uuid": marker, "owner_id": user.id}
    payload = {**account, "operator_id": user.id, "object": item}
    response = post(t, signed_delivery(t, event_body(t, name, payload)))
    t.expect_no_error(response, f"the event {name}")
    return marker


@case("wh-no-account")
def _no_account(t: CaseContext) -> None:
    t.hooks.require("events")
    user = known_user(t)
    account = user.account_id
    sent = {name: _send_owned(t, user, name, account_id=account) for name in _WITHOUT_ACCOUNT}
    control_delivery(t, user)
    t.until(lambda: all(effects(t, one) for one in sent.values()))
    handled = [name for name, marker in sent.items() if effects(t, marker)]
    if not handled:
        raise HookMissingError(f"no event of {', '.join(_WITHOUT_ACCOUNT)} is handled")
    for name in handled:
        marker = _send_owned(t, user, name)
        t.expect(has_effect_soon(t, marker), f"{name} without an account is lost; Zoom sends it so")


def spellings(endpoint: str) -> list[str]:
    """Return other paths that a careless decoder could read as the webhook's."""
    path = urlsplit(endpoint).path
    head, _, last = path.rstrip("/").rpartition("/")
    every = "".join(f"%{ord(one):02X}" for one in last)
    return [
        *(f"{head}/%{ord(last[0]):02x}{last[1:]}", f"{head}/{every}", f"{head}/%2F{last}"),
        *(f"/{path}", f"{head}/./{last}", f"{head}/%2e/{last}", f"{head}/x/../{last}"),
        *(f"{path}%2f", f"{path}%00", f"{path};x=1"),
    ]


@case("wh-path-variants")
def _path_variants(t: CaseContext) -> None:
    user = known_user(t)
    endpoint = t.url("webhook")
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(endpoint))
    nowhere = post(
        t, marked_delivery(t, user)[1], url=f"{origin}/no-such-page-{os.urandom(4).hex()}"
    )
    # Some apps show one page for every path; then only effects show what was accepted.
    told_by_status = not 200 <= nowhere.status < 300
    t.control(told_by_status or t.hooks.has("events"), "the app accepts a POST to any path")
    markers = {}
    for path in spellings(endpoint):
        marker, delivery = marked_delivery(t, user)
        response = t.expect_no_error(post(t, delivery, url=origin + path), f"a delivery to {path}")
        accepted = told_by_status and 200 <= response.status < 300
        t.expect(not accepted, f"{path} is taken for the webhook")
        markers[path] = marker
    if t.hooks.has("events"):
        control_delivery(t, user)
        for path, marker in markers.items():
            t.expect(not effects(t, marker), f"a delivery to {path} had an effect")


def request_of(endpoint: str, delivery: Delivery) -> tuple[bytes, bytes]:
    """Split a delivery in two: the head with the first half of the body, and the rest."""
    parts = urlsplit(endpoint)
    lines = [
        f"POST {parts.path} HTTP/1.1",
        f"host: {parts.netloc}",
        f"content-length: {len(delivery.body)}",
        "connection: close",
        *(f"{name}: {value}" for name, value in delivery.headers()),
    ]
    half = len(delivery.body) // 2
    head = ("\r\n".join(lines) + "\r\n\r\n").encode()
    return head + delivery.body[:half], delivery.body[half:]


def _in_two_pieces(t: CaseContext) -> int:
    """Send an honest delivery whose body comes in two pieces; return the status."""
    endpoint = t.url("webhook")
    pieces = request_of(endpoint, marked_delivery(t, known_user(t))[1])
    return t.direct.raw(endpoint, *pieces, timeout=15, pause=_PIECES_APART).status


def _stall(t: CaseContext, endpoint: str) -> list[socket.socket]:
    """Send unsigned deliveries that stall in their body, half of them near its end."""
    parts = urlsplit(endpoint)
    senders = [t.sender() for _ in range(4)]
    held = []
    for number in range(_STALLED):
        long = number % 2 == 0
        head = (
            f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\n"
            "content-type: application/json\r\n"
            f"x-zm-request-timestamp: {int(t.now())}\r\nx-zm-signature: v0={'0' * 64}\r\n"
            f"content-length: {_LONG if long else 4_000}\r\n\r\n"
        )
        body = b'{"event":"' + b"x" * (_LONG - 1000 if long else 1)
        connection = senders[number % 4].connect(endpoint)
        held.append(connection)
        connection.settimeout(1)
        # A server may refuse a body that is too long, or stop reading it.
        with suppress(OSError):
            connection.sendall(head.encode() + body)
    return held


@case("wh-stalled-bodies")
def _stalled_bodies(t: CaseContext) -> None:
    t.demand_addresses()
    before = _in_two_pieces(t)
    t.control(200 <= before < 300, f"an honest delivery in two pieces got status {before}")
    held: list[socket.socket] = []
    try:
        held = _stall(t, t.url("webhook"))
        for _ in range(3):
            status = _in_two_pieces(t)
            said = f"got status {status}" if status else "got no response"
            t.expect(
                200 <= status < 300,
                f"beside {_STALLED} unsigned bodies that stall, an honest delivery in two pieces "
                f"was {said}",
            )
    finally:
        for one in held:
            one.close()


def _raw_bodies(t: CaseContext, user: User) -> dict[str, tuple[str, bytes]]:
    found = {}
    for what in ("pretty", "emoji", "escapes", "floats", "order", "slashes"):
        marker = new_marker()
        content = {
            "event": "meeting.ended",
            "event_ts": int(t.now() * 1000),
            "payload": {
                "account_id": user.account_id,
                "object": {"topic": marker, "uuid": marker, "host_id": user.id},
            },
        }
        text = {
            "pretty": json.dumps(content, indent=2),
            "emoji": json.dumps({**content, "x": "\U0001f600 é"}, ensure_ascii=False),
            "escapes": json.dumps({**content, "x": "\u00e9"}).replace("00e9", "00E9"),
            "floats": json.dumps(content)[:-1] + ', "x": 1.0, "y": 1e3}',
            "order": json.dumps(dict(reversed(content.items())), separators=(", ", " : ")),
            "slashes": json.dumps(content)[:-1] + ', "x": "a\\/b"}',
        }[what]
        found[what] = (marker, text.encode())
    return found


@case("wh-raw-body")
def _raw(t: CaseContext) -> None:
    user = known_user(t)
    for what, (marker, body) in _raw_bodies(t, user).items():
        response = post(t, signed_delivery(t, body))
        t.expect(
            200 <= response.status < 300,
            f"an honest delivery ({what}) got status {response.status}",
        )
        if t.hooks.has("events"):
            there = has_effect_soon(t, marker)
            t.expect(there, f"an honest delivery ({what}) has no effect")


@case("wh-reserialised")
def _reserialised(t: CaseContext) -> None:
    user = known_user(t)
    marker, honest = marked_delivery(t, user)
    right, body = honest.right(), honest.body
    for sent in (
        json.dumps(json.loads(body), indent=1).encode(),
        body.replace(b'{"event"', b'{ "event"'),
        body[:-1] + b"} ",
        b'{"event":"meeting.started",' + body[1:],
    ):
        delivery = signed_delivery(t, sent)
        delivery.timestamp, delivery.signature = honest.timestamp, right
        expect_rejected(t, post(t, delivery), "other bytes than those that were signed")
    expect_no_effect(t, marker, "a delivery with other bytes", user)


@case("wh-legacy-token")
def _legacy(t: CaseContext) -> None:
    user = known_user(t)
    for value in (t.zoom.app.webhook_secret, "verification-token", t.zoom.app.client_id):
        for more in ((), ("x-zm-request-timestamp",)):
            marker, delivery = marked_delivery(t, user)
            delivery.more = [("authorization", value)]
            response = post(t, delivery.without("x-zm-signature", *more))
            expect_rejected(t, response, "the retired verification token alone")
            expect_no_effect(t, marker, "the retired verification token alone", user)


@case("wh-unknown-event")
def _unknown(t: CaseContext) -> None:
    user = known_user(t)
    for name in ("foo.bar", "__init__", "constructor", "os.system", "meeting.", "x" * 300):
        marker, delivery = marked_delivery(t, user, name)
        response = post(t, delivery)
        # A value that is no event name may be refused.
        fine = 200 <= response.status < 300 or (response.status == 400 and name != "foo.bar")
        t.expect(fine, f"an unknown event got status {response.status}")
        if t.limits.forwards_unknown_events:
            continue
        expect_no_effect(t, marker, f"the unknown event {name[:20]}", user)
