"""The twin's webhook endpoint: checks syntax, age and the MAC of the raw bytes before JSON."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import time
from typing import Any

from paraph.checks.twin.concerned import KNOWN
from paraph.checks.twin.removal import Removals
from paraph.checks.twin.settings import Settings
from paraph.checks.twin.tokens import MEETINGS, Tokens
from paraph.checks.twin.vault import Vault
from paraph.checks.twin.web import Request, Response
from paraph.checks.twin.zoom_client import ZoomError

_DIGITS = re.compile(r"[0-9]{10}")
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")
_PLAIN = re.compile(r"[A-Za-z0-9_-]{8,128}")
_FRESH, _CHALLENGES = 300, 30


class Webhook:
    """Handles webhook deliveries."""

    def __init__(
        self, settings: Settings, vault: Vault, tokens: Tokens, removals: Removals
    ) -> None:
        self.settings, self.vault, self.tokens = settings, vault, tokens
        self.removals = removals
        self._challenged: list[float] = []

    async def handle(self, request: Request) -> Response:
        """Return the response to a POST."""
        weak = self.settings.is_weak
        try:
            return await self._process(request)
        except (ValueError, TypeError, RecursionError, KeyError, AttributeError):
            hostile = weak("wh-json-bombs", "wh-sig-nonascii", "wh-ts-format")
            return Response(500 if hostile else 400)

    async def _process(self, request: Request) -> Response:
        weak = self.settings.is_weak
        early = self._early(request)
        if early is not None:
            return early
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        kind = request.header("content-type").replace(" ", "").lower()
        if kind not in {"application/json", "application/json;charset=utf-8"} and not weak(
            "wh-content-type"
        ):
            return Response(415)
        content = json.loads(
            self._text(request),
            object_pairs_hook=None if weak("wh-json-bombs") else _once,
            parse_constant=None if weak("wh-json-bombs") else _no_constant,
        )
        event, payload = content.get("event"), content.get("payload")
        if not isinstance(event, str) or not isinstance(payload, dict):
            return Response(500 if weak("wh-json-bombs") else 400)
        return await self._act(request, event, payload)

    def _text(self, request: Request) -> str | bytes:
        """Decode the body as UTF-8 whatever the sender says; a weak app lets the parser guess."""
        if self.settings.is_weak("wh-json-bombs", "wh-content-type"):
            return request.body
        return request.body.decode("utf-8")

    def _early(self, request: Request) -> Response | None:
        """Act before any check, as a weak app does."""
        weak = self.settings.is_weak
        if weak("crc-unsigned", "crc-oracle") and b"endpoint.url_validation" in request.body:
            payload = json.loads(request.body)["payload"]
            if weak("crc-oracle") or _PLAIN.fullmatch(payload["plainToken"]):
                return self._challenge(payload)
        if weak("wh-legacy-token") and request.header("authorization"):
            return self._accept(request)
        return None

    def _refusal(self, request: Request) -> Response | None:
        """Check everything up to the MAC; return None, or the same response for every failure."""
        weak = self.settings.is_weak
        stamps = [v for n, v in request.headers if n == "x-zm-request-timestamp"]
        macs = [v for n, v in request.headers if n == "x-zm-signature"]
        if not self.settings.webhook_secret and not weak("wh-fail-open"):
            return Response(503)
        if not self.settings.webhook_secret:
            return None
        if not macs or not stamps:
            return None if weak("wh-sig-missing", "deauth-forged") else self._no("missing")
        if (len(macs) > 1 or len(stamps) > 1) and not weak("wh-dup-headers"):
            return self._no("twice")
        if not self._is_fresh(stamps[0]):
            return self._no("stale")
        given, right = macs[-1], self._mac(request, stamps[-1])
        if weak("wh-dup-headers"):
            given = next((one for one in macs if one == right), macs[0])
        if weak("wh-sig-nonascii") and not given.isascii():
            raise TypeError
        if not self._matches(given, right):
            return self._no("wrong", expected=right)
        return None

    def _no(self, why: str, *, expected: str = "") -> Response:
        if self.settings.is_weak("wh-uniform-error"):
            return Response(401, f"{why} {expected}".encode(), [("content-type", "text/plain")])
        return Response(401)

    def _mac(self, request: Request, stamp: str) -> str:
        body = request.body
        if self.settings.is_weak("wh-reserialised", "wh-raw-body"):
            try:
                body = json.dumps(
                    json.loads(body), separators=(",", ":"), ensure_ascii=False
                ).encode()
            except ValueError:
                body = request.body
        message = b"v0:" + stamp.encode("latin-1", "replace") + b":" + body
        return (
            "v0="
            + hmac.new(self.settings.webhook_secret.encode(), message, hashlib.sha256).hexdigest()
        )

    def _matches(self, given: str, right: str) -> bool:
        weak = self.settings.is_weak
        if weak("wh-sig-wrong"):
            return _SIGNATURE.fullmatch(given) is not None
        if weak("wh-sig-short"):
            # The weakness: a comparison that stops at the end of the shorter value.
            return all(one == other for one, other in zip(given, right, strict=False))
        if weak("wh-sig-format"):
            return given.strip().lower().split(",")[-1].removeprefix("v0=") == right[3:]
        if weak("wh-timing"):
            for one, other in zip(given, right, strict=False):
                if one != other:
                    return False
                time.sleep(0.0004)
            return given == right
        if weak("wh-boundary-shift"):
            return hmac.compare_digest(given.encode("latin-1"), right.encode())
        return bool(_SIGNATURE.fullmatch(given)) and hmac.compare_digest(
            given.encode(), right.encode()
        )

    def _is_fresh(self, stamp: str) -> bool:
        weak = self.settings.is_weak
        if weak("wh-boundary-shift"):
            stamp = stamp.partition(":")[0]
        if weak("wh-ts-format"):
            value = float(stamp)
            value = value / 1000 if value > 10**11 else value
            return not abs(self.settings.now() - value) > _FRESH
        if _DIGITS.fullmatch(stamp) is None:
            return False
        age = self.settings.now() - int(stamp)
        return (age <= _FRESH or weak("wh-ts-stale")) and (age >= -_FRESH or weak("wh-ts-future"))

    async def _act(self, request: Request, event: str, payload: dict[str, Any]) -> Response:
        weak = self.settings.is_weak
        if event == "endpoint.url_validation":
            return self._challenge(payload)
        if weak("wh-fast-ack"):
            for link in self.vault.links()[:1]:
                try:
                    await asyncio.to_thread(self.tokens.zoom.get, link.access, MEETINGS)
                except ZoomError:
                    continue
        if event == "app_deauthorized":
            signed_at = int(request.header("x-zm-request-timestamp") or self.settings.now())
            return Response(await self.removals.removed(payload, signed_at))
        if event == "installation.removed" and weak("wh-notice-name"):
            self.removals.forged_notice(payload)
        if event not in KNOWN and not weak("wh-unknown-event"):
            return Response(200)
        return self._accept(request)

    def _accept(self, request: Request) -> Response:
        weak = self.settings.is_weak
        mark = request.body
        if weak("wh-replay-new-tracking"):
            mark += request.header("x-zm-trackingid").encode("latin-1")
        digest = hashlib.sha256(mark).hexdigest()
        added = self.vault.run("insert or ignore into deliveries values (?)", digest)
        if added or weak("wh-replay"):
            try:
                self.removals.handle(request.body)
            except (ValueError, AttributeError):
                return Response(400)
        if weak("net-ssrf"):
            self._fetch(request.body)
        return Response(200)

    def _fetch(self, body: bytes) -> None:
        for url in re.findall(rb'"(http://127[^"]+)"', body)[:3]:
            try:
                self.tokens.zoom.call("GET", url.decode(), {})
            except ZoomError:
                continue

    def _challenge(self, payload: dict[str, Any]) -> Response:
        weak = self.settings.is_weak
        plain = payload.get("plainToken")
        if weak("crc-token-shape", "crc-oracle"):
            plain = str(plain)
        elif not isinstance(plain, str) or _PLAIN.fullmatch(plain) is None:
            return Response(400)
        now = time.monotonic()
        self._challenged = [one for one in self._challenged if now - one < 60]
        if len(self._challenged) >= _CHALLENGES and not weak("crc-rate"):
            return Response(429)
        self._challenged.append(now)
        return self.signed(plain)

    def signed(self, plain: str) -> Response:
        """Return the response to a challenge."""
        mac = hmac.new(self.settings.webhook_secret.encode(), plain.encode(), hashlib.sha256)
        shown = mac.hexdigest().upper() if self.settings.is_weak("crc-valid") else mac.hexdigest()
        body = json.dumps({"plainToken": plain, "encryptedToken": shown}).encode()
        return Response(
            200, body, [("content-type", "application/json"), ("x-content-type-options", "nosniff")]
        )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is repeated")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)
