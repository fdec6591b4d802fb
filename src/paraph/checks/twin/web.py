"""Minimal HTTP requests and responses for the twin."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from urllib.parse import parse_qsl

from starlette.types import Message, Receive, Scope, Send

Pairs = list[tuple[str, str]]


@dataclass(slots=True)
class Request:
    """One request with its body."""

    method: str
    path: str
    raw_path: bytes
    query_string: bytes
    headers: Pairs
    body: bytes
    address: str
    scheme: str

    def header(self, name: str) -> str:
        """Return the first value of a header; "" if it is absent."""
        return next((v for n, v in self.headers if n == name), "")

    @property
    def query(self) -> Pairs:
        """The query parameters in order, repeated ones included."""
        return parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True)

    @property
    def form(self) -> dict[str, str]:
        """The form fields of the body."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def cookies(self) -> Pairs:
        """The cookies in order, repeated ones included."""
        pairs = [one.strip().partition("=") for one in self.header("cookie").split(";")]
        return [(name, value) for name, _, value in pairs if name]

    def cookie(self, name: str) -> str:
        """Return a cookie's value; "" if it is missing or sent twice."""
        found = [v for n, v in self.cookies if n == name]
        return found[0] if len(found) == 1 else ""

    @property
    def is_cross_site(self) -> bool:
        """True if the browser says that a page of another site caused the request."""
        return self.header("sec-fetch-site") in {"cross-site", "same-site"}


@dataclass(slots=True)
class Response:
    """A response under construction."""

    status: int = 200
    body: bytes = b""
    headers: Pairs = field(default_factory=list)

    def set_cookie(self, name: str, value: str, *, age: int = 600, attributes: str = "") -> None:
        """Set a cookie for this host, by default with SameSite=Lax for the redirect from Zoom."""
        given = attributes or "; Secure; HttpOnly; SameSite=Lax"
        self.headers.append(("set-cookie", f"{name}={value}; Path=/; Max-Age={age}{given}"))


def page(title: str, content: str = "", *, status: int = 200) -> Response:
    """Build an HTML page; `content` is trusted markup."""
    name = escape(title)
    text = f"<!doctype html><html lang=en><title>{name}</title><h1>{name}</h1>{content}"
    return Response(
        status, text.encode("utf-8", "replace"), [("content-type", "text/html; charset=utf-8")]
    )


def see(location: str) -> Response:
    """Redirect with 303 to a URL of the app or of Zoom."""
    return Response(303, b"", [("location", location)])


def button(action: str, label: str, **fields: str) -> str:
    """Build a form with one button."""
    hidden = "".join(
        f'<input type=hidden name="{escape(n)}" value="{escape(v)}">' for n, v in fields.items()
    )
    start = f'<form method=post action="{escape(action)}">'
    return f"{start}{hidden}<button>{escape(label)}</button></form>"


async def read_body(receive: Receive, limit: int, first: Message | None = None) -> bytes | None:
    """Read the body; return None if it exceeds `limit` bytes. `first` was received before."""
    body = bytearray()
    while True:
        message, first = first or await receive(), None
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > limit:
            return None
        if not message.get("more_body"):
            return bytes(body)


def request_of(scope: Scope, body: bytes) -> Request:
    """Decode a request."""
    client = scope.get("client") or ("", 0)
    return Request(
        scope["method"],
        scope["path"],
        scope.get("raw_path", b""),
        scope.get("query_string", b""),
        [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]],
        body,
        client[0],
        scope.get("scheme", "http"),
    )


async def send_response(response: Response, send: Send) -> None:
    """Send a response."""
    headers = [(n.encode("latin-1"), v.encode("latin-1", "replace")) for n, v in response.headers]
    headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
