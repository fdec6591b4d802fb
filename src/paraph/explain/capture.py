"""Reads one captured HTTP request in any common format.

A capture is raw HTTP/1.1 text, a cURL command, a HAR file, or headers and body in two files. It may
also be an event of API Gateway or of a Lambda function URL, or an entry of Zoom's webhook log.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from paraph.errors import UsageError

MAX_BYTES = 32 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
REMEDY = (
    "Give raw HTTP/1.1 text (request line, headers, empty line, body), a cURL command, one HAR "
    "entry, an API Gateway or Lambda event, or an entry of Zoom's webhook log; - reads standard "
    "input."
)

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class CapturedRequest:
    """A request as it was captured. Header names are in lower case, as in ASGI.

    Attributes:
        notes: problems of the capture itself, in whole sentences.
        has_exact_body: whether the capture says where the body ends. A file of raw text without
            Content-Length does not, and editors add a line end to it.
    """

    method: str
    path: str
    raw_query: bytes
    headers: Headers
    body: bytes
    notes: Sequence[str] = field(default=())
    has_exact_body: bool = True

    def header(self, name: bytes) -> bytes | None:
        """Return the first header of a name."""
        return next((value for key, value in self.headers if key == name), None)

    def count(self, name: bytes) -> int:
        """Return the number of headers with a name."""
        return sum(key == name for key, _ in self.headers)


Fits = Callable[[CapturedRequest], bool]


def read_capture(content: bytes, *, entry: int | None = None, fits: Fits) -> CapturedRequest:
    """Read a capture of any format.

    Args:
        content: the bytes of the file.
        entry: the number of an entry of a recording, from 1; by default the one that `fits`.
        fits: returns true if a request of a recording may be the one to explain.

    Raises:
        UsageError: the capture is too long, has an unknown format, or several entries match.
    """
    from paraph.explain.curl_command import is_curl_command, read_curl_command
    from paraph.explain.json_capture import read_json_capture
    from paraph.explain.raw_request import read_raw_request

    content = _unmarked(bounded(content))
    start = content.lstrip()
    if not start:
        raise UsageError("the capture is empty", remedy=REMEDY)
    if start[:1] in {b"{", b"[", b'"'}:
        return read_json_capture(content, entry=entry, fits=fits)
    if is_curl_command(start):
        return read_curl_command(start)
    return read_raw_request(content)


def join_capture(head: bytes, body: bytes) -> CapturedRequest:
    """Build a request from a file of headers and a file with the body.

    Args:
        head: the headers, as text or as JSON.
        body: the body; it is used byte for byte.

    Raises:
        UsageError: a file is too long, or the first has no headers.
    """
    from paraph.explain.json_capture import read_json_headers
    from paraph.explain.raw_request import read_head

    head = _unmarked(bounded(head))
    if head.lstrip()[:1] in {b"{", b"["}:
        found = request("POST", b"/", read_json_headers(head), b"")
    else:
        found = read_head(head)
    return replace(found, body=bounded(body), has_exact_body=False)


def _unmarked(content: bytes) -> bytes:
    """Return the content as UTF-8 without byte order mark; Windows shells write UTF-16 files."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        with suppress(UnicodeError):
            return content.decode("utf-16").encode("utf-8")
    # The HAR format requires readers to accept a byte order mark.
    return content.removeprefix(BYTE_ORDER_MARK)


def bounded(content: bytes) -> bytes:
    """Return the content of a capture, if it is not too long.

    Raises:
        UsageError: it is larger than 32 mebibytes.
    """
    if len(content) > MAX_BYTES:
        raise UsageError("the capture is larger than 32 mebibytes", remedy=REMEDY)
    return content


def request(
    method: str,
    target: bytes,
    headers: Headers,
    body: bytes,
    *,
    notes: Sequence[str] = (),
    has_exact_body: bool = True,
) -> CapturedRequest:
    """Build a captured request from its parts.

    Args:
        method: the HTTP method.
        target: a URL, or a path with its query.
        headers: the headers; names in lower case.
        body: the body.
        notes: problems of the capture, in whole sentences.
        has_exact_body: whether the capture says where the body ends.

    Raises:
        UsageError: the target is not a URL.
    """
    text = target.decode("latin-1")
    if text.startswith("/"):
        # As in a request line. urlsplit would read "//cb" as a host.
        path, _, query = text.partition("#")[0].partition("?")
    else:
        try:
            parts = urlsplit(text)
        except ValueError:
            raise UsageError("the request's URL cannot be read", remedy=REMEDY) from None
        path, query = parts.path or "/", parts.query
    named = [(_header_name(name), value) for name, value in headers]
    return CapturedRequest(
        method, path, query.encode("latin-1"), named, body, notes, has_exact_body
    )


def _header_name(name: bytes) -> bytes:
    """Return a header's name, also from a variable of a CGI, WSGI or PHP environment."""
    if name.startswith(b"http_"):
        return name.removeprefix(b"http_").replace(b"_", b"-")
    return name
