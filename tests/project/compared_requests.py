"""The requests that both services answer independently of each other: vectors, inputs, fuzz.

Every request of this module gets the same response whatever came before it. Requests that build on
each other are in `compared_flows`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from project.compared_sides import ACCOUNT, WEBHOOK_SECRETS
from service import input_kinds, test_webhook_fuzz
from service.webhook_fuzzing import NOW

T = TypeVar("T")

VECTORS = Path(__file__).parents[1] / "vectors"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get")
_PUBLIC_PATHS = (
    "/", "/install", "/marketplace", "/oauth/redirect", "/webhook", "/installed", "/healthz",
    "/readyz", "/zoomverify/verifyzoom.html", "/.well-known/security.txt", "/nowhere", "/webhook/",
    "/Webhook", "/%77ebhook", "/oauth/redirect/", "/oauth/../webhook", "//webhook", "/v1/audit",
    "/admin/", "/metrics", "/favicon.ico", "/robots.txt", "/apps/one/webhook", "*",
)  # fmt: skip
_PRIVATE_PATHS = (
    "/", "/v1", "/v1/", "/v1/link-requests", "/v1/handoffs/claim", "/v1/claims/AAAA/confirm",
    "/v1/claims/AAAA/decline", "/v1/installations/AAAA", "/v1/installations/AAAA/access-token",
    "/v1/installations/AAAA/zoom/v2/users/me", "/v1/installations/AAAA/zoom/", "/v1/events/AAAA",
    "/v1/events/AAAA/redeliver", "/v1/nowhere", "/admin", "/admin/events", "/admin/events/AAAA",
    "/admin/sign-in", "/admin/sign-out", "/admin/static/style.css", "/admin/audit/verify",
    "/webhook", "/nowhere", "/v1/installations?limit=0", "/v1/installations?cursor=%00",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """A request with a name.

    Attributes:
        group: the line of the table that counts it.
        name: for the list of differences.
        where: the listener, "public" or "private".
        pieces: the bytes to write.
        count: the number of expected responses.
    """

    group: str
    name: str
    where: str
    pieces: tuple[bytes, ...]
    count: int = 1


def sign(timestamp: str, body: bytes, secret: str = WEBHOOK_SECRETS[0]) -> str:
    """Return Zoom's signature of a delivery."""
    base = b"v0:" + timestamp.encode("latin-1") + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


def plain(line: str, *headers: str, body: bytes | None = None) -> bytes:
    """Return one request in one piece."""
    lines = [f"{line} HTTP/1.1", "host: localhost", *headers]
    if body is not None:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def delivery(body: bytes, *, at: int | None = None, secret: str = WEBHOOK_SECRETS[0]) -> bytes:
    """Return a signed delivery; `at` is its time in epoch seconds, by default now."""
    stamp = str(int(time.time()) if at is None else at)
    return plain(
        "POST /webhook",
        f"x-zm-signature: {sign(stamp, body, secret)}",
        f"x-zm-request-timestamp: {stamp}",
        "content-type: application/json",
        body=body,
    )


def _cases(name: str, key: str = "cases") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((VECTORS / f"{name}.json").read_bytes())[key]
    return found


def _body_of(vector: dict[str, Any]) -> bytes:
    if "body_hex" in vector:
        return bytes.fromhex(vector["body_hex"])
    return str(vector["body"]).encode("utf-8", "surrogatepass")


def vectors() -> Iterator[Request]:
    """Every vector that a request can carry."""
    for one in _cases("webhook", "deliveries"):
        yield Request("vectors", f"webhook: {one['comment']}", "public", (_as_of_now(one),))
    for one in _cases("app_deauthorized", "events"):
        raw = delivery(_body_of(one))
        yield Request("vectors", f"app_deauthorized: {one['comment']}", "public", (raw,))
    for one in _cases("concerned_users"):
        event = {"event": one["event"], "event_ts": NOW * 1000, "payload": one["payload"]}
        raw = delivery(json.dumps(event).encode("utf-8", "surrogatepass"))
        yield Request("vectors", f"concerned_users: {one['comment']}", "public", (raw,))
    for one in _cases("strict_json"):
        body, name = _body_of(one), f"strict_json: {one['comment']}"
        yield Request("vectors", name, "public", (delivery(body),))
        for path in ("/v1/link-requests", "/v1/installations/AAAA/access-token"):
            raw = plain(f"POST {path}", "authorization: Bearer {{key}}", _JSON, body=body)
            yield Request("vectors", f"{name} to {path}", "private", (raw,))
    for one in _cases("authorization_response"):
        raw = plain(f"GET /oauth/redirect?{one['query']}")
        yield Request("vectors", f"authorization_response: {one['comment']}", "public", (raw,))
    for one in _cases("api_path"):
        target = f"/v1/installations/{{{{installation}}}}/zoom{one['path']}?{one['query']}"
        named = ("authorization: Bearer {{key}}", "paraph-subject: acct_42")
        raw = plain(f"GET {target}", *named)
        yield Request("vectors", f"api_path: {one['comment']}", "private", (raw,))


_JSON = "content-type: application/json"


def _as_of_now(vector: dict[str, Any]) -> bytes:
    """Move a vector to the present: its time, and every form of the MAC in its headers."""
    body, moved = _body_of(vector), int(time.time()) - int(vector["now"])
    stamps = [value for name, value in vector["headers"] if name == "x-zm-request-timestamp"]
    lines = [f"content-length: {len(body)}"]
    for name, value in vector["headers"]:
        if name == "x-zm-request-timestamp":
            value = _moved(value, moved)  # noqa: PLW2901 - The same header, moved.
        for stamp, secret in product(stamps, {*WEBHOOK_SECRETS, *vector["secrets"]}):
            old = sign(stamp, body, secret)[3:]
            new = sign(_moved(stamp, moved), body, secret)[3:]
            value = value.replace(old, new).replace(old.upper(), new.upper())  # noqa: PLW2901
        lines.append(f"{name}: {value}")
    head = "\r\n".join(["POST /webhook HTTP/1.1", "host: localhost", *lines, "", ""])
    return head.encode("latin-1") + body


def _moved(stamp: str, seconds: int) -> str:
    is_time = stamp.isascii() and stamp.isdigit() and len(stamp) == 10
    return str(int(stamp) + seconds) if is_time else stamp


def inputs() -> Iterator[Request]:
    """Every kind of input that costs much for its size."""
    for where, kinds in (("public", input_kinds.PUBLIC), ("private", input_kinds.PRIVATE)):
        for one in kinds:
            yield Request("inputs of 4 kB", one.name, where, one.pieces, one.requests)


def paths() -> Iterator[Request]:
    """Every method with every path, known and unknown, with and without a key."""
    for method, path in product(_METHODS, _PUBLIC_PATHS):
        yield Request("paths", f"{method} {path}", "public", (plain(f"{method} {path}"),))
    keys = {"without a key": (), "a key": ("authorization: Bearer {{key}}",),
            "a key that reads": ("authorization: Bearer {{reader}}",)}  # fmt: skip
    for method, path, (name, headers) in product(_METHODS, _PRIVATE_PATHS, keys.items()):
        raw = plain(f"{method} {path}", *headers, body=b"" if method == "POST" else None)
        yield Request("paths", f"{method} {path}, {name}", "private", (raw,))


def vends() -> Iterator[Request]:
    """Calls for access tokens: valid, and each wrong in one way."""
    good = b'{"subject":"acct_42"}'
    bodies = {
        "valid": good, "another subject": b'{"subject":"acct_43"}', "empty": b"", "a list": b"[]",
        "no subject": b"{}", "two subjects": b'{"subject":"acct_42","subject":"acct_42"}',
        "another name": b'{"subject":"acct_42","a":1}', "a number": b'{"subject":1}',
        "not UTF-8": b'{"subject":"\xff"}', "blanks": b" " * 30 + good, "long": good + b" " * 5000,
        "just too long": good + b" " * (4097 - len(good)), "as long as allowed": good.ljust(4096),
    }  # fmt: skip
    wrong = "paraph_0123456789ab_" + "A" * 43
    keys = {
        "the key": ["authorization: Bearer {{key}}"], "no key": [],
        "an empty key": ["authorization:"],
        "a key that only reads": ["authorization: Bearer {{reader}}"],
        "an unknown key": [f"authorization: Bearer {wrong}"],
        "a spoiled key": ["authorization: Bearer {{key}}x"],
        "Basic": ["authorization: Basic {{key}}"], "lower case": ["authorization: bearer {{key}}"],
        "two keys": ["authorization: Bearer {{key}}"] * 2,
        "a header of paraph": ["authorization: Bearer {{key}}", "paraph-subject: acct_42"],
    }  # fmt: skip
    places = {"it": "{{installation}}", "unknown": "A" * 22, "an odd one": "a.b", "none": ""}
    for (body_name, body), (key, headers), (place, one) in product(
        bodies.items(), keys.items(), places.items()
    ):
        line = f"POST /v1/installations/{one}/access-token"
        raw = plain(line, *headers, _JSON, body=body)
        yield Request("vends", f"vend {body_name}, {key}, {place}", "private", (raw,))


def redirects() -> Iterator[Request]:
    """Authorization responses that no browser asked for."""
    state = "A" * 43
    queries = {
        "forged": f"code=abc&state={state}", "no state": "code=abc", "empty": "",
        "an error": f"error=access_denied&state={state}", "a short state": "code=abc&state=a",
        "an error without state": "error=access_denied", "controls": f"code=%00&state={state}",
        "an issuer": f"code=abc&state={state}&iss=https://zoom.us",
        "two states": f"code=abc&state={state}&state={state}",
    }  # fmt: skip
    cookie = f"__Host-paraph-{int(time.time())}-{'A' * 22}"
    heads: dict[str, list[str]] = {
        "no cookie": [], "a cookie": [f"cookie: {cookie}={'A' * 200}"],
        "other cookies": ["cookie: a=b; c=d"], "a prefetch": ["sec-purpose: prefetch"],
        "cross-site": ["sec-fetch-site: cross-site", "sec-fetch-mode: navigate"],
        "plain http": ["x-forwarded-proto: http"], "https": ["x-forwarded-proto: https"],
        "another hop": ["x-forwarded-for: 192.0.2.1", "x-forwarded-proto: https"],
        "Forwarded": ["forwarded: for=192.0.2.1;proto=http"], "a body": ["content-length: 0"],
        "closing": ["connection: close"],
        "an upgrade": ["connection: upgrade", "upgrade: h2c"],
    }  # fmt: skip
    targets = {f"/oauth/redirect?{query}": name for name, query in queries.items()}
    others = {"/marketplace": "marketplace", "/marketplace?code=abc": "marketplace with a code",
              "/install": "install", f"/install?request={'A' * 43}": "an unknown request",
              "/install?request=a": "a short request"}  # fmt: skip
    for (target, name), (head, headers) in product({**targets, **others}.items(), heads.items()):
        raw = plain(f"GET {target}", *headers)
        yield Request("redirects", f"{name}, {head}", "public", (raw,))


def fuzz(examples: int) -> Iterator[Request]:
    """Deliveries of the fuzz corpora, always the same ones, signed and not."""
    headers, bodies = test_webhook_fuzz._HEADERS, test_webhook_fuzz._BODIES
    for number, (pairs, body) in enumerate(_drawn(st.tuples(headers, bodies), examples)):
        yield Request("fuzz", f"fuzz, unsigned {number}", "public", (_unsigned(pairs, body),))
    for number, body in enumerate(_drawn(bodies, examples)):
        raw = delivery(body)
        yield Request("fuzz", f"fuzz, signed {number}", "public", (raw,))
        if number % 5 == 0:
            pieces = (raw[: len(raw) - len(body) // 2 - 1], raw[len(raw) - len(body) // 2 - 1 :])
            yield Request("in two pieces", f"fuzz, signed {number}", "public", pieces)


def challenges() -> list[Request]:
    """URL validations: every vector and some fuzz. The service answers only some in a minute."""
    vectors = [one for key in ("answers", "refused") for one in _cases("url_validation", key)]
    named = [(one["comment"], one["plainToken"]) for one in vectors]
    tokens = st.text() | st.from_regex(r"[A-Za-z0-9_-]{0,140}", fullmatch=True)
    named += [(f"fuzz {number}", one) for number, one in enumerate(_drawn(tokens, 50))]
    made = []
    for name, token in named:
        content = {"event": "endpoint.url_validation", "payload": {"plainToken": token}}
        raw = delivery(json.dumps(content).encode("utf-8", "surrogatepass"))
        made.append(Request("challenges", f"challenge: {name}", "public", (raw,)))
    return made


def _unsigned(pairs: Sequence[tuple[bytes, bytes]], body: bytes) -> bytes:
    lines = [b"POST /webhook HTTP/1.1", b"host: localhost"]
    if b"content-length" not in dict(pairs):
        lines.append(b"content-length: %d" % len(body))
    now = str(int(time.time())).encode()
    lines += [name + b": " + value.replace(str(NOW).encode(), now) for name, value in pairs]
    return b"\r\n".join([*lines, b"", b""]) + body


def _drawn(strategy: st.SearchStrategy[T], examples: int) -> list[T]:
    """Return what a strategy draws with a fixed seed."""
    found: list[T] = []

    @seed(1)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def keep(one: T) -> None:
        found.append(one)

    run: Callable[[], None] = keep
    run()
    return found


def freshness() -> Iterator[Request]:
    """Deliveries of every age, and of both secrets."""
    now = int(time.time())
    body = json.dumps({"event": "meeting.ended", "payload": {"account_id": ACCOUNT}}).encode()
    # Not within seconds of an edge of the window: time goes on between two services.
    for age in (0, 60, 3600, 7100, 7300, 86400, -60, -200, -400, -86400):
        for secret in (*WEBHOOK_SECRETS, "a-secret-of-another-app"):
            raw = delivery(body, at=now - age, secret=secret)
            yield Request("freshness", f"{age} s old, {secret}", "public", (raw,))


def everything(examples: int) -> list[Request]:
    """Return all other requests; `examples` is the number of examples of each fuzz corpus."""
    made = (vectors(), inputs(), paths(), vends(), redirects(), freshness(), fuzz(examples))
    return [one for requests in made for one in requests]
