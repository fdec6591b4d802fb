"""One captured HTTP request, as people have it: raw HTTP/1.1 text, or an entry of a HAR file."""

from __future__ import annotations

import base64
import binascii
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from paraph.errors import UsageError

MAX_BYTES = 4 << 20
_REMEDY = (
    "Give raw HTTP/1.1 text (request line, headers, empty line, body) or one HAR entry; "
    "- reads standard input."
)


@dataclass(frozen=True, slots=True)
class CapturedRequest:
    """What was captured. Header names are in lower case, as ASGI has them."""

    method: str
    path: str
    raw_query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """The first header of a name."""
        return next((value for key, value in self.headers if key == name), None)


def read_captured_request(source: Path) -> CapturedRequest:
    """Read a file, or standard input for `-`.

    Raises:
        UsageError: it cannot be read, or it is neither form.
    """
    try:
        content = (
            sys.stdin.buffer.read(MAX_BYTES + 1) if str(source) == "-" else source.read_bytes()
        )
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error.strerror}", remedy=_REMEDY) from None
    if len(content) > MAX_BYTES:
        raise UsageError("the capture is larger than four mebibytes", remedy=_REMEDY)
    if content.lstrip()[:1] == b"{":
        return _from_har(content)
    return _from_text(content)


def _from_text(content: bytes) -> CapturedRequest:
    head, body = _split_head(content)
    lines = head.replace(b"\r\n", b"\n").split(b"\n")
    request_line = lines[0].split(b" ")
    if len(request_line) != 3 or not request_line[2].startswith(b"HTTP/"):
        raise UsageError("the first line is no HTTP request line", remedy=_REMEDY)
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not name.strip():
            raise UsageError("a header line has no colon", remedy=_REMEDY)
        headers.append((name.strip().lower(), value.strip(b" \t")))
    declared = next((value for name, value in headers if name == b"content-length"), b"")
    if declared.isdigit() and int(declared) < len(body):
        # Editors end a file with a line end that was not sent.
        body = body[: int(declared)]
    return _request(request_line[0].decode("latin-1"), request_line[1], headers, body)


def _split_head(content: bytes) -> tuple[bytes, bytes]:
    for separator in (b"\r\n\r\n", b"\n\n"):
        head, found, body = content.partition(separator)
        if found and not (separator == b"\r\n\r\n" and b"\n\n" in head):
            return head, body
    return content.rstrip(b"\r\n"), b""


def _from_har(content: bytes) -> CapturedRequest:
    try:
        entry: Any = json.loads(content)
        if "log" in entry:
            entry = entry["log"]["entries"][0]
        request = entry.get("request", entry)
        headers = [
            (str(one["name"]).lower().encode("latin-1"), str(one["value"]).encode("latin-1"))
            for one in request["headers"]
            if not str(one["name"]).startswith(":")
        ]
        posted = request.get("postData") or {}
        text = posted.get("text", "")
        body = (
            base64.b64decode(text, validate=True)
            if posted.get("encoding") == "base64"
            else text.encode("utf-8")
        )
        return _request(str(request["method"]), str(request["url"]).encode(), headers, body)
    except (
        AttributeError,
        IndexError,
        KeyError,
        RecursionError,
        TypeError,
        ValueError,
        binascii.Error,
    ):
        raise UsageError("this JSON is no HAR entry", remedy=_REMEDY) from None


def _request(
    method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> CapturedRequest:
    try:
        parts = urlsplit(target.decode("latin-1"))
    except ValueError:
        raise UsageError("the request's URL cannot be read", remedy=_REMEDY) from None
    return CapturedRequest(method, parts.path or "/", parts.query.encode("latin-1"), headers, body)
