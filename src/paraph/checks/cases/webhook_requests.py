"""Group `webhook`, part 3: forged event names, spellings of the path, and stalling senders."""

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
    within = t.limits.effect_within
    account = user.account_id
    sent = {name: _send_owned(t, user, name, account_id=account) for name in _WITHOUT_ACCOUNT}
    control_delivery(t, user)
    t.until(lambda: all(effects(t, one) for one in sent.values()), within)
    handled = [name for name, marker in sent.items() if effects(t, marker)]
    if not handled:
        raise HookMissingError(f"no event of {', '.join(_WITHOUT_ACCOUNT)} is handled")
    for name in handled:
        marker = _send_owned(t, user, name)
        there = t.until(lambda one=marker: effects(t, one), within)  # type: ignore[misc]
        t.expect(there, f"{name} without an account is lost; Zoom sends it so")


def spellings(door: str) -> list[str]:
    """Return other paths that a careless decoder could read as the webhook's."""
    path = urlsplit(door).path
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
    door = t.url("webhook")
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(door))
    nowhere = post(
        t, marked_delivery(t, user)[1], url=f"{origin}/no-such-page-{os.urandom(4).hex()}"
    )
    # Some apps show one page for every path; then only effects show what was accepted.
    told_by_status = not 200 <= nowhere.status < 300
    t.control(told_by_status or t.hooks.has("events"), "the app accepts a POST to any path")
    markers = {}
    for path in spellings(door):
        marker, delivery = marked_delivery(t, user)
        response = t.expect_no_error(post(t, delivery, url=origin + path), f"a delivery to {path}")
        accepted = told_by_status and 200 <= response.status < 300
        t.expect(not accepted, f"{path} is taken for the webhook")
        markers[path] = marker
    if t.hooks.has("events"):
        control_delivery(t, user)
        for path, marker in markers.items():
            t.expect(not effects(t, marker), f"a delivery to {path} had an effect")


def request_of(door: str, delivery: Delivery) -> tuple[bytes, bytes]:
    """Split a delivery in two: the head with the first half of the body, and the rest."""
    parts = urlsplit(door)
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
    door = t.url("webhook")
    pieces = request_of(door, marked_delivery(t, known_user(t))[1])
    return t.direct.raw(door, *pieces, timeout=15, pause=_PIECES_APART).status


def _stall(t: CaseContext, door: str) -> list[socket.socket]:
    """Send unsigned deliveries that stall in their body, half of them near its end."""
    parts = urlsplit(door)
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
        connection = senders[number % 4].connect(door)
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
