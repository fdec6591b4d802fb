"""Requests and answers of the twin, as small as they can be."""

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
        """The first value of a header, or nothing."""
        return next((v for n, v in self.headers if n == name), "")

    @property
    def query(self) -> Pairs:
        """The parameters as they came, repeats included."""
        return parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True)

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def cookies(self) -> Pairs:
        """The cookies as they came, repeats included."""
        pairs = [one.strip().partition("=") for one in self.header("cookie").split(";")]
        return [(name, value) for name, _, value in pairs if name]

    def cookie(self, name: str) -> str:
        """A cookie's value; nothing where it is missing or stands twice."""
        found = [v for n, v in self.cookies if n == name]
        return found[0] if len(found) == 1 else ""

    @property
    def is_cross_site(self) -> bool:
        """Whether another site's page caused it, as the browser says."""
        return self.header("sec-fetch-site") in {"cross-site", "same-site"}


@dataclass(slots=True)
class Response:
    """An answer under way."""

    status: int = 200
    body: bytes = b""
    headers: Pairs = field(default_factory=list)

    def set_cookie(self, name: str, value: str, *, age: int = 600, attributes: str = "") -> None:
        """A cookie for this host, as strict as a redirect from Zoom lets it be."""
        given = attributes or "; Secure; HttpOnly; SameSite=Lax"
        self.headers.append(("set-cookie", f"{name}={value}; Path=/; Max-Age={age}{given}"))


def page(title: str, content: str = "", *, status: int = 200) -> Response:
    """An HTML page; `content` is markup."""
    name = escape(title)
    text = f"<!doctype html><html lang=en><title>{name}</title><h1>{name}</h1>{content}"
    return Response(
        status, text.encode("utf-8", "replace"), [("content-type", "text/html; charset=utf-8")]
    )


def see(location: str) -> Response:
    """303 to a place of our own, or to Zoom."""
    return Response(303, b"", [("location", location)])


def button(action: str, label: str, **fields: str) -> str:
    """A form with one button."""
    hidden = "".join(
        f'<input type=hidden name="{escape(n)}" value="{escape(v)}">' for n, v in fields.items()
    )
    start = f'<form method=post action="{escape(action)}">'
    return f"{start}{hidden}<button>{escape(label)}</button></form>"


async def read_body(receive: Receive, limit: int, first: Message | None = None) -> bytes | None:
    """The body, or None where it is longer than the limit; `first` was received already."""
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
    """What came, decoded once."""
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


async def answer(response: Response, send: Send) -> None:
    """Send it."""
    headers = [(n.encode("latin-1"), v.encode("latin-1", "replace")) for n, v in response.headers]
    headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
