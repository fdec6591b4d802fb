"""The attacks of the demo, one function each; the result is computed from observations."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from paraph.demo.attacker import Attacker, Attempt, Exchange, parameter_of
from paraph.demo.feed import Feed
from paraph.demo.service_client import ServiceClient, new_nonce

Attacking = Callable[[Attacker, "AttackContext"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack, shown with a button.

    Attributes:
        name: its name in the URL.
        assumed: what the attacker has.
    """

    name: str
    title: str
    assumed: str
    carry_out: Attacking


@dataclass(frozen=True, slots=True)
class AttackContext:
    """The parties of an attack.

    Attributes:
        service: the management API, to see the installations.
        feed: the events that the host has received.
        linking: "host" or "none".
        world: the simulator's world: the app and the Zoom users.
    """

    service: ServiceClient
    feed: Feed
    linking: str
    world: dict[str, Any]

    @property
    def client_id(self) -> str:
        """Return the client id of the app under attack; it is public."""
        return str(self.world["apps"][0]["client_id"])

    @property
    def victim(self) -> dict[str, Any]:
        """Return the Zoom user whose account is attacked; ids are not secret."""
        found: dict[str, Any] = self.world["users"][0]
        return found

    @property
    def accomplice(self) -> dict[str, Any]:
        """Return the attacker's own Zoom user."""
        found: dict[str, Any] = self.world["users"][-1]
        return found


@dataclass(frozen=True, slots=True)
class Report:
    """The requests of an attack and its result.

    Attributes:
        exchanges: the requests of the attacker, with the responses.
        reached_zoom: the requests that Zoom received meanwhile.
        before: the installations before the attack.
        after: the installations after it.
        leaks: observations that should not have been possible.
        held: observations that were as expected.
    """

    title: str
    assumed: str
    exchanges: Sequence[Exchange]
    reached_zoom: Sequence[str]
    before: Sequence[str]
    after: Sequence[str]
    leaks: Sequence[str]
    held: Sequence[str]

    @property
    def grouped(self) -> list[tuple[int, Exchange]]:
        """Return the exchanges with their counts; equal ones in a row are grouped."""
        return [(len(list(run)), one) for one, run in groupby(self.exchanges)]

    @property
    def verdict(self) -> str:
        """Return the result as one sentence."""
        count = len(self.reached_zoom)
        seen = [
            f"{count} request{'' if count == 1 else 's'} reached Zoom",
            f"installations {'unchanged' if list(self.before) == list(self.after) else 'changed'}",
            *self.held,
            *self.leaks,
        ]
        return f"{'Withstood' if self.withstood else 'It got through'}: {', '.join(seen)}."

    @property
    def withstood(self) -> bool:
        """Return true if nothing reached Zoom, changed an installation, leaked or broke."""
        broken = any(one.status >= 500 for one in self.exchanges)
        unchanged = list(self.before) == list(self.after)
        return unchanged and not (self.reached_zoom or self.leaks or broken)


async def carry_out(attack: Attack, attacker: Attacker, context: AttackContext) -> Report:
    """Carry out an attack with real requests, and compare the installations before and after."""
    attacker.attempt = Attempt()
    before = await _installed(context)
    since = await attacker.newest_entry()
    await attack.carry_out(attacker, context)
    return Report(
        attack.title,
        attack.assumed,
        attacker.attempt.exchanges,
        await attacker.reached_zoom(since),
        before,
        await _installed(context),
        attacker.attempt.leaks,
        attacker.attempt.held,
    )


async def _installed(context: AttackContext) -> list[str]:
    found = await context.service.installations()
    return sorted(f"{one['subject']} is {one['zoom']['display_name']}" for one in found)


async def _random_code(attacker: Attacker, context: AttackContext) -> None:
    del context
    for _ in range(5):
        code, state = secrets.token_urlsafe(24), secrets.token_urlsafe(32)
        await attacker.send("GET", f"/oauth/redirect?code={code}&state={state}")


async def _forged_state(attacker: Attacker, context: AttackContext) -> None:
    cookie = f"__Host-paraph-{int(time.time())}-{secrets.token_urlsafe(16)}=" + "A" * 200
    code = await _code_of(attacker, context, context.accomplice)
    for state in ("", "undefined", "null", secrets.token_urlsafe(32)):
        await attacker.send(
            "GET", f"/oauth/redirect?code={code}&state={state}", headers={"cookie": cookie}
        )


async def _other_browser(attacker: Attacker, context: AttackContext) -> None:
    start = "/install"
    if context.linking == "host":
        start = await context.service.request_link("estuary:dov", new_nonce())
    begun = await attacker.send("GET", start)
    location = await attacker.consent(begun.headers["location"], context.accomplice["id"])
    # The victim's browser does not have the cookie of the attacker's start.
    await attacker.send("GET", location)


async def _stateless_code(attacker: Attacker, context: AttackContext) -> None:
    code = await _code_of(attacker, context, context.accomplice)
    response = await attacker.send("GET", f"/oauth/redirect?code={code}")
    while response.status_code == 303 and response.headers["location"].startswith("/"):
        response = await attacker.send("GET", response.headers["location"])
    if code in response.headers.get("location", ""):
        attacker.attempt.leaks.append("the code was passed on")
    else:
        attacker.attempt.held.append("the code was dropped")


async def _forged_webhook(attacker: Attacker, context: AttackContext) -> None:
    body = _event("meeting.ended", {"account_id": context.victim["account_id"], "object": {}})
    await _post(attacker, body, "an invented signature", signature=f"v0={secrets.token_hex(32)}")
    await _post(attacker, body, "an empty signature", signature="v0=")
    await _post(attacker, body, "no signature", signature=None)


async def _replayed_webhook(attacker: Attacker, context: AttackContext) -> None:
    topic = f"Captured {secrets.token_hex(3)}"
    payload = {"account_id": context.victim["account_id"], "object": {"topic": topic}}
    order = {"client_id": context.client_id, "event": "meeting.started", "payload": payload}
    delivery = str((await attacker.control_zoom("POST", "/events", order))["delivery_id"])
    await attacker.until_delivered(delivery, 1)
    for again in range(2, 5):
        await attacker.control_zoom("POST", f"/deliveries/{delivery}/repeat", {})
        statuses = await attacker.until_delivered(delivery, again)
        if statuses:
            attacker.attempt.exchanges.append(
                Exchange("POST /webhook (the same signed bytes again)", statuses[-1], "")
            )
    # A second effect would arrive within the dispatcher's poll interval, as the first one did.
    await asyncio.sleep(1.2)
    shown = [one for one in context.feed.items if one.text == topic]
    if len(shown) > 1:
        attacker.attempt.leaks.append(f"the event had {len(shown)} effects")
    else:
        attacker.attempt.held.append(f"the event was shown {('never', 'once')[len(shown)]}")


async def _signing_oracle(attacker: Attacker, context: AttackContext) -> None:
    timestamp = str(int(time.time()))
    forged = _deauthorization(context)
    challenge = f"v0:{timestamp}:{forged.decode()}"
    body = _event("endpoint.url_validation", {"plainToken": challenge})
    response = await _post(attacker, body, "the challenge", signature=f"v0={'0' * 64}")
    content = response.json() if response.content else {}
    stolen = str(content.get("encryptedToken", "")) if isinstance(content, dict) else ""
    if stolen:
        attacker.attempt.leaks.append("the service signed a text of the attacker's choice")
    else:
        attacker.attempt.held.append("nothing was signed")
    signature = f"v0={stolen or '0' * 64}"
    await _post(attacker, forged, "the removal", signature=signature, timestamp=timestamp)


async def _forged_deauthorization(attacker: Attacker, context: AttackContext) -> None:
    body = _deauthorization(context)
    timestamp = str(int(time.time()))
    key = b"verification-token-from-an-old-guide"
    mac = hmac.new(key, b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    await _post(attacker, body, "signed with the token", signature=f"v0={mac}", timestamp=timestamp)
    await _post(attacker, body, "the token itself", signature=None, authorization=key.decode())


async def _code_of(attacker: Attacker, context: AttackContext, user: dict[str, Any]) -> str:
    """Return a genuine code for this app that the attacker got at the Marketplace."""
    uri = context.world["apps"][0]["redirect_uris"][0]
    url = f"/oauth/authorize?response_type=code&client_id={context.client_id}&redirect_uri={uri}"
    return parameter_of(await attacker.consent(url, user["id"]), "code")


def _event(name: str, payload: dict[str, Any]) -> bytes:
    content = {"event": name, "event_ts": int(time.time() * 1000), "payload": payload}
    return json.dumps(content, separators=(",", ":")).encode()


def _deauthorization(context: AttackContext) -> bytes:
    return _event(
        "app_deauthorized",
        {
            "client_id": context.client_id,
            "account_id": context.victim["account_id"],
            "user_id": context.victim["id"],
            "deauthorization_time": "2030-01-01T00:00:00.000Z",
        },
    )


async def _post(
    attacker: Attacker,
    body: bytes,
    note: str,
    *,
    signature: str | None,
    timestamp: str = "",
    authorization: str = "",
) -> Any:
    headers = {"content-type": "application/json"}
    if signature is not None:
        headers["x-zm-signature"] = signature
        headers["x-zm-request-timestamp"] = timestamp or str(int(time.time()))
    if authorization:
        headers["authorization"] = authorization
    return await attacker.send("POST", "/webhook", headers=headers, body=body, note=note)


ATTACKS = (
    Attack("random-code", "Random codes", "only the URL.", _random_code),
    Attack(
        "forged-state",
        "Forged state",
        "a genuine code of the attacker's own, and an invented cookie.",
        _forged_state,
    ),
    Attack(
        "other-browser",
        "Another browser's state",
        "a flow that the attacker started, finished in the victim's browser.",
        _other_browser,
    ),
    Attack(
        "stateless-code",
        "Marketplace code without state",
        "a genuine code, delivered as the Marketplace does.",
        _stateless_code,
    ),
    Attack(
        "forged-webhook", "Forged webhook", "Zoom's format, without the secret.", _forged_webhook
    ),
    Attack(
        "replayed-webhook",
        "Replayed webhook",
        "a genuine delivery, captured in transit.",
        _replayed_webhook,
    ),
    Attack(
        "signing-oracle",
        "Signing oracle",
        "the URL-validation challenge, with the text of a forged removal.",
        _signing_oracle,
    ),
    Attack(
        "forged-deauthorization",
        "Forged deauthorization",
        "the victim's ids, and the retired verification token.",
        _forged_deauthorization,
    ),
)
