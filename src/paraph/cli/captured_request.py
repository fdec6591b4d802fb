"""One captured HTTP request, as people have it: raw HTTP/1.1 text, or an entry of a HAR file."""

from __future__ import annotations

import base64
import binascii
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from paraph.errors import UsageError

MAX_BYTES = 32 << 20
_MARK = b"\xef\xbb\xbf"
_REMEDY = (
    "Give raw HTTP/1.1 text (request line, headers, empty line, body) or one HAR entry; "
    "- reads standard input."
)
_NO_HAR = (
    *(AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError),
    binascii.Error,
)

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class CapturedRequest:
    """What was captured. Header names are in lower case, as ASGI has them.

    Args:
        notes: what looks wrong with the capture itself, in whole sentences.
    """

    method: str
    path: str
    raw_query: bytes
    headers: Headers
    body: bytes
    notes: Sequence[str] = field(default=())

    def header(self, name: bytes) -> bytes | None:
        """The first header of a name."""
        return next((value for key, value in self.headers if key == name), None)


def read_captured_request(
    source: Path, *, entry: int | None = None, fits: Callable[[CapturedRequest], bool]
) -> CapturedRequest:
    """Read a file, or standard input for `-`.

    Args:
        source: where it is.
        entry: which entry of a HAR file, from 1; the only one that fits by default.
        fits: whether a request of a recording may be the one that is meant.

    Raises:
        UsageError: it cannot be read, it is neither form, or several entries could be meant.
    """
    try:
        content = (
            sys.stdin.buffer.read(MAX_BYTES + 1) if str(source) == "-" else source.read_bytes()
        )
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error.strerror}", remedy=_REMEDY) from None
    if len(content) > MAX_BYTES:
        raise UsageError("the capture is larger than 32 mebibytes", remedy=_REMEDY)
    # The HAR format asks readers to live with a byte order mark.
    content = content.removeprefix(_MARK)
    if content.lstrip()[:1] == b"{":
        return _from_har(content, entry, fits)
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
    notes = []
    # Seven digits are more than any body here has.
    length = int(declared) if declared.isdigit() and len(declared) < 8 else len(body)
    if length > len(body):
        notes.append(
            f"Content-Length says {length} bytes and {len(body)} are here: the capture was cut."
        )
    # Editors end a file with a line end that was not sent.
    body = body[:length]
    if any(name == b"transfer-encoding" for name, _ in headers):
        notes.append("the body is as it was on the line, with its chunks: give it put together.")
    return _request(request_line[0].decode("latin-1"), request_line[1], headers, body, notes=notes)


def _split_head(content: bytes) -> tuple[bytes, bytes]:
    for separator in (b"\r\n\r\n", b"\n\n"):
        head, found, body = content.partition(separator)
        if found and not (separator == b"\r\n\r\n" and b"\n\n" in head):
            return head, body
    return content.rstrip(b"\r\n"), b""


def _from_har(
    content: bytes, number: int | None, fits: Callable[[CapturedRequest], bool]
) -> CapturedRequest:
    try:
        har: Any = json.loads(content)
        entries = har["log"]["entries"] if "log" in har else [har]
        if number is not None:
            if not 1 <= number <= len(entries):
                raise UsageError(f"the HAR file has {len(entries)} entries", remedy=_REMEDY)
            return _entry(entries[number - 1])
        if len(entries) == 1:
            # Judged even where it does not look like one: that is the question.
            return _entry(entries[0])
        found = [place for place, one in enumerate(entries, 1) if _may_be_meant(one, fits)]
        if len(found) != 1:
            which = "none" if not found else "entries " + ", ".join(map(str, found[:9]))
            raise UsageError(
                f"of {len(entries)} entries in the HAR file one must be meant; {which} could be",
                remedy="Say which with --entry NUMBER, or give a HAR file with that entry alone.",
            )
        return _entry(entries[found[0] - 1])
    except _NO_HAR:
        raise UsageError("this JSON is no HAR entry", remedy=_REMEDY) from None


def _may_be_meant(entry: Any, fits: Callable[[CapturedRequest], bool]) -> bool:
    try:
        return fits(_entry(entry))
    except (*_NO_HAR, UsageError):
        # A recording holds sockets and other things that are no requests.
        return False


def _entry(entry: Any) -> CapturedRequest:
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


def _request(
    method: str, target: bytes, headers: Headers, body: bytes, *, notes: Sequence[str] = ()
) -> CapturedRequest:
    text = target.decode("latin-1")
    if text.startswith("/"):
        # As it stands in a request line. To urlsplit "//cb" would be a host.
        path, _, query = text.partition("#")[0].partition("?")
    else:
        try:
            parts = urlsplit(text)
        except ValueError:
            raise UsageError("the request's URL cannot be read", remedy=_REMEDY) from None
        path, query = parts.path or "/", parts.query
    return CapturedRequest(method, path, query.encode("latin-1"), headers, body, notes)
