"""Requests that build on each other: installs, calls of the API, operator pages, removals.

A flow runs on one service and yields its responses by name. Both services run the same flow, and
their responses are compared name by name.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from project.compared_requests import _cases, delivery
from project.compared_responses import Response
from project.compared_sides import ACCOUNT, CLIENT_ID, JANE, PUBLIC_URL, Side

Step = tuple[str, Response]

SUBJECT = "acct_42"
NONCE = "n" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(NONCE.encode()).digest()).decode().rstrip("=")
_STARTS = 150
_POLLS = 100


def _cookie_header(*cookies: dict[str, str]) -> list[str]:
    pairs = [f"{name}={value}" for one in cookies for name, value in one.items() if value]
    return [f"cookie: {'; '.join(pairs)}"] if pairs else []


class Flows:
    """The flows of one service.

    Args:
        side: the running service.
        linking: its setting, "host" or "none".
    """

    def __init__(self, side: Side, linking: str) -> None:
        self._side = side
        self._linking = linking
        self._addresses = 0

    def _address(self) -> str:
        """Return an address of its own for each browser: rate limits count by address."""
        self._addresses += 1
        return f"127.9.{self._addresses // 250}.{self._addresses % 250 + 1}"

    async def _start_path(self) -> tuple[str, list[Step]]:
        if self._linking == "none":
            return "/install", []
        content = {"subject": SUBJECT, "challenge": CHALLENGE}
        made = await self._side.call("POST", "/v1/link-requests", content)
        url = made.json().get("install_url", "/install")
        return url.removeprefix(PUBLIC_URL), [("link request", made)]

    async def _begun(self) -> tuple[str, list[str], list[Step]]:
        """Start at /install and agree at Zoom; return where the browser goes, with its cookies."""
        path, steps = await self._start_path()
        start = await self._side.ask("GET", path, source=self._address())
        back = await self._side.agree(start.header("location"))
        return back, _cookie_header(start.cookies()), [*steps, ("start", start)]

    async def before(self) -> AsyncIterator[Step]:
        """Install, so that an installation is there for all other requests."""
        side = self._side
        back, cookies, steps = await self._begun()
        for step in steps:
            yield step
        arrived = await side.ask("GET", back, *cookies, source=self._address())
        yield "authorization response", arrived
        yield "the same again", await side.ask("GET", back, *cookies, source=self._address())
        yield "the same without its cookie", await side.ask("GET", back, source=self._address())
        if self._linking == "host":
            async for step in self._confirmed(arrived):
                yield step
        listed = await side.call("GET", "/v1/installations")
        yield "installations", listed
        found = listed.json().get("installations") or [{}]
        side.values["installation"] = found[0].get("id", "none")
        for path in ("/v1/installations/{{installation}}", "/v1/installations?subject=acct_42",
                     "/v1/installations?limit=1", "/v1/audit", "/v1/audit?limit=2"):  # fmt: skip
            yield f"GET {path}", await side.call("GET", path)
        yield "audit verify", await side.call("POST", "/v1/audit/verify", {})

    async def _confirmed(self, arrived: Response) -> AsyncIterator[Step]:
        handoff = parse_qs(urlsplit(arrived.header("location")).query).get("handoff", ["none"])[0]
        call = self._side.call
        for name, code, verifier in (
            ("a wrong verifier", handoff, "w" * 43), ("an unknown handoff", "A" * 43, NONCE),
            ("claim", handoff, NONCE), ("claimed twice", handoff, NONCE),
        ):  # fmt: skip
            content = {"handoff": code, "verifier": verifier}
            response = await call("POST", "/v1/handoffs/claim", content)
            yield name, response
            if name == "claim":
                self._side.values["claim"] = response.json().get("claim", "none")
        confirmations: tuple[tuple[str, str, Any], ...] = (
            ("confirmed by another", "confirm", {"subject": "acct_43"}),
            ("confirmed with a wrong type", "confirm", {"subject": 1}),
            ("confirm", "confirm", {"subject": SUBJECT}),
            ("confirmed twice", "confirm", {"subject": SUBJECT}),
            ("declined after all", "decline", None),
        )
        for name, path, content in confirmations:
            yield name, await call("POST", f"/v1/claims/{{{{claim}}}}/{path}", content)

    async def redirects(self) -> AsyncIterator[Step]:
        """Answer real starts with every vector, with Zoom's refusal, and with spoiled cookies."""
        side = self._side
        for vector in _cases("authorization_response"):
            path, _ = await self._start_path()
            start = await side.ask("GET", path, source=self._address())
            state = parse_qs(urlsplit(start.header("location")).query).get("state", ["none"])[0]
            target = f"/oauth/redirect?{vector['query'].replace('A' * 43, state)}"
            cookies = _cookie_header(start.cookies())
            response = await side.ask("GET", target, *cookies, source=self._address())
            yield f"authorization_response: {vector['comment']}", response
        back, cookies, _ = await self._begun()
        spoiled = [cookies[0][:-3] + "AAA"] if cookies else []
        shortened = [cookies[0][:-3]] if cookies else []
        doubled = [f"{cookies[0]}; {cookies[0].removeprefix('cookie: ')}"] if cookies else []
        for name, headers in (("spoiled", spoiled), ("shortened", shortened), ("two", doubled)):
            response = await side.ask("GET", back, *headers, source=self._address())
            yield f"cookie {name}", response
        head = await side.ask("HEAD", back, *cookies, source=self._address())
        yield "HEAD of an authorization response", head
        early = [*cookies, "sec-purpose: prefetch"]
        yield "its prefetch", await side.ask("GET", back, *early, source=self._address())
        for path in ("/install", "/marketplace", "/marketplace?code=abc", "/installed"):
            yield f"GET {path}", await side.ask("GET", path, source=self._address())

    async def refusals(self) -> AsyncIterator[Step]:
        """Let the user refuse at Zoom, and let Zoom's endpoints fail."""
        side = self._side
        await side.steer("PUT", "/consent", {"auto": "deny", "user_id": JANE})
        back, cookies, _ = await self._begun()
        yield "refused", await side.ask("GET", back, *cookies, source=self._address())
        await side.steer("PUT", "/consent", {"auto": "approve", "user_id": JANE})
        faults = (await side.steer("GET", "/faults")).json()
        listed = faults if isinstance(faults, list) else faults.get("faults", [])
        names = [
            one["name"] for one in listed if one["place"] in {"token", "rest", "authorization"}
        ]
        for name in names:
            await side.steer("PUT", f"/faults/{name}", {})
            back, cookies, _ = await self._begun()
            if back.startswith("/"):
                response = await side.ask("GET", back, *cookies, source=self._address())
                yield f"with the fault {name}", response
            await side.steer("DELETE", f"/faults/{name}")

    async def _settled(self) -> Response:
        """Wait until no notice waits to be forwarded; return the list of events."""
        for _ in range(_POLLS):
            listed = await self._side.call("GET", "/v1/events")
            if all(one.get("next_attempt_at") is None for one in listed.json().get("events", [])):
                break
            # Dispatch has no signal that reaches another process.
            await asyncio.sleep(0.05)
        return listed

    async def events(self) -> AsyncIterator[Step]:
        """Read the notices of the installs and the OpenAPI document."""
        yield "GET /v1/events", (listed := await self._settled())
        found = listed.json().get("events") or [{}]
        one = f"/v1/events/{found[0].get('id', 'none')}"
        yield "one event", await self._side.call("GET", one)
        queued = await self._side.call("POST", f"{one}/redeliver", {})
        # Its body tells whether the event was forwarded before the response was made.
        yield "redelivery", replace(queued, headers=queued.headers[:1], body=b"", raw=b"")
        yield "OpenAPI document", _meaning_of(await self._side.call("GET", "/v1/openapi.json"))

    async def operators(self) -> AsyncIterator[Step]:
        """Sign in to the operator pages and look at each of them."""
        side = self._side
        form = ["content-type: application/x-www-form-urlencoded", "origin: http://localhost"]
        for name, key in (
            ("an unknown key", b"A"),
            ("a key that reads", b"%s" % side.values["reader"].encode()),
        ):
            response = await side.ask(
                "POST", "/admin/sign-in", *form, body=b"key=" + key, where="private"
            )
            yield f"sign in with {name}", response
        cookies = _cookie_header(response.cookies())
        await self._settled()
        pages = ("", "events", "installations", "audit", "events/AAAA", "events?status=dead", "no")
        for path in pages:
            response = await side.ask("GET", f"/admin/{path}", *cookies, where="private")
            yield f"GET /admin/{path}", response
        for path in ("/admin/audit/verify", "/admin/sign-out"):
            response = await side.ask("POST", path, *form, *cookies, body=b"", where="private")
            yield f"POST {path} without its proof", response
        yield "metrics", _names_of_metrics(await side.call("GET", "/metrics"))

    async def starts(self) -> AsyncIterator[Step]:
        """Start from one address until the rate limit refuses."""
        side, address = self._side, "127.8.0.1"
        refused = Response(0, "no start was refused")
        path = "/install" if self._linking == "none" else f"/install?request={'A' * 43}"
        for _ in range(_STARTS):
            response = await side.ask("GET", path, source=address)
            if response.status == 429:
                refused = response
                break
        yield "too many starts", refused

    async def after(self) -> AsyncIterator[Step]:
        """Remove installations: by the API, and by Zoom's event."""
        side = self._side
        removed = await side.call("DELETE", "/v1/installations/{{installation}}")
        yield "removed by the API", removed
        for name, path in (("removed twice", "DELETE"), ("read after its removal", "GET")):
            yield name, await side.call(path, "/v1/installations/{{installation}}")
        vend = "/v1/installations/{{installation}}/access-token"
        yield "vend after the removal", await side.call("POST", vend, {"subject": SUBJECT})
        async for step in self.before():
            yield step
        event = {
            "event": "app_deauthorized",
            "event_ts": int(time.time() * 1000),
            "payload": {
                "account_id": ACCOUNT,
                "user_id": JANE,
                "signature": "",
                "deauthorization_time": time.strftime(
                    "%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + 120)
                ),
                "client_id": CLIENT_ID,
            },
        }
        raw = delivery(json.dumps(event).encode(), at=int(time.time()) + 130)
        yield "app_deauthorized", (await side.send("public", [raw], long_wait=True))[0]

    def all(self, *, with_faults: bool) -> Sequence[tuple[str, AsyncIterator[Step]]]:
        """Return the flows that come before all other requests, in their order."""
        return (
            ("install", self.before()),
            ("events", self.events()),
            ("authorization responses", self.redirects()),
            *([("refusals of Zoom", self.refusals())] if with_faults else []),
            ("operator pages", self.operators()),
            ("rate limit", self.starts()),
        )


def _names_of_metrics(page: Response) -> Response:
    """Return the page without its values, which differ."""
    lines = [line.rpartition(b" ")[0] for line in page.body.splitlines() if line[:1] != b"#"]
    return Response(page.status, page.reason, page.headers[:1], b"\n".join(sorted(set(lines))))


def _meaning_of(page: Response) -> Response:
    """Return an OpenAPI document as its calls, with the names that each takes and returns.

    The same API can be described in many ways, and the framework chooses one of them.
    """
    document = page.json()

    def names(content: Any) -> Any:
        schema = content.get("content", {}).get("application/json", {}).get("schema", {})
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return dict.fromkeys(sorted(schema.get("properties", {})), 1)

    calls = {}
    for path, methods in sorted(document.get("paths", {}).items()):
        for method, call in sorted(methods.items()):
            responses = call["responses"]
            # Beside "default" the framework adds a response of its own.
            statuses = set(responses) - ({"200"} if "default" in responses else set())
            calls[f"{method} {path}"] = {
                "parameters": {one["name"]: one["in"] for one in call.get("parameters", [])},
                "body": names(call.get("requestBody", {})),
                "responses": {one: names(responses[one]) for one in sorted(statuses)},
            }
    headers = [one for one in page.headers if one[0] != "content-length"]
    return replace(page, headers=tuple(headers), body=json.dumps(calls).encode(), raw=b"")
