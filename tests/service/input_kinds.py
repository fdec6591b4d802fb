"""Inputs of four kilobytes that cost much for their size somewhere: one of each kind.

The tests count what is done for each of them; `bench/inputs.py` measures it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

SIZE = 4096


@dataclass(frozen=True, slots=True)
class Input:
    """What arrives on one connection.

    Attributes:
        name: the kind.
        pieces: what the socket gives, one after the other.
        requests: how many requests that is.
    """

    name: str
    pieces: tuple[bytes, ...]
    requests: int = 1


def filled(pattern: str, size: int = SIZE) -> str:
    """A pattern, repeated to the size."""
    return (pattern * (size // len(pattern) + 1))[:size]


def numbered(pattern: str, size: int = SIZE) -> str:
    """The same with `#` counted up, for parsers that look for repetitions."""
    text, number = "", 0
    while len(text) < size:
        text += pattern.replace("#", str(number))
        number += 1
    return text[:size]


def request(
    line: str, *headers: str, body: bytes = b"", host: str = "localhost", name: str = ""
) -> Input:
    """One request in one piece."""
    head = "\r\n".join([f"{line} HTTP/1.1", f"host: {host}", *headers, "", ""])
    return Input(name, (head.encode("latin-1") + body,))


def get(name: str, target: str, *headers: str, method: str = "GET") -> Input:
    """A request without a body."""
    return request(f"{method} {target}", *headers, name=name)


def post(name: str, target: str, body: bytes, *headers: str) -> Input:
    """A request with one."""
    length = f"content-length: {len(body)}"
    return request(f"POST {target}", length, *headers, body=body, name=name)


STATE = "A" * 43
FORGED = f"/oauth/redirect?code=abcdefghijklmnopqrstuvwxyz012345&state={STATE}"
USUAL_PUBLIC = get("a forged redirect", FORGED, "user-agent: Mozilla/5.0", "accept: */*")
USUAL_PRIVATE = get("a call without a key", "/v1/installations")

_SIGNED = (f"x-zm-request-timestamp: {int(time.time())}", "x-zm-signature: v0=" + "0" * 64)
_CHUNKED = "transfer-encoding: chunked"
_PENDING = "__Host-paraph-1700000000-AAAAAAAAAAAAAAAAAAAAAA"


def _queries(target: str) -> tuple[Input, ...]:
    end = f"&state={STATE}"
    kinds = {
        "only &": filled("&"),
        "only =": filled("="),
        "pairs without name": filled("=&"),
        "short pairs": filled("a=b&"),
        "many names": numbered("a#=&"),
        "escaped names": filled("%61=&"),
        "one name of escapes": filled("%61"),
        "a code of escapes": "code=" + filled("%61") + end,
        "a state of escapes": "state=" + filled("%61"),
        "an issuer of escapes": "iss=" + filled("%61") + end,
        "an error of escapes": "error=" + filled("%61") + end,
        "broken escapes": filled("%"),
        "a code of broken escapes": "code=" + filled("%6") + end,
        "plus signs": filled("+"),
        "a code of plus signs": "code=" + filled("+") + end,
        "codes": filled("code=a&"),
        "escaped codes": filled("%63ode=a&"),
        "semicolons": filled(";"),
        "a long code": "code=" + filled("a") + end,
        "a long state": "state=" + filled("a"),
        "a redirect to ourselves": filled("/oauth/redirect?"),
    }
    return tuple(get(f"query: {name}", f"{target}?{text}") for name, text in kinds.items())


def _cookies(target: str) -> tuple[Input, ...]:
    kinds = {
        "only ;": filled(";"),
        "only =": filled("="),
        "short": filled("a=b;"),
        "without value": filled("a=;"),
        "blanks": filled(" "),
        "blanks and ;": filled("  ;"),
        "names like ours": filled("__Host-paraph-=;"),
        "pending ones": filled(f"{_PENDING}=a; "),
        "pending ones of other times": numbered(f"__Host-paraph-17000#-{'A' * 22}=a; "),
        "one long pending one": f"{_PENDING}=" + filled("A"),
        "a name without end": "__Host-paraph-" + filled("1"),
        "blanks before our name": filled(" ") + "__Host-paraph-a=b",
        "quotes": filled('"'),
        "operator sessions": filled("__Host-paraph-operator=a;"),
    }
    return tuple(get(f"cookie: {name}", target, f"cookie: {text}") for name, text in kinds.items())


def _heads(target: str) -> tuple[Input, ...]:
    lines = [line for line in numbered("a#:\r\n").split("\r\n") if line.endswith(":")]
    forwarded = {
        "x-forwarded-for": ["127.0.0.1,", ",", "a,", "[", "1.2.3.4:1,", "2001:db8::1,", '"', " "],
        "x-forwarded-proto": ["https,", "http,", ",", "a,", " ", "https;"],
        "forwarded": ["for=127.0.0.1;proto=https,", ",", ";", "=", '"', 'for="', "a=b;", "\\", "a"],
    }
    lists = [
        get(f"{name}: {pattern}", target, f"{name}: {filled(pattern)}")
        for name, patterns in forwarded.items()
        for pattern in patterns
    ]
    return (
        *lists,
        get(
            "both families",
            target,
            *(f"{name}: {filled('127.0.0.1,', 1300)}" for name in forwarded),
        ),
        get("many headers", target, *lines),
        get("many equal headers", target, *["a:b"] * (SIZE // 5)),
        get("many cookie headers", target, *["cookie:a=b"] * (SIZE // 12)),
        get("many x-forwarded-for headers", target, *["x-forwarded-for:127.0.0.1"] * (SIZE // 27)),
        get("many purpose headers", target, *["purpose:a"] * (SIZE // 11)),
        get("one long header", target, "a: " + filled("a")),
        get("one long header name", target, filled("a") + ": a"),
        get("accept", target, "accept: " + filled("*/*,")),
        get("connection", target, "connection: " + filled("a,")),
        get("content-type", target, "content-type: " + filled(";")),
        get("content-length", target, "content-length: " + filled("0")),
        get("host", target, "x-host: " + filled("a.")),
        get("authorization", target, "authorization: Bearer " + filled("a")),
        get("authorization of blanks", target, "authorization: " + filled("Bearer ")),
        get("traceparent", target, "traceparent: " + filled("00-")),
        get("expect", target, "expect: 100-continue"),
        get("upgrade", target, "connection: upgrade", "upgrade: " + filled("a,")),
        get("a long method", target, method="PROPFIND"),
    )


def _paths() -> tuple[Input, ...]:
    kinds = {
        "long": "/" + filled("a"),
        "slashes": filled("/"),
        "dots": filled("/.."),
        "escapes": "/" + filled("%61"),
        "escapes of two bytes": "/" + filled("%C3%A4"),
        "broken escapes": "/" + filled("%"),
        "escapes in a known path": "/oauth/redirect" + filled("%61"),
        "semicolons": "/" + filled(";"),
        "an absolute target": "http://app.example/" + filled("a"),
        "an installation of escapes": "/v1/installations/" + filled("%61") + "/access-token",
        "a path of Zoom's": "/v1/installations/a/zoom/v2/" + filled("a/"),
        "an operator page": "/admin/events/" + filled("a"),
    }
    return tuple(get(f"path: {name}", text) for name, text in kinds.items())


def _bodies(target: str, *headers: str) -> tuple[Input, ...]:
    kinds = {
        "many keys": numbered('"a#":1,').join(["{", '"z":1}']),
        "equal keys": filled('"a":1,').join(["{", '"z":1}']),
        "arrays in arrays": filled("["),
        "objects in objects": filled('{"a":'),
        "a long integer": filled("9"),
        "a long fraction": "0." + filled("9"),
        "many exponents": filled("1e9,").join(["[", "1]"]),
        "escapes": filled("\\u0061").join(['"', '"']),
        "surrogates": filled("\\ud800").join(['"', '"']),
        "a string without end": '"' + filled("\\"),
        "blanks": filled(" "),
        "form fields": filled("&"),
        "form escapes": filled("%61=&"),
        "a form of plus signs": filled("+"),
    }
    media = "content-type: application/json"
    form = "content-type: application/x-www-form-urlencoded"
    return tuple(
        post(f"body: {name}", target, text.encode(), form if "form" in name else media, *headers)
        for name, text in kinds.items()
    )


def _chunks(target: str, *headers: str) -> tuple[Input, ...]:
    def chunked(name: str, body: str) -> Input:
        head = request(f"POST {target}", _CHUNKED, *headers)
        return Input(f"{target}: {name}", (head.pieces[0] + body.encode(),))

    return (
        chunked("chunks of a byte", filled("1\r\na\r\n") + "\r\n0\r\n\r\n"),
        chunked("chunk extensions", filled("1;a=b\r\na\r\n", 4090) + "\r\n0\r\n\r\n"),
        chunked("one long extension", "1;" + filled("a") + "\r\na\r\n0\r\n\r\n"),
        chunked("trailers", "0\r\n" + filled("a:b\r\n", 4095) + "\r\n"),
        chunked("a length of zeros", filled("0") + "\r\n\r\n"),
    )


PUBLIC: tuple[Input, ...] = (
    *_queries("/oauth/redirect"),
    *_cookies(FORGED),
    *_heads(FORGED),
    *_paths(),
    get("install: only &", "/install?" + filled("&")),
    get("marketplace: only &", "/marketplace?" + filled("&")),
    *_bodies("/webhook", *_SIGNED),
    *_chunks("/webhook", *_SIGNED),
    *_chunks("/nowhere"),
    Input("line ends before", (filled("\r\n").encode() + USUAL_PUBLIC.pieces[0],)),
    Input("pipelined requests", (b"GET /a HTTP/1.1\r\nhost:a\r\n\r\n" * 40,), 40),
)
PRIVATE: tuple[Input, ...] = (
    *_queries("/v1/installations"),
    *_queries("/admin/sign-in"),
    *_cookies("/admin/events"),
    *_heads("/v1/installations"),
    *_paths(),
    *_bodies("/v1/link-requests"),
    *_bodies("/v1/link-requests", "authorization: Bearer paraph_0123456789ab_" + "A" * 43),
    *_bodies("/admin/sign-in", "origin: http://127.0.0.1"),
    *_chunks("/v1/link-requests"),
)
